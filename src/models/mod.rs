//! Source and background models, in Gammapy's terms. Energies are in TeV, dnde in cm-2 s-1 TeV-1, angles in degrees.

mod background;
mod parameter;
mod parameter_set;
mod sky;
pub mod spatial;
pub mod spectral;

pub use background::FoVBackgroundModel;
pub use parameter::Parameter;
pub use sky::{Model, Models, SkyModel};
pub use spatial::SpatialModel;
pub use spectral::SpectralModel;
