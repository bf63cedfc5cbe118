//! Models from and to Gammapy's YAML.

pub(super) mod node;
mod read;
mod write;

#[cfg(test)]
mod tests;
