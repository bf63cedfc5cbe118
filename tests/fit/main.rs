//! Joint fits of models.

mod gammapy;
mod injected;
#[path = "../support/mod.rs"]
mod support;
