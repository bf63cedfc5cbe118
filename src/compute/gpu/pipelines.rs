//! The shaders by name, and their pipelines.
//!
//! A shader is the concatenation of its parts: shared WGSL first, its own file last.

use std::sync::Arc;

use super::device::{GpuDevice, lock};
use crate::error::Result;

/// A compute shader with the entry point `main`.
#[derive(Debug, Clone, Copy)]
pub struct Shader {
    /// Name, as the file's.
    pub name: &'static str,
    parts: &'static [&'static str],
}

impl Shader {
    /// The WGSL source.
    pub fn source(&self) -> String {
        self.parts.join("\n")
    }
}

const TWO_FLOAT: &str = include_str!("../../../shaders/shared/two_float.wgsl");
const LOG: &str = include_str!("../../../shaders/shared/log.wgsl");
const LISTS: &str = include_str!("../../../shaders/shared/lists.wgsl");
const SCAN: &str = include_str!("../../../shaders/shared/scan.wgsl");
const FFT: &str = include_str!("../../../shaders/shared/fft.wgsl");
const FFT_STEPS: &str = include_str!("../../../shaders/shared/fft_steps.wgsl");
const TWO_FFT: &str = include_str!("../../../shaders/shared/two_fft.wgsl");
const TS_MAP: &str = include_str!("../../../shaders/shared/ts_map.wgsl");
const TS_BINS: &str = include_str!("../../../shaders/shared/ts_bins.wgsl");
const TS_PIXELS: &str = include_str!("../../../shaders/shared/ts_pixels.wgsl");
const TS_STEP: &str = include_str!("../../../shaders/shared/ts_step.wgsl");
const TS_OPEN: &str = include_str!("../../../shaders/shared/ts_open.wgsl");
const TS_SHIFT: &str = include_str!("../../../shaders/shared/ts_shift.wgsl");

macro_rules! shaders {
    ($($constant:ident = $name:literal: $($part:expr),*;)*) => {
        $(pub(super) const $constant: Shader =
            Shader { name: $name, parts: &[$($part,)* include_str!(concat!("../../../shaders/", $name, ".wgsl"))] };)*
        /// All shaders.
        pub const ALL: &[Shader] = &[$($constant),*];
    };
}

shaders! {
    SELF_TEST = "self_test": TWO_FLOAT, LOG;
    CONVOLVE = "convolve": TWO_FLOAT;
    CONVOLVE_ROWS = "convolve_rows": TWO_FLOAT, TWO_FFT, FFT_STEPS;
    CONVOLVE_COLUMNS = "convolve_columns": TWO_FLOAT, TWO_FFT, FFT_STEPS;
    CONVOLVE_BACK = "convolve_back": TWO_FLOAT, TWO_FFT, FFT_STEPS;
    CEILING_FMA = "ceiling_fma":;
    CEILING_COPY = "ceiling_copy":;
    EDISP = "edisp": TWO_FLOAT;
    DISK_ROWS = "disk_rows": TWO_FLOAT;
    DISK_SUM = "disk_sum": TWO_FLOAT;
    LIKELIHOOD = "likelihood": TWO_FLOAT, LOG;
    LISTS_SURVEY = "lists_survey": LISTS;
    LISTS_RATIO = "lists_ratio": LISTS;
    LISTS_COUNT = "lists_count": LISTS, SCAN;
    LISTS_OFFSETS = "lists_offsets": LISTS, SCAN;
    LISTS_SCATTER = "lists_scatter": LISTS;
    FFT_ROWS = "fft_rows": FFT, FFT_STEPS;
    FFT_COLUMNS = "fft_columns": FFT, FFT_STEPS;
    FFT_PRODUCT = "fft_product": FFT, FFT_STEPS;
    FFT_ROWS_BACK = "fft_rows_back": FFT, FFT_STEPS;
    FFT_NOISE = "fft_noise": FFT, FFT_STEPS;
    TS_MAP_KEEP = "ts_map_keep": TS_MAP;
    TS_MAP_ADD = "ts_map_add": TWO_FLOAT, TS_MAP, TS_OPEN, TS_SHIFT;
    TS_MAP_WING = "ts_map_wing": TS_MAP, TS_STEP, TS_OPEN, TS_SHIFT;
    TS_MAP_MOMENTS = "ts_map_moments": TWO_FLOAT, TS_MAP, TS_BINS, TS_PIXELS;
    TS_MAP_BOUND = "ts_map_bound": TS_MAP;
    TS_MAP_START = "ts_map_start": TS_MAP, TS_STEP, TS_OPEN;
    TS_MAP_FIT = "ts_map_fit": TWO_FLOAT, LOG, TS_MAP, TS_BINS, TS_PIXELS;
    TS_MAP_STEP = "ts_map_step": TS_MAP, TS_STEP, TS_OPEN;
    TS_MAP_RISE = "ts_map_rise": TWO_FLOAT, LOG, TS_MAP, TS_BINS, TS_PIXELS;
    TS_MAP_TRUNCATION = "ts_map_truncation": TS_MAP;
    TS_MAP_SENSITIVITY = "ts_map_sensitivity": LOG, TS_MAP;
    TS_MAP_ERRORS = "ts_map_errors": LOG, TS_MAP, TS_OPEN;
}

impl GpuDevice {
    /// The pipeline of a shader, made on first use.
    pub(super) fn pipeline(&self, shader: &Shader) -> Result<Arc<wgpu::ComputePipeline>> {
        if let Some(pipeline) = lock(&self.pipelines).get(shader.name) {
            return Ok(Arc::clone(pipeline));
        }
        let label = format!("pevatron.{}", shader.name);
        let made = self.scoped(&label, 0, || {
            let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(&label),
                source: wgpu::ShaderSource::Wgsl(shader.source().into()),
            });
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(&label),
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        })?;
        // Another thread may have made it meanwhile: bindings fit the pipeline that they were made for only, so the first
        // one stays.
        Ok(Arc::clone(lock(&self.pipelines).entry(shader.name).or_insert_with(|| Arc::new(made))))
    }
}
