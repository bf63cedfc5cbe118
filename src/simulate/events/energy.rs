//! Energies inside of a bin, as the spectrum has them.

use rand::{Rng, RngExt};

use crate::models::{SpatialModel, SpectralModel};

/// Nodes of a spectrum per decade; it is a power law in between.
const NODES_PER_DECADE: f64 = 100.0;

/// Pieces of a bin in which a shape that varies with energy follows a power law.
const LOCAL_PIECES: usize = 4;

/// Exponents beyond these are edges of a spectrum, not slopes of a background.
const STEEPEST: f64 = 10.0;

/// A fraction 0 ≤ w < 1 of density proportional to e^(t w).
fn exponential(u: f64, t: f64) -> f64 {
    if t.abs() < 1e-9 {
        u
    } else if t > 0.0 {
        // Without overflow for the steepest rise; for u = 0 and an e^-t of 0 it would be -∞.
        (1.0 + (u + (1.0 - u) * (-t).exp()).ln() / t).max(0.0)
    } else {
        (u * t.exp_m1()).ln_1p() / t
    }
}

/// A spectrum within one bin: power laws between nodes at equal steps in ln E.
#[derive(Debug, Clone)]
pub(super) struct BinLaw {
    ln_min: f64,
    step: f64,
    /// Integral up to the end of each piece; the last is that of the bin.
    cumulative: Vec<f64>,
    /// ln of E dnde at the end over that at the start of each piece.
    rise: Vec<f64>,
}

impl BinLaw {
    /// From values of dnde at nodes from `min_tev` to `max_tev`, two at least. What is not above 0 has no events on
    /// either side of it; where nothing is left, energies are uniform in the logarithm.
    fn from_nodes(min_tev: f64, max_tev: f64, dnde: &[f64]) -> Self {
        let pieces = dnde.len() - 1;
        let ln_min = min_tev.ln();
        let step = (max_tev.ln() - ln_min) / pieces as f64;
        let mut law = Self { ln_min, step, cumulative: Vec::with_capacity(pieces), rise: Vec::with_capacity(pieces) };
        let mut sum = 0.0;
        for (i, pair) in dnde.windows(2).enumerate() {
            let (a, b) = (pair[0], pair[1]);
            let mut rise = 0.0;
            if a > 0.0 && b > 0.0 && a.is_finite() && b.is_finite() {
                rise = step + (b / a).ln();
                let mean = if rise.abs() < 1e-9 { 1.0 } else { rise.exp_m1() / rise };
                // Relative to the start of the bin, which the sampling does not ask for.
                let piece = a * (step * i as f64).exp() * mean;
                sum += if piece.is_finite() { piece } else { 0.0 };
            }
            law.cumulative.push(sum);
            law.rise.push(rise);
        }
        if sum <= 0.0 {
            law.cumulative = (1..=pieces).map(|i| i as f64).collect();
            law.rise = vec![0.0; pieces];
        }
        law
    }

    fn draw(&self, rng: &mut impl Rng) -> f64 {
        let last = self.cumulative.len() - 1;
        let place = rng.random::<f64>() * self.cumulative[last];
        let piece = if last == 0 { 0 } else { self.cumulative.partition_point(|c| *c <= place).min(last) };
        let w = exponential(rng.random(), self.rise[piece]);
        (self.ln_min + self.step * (piece as f64 + w)).exp()
    }
}

/// How energies are distributed within the bins of an axis.
#[derive(Debug, Clone)]
pub(super) struct EnergyLaw {
    edges_tev: Vec<f64>,
    bins: Vec<BinLaw>,
}

impl EnergyLaw {
    /// That of a spectrum.
    pub fn of_spectrum(model: &dyn SpectralModel, edges_tev: &[f64]) -> Self {
        let bin = |w: &[f64]| {
            let (min, max) = (w[0], w[1]);
            let pieces = ((max / min).log10() * NODES_PER_DECADE).ceil().clamp(1.0, 1e5) as usize;
            let at = |i: usize| (min.ln() + (max / min).ln() * i as f64 / pieces as f64).exp();
            let dnde: Vec<f64> = (0..=pieces).map(|i| model.evaluate(at(i))).collect();
            BinLaw::from_nodes(min, max, &dnde)
        };
        Self { edges_tev: edges_tev.to_vec(), bins: edges_tev.windows(2).map(bin).collect() }
    }

    /// That of counts per bin: in each bin the power law through the densities of its neighbours; uniform in the
    /// logarithm where one of them is 0.
    pub fn of_counts(counts: &[f64], edges_tev: &[f64]) -> Self {
        let density = |i: usize| counts[i] / (edges_tev[i + 1] - edges_tev[i]);
        let ln_center = |i: usize| 0.5 * (edges_tev[i] * edges_tev[i + 1]).ln();
        let bin = |i: usize| {
            let (a, b) = (i.saturating_sub(1), (i + 1).min(counts.len() - 1));
            let slope = (density(b) / density(a)).ln() / (ln_center(b) - ln_center(a));
            let slope = if slope.is_finite() { slope.clamp(-STEEPEST, STEEPEST) } else { -1.0 };
            let (min, max) = (edges_tev[i], edges_tev[i + 1]);
            BinLaw::from_nodes(min, max, &[1.0, (max / min).powf(slope)])
        };
        Self { edges_tev: edges_tev.to_vec(), bins: (0..counts.len()).map(bin).collect() }
    }

    /// An energy of a bin in TeV, never outside of it.
    pub fn draw(&self, bin: usize, rng: &mut impl Rng) -> f64 {
        self.inside(bin, self.bins[bin].draw(rng))
    }

    /// An energy of a bin where the shape varies with energy: spectrum times brightness at the position, in the frame
    /// of the shape.
    pub fn draw_at(
        &self,
        bin: usize,
        (spectral, spatial): (&dyn SpectralModel, &dyn SpatialModel),
        (lon_deg, lat_deg): (f64, f64),
        rng: &mut impl Rng,
    ) -> f64 {
        let (min, max) = (self.edges_tev[bin], self.edges_tev[bin + 1]);
        let dnde: [f64; LOCAL_PIECES + 1] = std::array::from_fn(|i| {
            let energy = min * (max / min).powf(i as f64 / LOCAL_PIECES as f64);
            spectral.evaluate(energy) * spatial.evaluate(lon_deg, lat_deg, energy)
        });
        self.inside(bin, BinLaw::from_nodes(min, max, &dnde).draw(rng))
    }

    /// Rounding must not carry an energy into the next bin.
    fn inside(&self, bin: usize, energy_tev: f64) -> f64 {
        energy_tev.clamp(self.edges_tev[bin], self.edges_tev[bin + 1].next_down())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::spectral::PowerLawSpectralModel;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    /// Largest distance of a sample from a distribution function, times the root of its size.
    fn kolmogorov(mut sample: Vec<f64>, cdf: impl Fn(f64) -> f64) -> f64 {
        sample.sort_by(f64::total_cmp);
        let n = sample.len() as f64;
        let far = |(i, v): (usize, &f64)| {
            let c = cdf(*v);
            (c - i as f64 / n).abs().max(((i + 1) as f64 / n - c).abs())
        };
        sample.iter().enumerate().map(far).fold(0.0, f64::max) * n.sqrt()
    }

    #[test]
    fn power_laws_in_one_wide_bin() {
        for index in [-3.0, 0.0, 1.0, 2.0, 4.0] {
            let model = PowerLawSpectralModel::new(index, 1e-12, 1.0);
            let law = EnergyLaw::of_spectrum(&model, &[0.3, 50.0]);
            let mut rng = ChaCha8Rng::seed_from_u64(8);
            let sample: Vec<f64> = (0..50_000).map(|_| law.draw(0, &mut rng)).collect();
            let whole = model.integral(0.3, 50.0);
            let d = kolmogorov(sample, |e| model.integral(0.3, e) / whole);
            assert!(d < 1.8, "index {index}: {d}");
        }
    }

    #[test]
    fn counts_of_a_power_law_give_its_slope() {
        let edges: Vec<f64> = (0..=5).map(|i| 10f64.powf(0.4 * f64::from(i))).collect();
        let model = PowerLawSpectralModel::new(2.7, 1.0, 1.0);
        let law = EnergyLaw::of_counts(&model.integral_bins(&edges), &edges);
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        for bin in [0, 2, 4] {
            let sample: Vec<f64> = (0..50_000).map(|_| law.draw(bin, &mut rng)).collect();
            let whole = model.integral(edges[bin], edges[bin + 1]);
            let d = kolmogorov(sample, |e| model.integral(edges[bin], e) / whole);
            assert!(d < 1.8, "bin {bin}: {d}");
        }
    }

    #[test]
    fn impossible_spectra_stay_in_the_bin() {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        for dnde in [[0.0, 0.0], [1.0, 0.0], [f64::NAN, 1.0], [1e-300, 1e300], [1e300, 1e-300]] {
            let law = EnergyLaw { edges_tev: vec![1.0, 2.0], bins: vec![BinLaw::from_nodes(1.0, 2.0, &dnde)] };
            for _ in 0..1000 {
                let e = law.draw(0, &mut rng);
                assert!((1.0..2.0).contains(&e), "{dnde:?}: {e}");
            }
        }
    }
}
