//! What flux points say of a flux.

use std::str::FromStr;

use crate::error::{Error, Result};
use crate::math::{QuadraticSpline, ln_erfc};

/// How flux points are compared with a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PointsStatistic {
    /// Squared distance over the symmetric error (where there is none, over the mean of both errors). Upper limits say
    /// nothing.
    #[default]
    Chi2,
    /// Normal distributions with the error of the side that the model is on, and for upper limits the probability of a
    /// measurement below them (Mohanty et al. 2013, ApJ 773, 168, equation C7).
    Distribution,
    /// The likelihood profiles of the points: what there is to be known. Upper limits count like all others.
    Profile,
}

impl PointsStatistic {
    /// As Gammapy calls it: `chi2`, `distrib`, `profile`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chi2 => "chi2",
            Self::Distribution => "distrib",
            Self::Profile => "profile",
        }
    }
}

impl FromStr for PointsStatistic {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "chi2" => Ok(Self::Chi2),
            "distrib" | "distribution" => Ok(Self::Distribution),
            "profile" => Ok(Self::Profile),
            _ => Err(Error::not_one_of("stat_type", text, ["chi2", "distrib", "profile"])),
        }
    }
}

/// How likelihood profiles go on between their points, and beyond them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProfileInterpolation {
    /// By parabolas, as a profile is one near its minimum (Gammapy's `interp_scale="sqrt"`).
    #[default]
    Parabolas,
    /// By straight lines (`"lin"`).
    Lines,
}

/// What flux points say of fluxes, see [`FluxPointsDataset::likelihood`](crate::datasets::FluxPointsDataset::likelihood).
#[derive(Debug, Clone)]
pub struct PointsLikelihood {
    pub(super) name: String,
    pub(super) stat_type: PointsStatistic,
    pub(super) points: Vec<Point>,
    pub(super) counts_in: Vec<bool>,
}

impl PointsLikelihood {
    /// Number of points that count.
    pub fn count(&self) -> usize {
        self.counts_in.iter().filter(|inside| **inside).count()
    }

    /// True where all points that count are upper limits: they hold a flux down, and nothing holds it up.
    pub fn has_only_limits(&self) -> bool {
        let mut counted = self.points.iter().zip(&self.counts_in).filter(|(_, inside)| **inside);
        counted.all(|(point, _)| matches!(point, Point::Limit(_)))
    }

    /// Refuses points that count but have no error.
    ///
    /// # Errors
    /// [`Error::Input`] with their number and the first of them.
    pub fn check(&self) -> Result<()> {
        let bare =
            |(i, inside): (usize, &bool)| (*inside && matches!(self.points[i], Point::WithoutError)).then_some(i);
        let bad: Vec<usize> = self.counts_in.iter().enumerate().filter_map(bare).collect();
        let Some(first) = bad.first() else { return Ok(()) };
        let (number, name) = (bad.len(), &self.name);
        let problem = format!(
            "flux points '{name}': {number} of {} points have no error above 0 (the first is point {first})",
            self.points.len()
        );
        Err(Error::input("dnde_err", problem).with_help("mask them in mask_safe or mask_fit"))
    }

    /// Refuses points of which none counts.
    ///
    /// # Errors
    /// [`Error::Input`] that says whether masks or the statistic leave them out.
    pub fn check_any(&self) -> Result<()> {
        if self.count() > 0 {
            return Ok(());
        }
        let name = &self.name;
        if self.points.iter().any(|p| !matches!(p, Point::Nothing)) {
            return Err(Error::input("mask", format!("flux points '{name}': all of them are masked")));
        }
        let (item, what) = match self.stat_type {
            PointsStatistic::Profile => ("stat_scan", "no point has a whole likelihood profile"),
            PointsStatistic::Distribution => ("dnde", "no point has a flux or an upper limit"),
            PointsStatistic::Chi2 => ("dnde", "all of them are upper limits or undefined, which chi2 leaves out"),
        };
        let error = Error::input(item, format!("flux points '{name}': {what}"));
        Err(match self.stat_type {
            PointsStatistic::Chi2 => error.with_help("stat_type distrib or profile takes upper limits, too"),
            _ => error,
        })
    }

    /// Sum of the statistic over the points that count, of fluxes in TeV-1 s-1 cm-2.
    pub fn stat(&self, flux: &[f64]) -> f64 {
        let counted = self.points.iter().zip(flux).zip(&self.counts_in).filter(|(_, inside)| **inside);
        // The sum of nothing is -0.
        counted.map(|((point, flux), _)| point.at(*flux).0).sum::<f64>() + 0.0
    }

    /// Statistic, slope and curvature of a point; `None` where it does not count.
    pub fn at(&self, point: usize, flux: f64) -> Option<(f64, f64, f64)> {
        self.counts_in[point].then(|| self.points[point].at(flux))
    }
}

/// What one point says.
#[derive(Debug, Clone)]
pub(super) enum Point {
    /// Nothing that the statistic can use.
    Nothing,
    /// It has a flux, but no error.
    WithoutError,
    Measured {
        value: f64,
        below: f64,
        above: f64,
    },
    Limit(f64),
    /// Rise of −2 ln L by norm, and the flux of norm 1.
    Profile {
        curve: Curve,
        reference: f64,
    },
}

impl Point {
    /// The statistic at a flux with its first and second derivative; NaN and zeros where there is none.
    pub(super) fn at(&self, flux: f64) -> (f64, f64, f64) {
        match self {
            Self::Nothing | Self::WithoutError => (f64::NAN, 0.0, 0.0),
            Self::Measured { value, below, above } => {
                let error = if flux >= *value { above } else { below };
                let pull = (flux - value) / error;
                (pull * pull, 2.0 * pull / error, 2.0 / (error * error))
            }
            // Relative to no flux at all; the width is that of a limit of one sigma above zero.
            Self::Limit(limit) => {
                let (value, slope, curvature) = ln_erfc((limit - flux) / limit);
                (2.0 * (value - ln_erfc(1.0).0), -2.0 * slope / limit, 2.0 * curvature / (limit * limit))
            }
            Self::Profile { curve, reference } => {
                let (value, slope, curvature) = curve.at(flux / reference);
                (value, slope / reference, curvature / (reference * reference))
            }
        }
    }
}

/// A curve through the points of a profile.
#[derive(Debug, Clone)]
pub(super) enum Curve {
    Parabolas(QuadraticSpline),
    Lines(Vec<(f64, f64)>),
}

impl Curve {
    pub(super) fn new(interpolation: ProfileInterpolation, x: &[f64], y: &[f64]) -> Option<Self> {
        let parabolas = QuadraticSpline::new(x, y)?;
        Some(match interpolation {
            ProfileInterpolation::Parabolas => Self::Parabolas(parabolas),
            ProfileInterpolation::Lines => Self::Lines(x.iter().copied().zip(y.iter().copied()).collect()),
        })
    }

    fn at(&self, x: f64) -> (f64, f64, f64) {
        match self {
            Self::Parabolas(spline) => spline.at(x),
            Self::Lines(points) => {
                let upper = points.partition_point(|p| p.0 <= x).clamp(1, points.len() - 1);
                let ((x0, y0), (x1, y1)) = (points[upper - 1], points[upper]);
                let slope = (y1 - y0) / (x1 - x0);
                (y0 + slope * (x - x0), slope, 0.0)
            }
        }
    }
}
