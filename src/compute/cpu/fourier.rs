//! Square real transforms of tiles, and what they cost.

use pevatron_fft::num_complex::Complex;
use pevatron_fft::{FftNum, Planned, Plans};

/// Sides of tiles: powers of two and three halves of them, which transform fast.
const SIDES: [usize; 17] = [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096];
/// Complex numbers of a block that transposes within the first-level cache.
const TRANSPOSE_BLOCK: usize = 8;

/// Forward and inverse transforms of one size. Spectra are stored transposed and unnormalised.
pub struct TileFft<T: Planned> {
    /// Side of the tile.
    pub side: usize,
    half: usize,
    plans: Plans<T>,
}

/// Working memory of a thread.
pub struct FftScratch<T> {
    side: usize,
    half_done: Vec<Complex<T>>,
    inner: Vec<Complex<T>>,
}

impl<T: Planned> TileFft<T> {
    pub fn new(side: usize) -> Self {
        Self { side, half: side / 2 + 1, plans: T::plans(side) }
    }

    /// Length of a spectrum.
    pub fn spectrum_len(&self) -> usize {
        self.half * self.side
    }

    pub fn scratch(&self) -> FftScratch<T> {
        let zero = Complex::new(T::zero(), T::zero());
        let Plans { rows, rows_back, columns, columns_back } = &self.plans;
        let inner = rows
            .get_scratch_len()
            .max(rows_back.get_scratch_len())
            .max(columns.get_inplace_scratch_len())
            .max(columns_back.get_inplace_scratch_len());
        FftScratch { side: self.side, half_done: vec![zero; self.spectrum_len()], inner: vec![zero; inner] }
    }

    /// True for working memory that [`TileFft::scratch`] of this size made.
    pub fn fits(&self, scratch: &FftScratch<T>) -> bool {
        scratch.side == self.side
    }

    /// Transforms a tile, which is destroyed.
    pub fn forward(&self, tile: &mut [T], spectrum: &mut [Complex<T>], scratch: &mut FftScratch<T>) {
        self.forward_rows(tile, self.side, spectrum, scratch);
    }

    /// The same for a tile whose rows from `filled` on are zero.
    fn forward_rows(&self, tile: &mut [T], filled: usize, spectrum: &mut [Complex<T>], scratch: &mut FftScratch<T>) {
        let empty = &mut scratch.half_done[filled.min(self.side) * self.half..];
        empty.fill(Complex::new(T::zero(), T::zero()));
        let rows = tile.chunks_exact_mut(self.side).zip(scratch.half_done.chunks_exact_mut(self.half));
        for (row, out) in rows.take(filled) {
            let done = self.plans.rows.process_with_scratch(row, out, &mut scratch.inner);
            debug_assert!(done.is_ok(), "lengths come from one plan");
        }
        transpose(&scratch.half_done, spectrum, self.side, self.half);
        self.plans.columns.process_with_scratch(spectrum, &mut scratch.inner);
    }

    /// Transforms back; the spectrum is destroyed, the result is `side²` times too large.
    pub fn inverse(&self, spectrum: &mut [Complex<T>], tile: &mut [T], scratch: &mut FftScratch<T>) {
        self.plans.columns_back.process_with_scratch(spectrum, &mut scratch.inner);
        transpose(spectrum, &mut scratch.half_done, self.half, self.side);
        let rows = scratch.half_done.chunks_exact_mut(self.half).zip(tile.chunks_exact_mut(self.side));
        for (row, out) in rows {
            // Real by construction; rounding may say otherwise.
            row[0].im = T::zero();
            row[self.half - 1].im = T::zero();
            let done = self.plans.rows_back.process_with_scratch(row, out, &mut scratch.inner);
            debug_assert!(done.is_ok(), "lengths come from one plan");
        }
    }

    /// Conjugate spectrum of a kernel `[ky, kx]`, normalised: multiplying by it correlates.
    pub fn kernel_spectrum(
        &self,
        value: impl Fn(usize, usize) -> T,
        (ky, kx): (usize, usize),
        scratch: &mut FftScratch<T>,
    ) -> Vec<Complex<T>> {
        let mut tile = vec![T::zero(); self.side * self.side];
        let mut area = T::zero();
        for _ in 0..self.side {
            area = area + T::one();
        }
        area = area * area;
        for u in 0..ky {
            for v in 0..kx {
                tile[u * self.side + v] = value(u, v) / area;
            }
        }
        let mut spectrum = vec![Complex::new(T::zero(), T::zero()); self.spectrum_len()];
        self.forward_rows(&mut tile, ky, &mut spectrum, scratch);
        for value in &mut spectrum {
            *value = value.conj();
        }
        spectrum
    }
}

/// `sum += a * b`, element by element.
#[inline(always)]
pub fn add_product<T: FftNum>(sum: &mut [Complex<T>], a: &[Complex<T>], b: &[Complex<T>]) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum = *sum + *a * *b;
    }
}

/// `sum += factor * a * b`, element by element.
#[inline(always)]
pub fn add_scaled_product<T: FftNum>(sum: &mut [Complex<T>], a: &[Complex<T>], b: &[Complex<T>], factor: T) {
    for ((sum, a), b) in sum.iter_mut().zip(a).zip(b) {
        *sum = *sum + *a * factor * *b;
    }
}

fn transpose<T: Copy>(from: &[T], to: &mut [T], rows: usize, columns: usize) {
    for i0 in (0..rows).step_by(TRANSPOSE_BLOCK) {
        for j0 in (0..columns).step_by(TRANSPOSE_BLOCK) {
            for j in j0..(j0 + TRANSPOSE_BLOCK).min(columns) {
                for i in i0..(i0 + TRANSPOSE_BLOCK).min(rows) {
                    to[j * rows + i] = from[i * columns + j];
                }
            }
        }
    }
}

/// Side of the tile that covers a map with a halo at the least cost, and the cost in transform steps (pairs of
/// butterflies); `None` where no tile is large enough.
pub fn best_side((ny, nx): (usize, usize), (hy, hx): (usize, usize)) -> Option<(usize, f64)> {
    SIDES
        .iter()
        .filter(|side| **side > 2 * hy.max(hx))
        .map(|&side| {
            let tiles = ny.div_ceil(side - 2 * hy) * nx.div_ceil(side - 2 * hx);
            let steps = (side * side) as f64 * (side as f64).log2();
            (side, tiles as f64 * steps)
        })
        .min_by(|a, b| a.1.total_cmp(&b.1))
}
