//! Flux maps, flux points and their tables.

mod containers;
mod points;
mod points_dataset;
#[path = "../support/mod.rs"]
mod support;
mod tables;
