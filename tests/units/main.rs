//! Units, quantities and times.

mod quantities;
#[path = "../support/mod.rs"]
mod support;
mod times;
