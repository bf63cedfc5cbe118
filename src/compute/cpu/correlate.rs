//! Sums of planes correlated with kernels, in double precision: directly or by transforms of tiles.

use multiversion::multiversion;
use ndarray::ArrayView2;
use pevatron_fft::num_complex::Complex;
use rayon::prelude::*;

use super::fourier::{TileFft, add_product, best_side};
use super::prepare::is_hole;
use crate::compute::occupied::Occupied;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::cube::PlaneView;

/// Cost of a transform step (see [`best_side`]) in multiply-adds of the direct sum. Measured: 21x21 kernels are faster
/// by transform, 9x9 kernels are faster directly.
const STEP_COST: f64 = 6.0;
/// Where the result is below this share of the tile's largest, a transform has lost digits: summed directly instead.
const FAINT: f64 = 1e-8;

/// Memory that the spectra of kernels may take at once.
const SPECTRA_BYTES: usize = 64 << 20;

/// One term: a plane weighted by a kernel `[ky, kx]`, odd sides; one kernel for each sum, all of one shape.
pub struct Term<'p, 'k> {
    pub plane: PlaneView<'p>,
    /// Counts only where this plane has holes (see [`is_hole`]).
    pub holes_of: Option<PlaneView<'p>>,
    pub kernels: Vec<ArrayView2<'k, f64>>,
}

// Not a closure: all that follows would be compiled for each.
impl Term<'_, '_> {
    fn shape(&self) -> (usize, usize) {
        self.kernels.first().map_or((0, 0), |kernel| kernel.dim())
    }

    #[inline(always)]
    fn at(&self, y: usize, x: usize) -> f64 {
        match &self.holes_of {
            Some(background) if !is_hole(background.at(y, x)) => 0.0,
            _ => self.plane.at(y, x),
        }
    }
}

/// How [`correlate`] sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Whatever is faster, for planes and kernels without negative values: values that a transform would leave to
    /// rounding are summed directly.
    NonNegative,
    /// Whatever is faster, for planes and kernels without negative values: rounding is relative to the largest value
    /// around, nothing is below 0, and 0 is exact where the kernel's rectangle holds no value.
    Clamped,
    /// Whatever is faster; rounding is relative to the largest value around.
    Signed,
    /// Term by term: relative precision everywhere.
    Direct,
}

/// `out[y, x] = sum_terms sum_{dy, dx} kernel[ky/2 + dy, kx/2 + dx] plane[y + dy, x + dx]`, zeros outside the map: one
/// map for each kernel of the terms, as if it were summed alone.
pub fn correlate(
    terms: &[Term<'_, '_>],
    (ny, nx): (usize, usize),
    method: Method,
    control: &Control,
) -> Result<Vec<Vec<f64>>> {
    let sums = terms.first().map_or(0, |term| term.kernels.len());
    let mut out = vec![vec![0.0; ny * nx]; sums];
    if terms.is_empty() || ny * nx == 0 {
        return Ok(out);
    }
    let half = |side: fn(&Term<'_, '_>) -> usize| terms.iter().map(|term| side(term) / 2).max().unwrap_or(0);
    let (hy, hx) = (half(|term| term.shape().0), half(|term| term.shape().1));
    let cells = |(ky, kx): (usize, usize)| (ky * kx) as f64;
    let direct_cost: f64 = (ny * nx) as f64 * terms.iter().map(|term| cells(term.shape())).sum::<f64>();
    let plan = best_side((ny, nx), (hy, hx))
        .filter(|(_, steps)| method != Method::Direct && steps * STEP_COST * terms.len() as f64 <= direct_cost);
    match plan {
        Some((side, _)) => {
            let spectra = terms.len() * side * side / 2 * size_of::<Complex<f64>>();
            let together = (SPECTRA_BYTES / spectra.max(1)).max(1);
            for (i, out) in out.chunks_mut(together).enumerate() {
                by_transform(terms, i * together, out, (ny, nx), (hy, hx), side, method, control)?;
            }
        }
        None => {
            for (sum, out) in out.iter_mut().enumerate() {
                directly(terms, sum, out, (ny, nx), control)?;
            }
        }
    }
    Ok(out)
}

fn directly(
    terms: &[Term<'_, '_>],
    sum: usize,
    out: &mut [f64],
    (ny, nx): (usize, usize),
    control: &Control,
) -> Result<()> {
    for term in terms {
        let kernel = &term.kernels[sum];
        let (ky, kx) = kernel.dim();
        let (hy, hx) = (ky / 2, kx / 2);
        // Zeros on both sides save the test for the map's edge.
        let width = nx + 2 * hx;
        let mut padded = vec![0.0; ny * width];
        padded.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
            for x in 0..nx {
                row[hx + x] = term.at(y, x);
            }
        });
        out.par_chunks_mut(nx).enumerate().try_for_each(|(y, out)| {
            control.check()?;
            for u in 0..ky {
                let Some(row) = (y + u).checked_sub(hy).filter(|row| *row < ny) else { continue };
                let row = &padded[row * width..(row + 1) * width];
                match kernel.row(u).as_slice() {
                    Some(weights) => correlate_row(out, row, weights),
                    None => correlate_row(out, row, &kernel.row(u).to_vec()),
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// `out[x] += sum_v weights[v] row[x + v]`.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
fn correlate_row(out: &mut [f64], row: &[f64], weights: &[f64]) {
    for (v, weight) in weights.iter().enumerate() {
        if *weight != 0.0 {
            for (out, value) in out.iter_mut().zip(&row[v..]) {
                *out += weight * value;
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "all of them are plain")]
fn by_transform(
    terms: &[Term<'_, '_>],
    first: usize,
    out: &mut [Vec<f64>],
    (ny, nx): (usize, usize),
    (hy, hx): (usize, usize),
    side: usize,
    method: Method,
    control: &Control,
) -> Result<()> {
    let fft = TileFft::<f64>::new(side);
    // [term, sum]
    let sums = out.len();
    let spectra: Vec<Vec<Complex<f64>>> = (0..terms.len() * sums)
        .into_par_iter()
        .map_init(
            || fft.scratch(),
            |scratch, i| {
                let kernel = &terms[i / sums].kernels[first + i % sums];
                // Kernels of different shapes share their centre.
                let (ky, kx) = kernel.dim();
                let (dy, dx) = (hy - ky / 2, hx - kx / 2);
                let value = |u: usize, v: usize| {
                    if u < dy || v < dx || u - dy >= ky || v - dx >= kx { 0.0 } else { kernel[[u - dy, v - dx]] }
                };
                fft.kernel_spectrum(value, (2 * hy + 1, 2 * hx + 1), scratch)
            },
        )
        .collect();
    let (rows, columns) = (side - 2 * hy, side - 2 * hx);
    for y0 in (0..ny).step_by(rows) {
        let y1 = (y0 + rows).min(ny);
        // One part of the band for each sum.
        let tiles: Vec<(usize, Vec<Vec<f64>>)> = (0..nx)
            .into_par_iter()
            .step_by(columns)
            .map_init(
                || (fft.scratch(), vec![0.0; side * side], vec![Complex::default(); fft.spectrum_len()]),
                |(scratch, tile, spectrum), x0| {
                    control.check()?;
                    let x1 = (x0 + columns).min(nx);
                    let mut products = vec![vec![Complex::default(); fft.spectrum_len()]; sums];
                    let mut occupied = Occupied::new(side);
                    let (first_row, last_row) = (y0.saturating_sub(hy), (y1 + hy).min(ny));
                    let (first_column, last_column) = (x0.saturating_sub(hx), (x1 + hx).min(nx));
                    for (term, kernels) in terms.iter().zip(spectra.chunks(sums)) {
                        tile.fill(0.0);
                        for y in first_row..last_row {
                            let row = &mut tile[(y + hy - y0) * side..];
                            for x in first_column..last_column {
                                row[x + hx - x0] = term.at(y, x);
                            }
                        }
                        if occupied.mark(tile) {
                            fft.forward(tile, spectrum, scratch);
                            for (product, kernel) in products.iter_mut().zip(kernels) {
                                add_product(product, spectrum, kernel);
                            }
                        }
                    }
                    occupied.sum();
                    let mut parts = Vec::with_capacity(sums);
                    for (sum, product) in products.iter_mut().enumerate() {
                        fft.inverse(product, tile, scratch);
                        let highest = (0..y1 - y0)
                            .flat_map(|row| &tile[row * side..row * side + x1 - x0])
                            .fold(0.0f64, |a, b| a.max(*b));
                        let mut part = Vec::with_capacity((y1 - y0) * (x1 - x0));
                        for y in y0..y1 {
                            for x in x0..x1 {
                                let value = tile[(y - y0) * side + x - x0];
                                let reached = || occupied.any((y - y0, 2 * hy + 1), (x - x0, 2 * hx + 1));
                                part.push(match method {
                                    Method::NonNegative if value <= FAINT * highest => {
                                        if reached() {
                                            pixel(terms, first + sum, (ny, nx), y, x)
                                        } else {
                                            0.0
                                        }
                                    }
                                    // Noise is relative to what was transformed, which may lie beyond this part of
                                    // the map: its size says nothing about it.
                                    Method::Clamped if value <= 0.0 || !reached() => 0.0,
                                    _ => value,
                                });
                            }
                        }
                        parts.push(part);
                    }
                    Ok((x0, parts))
                },
            )
            .collect::<Result<_>>()?;
        for (x0, parts) in tiles {
            let width = (x0 + columns).min(nx) - x0;
            for (out, part) in out.iter_mut().zip(parts) {
                for (row, part) in out[y0 * nx..].chunks_exact_mut(nx).zip(part.chunks_exact(width)) {
                    row[x0..x0 + width].copy_from_slice(part);
                }
            }
        }
    }
    Ok(())
}

/// One value, summed directly.
fn pixel(terms: &[Term<'_, '_>], number: usize, (ny, nx): (usize, usize), y: usize, x: usize) -> f64 {
    let mut sum = 0.0;
    for term in terms {
        let kernel = &term.kernels[number];
        let (ky, kx) = kernel.dim();
        let (hy, hx) = (ky / 2, kx / 2);
        for row in y.saturating_sub(hy)..ny.min(y + hy + 1) {
            for column in x.saturating_sub(hx)..nx.min(x + hx + 1) {
                sum += kernel[[row + hy - y, column + hx - x]] * term.at(row, column);
            }
        }
    }
    sum
}
