//! Pictures and the regions on them.

mod datasets;
mod regions;
#[path = "../support/mod.rs"]
mod support;
