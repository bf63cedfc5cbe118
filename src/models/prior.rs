//! Priors: what is known of a parameter before the fit, added to the statistic as −2 ln of its density.

use std::f64::consts::{LN_2, PI};

use crate::error::{Error, Result};

/// A density that a prior has, in the unit of its parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum PriorDensity {
    /// Normal distribution of mean `mu` and standard deviation `sigma`.
    Gaussian {
        /// Mean.
        mu: f64,
        /// Standard deviation.
        sigma: f64,
    },
    /// Exponential of `-(|x - mu| / (sqrt 2 sigma))^(1 / eta)`: normal at eta 0.5, two-sided exponential at 1.
    GeneralizedGaussian {
        /// Mean.
        mu: f64,
        /// Width.
        sigma: f64,
        /// Shape.
        eta: f64,
    },
    /// The same everywhere between two ends.
    Uniform {
        /// Lower end.
        min: f64,
        /// Upper end.
        max: f64,
    },
    /// The same for each decade between two ends.
    LogUniform {
        /// Lower end, positive.
        min: f64,
        /// Upper end.
        max: f64,
    },
}

/// A density and its weight (Gammapy's `GaussianPrior` and its kin).
///
/// ```
/// use pevatron::models::{Prior, PriorDensity};
/// let prior = Prior::new(PriorDensity::Gaussian { mu: 2.0, sigma: 0.1 })?;
/// assert!((prior.stat(2.2) - prior.stat(2.0) - 4.0).abs() < 1e-12);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Its density.
    pub density: PriorDensity,
    /// What its statistic is multiplied with, usually 1.
    pub weight: f64,
}

impl Prior {
    /// A prior of weight 1.
    ///
    /// # Errors
    /// [`Error::Input`] for a width that is not positive, ends in the wrong order, or values that are not finite.
    pub fn new(density: PriorDensity) -> Result<Self> {
        let prior = Self { density, weight: 1.0 };
        let wrong = |problem: String| Err(Error::input(prior.tag(), problem));
        if let Some((name, value)) = prior.parameters().into_iter().find(|(_, v)| !v.is_finite()) {
            return wrong(format!("{name} {value} is not a finite number"));
        }
        match density {
            PriorDensity::Gaussian { sigma, .. } | PriorDensity::GeneralizedGaussian { sigma, .. } if sigma <= 0.0 => {
                wrong(format!("sigma {sigma} must be positive"))
            }
            PriorDensity::GeneralizedGaussian { eta, .. } if eta <= 0.0 => wrong(format!("eta {eta} must be positive")),
            PriorDensity::LogUniform { min, .. } if min <= 0.0 => wrong(format!("min {min} must be positive")),
            PriorDensity::Uniform { min, max } | PriorDensity::LogUniform { min, max } if min >= max => {
                wrong(format!("min {min} must lie below max {max}"))
            }
            _ => Ok(prior),
        }
    }

    /// Gammapy's type name.
    pub fn tag(&self) -> &'static str {
        match self.density {
            PriorDensity::Gaussian { .. } => "GaussianPrior",
            PriorDensity::GeneralizedGaussian { .. } => "GeneralizedGaussianPrior",
            PriorDensity::Uniform { .. } => "UniformPrior",
            PriorDensity::LogUniform { .. } => "LogUniformPrior",
        }
    }

    /// Type names of all priors.
    pub const TAGS: [&'static str; 4] =
        ["GaussianPrior", "GeneralizedGaussianPrior", "UniformPrior", "LogUniformPrior"];

    /// By type name, from parameters in any order; missing ones have Gammapy's defaults.
    ///
    /// # Errors
    /// [`Error::Input`] for a name that is not known, and as [`Prior::new`].
    pub fn from_parameters(tag: &str, given: &[(String, f64)]) -> Result<Self> {
        let of = |name: &str, default: f64| given.iter().find(|(n, _)| n == name).map_or(default, |(_, v)| *v);
        Self::new(match tag {
            "GaussianPrior" => PriorDensity::Gaussian { mu: of("mu", 0.0), sigma: of("sigma", 1.0) },
            "GeneralizedGaussianPrior" => {
                PriorDensity::GeneralizedGaussian { mu: of("mu", 0.0), sigma: of("sigma", 1.0), eta: of("eta", 0.5) }
            }
            "UniformPrior" => PriorDensity::Uniform { min: of("min", 0.0), max: of("max", 1.0) },
            "LogUniformPrior" => PriorDensity::LogUniform { min: of("min", 1e-14), max: of("max", 1e-10) },
            other => {
                return Err(Error::input(other, "is not a prior that is known")
                    .with_help(format!("known are {}", Self::TAGS.join(", "))));
            }
        })
    }

    /// Its parameters by Gammapy's names.
    pub fn parameters(&self) -> Vec<(&'static str, f64)> {
        match self.density {
            PriorDensity::Gaussian { mu, sigma } => vec![("mu", mu), ("sigma", sigma)],
            PriorDensity::GeneralizedGaussian { mu, sigma, eta } => vec![("mu", mu), ("sigma", sigma), ("eta", eta)],
            PriorDensity::Uniform { min, max } | PriorDensity::LogUniform { min, max } => {
                vec![("min", min), ("max", max)]
            }
        }
    }

    /// The values that it allows; infinite where it has no end.
    pub fn range(&self) -> (f64, f64) {
        match self.density {
            PriorDensity::Uniform { min, max } | PriorDensity::LogUniform { min, max } => (min, max),
            _ => (f64::NEG_INFINITY, f64::INFINITY),
        }
    }

    /// −2 ln of the density times the weight. Beyond the ends of a uniform prior it is that of the next end: a fit holds
    /// the parameter between them. Gammapy: infinite there.
    pub fn stat(&self, value: f64) -> f64 {
        let (min, max) = self.range();
        let value = value.clamp(min, max);
        self.weight
            * match self.density {
                PriorDensity::Gaussian { mu, sigma } => {
                    ((value - mu) / sigma).powi(2) + (2.0 * PI * sigma * sigma).ln()
                }
                PriorDensity::GeneralizedGaussian { mu, sigma, eta } => {
                    let width = std::f64::consts::SQRT_2 * sigma;
                    let norm = LN_2 + width.ln() + eta.ln() + libm::lgamma(eta);
                    2.0 * (((value - mu).abs() / width).powf(1.0 / eta) + norm)
                }
                PriorDensity::Uniform { min, max } => 2.0 * (max - min).ln(),
                PriorDensity::LogUniform { min, max } => 2.0 * (value.ln() + (max / min).ln().ln()),
            }
    }

    /// First and second derivative of [`Prior::stat`].
    pub fn derivatives(&self, value: f64) -> (f64, f64) {
        let (first, second) = match self.density {
            PriorDensity::Gaussian { mu, sigma } => (2.0 * (value - mu) / (sigma * sigma), 2.0 / (sigma * sigma)),
            PriorDensity::GeneralizedGaussian { mu, sigma, eta } => {
                let width = std::f64::consts::SQRT_2 * sigma;
                let (x, power) = ((value - mu) / width, 1.0 / eta);
                // Close to the centre the derivatives of a pointed density have no limit.
                let size = x.abs().max(1e-6);
                let slope = 2.0 * power * size.powf(power - 1.0) / width;
                (slope * x / size, 2.0 * power * (power - 1.0) * size.powf(power - 2.0) / (width * width))
            }
            PriorDensity::Uniform { .. } => (0.0, 0.0),
            PriorDensity::LogUniform { .. } => (2.0 / value, -2.0 / (value * value)),
        };
        (self.weight * first, self.weight * second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(density: PriorDensity) -> Prior {
        Prior::new(density).unwrap()
    }

    /// Values of scipy's logpdf.
    #[test]
    fn stats_are_those_of_the_densities() {
        let cases = [
            (PriorDensity::Gaussian { mu: 2.0, sigma: 0.1 }, 2.3, 6.232706880423438),
            (PriorDensity::Uniform { min: 1.0, max: 4.0 }, 2.0, 2.1972245773362196),
            (PriorDensity::LogUniform { min: 1e-14, max: 1e-10 }, 3e-12, -48.624164041785185),
            (
                PriorDensity::GeneralizedGaussian { mu: 1.0, sigma: 0.3, eta: 1.0 },
                1.5,
                2.0 * (0.5 / 0.3 / 2f64.sqrt()) + 2.0 * (0.6 * 2f64.sqrt()).ln(),
            ),
            (PriorDensity::GeneralizedGaussian { mu: 2.0, sigma: 0.1, eta: 0.5 }, 2.3, 6.232706880423438),
        ];
        for (density, value, wanted) in cases {
            let found = prior(density).stat(value);
            assert!((found - wanted).abs() < 1e-5, "{density:?}: {found} instead of {wanted}");
        }
    }

    #[test]
    fn derivatives_are_those_of_the_stat() {
        for density in [
            PriorDensity::Gaussian { mu: 2.0, sigma: 0.1 },
            PriorDensity::LogUniform { min: 0.1, max: 10.0 },
            PriorDensity::Uniform { min: 0.1, max: 10.0 },
            PriorDensity::GeneralizedGaussian { mu: 2.0, sigma: 0.5, eta: 0.7 },
        ] {
            let prior = Prior { weight: 1.7, ..prior(density) };
            let (x, h) = (2.3, 1e-4);
            let (a, b, c) = (prior.stat(x - h), prior.stat(x), prior.stat(x + h));
            let (first, second) = prior.derivatives(x);
            assert!((first - (c - a) / (2.0 * h)).abs() < 1e-5 * (1.0 + first.abs()), "{density:?}");
            assert!((second - (a - 2.0 * b + c) / (h * h)).abs() < 1e-4 * (1.0 + second.abs()), "{density:?}");
        }
    }

    #[test]
    fn impossible_priors_are_refused() {
        for density in [
            PriorDensity::Gaussian { mu: 0.0, sigma: 0.0 },
            PriorDensity::Gaussian { mu: f64::NAN, sigma: 1.0 },
            PriorDensity::Uniform { min: 1.0, max: 1.0 },
            PriorDensity::LogUniform { min: 0.0, max: 1.0 },
        ] {
            assert!(Prior::new(density).is_err(), "{density:?}");
        }
        assert!(Prior::from_parameters("CauchyPrior", &[]).is_err());
    }
}
