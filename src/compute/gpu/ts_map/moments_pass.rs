//! The transforms of a run: of its kernel once, and of each tile of a band.

use super::super::batch::Kernel;
use super::super::params;
use super::super::pipelines::{FFT_COLUMNS, FFT_NOISE, FFT_PRODUCT, FFT_ROWS_BACK};
use super::super::planes::{TILE, tiles_x};
use super::super::tiling::Tiling;
use super::band::BandBuffers;
use super::moments::{Moments, PAIRS, POINTS};
use super::run::RunOnGpu;
use crate::control::Control;
use crate::error::Result;

impl RunOnGpu<'_, '_> {
    fn fft_params(&self, tiling: Tiling) -> params::Fft {
        params::Fft {
            nx: self.shape.1 as u32,
            ky: self.kernel_shape.0 as u32,
            kx: self.kernel_shape.1 as u32,
            side: tiling.side as u32,
            scale: 1.0,
            ..Default::default()
        }
    }

    /// Transforms the kernel, once per run.
    pub(super) fn prepare_moments(&self, moments: &Moments, control: &Control) -> Result<()> {
        for chunk in &moments.chunks {
            let mut kernels = Vec::new();
            let target = (&chunk.spectra, &chunk.squares);
            let common = self.fft_params(moments.tiling);
            moments.transform(&mut kernels, &self.segments, chunk, target, common, 1);
            self.device.run_all("fft", &[&chunk.spectra, &chunk.squares], &kernels, control)?;
        }
        Ok(())
    }

    /// Fits the pixels of a band that moments can fit; returns for each of `tiles` how many pixels are left.
    pub(super) fn moments_pass(
        &self,
        moments: &Moments,
        band: &BandBuffers,
        tiles: &[u32],
        control: &Control,
    ) -> Result<Vec<u32>> {
        let across = tiles_x(self.shape.1) as u32;
        let (tile_y, tile_x) = moments.tiling.tile;
        let mut wanted: Vec<(usize, usize)> = tiles
            .iter()
            .map(|tile| {
                let (y, x) = (band.rows.start + (tile / across) as usize * TILE, (tile % across) as usize * TILE);
                (y / tile_y, x / tile_x)
            })
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        for (row, column) in wanted {
            self.fit_tile(moments, band, (row * tile_y, column * tile_x), control)?;
        }
        if moments.core.is_some() {
            return Ok(Vec::new());
        }
        let all = across as usize * band.rows.len().div_ceil(TILE);
        let open: Vec<u32> = self.device.read(&band.open, 0, all)?;
        Ok(tiles.iter().map(|tile| open[*tile as usize]).collect())
    }

    /// One tile of transforms, whose first pixel is `(y, x)` of the map.
    fn fit_tile(&self, moments: &Moments, band: &BandBuffers, (y, x): (usize, usize), control: &Control) -> Result<()> {
        let side = moments.tiling.side;
        let origin = |first: usize, k: usize| first as i64 - (k / 2) as i64;
        let origin = (origin(y, self.kernel_shape.0), origin(x, self.kernel_shape.1));
        let scale = moments.scale(self.planes, origin);
        let common = params::Fft { y0: origin.0 as i32, x0: origin.1 as i32, scale, ..self.fft_params(moments.tiling) };
        let area = side * side;
        let groups = area / POINTS;
        let work = (PAIRS * area) as f64;
        let last = moments.chunks.len() - 1;
        for (i, chunk) in moments.chunks.iter().enumerate() {
            let mut kernels = Vec::new();
            let target = (&moments.images, &moments.image_squares);
            moments.transform(&mut kernels, &self.segments, chunk, target, common, 0);
            let sums = params::Fft { planes: chunk.planes.len() as u32, add: u32::from(i > 0), ..common };
            let noise = vec![(2, &moments.image_squares), (3, &chunk.squares), (4, &moments.noise)];
            kernels.push(Kernel::new(FFT_NOISE, sums, noise, (1, 1), 1e4));
            let product = vec![(2, &moments.images), (3, &chunk.spectra), (4, &moments.products)];
            let product_work = work * chunk.planes.len() as f64 * 0.5;
            kernels.push(Kernel::new(FFT_PRODUCT, sums, product, (area / 256, PAIRS), product_work));
            if i == last {
                let back = params::Fft { mode: 1, ..common };
                let columns = vec![(1, &moments.roots), (2, &moments.products)];
                kernels.push(Kernel::new(FFT_COLUMNS, back, columns, (groups, PAIRS), work));
                let rows = vec![(1, &moments.roots), (2, &moments.products), (3, &moments.moments)];
                kernels.push(Kernel::new(FFT_ROWS_BACK, back, rows, (groups, PAIRS), work));
                kernels.push(self.wing(moments, band, (y, x), scale));
            }
            self.device.run_all("fft", &[&moments.images, &moments.image_squares], &kernels, control)?;
        }
        Ok(())
    }
}
