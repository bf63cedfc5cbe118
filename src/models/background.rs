//! The field-of-view background: a norm and a tilt on the dataset's background cube.

use std::sync::Arc;

use super::spectral::SpectralModel;

/// Scales a dataset's background by a norm spectrum evaluated at the centre of each reconstructed-energy bin.
#[derive(Debug, Clone)]
pub struct FoVBackgroundModel {
    /// Name.
    pub name: String,
    /// Norm spectrum (dimensionless), usually a `PowerLawNormSpectralModel`.
    pub spectral: Arc<dyn SpectralModel>,
    /// Datasets it applies to.
    pub datasets_names: Vec<String>,
}
