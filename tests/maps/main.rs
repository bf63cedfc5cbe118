//! Axes, geometries, coordinates and maps.

mod gammapy;
mod order;
mod properties;
mod sky;
#[path = "../support/mod.rs"]
mod support;
mod wcs_golden;
mod wcs_headers;
mod wcs_properties;
