//! Models from and to Gammapy's YAML.

pub(super) mod node;
mod read;
mod write;

pub(super) use read::{Readers, resolve};

#[cfg(test)]
mod tests;
