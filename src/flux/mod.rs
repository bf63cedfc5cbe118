//! Flux maps: norms relative to a reference model, and their conversions.
//!
//! Only norms are stored. Fluxes are norm times reference flux: dnde and e2dnde at the geometric centre of the energy
//! bin, flux and eflux integrated over it.
//!
//! ```
//! use std::sync::Arc;
//! use pevatron::flux::{FluxMaps, FluxQuantity, SedType};
//! use pevatron::maps::{Geom, Map, MapAxis, RegionGeom};
//! let axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy")?;
//! let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![axis])));
//! let norm = Map::from_cube(geom.clone(), "".parse()?, ndarray::arr3(&[[[2.0]], [[3.0]]]))?;
//! // Relative to 1e-12 (E / TeV)^-2 cm-2 s-1 TeV-1.
//! let mut flux = FluxMaps::new(geom, FluxMaps::default_reference_model());
//! flux.insert(FluxQuantity::Norm, norm)?;
//! let dnde: Vec<f64> = flux.dnde()?.data().iter().collect();
//! assert!((dnde[0] / 2e-13 - 1.0).abs() < 1e-12);
//! let maps = flux.to_maps(SedType::Flux)?;
//! assert_eq!((maps[0].0.as_str(), maps[0].1.unit().to_string().as_str()), ("flux", "s-1 cm-2"));
//! # Ok::<(), pevatron::Error>(())
//! ```

mod collection;
mod convert;
mod maps;
mod points;
mod properties;
mod quantity;
mod reference;
mod select;
mod stack;
mod table;

pub use collection::{FluxPointsCollection, FluxPointsKey};
pub use maps::{FluxMaps, FluxMeta, ScanZero};
pub use points::FluxPoints;
pub use quantity::{FluxQuantity, SedType};
pub use select::CoordSlice;

pub use crate::maps::AxisSlice;
pub use table::{ColumnAs, FromTable, TableFormat};

#[cfg(test)]
mod tests;
