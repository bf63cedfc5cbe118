//! Files: FITS, OGIP, tile-compressed, lazy, of other tools, and broken.

mod broken;
mod files;
mod images;
mod lazy;
mod ogip;
mod spectra;
#[path = "../support/mod.rs"]
mod support;
mod tiles;
mod values;
