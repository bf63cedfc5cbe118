//! The GPU engine on any adapter, a software one included, and its shaders on none.

mod convolve;
mod disk;
mod engine;
mod instruments;
mod moments;
mod resources;
mod shaders;
#[path = "../support/mod.rs"]
mod support;
