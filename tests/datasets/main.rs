//! Datasets and what is predicted for them.

mod contents;
mod gammapy;
mod npred_gammapy;
mod npred_golden;
mod npred_sources;
mod spectrum;
mod stack;
#[path = "../support/mod.rs"]
mod support;
