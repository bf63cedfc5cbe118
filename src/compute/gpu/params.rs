//! Uniforms of the shaders, field by field as in WGSL, and constants of both; `tests/gpu/shaders.rs` compares them.

use bytemuck::{Pod, Zeroable};

macro_rules! params {
    ($($(#[$doc:meta])* $name:ident, $shader:literal { $($field:ident: $kind:ty),* $(,)? })*) => {
        $($(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Pod, Zeroable)]
        pub struct $name { $(#[allow(missing_docs, reason = "documented in the shader")] pub $field: $kind,)* })*
        /// Shader, size of its uniforms, and name and offset of each member.
        #[allow(clippy::type_complexity, reason = "a table for one test")]
        pub fn layouts() -> Vec<(&'static str, usize, Vec<(&'static str, usize)>)> {
            vec![$(($shader, size_of::<$name>(), vec![$((stringify!($field), std::mem::offset_of!($name, $field))),*])),*]
        }
    };
}

params! {
    /// Uniforms of `self_test.wgsl`.
    SelfTest, "self_test" { one: f32, tiny: f32, small: f32, zero: u32 }
    /// Uniforms of `ceiling_fma.wgsl`.
    CeilingFma, "ceiling_fma" { steps: u32, first_group: u32, scale: f32, shift: f32 }
    /// Uniforms of `ceiling_copy.wgsl`.
    CeilingCopy, "ceiling_copy" { values: u32, first_group: u32, pad0: u32, pad1: u32 }
    /// Uniforms of `convolve.wgsl`.
    Convolve, "convolve" {
        nx: u32, band_y0: u32, band_ny: u32, tiles_x: u32, slab_y0: u32, slab_ny: u32, slab_plane0: u32,
        kernel_plane0: u32, planes: u32, ky: u32, kx: u32, u0: u32, u1: u32, tile0: u32, add: u32, zero: u32,
    }
    /// Uniforms of convolutions by transforms.
    ConvolveTiles, "convolve_rows" {
        side: u32, ky: u32, kx: u32, tile_y: u32, tile_x: u32, mode: u32, zero: u32, pad0: u32,
    }
    /// Uniforms of `edisp.wgsl`.
    Edisp, "edisp" {
        pixels: u32, true_energies: u32, reco_energies: u32, first_group: u32, zero: u32, pad0: u32, pad1: u32, pad2: u32,
    }
    /// Uniforms of `disk_rows.wgsl`.
    DiskRows, "disk_rows" { nx: u32, rows: u32, x0: u32, x1: u32, first_group: u32, zero: u32, pad0: u32, pad1: u32 }
    /// Uniforms of `disk_sum.wgsl`.
    DiskSum, "disk_sum" {
        nx: u32, rows: u32, band_y0: u32, band_ny: u32, reach: u32, first_group: u32, zero: u32, pad0: u32,
    }
    /// Uniforms of `likelihood.wgsl`.
    Likelihood, "likelihood" { bins: u32, first_group: u32, zero: u32, pad0: u32 }
    /// Uniforms of the kernels that make lists of bins.
    Lists, "lists_count" {
        nx: u32, slab_y0: u32, slab_ny: u32, slab_plane0: u32, rows: u32, tiles_x: u32, map_tiles: u32, first_group: u32,
        scale_a: f32, scale_b: f32, zero: u32, pad0: u32,
    }
    /// Uniforms of the transforms of tiles.
    Fft, "fft_rows" {
        nx: u32, slab_y0: u32, slab_ny: u32, slab_plane0: u32, kernel_plane0: u32, spectrum_plane0: u32, planes: u32,
        ky: u32, kx: u32, side: u32, y0: i32, x0: i32, mode: u32, add: u32, scale: f32, zero: u32,
    }
    /// Uniforms of the passes of the TS map.
    TsMap, "ts_map_fit" {
        nx: u32, band_y0: u32, band_ny: u32, tiles_x: u32, map_tiles: u32, slab_y0: u32, slab_ny: u32,
        slab_plane0: u32, kernel_plane0: u32, planes: u32, ky: u32, kx: u32, u0: u32, u1: u32, cell0: u32, cell1: u32,
        tile0: u32, add: u32, mode: u32, iteration: u32, max_iterations: u32, n_sigma: f32, n_sigma_ul: f32,
        threshold: f32, zero: u32, moment_side: u32, moment_y0: u32, moment_x0: u32, moment_scale: f32, pad0: u32,
        pad1: u32, pad2: u32,
    }
}

/// Name and value of the constants that host and shaders of the TS map have in common.
pub fn constants() -> Vec<(&'static str, usize)> {
    super::ts_map::layout::shared_constants()
}
