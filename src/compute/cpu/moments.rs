//! Power moments of dense maps by transforms: `S_k` of all pixels of a tile at a cost that does not depend on how many
//! bins have counts.

use pevatron_fft::num_complex::Complex;
use rayon::prelude::*;

use super::fourier::{FftScratch, TileFft, add_product, add_scaled_product, best_side};
use super::plan::{PATCH, RunPlan};
use super::simd::LANES;
use super::tile::{Tile, TileData};
use super::wide::{Mask, Wide};
use super::wing::{TERMS, Table};
use crate::kernels::TsMapRun;

/// Bins with counts per window from which on transforms pay. Measured on 51x51 kernels over 10 planes: lists take
/// about 1.5 cycles per bin and pixel, transforms about 2000 cycles per pixel.
const LEAST_BINS: f64 = 4000.0;
/// Largest rounding of a product of transforms relative to the roots of the sums of squares of its factors: about five
/// times the typical one.
const ROUNDING: f64 = 2e-7;

/// By how many sigmas norms, errors and limits may move by the rounding of transforms.
const MOST_NOISE: f64 = 6e-4;

/// Memory of a thread for the spectra of a tile that several runs use.
const KEPT_BYTES: usize = 64 << 20;
/// Peaks of kernels of two runs that share spectra: eighth powers beyond would leave single precision.
const SAME_SCALE: std::ops::RangeInclusive<f32> = 0.25..=4.0;

/// Transform and kernel spectra of a run.
pub struct MomentPlan {
    fft: TileFft<f32>,
    /// `[plane, k - 1]`: spectrum of (kernel / its maximum)^k.
    spectra: Vec<Vec<Complex<f32>>>,
    /// `[plane, k - 1]`: root of the sum of squares of the same.
    sizes: Vec<f64>,
}

impl MomentPlan {
    /// `None` where lists are faster or asked for.
    pub fn new(plan: &RunPlan<'_>, run: &TsMapRun<'_>) -> Option<Self> {
        let (ny, nx) = plan.shape;
        let bins: usize = plan.planes.iter().map(|plane| plane.bins.columns.len()).sum();
        let window = (2 * plan.half.0 + 1) * (2 * plan.half.1 + 1);
        let bins_per_window = bins as f64 / (ny * nx).max(1) as f64 * window as f64;
        if run.settings.exact || bins_per_window < LEAST_BINS {
            return None;
        }
        let (side, _) = best_side((ny, nx), (plan.half.0 + PATCH, plan.half.1 + PATCH))?;
        let fft = TileFft::<f32>::new(side);
        let (spectra, sizes) = (0..plan.planes.len() * TERMS)
            .into_par_iter()
            .map_init(
                || fft.scratch(),
                |scratch, i| {
                    let (plane, k) = (&plan.planes[i / TERMS], (i % TERMS + 1) as i32);
                    let (ky, kx) = plane.kernel.dim();
                    let (dy, dx) = (plan.half.0 - ky / 2, plan.half.1 - kx / 2);
                    let peak = f64::from(plane.kernel_max) / plan.kernel_scale;
                    let value = |u: usize, v: usize| {
                        if u < dy || v < dx || u - dy >= ky || v - dx >= kx || peak <= 0.0 {
                            return 0.0;
                        }
                        (plane.kernel[[u - dy, v - dx]] / peak).powi(k) as f32
                    };
                    let size = plane.kernel.iter().map(|v| (v / peak.max(1e-300)).powi(2 * k)).sum::<f64>().sqrt();
                    let shape = (2 * plan.half.0 + 1, 2 * plan.half.1 + 1);
                    (fft.kernel_spectrum(value, shape, scratch), size)
                },
            )
            .unzip();
        Some(Self { fft, spectra, sizes })
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        self.spectra.len() * self.fft.spectrum_len() * size_of::<Complex<f32>>()
    }

    /// Rows and columns of a tile.
    pub fn tile(&self, half: (usize, usize)) -> (usize, usize) {
        let pixels = |half: usize| (self.fft.side - 2 * half) / PATCH * PATCH;
        (pixels(half.0), pixels(half.1))
    }
}

/// Moments of a tile, and the working memory to get them.
#[derive(Default)]
pub struct Moments {
    side: usize,
    maps: [Vec<f32>; TERMS],
    /// Bound of the rounding of each map.
    noise: [f64; TERMS],
    scratch: Option<FftScratch<f32>>,
    tile: Vec<f32>,
    spectrum: Vec<Complex<f32>>,
    sums: [Vec<Complex<f32>>; TERMS],
    /// Bins of a plane: place in the tile, g, n g^k.
    bins: Vec<(u32, f32, f32)>,
    /// Of the first planes of the tile, `[plane, k - 1]`: spectra that further runs over the same tile use.
    kept: Vec<Complex<f32>>,
    kept_planes: Vec<KeptPlane>,
}

/// What a plane was transformed with.
#[derive(Clone, Copy)]
struct KeptPlane {
    /// g is the ratio times this.
    scale: f32,
    /// `[k - 1]`: sum of the squares.
    squares: [f64; TERMS],
}

/// Whether a tile is done for several runs, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Only,
    First,
    Further,
}

impl Moments {
    /// Finds the moments of a tile that `data` has entered. Further runs multiply the spectra that the first one left.
    pub fn enter(&mut self, moments: &MomentPlan, plan: &RunPlan<'_>, tile: &Tile, data: &TileData, turn: Turn) {
        let fft = &moments.fft;
        let (area, length) = (fft.side * fft.side, fft.spectrum_len());
        self.side = fft.side;
        // The last run may have had tiles of another size.
        self.scratch = self.scratch.take().filter(|scratch| fft.fits(scratch));
        let scratch = self.scratch.get_or_insert_with(|| fft.scratch());
        self.tile.resize(area, 0.0);
        self.spectrum.resize(length, Complex::default());
        self.noise = [0.0; TERMS];
        for sum in &mut self.sums {
            sum.clear();
            sum.resize(length, Complex::default());
        }
        let room = (KEPT_BYTES / (TERMS * length * size_of::<Complex<f32>>())).min(plan.planes.len());
        if turn != Turn::Further {
            self.kept_planes.clear();
            self.kept.resize(if turn == Turn::First { room * TERMS * length } else { 0 }, Complex::default());
        }
        for (p, plane) in plan.planes.iter().enumerate() {
            // Planes whose kernel is zero have no scale of their own.
            let peak = if plane.kernel_max > 0.0 { plane.kernel_max } else { 1.0 };
            let scale = peak * data.scale as f32;
            let spectra = &moments.spectra[p * TERMS..(p + 1) * TERMS];
            // Planes round independently.
            let mut add_noise = |k: usize, squares: f64| {
                let noise = ROUNDING * squares.sqrt() * moments.sizes[p * TERMS + k];
                self.noise[k] = self.noise[k].hypot(noise);
            };
            let kept = (turn == Turn::Further).then(|| self.kept_planes.get(p)).flatten();
            if let Some(kept) = kept
                && SAME_SCALE.contains(&(scale / kept.scale))
            {
                let mut factor = 1.0f32;
                for (k, kernel) in spectra.iter().enumerate() {
                    factor *= scale / kept.scale;
                    add_noise(k, kept.squares[k] * f64::from(factor).powi(2));
                    if kept.squares[k] > 0.0 {
                        let spectrum = &self.kept[(p * TERMS + k) * length..][..length];
                        add_scaled_product(&mut self.sums[k], spectrum, kernel, factor);
                    }
                }
                continue;
            }
            self.bins.clear();
            data.for_each_bin(plan, tile, plane.bins, |row, column, ratio, counts| {
                self.bins.push(((row * fft.side + column) as u32, ratio * scale, counts));
            });
            let mut squares = [0.0; TERMS];
            for (k, kernel) in spectra.iter().enumerate() {
                if self.bins.is_empty() {
                    break;
                }
                self.tile.fill(0.0);
                for (place, g, value) in &mut self.bins {
                    *value *= *g;
                    squares[k] += f64::from(*value) * f64::from(*value);
                    self.tile[*place as usize] = *value;
                }
                add_noise(k, squares[k]);
                let spectrum = match turn {
                    Turn::First if p < room => &mut self.kept[(p * TERMS + k) * length..][..length],
                    _ => &mut self.spectrum,
                };
                fft.forward(&mut self.tile, spectrum, scratch);
                add_product(&mut self.sums[k], spectrum, kernel);
            }
            if turn == Turn::First && p < room {
                self.kept_planes.push(KeptPlane { scale, squares });
            }
        }
        for (sum, map) in self.sums.iter_mut().zip(&mut self.maps) {
            map.resize(area, 0.0);
            fft.inverse(sum, map, scratch);
        }
    }

    /// Moments of the pixels of a patch.
    #[inline(always)]
    pub fn patch(&self, (row, column): (usize, usize)) -> [Wide; TERMS] {
        std::array::from_fn(|k| {
            let lanes: [f64; LANES] = std::array::from_fn(|lane| {
                let (y, x) = (row * PATCH + lane / PATCH, column * PATCH + lane % PATCH);
                f64::from(self.maps[k][y * self.side + x])
            });
            Wide(lanes)
        })
    }

    /// Whether the first moment of some lane, which is not 0, is lost in the rounding: then nothing is known of it.
    #[inline(always)]
    pub fn hides(&self, first: Wide, lanes: Mask) -> bool {
        lanes.and(first.over(3.0 * self.noise[0]).not()).any()
    }

    /// Whether rounding may be seen in fits that found (or expect) `norm`, with errors up to `n_sigma` times `sigma`.
    ///
    /// With an error e_k of S_k, the norm moves by `sum k a_k e_k x^(k-1)` times sigma², and the rise of the statistic
    /// at a displacement d is off by `sum a_k e_k [(x + d)^k - x^k - k d x^(k-1)]`, at most `k (k - 1) / 2 d²
    /// (|x| + |d|)^(k-2)`: bright sources have large sums, but their rises do not feel the digits that are lost. The
    /// error of the table itself, relative to t², moves the norm by up to twice itself times the norm.
    #[inline(always)]
    pub fn is_noisy(&self, norm: Wide, sigma: Wide, n_sigma: f64, table: &Table) -> bool {
        let near = norm.abs();
        let far = near + sigma * n_sigma;
        let (mut near_power, mut far_power) = (Wide::splat(1.0), Wide::splat(1.0));
        let (mut shift, mut rise) = (Wide::ZERO, Wide::ZERO);
        for (i, (noise, coefficient)) in self.noise.iter().zip(table.coefficients).enumerate() {
            let (k, weight) = (i as f64 + 1.0, noise * coefficient.abs());
            shift = shift + near_power * (k * weight);
            near_power = near_power * near;
            if i > 0 {
                rise = rise + far_power * (0.5 * k * (k - 1.0) * weight);
                far_power = far_power * far;
            }
        }
        let biased = near * (2.0 * table.error) - sigma * MOST_NOISE;
        (shift * sigma).max(rise * sigma * sigma * n_sigma).highest() > MOST_NOISE || biased.highest() > 0.0
    }
}
