//! Joint fits of models.

mod arrival;
mod gammapy;
mod injected;
#[path = "../support/mod.rs"]
mod support;
