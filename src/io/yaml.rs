//! Models from and to Gammapy's YAML.

mod node;
mod read;
mod write;

#[cfg(test)]
mod tests;
