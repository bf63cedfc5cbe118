//! Models and their files.

mod files;
mod gammapy;
