//! Every shader is valid WGSL with the default capabilities of WebGPU, and its uniforms lie as the host writes them.
//! Needs no adapter.
#![cfg(feature = "gpu")]

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, TypeInner};
use pevatron::low_level::{shader_params, shaders};

fn parse(shader: &shaders::Shader) -> Module {
    let source = shader.source();
    naga::front::wgsl::parse_str(&source).unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string(&source)))
}

#[test]
fn every_shader_is_valid_within_default_limits() {
    for shader in shaders::ALL {
        let module = parse(shader);
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|e| panic!("{}: {}", shader.name, e.emit_to_string(&shader.source())));
        assert_eq!(module.entry_points.len(), 1, "{}", shader.name);
        let storage = module.global_variables.iter().filter(|(_, v)| matches!(v.space, AddressSpace::Storage { .. }));
        assert!(storage.count() <= 8, "{}: more storage buffers than the default limit", shader.name);
        let workgroup: u32 = module
            .global_variables
            .iter()
            .filter(|(_, v)| v.space == AddressSpace::WorkGroup)
            .map(|(_, v)| module.types[v.ty].inner.size(module.to_ctx()))
            .sum();
        // The least that an adapter of wgpu has; convolutions go another way where there is less than WebGPU's default.
        let limit = if shader.name.starts_with("convolve_") { 16_384 } else { 16_352 };
        assert!(workgroup <= limit, "{}: {workgroup} bytes of workgroup memory", shader.name);
    }
}

#[test]
fn uniforms_lie_as_the_host_writes_them() {
    let layouts = shader_params::layouts();
    for shader in shaders::ALL {
        let module = parse(shader);
        let (_, uniform) =
            module.global_variables.iter().find(|(_, v)| v.space == AddressSpace::Uniform).expect(shader.name);
        let TypeInner::Struct { members, span } = &module.types[uniform.ty].inner else {
            panic!("{}: the uniform is not a struct", shader.name);
        };
        // Passes of one kind share the uniforms that are listed for one of them.
        let shared =
            [("ts_map", "ts_map_fit"), ("lists", "lists_count"), ("fft", "fft_rows"), ("convolve_", "convolve_rows")];
        let listed = shared.iter().find(|(kind, _)| shader.name.starts_with(kind)).map_or(shader.name, |(_, one)| one);
        let (_, size, fields) = layouts.iter().find(|(name, ..)| *name == listed).expect(shader.name);
        assert_eq!(*span as usize, *size, "{}", shader.name);
        let found: Vec<(&str, usize)> =
            members.iter().map(|m| (m.name.as_deref().unwrap_or(""), m.offset as usize)).collect();
        assert_eq!(found, *fields, "{}", shader.name);
    }
}

#[test]
fn constants_are_the_same_in_both_languages() {
    let shader = shaders::ALL.iter().find(|shader| shader.name == "ts_map_fit").expect("there is one");
    let module = parse(shader);
    for (name, value) in shader_params::constants() {
        let (_, constant) =
            module.constants.iter().find(|(_, c)| c.name.as_deref() == Some(name)).unwrap_or_else(|| panic!("{name}"));
        let naga::Expression::Literal(naga::Literal::U32(found)) = module.global_expressions[constant.init] else {
            panic!("{name} is not a u32");
        };
        assert_eq!(found as usize, value, "{name}");
    }
}
