//! A PSF at one position: radial density per energy, containment and its inverse.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::maps::{AxisInterp, MapAxis, NodeType};

/// Subdivision of the rad axis in the search for a containment radius (Gammapy's `factor=20`).
const RADIUS_SUBDIVISION: usize = 20;

/// Radial density `[energy, rad]` in sr-1 at one position.
#[derive(Debug, Clone)]
pub struct PsfProfile {
    rad: MapAxis,
    energy: MapAxis,
    density: Array2<f64>,
    /// Integral out to the upper edge of each rad bin, `[energy, rad]`.
    cumulative: Array2<f64>,
    /// Radii that a containment radius is chosen from, ascending.
    candidates: Vec<f64>,
}

impl PsfProfile {
    /// From a rad axis in deg, an energy axis in TeV and the density in sr-1.
    ///
    /// # Errors
    /// [`Error::Input`] for a shape that does not fit the axes.
    pub fn new(rad: MapAxis, energy: MapAxis, density: Array2<f64>) -> Result<Self> {
        if density.dim() != (energy.nbin(), rad.nbin()) {
            return Err(Error::input("psf", format!("density of shape {:?} does not fit its axes", density.dim())));
        }
        let (center, width) = (rad.center(), rad.bin_width());
        let mut cumulative = density.clone();
        let sr_per_deg2 = (std::f64::consts::PI / 180.0).powi(2);
        for mut row in cumulative.rows_mut() {
            let mut sum = 0.0;
            for ((v, r), dr) in row.iter_mut().zip(&center).zip(&width) {
                sum += 2.0 * std::f64::consts::PI * r * *v * dr * sr_per_deg2;
                *v = sum;
            }
        }
        let candidates = rad.upsample(RADIUS_SUBDIVISION).center();
        Ok(Self { rad, energy, density, cumulative, candidates })
    }

    /// The energy axis in TeV.
    pub fn energy_axis(&self) -> &MapAxis {
        &self.energy
    }

    /// The radius in degrees that holds `fraction` at an energy. Gammapy's rule, not a root: of the centres of the rad
    /// axis divided by 20, the one whose containment is nearest; containment is linear in the cumulative sum at the
    /// bins' upper edges, extrapolated within half a bin and 0 outside the axes.
    pub fn containment_radius_deg(&self, fraction: f64, energy_tev: f64) -> f64 {
        let cumulative = self.cumulative_at(energy_tev);
        let upper = &self.rad.edges()[1..];
        let mut best = (f64::INFINITY, 0.0);
        // Candidates ascend, so the bin of the next one is found from that of the last.
        let mut bin = 0;
        for r in &self.candidates {
            while bin < upper.len() && upper[bin] <= *r {
                bin += 1;
            }
            let distance = (interpolate_containment(upper, &cumulative, *r, bin) - fraction).abs();
            if distance < best.0 {
                best = (distance, *r);
            }
        }
        best.1
    }

    /// The part of the PSF within a radius in degrees at an energy (Gammapy's `containment`): linear in the cumulative sum
    /// between the upper edges of the rad bins, and all of it beyond them (Gammapy: 0).
    pub fn containment(&self, radius_deg: f64, energy_tev: f64) -> f64 {
        let cumulative = self.cumulative_at(energy_tev);
        let upper = &self.rad.edges()[1..];
        if radius_deg >= upper[upper.len() - 1] {
            return cumulative[cumulative.len() - 1];
        }
        interpolate_containment(upper, &cumulative, radius_deg, upper.partition_point(|u| *u <= radius_deg))
    }

    /// The cumulative row at an energy: linear in the energy axis' scale between its centres; 0 outside its bins.
    fn cumulative_at(&self, energy_tev: f64) -> Vec<f64> {
        let n = self.energy.nbin();
        let pix = self.energy.coord_to_pix(energy_tev);
        if pix < -0.5 || pix >= n as f64 - 0.5 {
            return vec![0.0; self.rad.nbin()];
        }
        if n == 1 {
            return self.cumulative.row(0).to_vec();
        }
        let center = self.energy.center();
        let scale = |v: f64| if self.energy.interp() == AxisInterp::Log { v.ln() } else { v };
        let upper = center.partition_point(|c| *c <= energy_tev).clamp(1, n - 1);
        let t = (scale(energy_tev) - scale(center[upper - 1])) / (scale(center[upper]) - scale(center[upper - 1]));
        let (low, high) = (self.cumulative.row(upper - 1), self.cumulative.row(upper));
        low.iter().zip(high).map(|(a, b)| a + (b - a) * t).collect()
    }

    /// Density in sr-1 as a function of the distance in degrees, at an energy: bilinear in axis pixels, extrapolated,
    /// negative values cut at 0.
    pub fn density_at(&self, energy_tev: f64) -> impl Fn(f64) -> f64 + '_ {
        let n = self.energy.nbin();
        let row: Vec<f64> = if n == 1 {
            self.density.row(0).to_vec()
        } else {
            let pix = self.energy.coord_to_pix(energy_tev);
            let lower = (pix.floor().max(0.0) as usize).min(n - 2);
            let t = pix - lower as f64;
            let (low, high) = (self.density.row(lower), self.density.row(lower + 1));
            low.iter().zip(high).map(|(a, b)| a * (1.0 - t) + b * t).collect()
        };
        let pixels = RadPixels::new(&self.rad);
        move |distance_deg| {
            if row.len() == 1 {
                return row[0].max(0.0);
            }
            let pix = pixels.coord_to_pix(&self.rad, distance_deg);
            let lower = (pix.floor().max(0.0) as usize).min(row.len() - 2);
            let t = pix - lower as f64;
            (row[lower] * (1.0 - t) + row[lower + 1] * t).max(0.0)
        }
    }
}

/// Finds the pixel of a distance in an axis of many: a table over equal steps says where to look.
struct RadPixels {
    /// Edges or centres, whichever the axis is made of.
    nodes: Vec<f64>,
    /// Number of nodes at or below the lower end of each step.
    at_or_below: Vec<usize>,
    steps_per_deg: f64,
    /// Pixel of the first node.
    first: f64,
}

impl RadPixels {
    fn new(rad: &MapAxis) -> Self {
        let (nodes, first) = match rad.node_type() {
            NodeType::Edges | NodeType::Intervals => (rad.edges(), -0.5),
            NodeType::Center => (rad.center(), 0.0),
        };
        let span = nodes[nodes.len() - 1] - nodes[0];
        // Two steps per bin, so that most lookups compare once.
        let steps = 2 * nodes.len();
        let usable = rad.interp() == AxisInterp::Lin && span > 0.0;
        let steps_per_deg = if usable { steps as f64 / span } else { f64::NAN };
        let lower = |step: usize| nodes[0] + step as f64 / steps_per_deg;
        let at_or_below = (0..steps).map(|step| nodes.partition_point(|node| *node <= lower(step))).collect();
        Self { nodes, at_or_below, steps_per_deg, first }
    }

    /// As [`MapAxis::coord_to_pix`], of which other than linear axes and values below the first node make use.
    #[inline]
    fn coord_to_pix(&self, rad: &MapAxis, value: f64) -> f64 {
        let last = self.nodes.len() - 1;
        let step = (value - self.nodes[0]) * self.steps_per_deg;
        if step.is_nan() || step < 0.0 {
            return rad.coord_to_pix(value);
        }
        // The table may be off by the rounding of its steps.
        let mut upper = self.at_or_below[(step as usize).min(self.at_or_below.len() - 1)].clamp(1, last);
        while upper < last && self.nodes[upper] <= value {
            upper += 1;
        }
        while upper > 1 && self.nodes[upper - 1] > value {
            upper -= 1;
        }
        let (a, b) = (self.nodes[upper - 1], self.nodes[upper]);
        (upper - 1) as f64 + (value - a) / (b - a) + self.first
    }
}

/// Linear in the values at `upper` edges, of which `below` are at or below `r`; extrapolated half a bin inwards and
/// outwards, 0 beyond, never negative.
fn interpolate_containment(upper: &[f64], values: &[f64], r: f64, below: usize) -> f64 {
    let n = upper.len();
    if n == 1 {
        return values[0];
    }
    let first = upper[0] - 0.5 * (upper[1] - upper[0]);
    let last = upper[n - 1] + 0.5 * (upper[n - 1] - upper[n - 2]);
    if r < first || r >= last {
        return 0.0;
    }
    let i = below.clamp(1, n - 1);
    let t = (r - upper[i - 1]) / (upper[i] - upper[i - 1]);
    (values[i - 1] + (values[i] - values[i - 1]) * t).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containment_of_a_gaussian() {
        let sigma = 0.1f64.to_radians();
        let edges: Vec<f64> = (0..=200).map(|i| 0.005 * f64::from(i)).collect();
        let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), edges, AxisInterp::Lin).unwrap();
        let energy = MapAxis::energy_bounds(1.0, 10.0, 2, "energy_true").unwrap();
        let density = Array2::from_shape_fn((2, 200), |(_, i)| {
            let r = 0.005f64.to_radians() * (i as f64 + 0.5);
            (-0.5 * (r / sigma).powi(2)).exp() / (2.0 * std::f64::consts::PI * sigma * sigma)
        });
        let profile = PsfProfile::new(rad, energy, density).unwrap();
        let r68 = profile.containment_radius_deg(0.68, 3.0);
        let exact = 0.1 * (-2.0 * (1.0f64 - 0.68).ln()).sqrt();
        assert!((r68 - exact).abs() < 2e-3, "{r68} {exact}");
        let pixels = RadPixels::new(&profile.rad);
        for i in 0..3000 {
            let distance = 0.0004 * f64::from(i);
            let (fast, plain) = (pixels.coord_to_pix(&profile.rad, distance), profile.rad.coord_to_pix(distance));
            assert!((fast - plain).abs() < 1e-9, "{distance}: {fast} {plain}");
        }
        assert_eq!(profile.containment_radius_deg(0.68, 100.0), profile.rad.upsample(20).center()[0]);
    }
}
