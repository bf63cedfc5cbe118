//! Sums of planes correlated with kernels, in double precision: directly or by transforms of tiles.

use multiversion::multiversion;
use ndarray::ArrayView2;
use rayon::prelude::*;
use rustfft::num_complex::Complex;

use super::fourier::{TileFft, add_product, best_side};
use crate::control::Control;
use crate::error::Result;

/// Cost of a transform step (see [`best_side`]) in multiply-adds of the direct sum. Measured: 21x21 kernels are faster
/// by transform, 9x9 kernels are faster directly.
const STEP_COST: f64 = 6.0;
/// Where the result is below this share of the tile's largest, a transform has lost digits: summed directly instead.
const FAINT: f64 = 1e-8;

/// One term: reads the plane at `(y, x)`, weighted by a kernel `[ky, kx]`, odd sides.
pub struct Term<'k, F> {
    pub at: F,
    pub kernel: ArrayView2<'k, f64>,
}

/// How [`correlate`] sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Whatever is faster, for planes and kernels without negative values: values that a transform would leave to
    /// rounding are summed directly.
    NonNegative,
    /// Whatever is faster; rounding is relative to the largest value around.
    Signed,
    /// Term by term: relative precision everywhere.
    Direct,
}

/// `out[y, x] = sum_terms sum_{dy, dx} kernel[ky/2 + dy, kx/2 + dx] plane[y + dy, x + dx]`, zeros outside the map.
pub fn correlate<F: Fn(usize, usize) -> f64 + Sync>(
    terms: &[Term<'_, F>],
    (ny, nx): (usize, usize),
    method: Method,
    control: &Control,
) -> Result<Vec<f64>> {
    let mut out = vec![0.0; ny * nx];
    if terms.is_empty() || out.is_empty() {
        return Ok(out);
    }
    let half = |side: fn(&Term<'_, F>) -> usize| terms.iter().map(|term| side(term) / 2).max().unwrap_or(0);
    let (hy, hx) = (half(|term| term.kernel.dim().0), half(|term| term.kernel.dim().1));
    let direct_cost: f64 = (ny * nx) as f64 * terms.iter().map(|term| term.kernel.len() as f64).sum::<f64>();
    let plan = best_side((ny, nx), (hy, hx))
        .filter(|(_, steps)| method != Method::Direct && steps * STEP_COST * terms.len() as f64 <= direct_cost);
    match plan {
        Some((side, _)) => by_transform(terms, &mut out, (ny, nx), (hy, hx), side, method, control)?,
        None => directly(terms, &mut out, (ny, nx), control)?,
    }
    Ok(out)
}

fn directly<F: Fn(usize, usize) -> f64 + Sync>(
    terms: &[Term<'_, F>],
    out: &mut [f64],
    (ny, nx): (usize, usize),
    control: &Control,
) -> Result<()> {
    for term in terms {
        let (ky, kx) = term.kernel.dim();
        let (hy, hx) = (ky / 2, kx / 2);
        // Zeros on both sides save the test for the map's edge.
        let width = nx + 2 * hx;
        let mut padded = vec![0.0; ny * width];
        padded.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
            for x in 0..nx {
                row[hx + x] = (term.at)(y, x);
            }
        });
        out.par_chunks_mut(nx).enumerate().try_for_each(|(y, out)| {
            control.check()?;
            for u in 0..ky {
                let Some(row) = (y + u).checked_sub(hy).filter(|row| *row < ny) else { continue };
                let row = &padded[row * width..(row + 1) * width];
                match term.kernel.row(u).as_slice() {
                    Some(weights) => correlate_row(out, row, weights),
                    None => correlate_row(out, row, &term.kernel.row(u).to_vec()),
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

fn by_transform<F: Fn(usize, usize) -> f64 + Sync>(
    terms: &[Term<'_, F>],
    out: &mut [f64],
    (ny, nx): (usize, usize),
    (hy, hx): (usize, usize),
    side: usize,
    method: Method,
    control: &Control,
) -> Result<()> {
    let fft = TileFft::<f64>::new(side);
    let spectra: Vec<Vec<Complex<f64>>> = terms
        .par_iter()
        .map_init(
            || fft.scratch(),
            |scratch, term| {
                // Kernels of different shapes share their centre.
                let (ky, kx) = term.kernel.dim();
                let (dy, dx) = (hy - ky / 2, hx - kx / 2);
                let value = |u: usize, v: usize| {
                    if u < dy || v < dx || u - dy >= ky || v - dx >= kx { 0.0 } else { term.kernel[[u - dy, v - dx]] }
                };
                fft.kernel_spectrum(value, (2 * hy + 1, 2 * hx + 1), scratch)
            },
        )
        .collect();
    let (rows, columns) = (side - 2 * hy, side - 2 * hx);
    for (band, out) in out.chunks_mut(rows * nx).enumerate() {
        let y0 = band * rows;
        let y1 = (y0 + rows).min(ny);
        let tiles: Vec<(usize, Vec<f64>)> = (0..nx)
            .into_par_iter()
            .step_by(columns)
            .map_init(
                || (fft.scratch(), vec![0.0; side * side], vec![Complex::default(); fft.spectrum_len()]),
                |(scratch, tile, spectrum), x0| {
                    control.check()?;
                    let x1 = (x0 + columns).min(nx);
                    let mut sum = vec![Complex::default(); fft.spectrum_len()];
                    let mut occupied = Occupied::new(side);
                    let (first_row, last_row) = (y0.saturating_sub(hy), (y1 + hy).min(ny));
                    let (first_column, last_column) = (x0.saturating_sub(hx), (x1 + hx).min(nx));
                    for (term, kernel) in terms.iter().zip(&spectra) {
                        tile.fill(0.0);
                        for y in first_row..last_row {
                            let row = &mut tile[(y + hy - y0) * side..];
                            for x in first_column..last_column {
                                row[x + hx - x0] = (term.at)(y, x);
                            }
                        }
                        if occupied.mark(tile) {
                            fft.forward(tile, spectrum, scratch);
                            add_product(&mut sum, spectrum, kernel);
                        }
                    }
                    occupied.sum();
                    fft.inverse(&mut sum, tile, scratch);
                    let highest = (0..y1 - y0)
                        .flat_map(|row| &tile[row * side..row * side + x1 - x0])
                        .fold(0.0f64, |a, b| a.max(*b));
                    let mut part = Vec::with_capacity((y1 - y0) * (x1 - x0));
                    for y in y0..y1 {
                        for x in x0..x1 {
                            let value = tile[(y - y0) * side + x - x0];
                            let faint = method == Method::NonNegative && value <= FAINT * highest;
                            part.push(match faint {
                                false => value,
                                true if occupied.any((y - y0, 2 * hy + 1), (x - x0, 2 * hx + 1)) => {
                                    pixel(terms, (ny, nx), y, x)
                                }
                                true => 0.0,
                            });
                        }
                    }
                    Ok((x0, part))
                },
            )
            .collect::<Result<_>>()?;
        for (x0, part) in tiles {
            let width = (x0 + columns).min(nx) - x0;
            for (row, part) in out.chunks_exact_mut(nx).zip(part.chunks_exact(width)) {
                row[x0..x0 + width].copy_from_slice(part);
            }
        }
    }
    Ok(())
}

/// Where a tile holds anything at all: counts over its corner rectangles, integers, so their differences are exact.
struct Occupied {
    side: usize,
    counts: Vec<u32>,
}

impl Occupied {
    fn new(side: usize) -> Self {
        Self { side, counts: vec![0; (side + 1) * (side + 1)] }
    }

    /// Marks the non-zero elements; false where there is none.
    fn mark(&mut self, tile: &[f64]) -> bool {
        let mut any = false;
        for (row, counts) in tile.chunks_exact(self.side).zip(self.counts.chunks_exact_mut(self.side + 1).skip(1)) {
            for (value, count) in row.iter().zip(&mut counts[1..]) {
                *count |= u32::from(*value != 0.0);
                any |= *value != 0.0;
            }
        }
        any
    }

    fn sum(&mut self) {
        let width = self.side + 1;
        for y in 1..width {
            let mut row = 0;
            for x in 1..width {
                row += self.counts[y * width + x];
                self.counts[y * width + x] = row + self.counts[(y - 1) * width + x];
            }
        }
    }

    fn any(&self, (y, rows): (usize, usize), (x, columns): (usize, usize)) -> bool {
        let at = |y: usize, x: usize| self.counts[y.min(self.side) * (self.side + 1) + x.min(self.side)];
        at(y + rows, x + columns) + at(y, x) > at(y, x + columns) + at(y + rows, x)
    }
}

/// One value, summed directly.
fn pixel<F: Fn(usize, usize) -> f64>(terms: &[Term<'_, F>], (ny, nx): (usize, usize), y: usize, x: usize) -> f64 {
    let mut sum = 0.0;
    for term in terms {
        let (ky, kx) = term.kernel.dim();
        let (hy, hx) = (ky / 2, kx / 2);
        for row in y.saturating_sub(hy)..ny.min(y + hy + 1) {
            for column in x.saturating_sub(hx)..nx.min(x + hx + 1) {
                sum += term.kernel[[row + hy - y, column + hx - x]] * (term.at)(row, column);
            }
        }
    }
    sum
}
