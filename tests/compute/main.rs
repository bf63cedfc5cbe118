//! The engines: one body of tests for each, extreme numbers, windows with exact solutions.

mod engines;
mod extremes;
#[path = "../support/mod.rs"]
mod support;
mod windows;
