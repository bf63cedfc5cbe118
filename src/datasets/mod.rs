//! Datasets: counts with everything needed to predict them.

mod map;

pub use map::MapDataset;
