//! Flux maps: norms relative to a reference model, and their conversions.

mod maps;
mod quantity;

pub use maps::{FluxMaps, FluxMeta};
pub use quantity::{FluxQuantity, SedType};
