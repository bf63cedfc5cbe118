//! Flux maps: norms relative to a reference model, and their conversions.
//!
//! Only norms are stored. Fluxes are norm times reference flux: dnde and e2dnde at the geometric centre of the energy
//! bin, flux and eflux integrated over it.

mod convert;
mod maps;
mod properties;
mod quantity;
mod reference;

pub use maps::{FluxMaps, FluxMeta};
pub use quantity::{FluxQuantity, SedType};

#[cfg(test)]
mod tests;
