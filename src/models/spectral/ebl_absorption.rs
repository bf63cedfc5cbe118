//! Absorption of gamma rays by the extragalactic background light.

use std::sync::Arc;

use ndarray::Array2;

use super::{SpectralModel, trapezoid_integrals};
use crate::error::{Error, Result};
use crate::models::Parameter;
use crate::models::parameter_set::{ParameterSet, ParameterSpec};
use crate::units::Unit;

const SPECS: [ParameterSpec; 2] =
    [ParameterSpec::frozen("redshift", 0.1, ""), ParameterSpec::frozen("alpha_norm", 1.0, "")];

/// The part of the gamma rays that arrive, by redshift and energy.
#[derive(Debug, Clone, PartialEq)]
pub struct AbsorptionTable {
    redshifts: Vec<f64>,
    energies: Vec<f64>,
    energy_unit: Unit,
    values: Array2<f64>,
    /// The smallest number of the table's precision: what stands for 0 in logarithms.
    tiny: f64,
}

impl AbsorptionTable {
    /// From redshifts and energies, both increasing, and values `[redshift, energy]`; `is_single` where they are in single
    /// precision.
    ///
    /// # Errors
    /// [`Error::Input`] for unlike shapes, nodes that do not increase, energies that are not positive, or values that are
    /// not finite.
    pub fn new(
        redshifts: Vec<f64>,
        energies: Vec<f64>,
        energy_unit: Unit,
        values: Array2<f64>,
        is_single: bool,
    ) -> Result<Self> {
        let wrong = |what: &str| Err(Error::input(EblAbsorptionNormSpectralModel::TAG, what));
        if redshifts.is_empty() || energies.is_empty() || values.dim() != (redshifts.len(), energies.len()) {
            let (n, m) = (redshifts.len(), energies.len());
            return wrong(&format!("{:?} values for {n} redshifts and {m} energies", values.dim()));
        }
        energy_unit.factor_to_text("TeV")?;
        for (nodes, what) in [(&redshifts, "its redshifts"), (&energies, "its energies")] {
            if nodes.iter().any(|v| !v.is_finite()) || nodes.windows(2).any(|w| w[1] <= w[0]) {
                return wrong(&format!("{what} do not increase"));
            }
        }
        if energies[0] <= 0.0 {
            return wrong("its energies are not positive");
        }
        if values.iter().any(|v| !v.is_finite()) {
            return wrong("a value is not a finite number");
        }
        let tiny = if is_single { f64::from(f32::MIN_POSITIVE) } else { f64::MIN_POSITIVE };
        Ok(Self { redshifts, energies, energy_unit, values, tiny })
    }

    /// Redshifts.
    pub fn redshifts(&self) -> &[f64] {
        &self.redshifts
    }

    /// Energies as given, and their unit.
    pub fn energies(&self) -> (&[f64], &Unit) {
        (&self.energies, &self.energy_unit)
    }

    /// Values `[redshift, energy]`.
    pub fn values(&self) -> &Array2<f64> {
        &self.values
    }

    /// Two neighbouring nodes and the weight of the second, extrapolated beyond the ends.
    fn nodes(nodes: &[f64], x: f64, scale: impl Fn(f64) -> f64) -> (usize, usize, f64) {
        let n = nodes.len();
        if n == 1 {
            return (0, 0, 0.0);
        }
        let upper = nodes.partition_point(|v| *v <= x).clamp(1, n - 1);
        let (a, b) = (scale(nodes[upper - 1]), scale(nodes[upper]));
        (upper - 1, upper, (scale(x) - a) / (b - a))
    }

    /// The value, linear in redshift and in the logarithms of energy and value, within 0 and 1.
    fn at(&self, redshift: f64, energy: f64) -> f64 {
        let (z0, z1, wz) = Self::nodes(&self.redshifts, redshift, |v| v);
        let (e0, e1, we) = Self::nodes(&self.energies, energy, f64::ln);
        let ln = |z: usize, e: usize| self.values[[z, e]].max(self.tiny).ln();
        let row = |z: usize| ln(z, e0) + (ln(z, e1) - ln(z, e0)) * we;
        let value = (row(z0) + (row(z1) - row(z0)) * wz).exp();
        if value <= 2.0 * self.tiny { 0.0 } else { value.min(1.0) }
    }
}

/// The part of the gamma rays of a source at a redshift that arrives, to the power of `alpha_norm`: it multiplies other
/// spectra (Gammapy's `EBLAbsorptionNormSpectralModel`). Tables of several authors come with Gammapy's data.
#[derive(Debug, Clone, PartialEq)]
pub struct EblAbsorptionNormSpectralModel {
    set: ParameterSet<2>,
    table: Arc<AbsorptionTable>,
    energy_factor: f64,
    filename: Option<String>,
}

impl EblAbsorptionNormSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "EBLAbsorptionNormSpectralModel";

    /// From a table, a redshift, and a factor for the optical depth (usually 1).
    ///
    /// # Errors
    /// [`Error::Input`] where the table's energies have another unit.
    pub fn new(table: Arc<AbsorptionTable>, redshift: f64, alpha_norm: f64) -> Result<Self> {
        Self::of(table, ParameterSet::new(&SPECS, [redshift, alpha_norm]))
    }

    fn of(table: Arc<AbsorptionTable>, set: ParameterSet<2>) -> Result<Self> {
        let energy_factor = table.energy_unit.factor_to_text("TeV")?;
        Ok(Self { set, table, energy_factor, filename: None })
    }

    /// From parameters in any order; missing ones have Gammapy's defaults.
    ///
    /// # Errors
    /// [`Error::Input`] that names the parameter, for a value that is not finite or a unit of another kind.
    pub fn from_parameters(table: Arc<AbsorptionTable>, parameters: &[Parameter]) -> Result<Self> {
        Self::of(table, ParameterSet::from_parameters(Self::TAG, &SPECS, parameters)?)
    }

    /// Gammapy's default parameters: redshift 0.1 and norm 1, both frozen.
    pub fn default_parameters() -> [Parameter; 2] {
        SPECS.map(|spec| spec.parameter(spec.value))
    }

    /// With the name of the file that the table came from, for writing.
    pub fn with_filename(self, filename: impl Into<String>) -> Self {
        Self { filename: Some(filename.into()), ..self }
    }

    /// The table.
    pub fn table(&self) -> &Arc<AbsorptionTable> {
        &self.table
    }

    /// The name of the table's file; `None`: it stands with the model.
    pub fn filename(&self) -> Option<&str> {
        self.filename.as_deref()
    }
}

impl SpectralModel for EblAbsorptionNormSpectralModel {
    trapezoid_integrals!();

    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        self.set.parameters()
    }

    fn evaluate(&self, energy_tev: f64) -> f64 {
        let [redshift, alpha_norm] = *self.set.values();
        self.table.at(redshift, energy_tev / self.energy_factor).powf(alpha_norm)
    }

    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        let model = Self::from_parameters(Arc::clone(&self.table), parameters)?;
        Ok(Arc::new(Self { filename: self.filename.clone(), ..model }))
    }

    fn as_absorption(&self) -> Option<&EblAbsorptionNormSpectralModel> {
        Some(self)
    }
}
