//! Datasets in, flux maps out: against exact solutions, Gammapy's maps, and what must hold whatever the data.

mod asmooth;
mod combine;
mod excess;
mod golden;
mod golden_maps;
mod peaks;
mod physics;
#[path = "../support/mod.rs"]
mod support;
