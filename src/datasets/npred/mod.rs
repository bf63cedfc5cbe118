//! Predicted counts of source models (Gammapy's `MapEvaluator`).
//!
//! The order in which responses are applied stands here and nowhere else:
//!
//! 1. position: the model's; responses are taken there (nearest valid position of each response map);
//! 2. cutout: PSF width + 2 (evaluation radius + 0.1°), an odd number of pixels, trimmed at the map's borders;
//! 3. flux: per pixel the model's share of the flux (`shape`), times the integral of the spectrum in each true bin;
//! 4. PSF in true energy: convolution of the share, within the cutout;
//! 5. exposure: per pixel and true energy;
//! 6. energy dispersion: matrix product to reconstructed energy (without one: the overlap of the bins);
//! 7. PSF in reconstructed energy (HAWC): convolution after the dispersion, in place of step 4.
//!
//! A model may leave out PSF, exposure or energy dispersion (`SkyModel::apply_irf`); position and cutout stay.
//! Templates of predicted counts (`template`) go through none of these.

mod evaluator;
mod evaluators;
mod region;
mod shape;
mod template;

pub use evaluator::{Domain, Evaluation, Evaluator, Exposure, Prepared};
pub use evaluators::{Evaluators, NpredWork};
pub use template::TemplateCounts;
