//! Energies changed by the energy dispersion.

use rand::{Rng, RngExt};

use super::psf::finite_values;
use super::sky::{Lookup, Vector};
use crate::error::{Error, Result};
use crate::irf::EDisp;
use crate::maps::{Map, MapAxis};

/// The energy dispersion at each pixel of its map, ready to draw from: the pixel that holds the direction, or the
/// nearest one with values, as [`EDisp::matrix_at`] has it.
///
/// What a matrix or a migration lacks to 1 is the chance that an event is not reconstructed at all.
pub(super) struct EDispSampler {
    lookup: Lookup,
    kind: Kind,
    /// Values along a row.
    width: usize,
    /// `[pixel, energy_true, energy or migra]`: sum up to and with each bin.
    cumulative: Vec<f64>,
    /// Bins of reconstructed energy in TeV, or of reconstructed over true energy.
    edges: Vec<f64>,
}

enum Kind {
    /// A matrix in the true-energy bins of the exposure.
    Matrix { n_true: usize },
    /// Migration at nodes of true energy.
    Migra(Box<MapAxis>),
}

impl EDispSampler {
    /// Sums the rows, for `n_true` bins of the exposure and the energy axis of the counts.
    ///
    /// # Errors
    /// [`Error::Input`] for axes that do not fit.
    pub fn new(edisp: &EDisp, n_true: usize, energy: &MapAxis) -> Result<Self> {
        let (map, first) = match edisp {
            EDisp::Kernel(m) => (&m.edisp, "energy"),
            EDisp::Migra(m) => (&m.edisp, "migra"),
        };
        let axes = map.geom().axes();
        let [axis, truth] = axes else {
            return Err(Error::input("edisp", format!("{} axes where [{first}, energy_true] are needed", axes.len())));
        };
        if axis.name() != first || truth.name() != "energy_true" {
            let problem = format!("axes [{}, {}] where [{first}, energy_true] are needed", axis.name(), truth.name());
            return Err(Error::input("edisp", problem));
        }
        let (kind, edges) = match edisp {
            EDisp::Kernel(_) => {
                if axis.nbin() != energy.nbin() || truth.nbin() != n_true {
                    let problem = format!(
                        "{} reconstructed and {} true energies where counts and exposure have {} and {n_true}",
                        axis.nbin(),
                        truth.nbin(),
                        energy.nbin()
                    );
                    return Err(Error::input("edisp", problem));
                }
                (Kind::Matrix { n_true }, energy.edges_tev()?)
            }
            EDisp::Migra(_) => (Kind::Migra(Box::new(truth.to_unit("TeV")?)), axis.edges()),
        };
        let widths = match &kind {
            Kind::Matrix { .. } => vec![1.0; axis.nbin()],
            Kind::Migra(_) => axis.bin_width(),
        };
        let (cumulative, valid) = rows(map, &widths, truth.nbin());
        Ok(Self { lookup: Lookup::new(map, &valid), kind, width: axis.nbin(), cumulative, edges })
    }

    /// A reconstructed energy in TeV; `None` where the event is lost. `bin` is the true-energy bin of the exposure.
    pub fn draw(&self, at: Vector, energy_tev: f64, bin: usize, rng: &mut impl Rng) -> Option<f64> {
        let pixel = self.lookup.nearest(at);
        let row = match &self.kind {
            Kind::Matrix { n_true } => pixel * n_true + bin,
            Kind::Migra(axis) => {
                let n = axis.nbin();
                let pix = axis.coord_to_pix(energy_tev).clamp(0.0, (n - 1) as f64);
                // Between two nodes the migration is their sum with linear weights: one of them is drawn.
                let node = pix.floor() as usize + usize::from(rng.random::<f64>() < pix.fract());
                pixel * n + node.min(n - 1)
            }
        };
        let cumulative = &self.cumulative[row * self.width..(row + 1) * self.width];
        let total = cumulative[self.width - 1];
        let place = rng.random::<f64>() * total.max(1.0);
        if place >= total {
            return None;
        }
        let bin = cumulative.partition_point(|c| *c <= place).min(self.width - 1);
        let (low, high) = (self.edges[bin], self.edges[bin + 1]);
        let u: f64 = rng.random();
        Some(match self.kind {
            Kind::Matrix { .. } => (low * (high / low).powf(u)).clamp(low, high.next_down()),
            Kind::Migra(_) => energy_tev * (low + (high - low) * u),
        })
    }
}

/// Sums along the rows `[pixel, energy_true, …]` of a map `[energy_true, …, y, x]`, and where any is above 0.
fn rows(map: &Map, widths: &[f64], n_true: usize) -> (Vec<f64>, Vec<bool>) {
    let values = finite_values(map);
    let n = widths.len();
    let pixels = values.len() / (n * n_true).max(1);
    let mut cumulative = Vec::with_capacity(values.len());
    let mut valid = Vec::with_capacity(pixels);
    for pixel in 0..pixels {
        let mut any = false;
        for t in 0..n_true {
            let mut sum = 0.0;
            for (r, width) in widths.iter().enumerate() {
                sum += values[(t * n + r) * pixels + pixel].max(0.0) * width;
                cumulative.push(sum);
            }
            any |= sum > 0.0;
        }
        valid.push(any);
    }
    (cumulative, valid)
}
