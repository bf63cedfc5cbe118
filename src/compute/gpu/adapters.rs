//! Adapters: what there is, and which one is taken.

use crate::error::{Error, Result};

/// A GPU, or a program that plays one, as `pevatron devices` lists it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Adapter {
    /// Number to choose it by.
    pub index: usize,
    /// Name, as the driver says it.
    pub name: String,
    /// Graphics interface: `"vulkan"`, `"metal"`, `"dx12"`.
    pub backend: String,
    /// Driver and its version.
    pub driver: String,
    /// `"discrete"`, `"integrated"`, `"virtual"`, `"cpu"` or `"other"`.
    pub device_type: &'static str,
    /// True for programs that play a GPU (llvmpipe, SwiftShader, WARP).
    pub software: bool,
    /// True where the device can time its own work.
    pub timestamps: bool,
    /// Most bytes of one storage binding.
    pub max_binding_bytes: u64,
    /// Most bytes of one buffer.
    pub max_buffer_bytes: u64,
    /// Most bytes of workgroup memory.
    pub max_workgroup_bytes: u32,
}

impl Adapter {
    pub(super) fn new(index: usize, adapter: &wgpu::Adapter) -> Self {
        let info = adapter.get_info();
        let limits = adapter.limits();
        Self {
            index,
            backend: info.backend.to_string(),
            driver: driver_text(&info),
            device_type: match info.device_type {
                wgpu::DeviceType::DiscreteGpu => "discrete",
                wgpu::DeviceType::IntegratedGpu => "integrated",
                wgpu::DeviceType::VirtualGpu => "virtual",
                wgpu::DeviceType::Cpu => "cpu",
                wgpu::DeviceType::Other => "other",
            },
            software: info.device_type == wgpu::DeviceType::Cpu,
            timestamps: adapter.features().contains(wgpu::Features::TIMESTAMP_QUERY),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            name: info.name,
        }
    }

    /// The better, the smaller: discrete, integrated, the rest, software.
    fn rank(&self) -> u32 {
        match self.device_type {
            "discrete" => 0,
            "integrated" => 1,
            _ if self.software => 3,
            _ => 2,
        }
    }
}

pub(super) fn driver_text(info: &wgpu::AdapterInfo) -> String {
    format!("{} {}", info.driver, info.driver_info).trim().to_string()
}

/// All adapters of this machine, in wgpu's order. `WGPU_BACKEND` restricts them, as in other programs with wgpu.
pub fn adapters() -> Vec<Adapter> {
    listed().iter().enumerate().map(|(index, adapter)| Adapter::new(index, adapter)).collect()
}

pub(super) fn listed() -> Vec<wgpu::Adapter> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let backends = wgpu::Backends::from_env().unwrap_or(wgpu::Backends::PRIMARY);
    pollster::block_on(instance.enumerate_adapters(backends))
}

/// The adapter to take, and why.
pub(super) fn choose(known: &[Adapter], wanted: Option<&str>, software: bool) -> Result<(Adapter, String)> {
    if known.is_empty() {
        return Err(Error::Device {
            adapter: "no GPU".into(),
            problem: "no adapter was found; a driver for Vulkan, Metal or DirectX 12 is needed".into(),
        });
    }
    let names = || known.iter().map(|a| format!("{}: {}", a.index, a.name)).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = wanted {
        let by_index = wanted.parse::<usize>().ok();
        let lower = wanted.to_lowercase();
        let found = known
            .iter()
            .filter(|a| by_index == Some(a.index) || a.name.to_lowercase().contains(&lower))
            .min_by_key(|a| (by_index != Some(a.index), a.rank()));
        return match found {
            Some(adapter) => Ok((adapter.clone(), format!("adapter '{wanted}' was asked for"))),
            None => Err(Error::options("adapter", format!("'{wanted}' is not there")).with_help(names())),
        };
    }
    match known.iter().filter(|a| software || !a.software).min_by_key(|a| a.rank()) {
        Some(adapter) if adapter.software => Ok((adapter.clone(), "no hardware GPU, a software adapter".into())),
        Some(adapter) => {
            Ok((adapter.clone(), format!("the best of {} adapters ({})", known.len(), adapter.device_type)))
        }
        None => Err(Error::Device {
            adapter: names(),
            problem: "only software adapters, which are slower than the CPU".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, device_type: &'static str) -> Adapter {
        Adapter {
            index,
            name: name.into(),
            backend: "vulkan".into(),
            driver: String::new(),
            device_type,
            software: device_type == "cpu",
            timestamps: false,
            max_binding_bytes: 1,
            max_buffer_bytes: 1,
            max_workgroup_bytes: 1,
        }
    }

    #[test]
    fn hardware_comes_first_and_software_only_when_allowed() {
        let all = [adapter(0, "llvmpipe", "cpu"), adapter(1, "Arc", "integrated"), adapter(2, "H200", "discrete")];
        assert_eq!(choose(&all, None, true).unwrap().0.index, 2);
        assert_eq!(choose(&all[..2], None, true).unwrap().0.index, 1);
        assert_eq!(choose(&all[..1], None, true).unwrap().0.index, 0);
        assert!(choose(&all[..1], None, false).is_err());
        assert!(choose(&[], None, true).is_err());
    }

    #[test]
    fn adapters_are_found_by_index_and_part_of_the_name() {
        let all = [adapter(0, "NVIDIA 1", "discrete"), adapter(1, "llvmpipe", "cpu")];
        assert_eq!(choose(&all, Some("1"), false).unwrap().0.index, 1);
        assert_eq!(choose(&all, Some("nvidia"), false).unwrap().0.index, 0);
        let error = choose(&all, Some("amd"), true).unwrap_err();
        assert_eq!(error.help(), Some("0: NVIDIA 1, 1: llvmpipe"));
    }
}
