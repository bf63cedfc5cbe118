//! Two spectra joined by an operation.

use std::sync::Arc;

use super::{SpectralModel, trapezoid_integrals};
use crate::error::{Error, Result};
use crate::models::Parameter;

/// What joins the two spectra, by the name of Python's `operator` module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompoundOperator {
    /// Sum.
    Add,
    /// Difference.
    Sub,
    /// Product.
    Mul,
    /// Quotient.
    TrueDiv,
}

impl CompoundOperator {
    const ALL: [Self; 4] = [Self::Add, Self::Sub, Self::Mul, Self::TrueDiv];

    /// Python's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::TrueDiv => "truediv",
        }
    }

    fn apply(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::Mul => a * b,
            Self::TrueDiv => a / b,
        }
    }
}

impl std::str::FromStr for CompoundOperator {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|o| o.name() == s)
            .ok_or_else(|| Error::input("operator", format!("'{s}' is not one of add, sub, mul, truediv")))
    }
}

/// The sum, difference, product or quotient of two spectra; its parameters are those of both, in order.
///
/// ```
/// use std::sync::Arc;
/// use pevatron::models::SpectralModel;
/// use pevatron::models::spectral::*;
/// let model = CompoundSpectralModel::new(
///     Arc::new(PowerLawSpectralModel::new(2.0, 1e-12, 1.0)),
///     Arc::new(ConstantSpectralModel::norm(3.0)),
///     CompoundOperator::Mul,
/// );
/// assert_eq!(model.evaluate(1.0), 3e-12);
/// ```
#[derive(Debug, Clone)]
pub struct CompoundSpectralModel {
    first: Arc<dyn SpectralModel>,
    second: Arc<dyn SpectralModel>,
    operator: CompoundOperator,
    parameters: Vec<Parameter>,
}

impl CompoundSpectralModel {
    /// Gammapy's type name.
    pub const TAG: &'static str = "CompoundSpectralModel";

    /// `first operator second`.
    pub fn new(first: Arc<dyn SpectralModel>, second: Arc<dyn SpectralModel>, operator: CompoundOperator) -> Self {
        let parameters = [first.parameters(), second.parameters()].concat();
        Self { first, second, operator, parameters }
    }

    /// The two spectra.
    pub fn models(&self) -> (&Arc<dyn SpectralModel>, &Arc<dyn SpectralModel>) {
        (&self.first, &self.second)
    }

    /// What joins them.
    pub fn operator(&self) -> CompoundOperator {
        self.operator
    }
}

impl SpectralModel for CompoundSpectralModel {
    trapezoid_integrals!();

    fn tag(&self) -> &'static str {
        Self::TAG
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn evaluate(&self, energy_tev: f64) -> f64 {
        self.operator.apply(self.first.evaluate(energy_tev), self.second.evaluate(energy_tev))
    }

    fn is_norm(&self) -> bool {
        self.first.is_norm() && self.second.is_norm()
    }

    /// The parameters of the first spectrum, then those of the second, all of them.
    fn with_parameters(&self, parameters: &[Parameter]) -> Result<Arc<dyn SpectralModel>> {
        if parameters.len() != self.parameters.len() {
            return Err(Error::input(
                Self::TAG,
                format!("{} parameters where {} are needed", parameters.len(), self.parameters.len()),
            ));
        }
        let (first, second) = parameters.split_at(self.first.parameters().len());
        let (first, second) = (self.first.with_parameters(first)?, self.second.with_parameters(second)?);
        Ok(Arc::new(Self::new(first, second, self.operator)))
    }

    fn as_compound(&self) -> Option<&CompoundSpectralModel> {
        Some(self)
    }
}
