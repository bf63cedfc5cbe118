//! Directions changed by the point spread function.

use rand::{Rng, RngExt};
use rayon::prelude::*;

use super::sky::{Lookup, Vector, offset};
use crate::error::{Error, Result};
use crate::irf::PsfMap;
use crate::maps::{Map, MapAxis};
use crate::memory;

/// Nodes and weights of Gauss' rule with three points on 0 to 1.
const GAUSS: [(f64, f64); 3] =
    [(0.112_701_665_379_258_3, 5.0 / 18.0), (0.5, 8.0 / 18.0), (0.887_298_334_620_741_7, 5.0 / 18.0)];

/// The radial profiles of a PSF map, ready to draw distances from.
///
/// A PSF between pixels and energies is the sum of its neighbours with bilinear weights, as [`PsfMap::profile_at`] has
/// it; such a sum is drawn by drawing the neighbour first. Beyond the outermost centres the outermost value holds.
pub(super) struct PsfSampler {
    lookup: Lookup,
    energy: MapAxis,
    /// Edges of the pieces in which the density is linear, in radians.
    nodes: Vec<f64>,
    /// `[pixel, energy, node]`, sr-1.
    density: Vec<f64>,
    /// `[pixel, energy, piece]`: integral up to the end of each piece.
    cumulative: Vec<f64>,
}

impl PsfSampler {
    /// Integrates the profiles.
    ///
    /// # Errors
    /// [`Error::Input`] for axes other than `[rad, energy]` or a unit that is not an inverse solid angle, or where the
    /// PSF is 0 everywhere.
    pub fn new(psf: &PsfMap) -> Result<Self> {
        let axes = psf.psf.geom().axes();
        let [rad, energy] = axes else {
            return Err(Error::input("psf", format!("{} axes where [rad, energy_true] are needed", axes.len())));
        };
        if rad.name() != "rad" {
            return Err(Error::input("psf", format!("axis '{}' where rad is needed", rad.name())));
        }
        let factor = psf.psf.unit().factor_to_text("sr-1")?;
        let (nodes, weights) = nodes_of(rad)?;
        let (n_rad, n_energy) = (rad.nbin(), energy.nbin());
        let values = finite_values(&psf.psf);
        let pixels = values.len() / (n_rad * n_energy).max(1);
        let (n_nodes, n_pieces) = (nodes.len(), nodes.len() - 1);
        memory::check::<f64>("the PSF of simulated events", &[2, pixels, n_energy, n_nodes])?;
        let mut density = vec![0.0; pixels * n_energy * n_nodes];
        let mut cumulative = vec![0.0; pixels * n_energy * n_pieces];
        density
            .par_chunks_mut(n_energy * n_nodes)
            .zip(cumulative.par_chunks_mut(n_energy * n_pieces))
            .enumerate()
            .for_each(|(pixel, (density, cumulative))| {
                for e in 0..n_energy {
                    let at = |r: usize| values[(e * n_rad + r) * pixels + pixel] * factor;
                    let row = &mut density[e * n_nodes..(e + 1) * n_nodes];
                    for (node, (lower, t)) in row.iter_mut().zip(&weights) {
                        let upper = (lower + 1).min(n_rad - 1);
                        *node = (at(*lower) * (1.0 - t) + at(upper) * t).max(0.0);
                    }
                    integrate(&nodes, row, &mut cumulative[e * n_pieces..(e + 1) * n_pieces]);
                }
            });
        let valid: Vec<bool> = (0..pixels)
            .map(|p| (0..n_energy).any(|e| cumulative[(p * n_energy + e + 1) * n_pieces - 1] > 0.0))
            .collect();
        if !valid.contains(&true) {
            return Err(Error::input("psf", "it is 0 everywhere, so it is valid nowhere"));
        }
        let lookup = Lookup::new(&psf.psf, &valid);
        Ok(Self { lookup, energy: energy.to_unit("TeV")?, nodes, density, cumulative })
    }

    /// A reconstructed direction; `None` where there is no PSF at the energy.
    pub fn draw(&self, from: Vector, energy_tev: f64, rng: &mut impl Rng) -> Option<Vector> {
        let (n_energy, n_pieces) = (self.energy.nbin(), self.nodes.len() - 1);
        let pix = self.energy.coord_to_pix(energy_tev).clamp(0.0, (n_energy - 1) as f64);
        let (lower, t) = (pix.floor() as usize, pix.fract());
        let upper = (lower + 1).min(n_energy - 1);
        let nearest = if t < 0.5 { lower } else { upper };
        let total = |pixel: usize, e: usize| self.cumulative[(pixel * n_energy + e + 1) * n_pieces - 1];
        let around = self.lookup.around(from);
        // A kernel on pixels has the energies of the nodes: where the nearest one has no PSF, nothing is reconstructed.
        if !around.iter().any(|(pixel, w)| *w > 0.0 && total(*pixel, nearest) > 0.0) {
            return None;
        }
        let mut rows = [(0usize, 0.0); 8];
        let mut sum = 0.0;
        for (i, (pixel, w)) in around.iter().enumerate() {
            for (j, (e, v)) in [(lower, 1.0 - t), (upper, t)].into_iter().enumerate() {
                sum += w * v * total(*pixel, e);
                rows[2 * i + j] = (pixel * n_energy + e, sum);
            }
        }
        let place = rng.random::<f64>() * sum;
        let row = rows.iter().find(|(_, c)| place < *c).map(|(row, _)| *row)?;
        let cumulative = &self.cumulative[row * n_pieces..(row + 1) * n_pieces];
        let density = &self.density[row * (n_pieces + 1)..(row + 1) * (n_pieces + 1)];
        Some(offset(from, self.distance(cumulative, density, rng), rng))
    }

    /// A distance in radians from one profile.
    fn distance(&self, cumulative: &[f64], density: &[f64], rng: &mut impl Rng) -> f64 {
        let last = cumulative.len() - 1;
        let place = rng.random::<f64>() * cumulative[last];
        let piece = cumulative.partition_point(|c| *c <= place).min(last);
        let (r0, r1) = (self.nodes[piece], self.nodes[piece + 1]);
        let (a, b) = (density[piece], density[piece + 1]);
        // Uniform on the sphere between both radii, then thinned by the density.
        let (s0, s1) = ((0.5 * r0).sin().powi(2), (0.5 * r1).sin().powi(2));
        loop {
            let r = 2.0 * (s0 + (s1 - s0) * rng.random::<f64>()).sqrt().asin();
            let value = a + (b - a) * ((r - r0) / (r1 - r0)).clamp(0.0, 1.0);
            if rng.random::<f64>() * a.max(b) <= value {
                return r;
            }
        }
    }
}

/// Values in memory order, 0 where they are not finite.
pub(super) fn finite_values(map: &Map) -> Vec<f64> {
    map.data().iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect()
}

/// A bin and the weight of the one after it.
type Between = (usize, f64);

/// Edges of the linear pieces of a profile in radians: the first edge of the axis, its centres, the last edge; and for
/// each the bin and the weight of the next one that it is interpolated (at the ends extrapolated) with.
fn nodes_of(rad: &MapAxis) -> Result<(Vec<f64>, Vec<Between>)> {
    let n = rad.nbin();
    let edges = rad.edges();
    let mut places = vec![edges[0].max(0.0)];
    places.extend(rad.center().into_iter().filter(|c| *c > edges[0].max(0.0)));
    places.push(edges[n]);
    let weight = |value: f64| {
        if n == 1 {
            return (0, 0.0);
        }
        let pix = rad.coord_to_pix(value);
        let lower = (pix.floor().max(0.0) as usize).min(n - 2);
        (lower, pix - lower as f64)
    };
    let weights = places.iter().map(|v| weight(*v)).collect();
    Ok((rad.in_unit(&places, "rad")?, weights))
}

/// Integral of a piecewise linear density over the sphere up to the end of each piece.
fn integrate(nodes: &[f64], density: &[f64], cumulative: &mut [f64]) {
    let mut sum = 0.0;
    for (i, out) in cumulative.iter_mut().enumerate() {
        let (r0, width) = (nodes[i], nodes[i + 1] - nodes[i]);
        let (a, b) = (density[i], density[i + 1]);
        let mean: f64 = GAUSS.iter().map(|(u, w)| w * (a + (b - a) * u) * (r0 + width * u).sin()).sum();
        sum += std::f64::consts::TAU * width * mean;
        *out = sum;
    }
}
