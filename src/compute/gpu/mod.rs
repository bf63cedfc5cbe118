//! The GPU engine: WGSL through wgpu.
