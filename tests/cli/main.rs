//! Each command as a stranger uses it.

mod commands;
mod datasets;
mod excess;
mod fit;
mod flux;
mod guide;
mod peaks;
mod pictures;
#[path = "../support/mod.rs"]
mod support;
mod words;
