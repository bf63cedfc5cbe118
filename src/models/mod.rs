//! Source and background models, in Gammapy's terms. Energies are in TeV, dnde in cm-2 s-1 TeV-1, angles in degrees.

mod access;
mod background;
mod covariance;
mod nd_template;
mod parameter;
mod parameter_set;
mod prior;
mod sky;
pub mod spatial;
pub mod spectral;
mod template_npred;
pub mod temporal;

pub use access::FreeParameter;
pub use background::FoVBackgroundModel;
pub use covariance::Covariance;
pub use parameter::{Parameter, Scan};
pub use prior::{Prior, PriorDensity};
pub use sky::{ApplyIrf, Model, Models, SkyModel};
pub use spatial::SpatialModel;
pub use spectral::SpectralModel;
pub use template_npred::TemplateNPredModel;
pub use temporal::TemporalModel;
