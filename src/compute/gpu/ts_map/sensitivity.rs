//! The sensitivity of a band: sums on the device, one root per pixel on the host.

use super::super::pipelines::TS_MAP_SENSITIVITY;
use super::super::planes::TILE;
use super::band::BandBuffers;
use super::layout::plane;
use super::run::RunOnGpu;
use crate::control::Control;
use crate::error::Result;

/// Relative step that ends the search: the sums are good to 1e-6.
const LAST_STEP: f64 = 1e-6;
/// Newton's steps on the square root of the TS converge in about five.
const MAX_STEPS: u32 = 30;

/// The search of one pixel, in norms of the device.
#[derive(Clone, Copy)]
struct Search {
    pixel: usize,
    norm: f64,
    low: f64,
    high: f64,
}

impl Search {
    /// Steps from A and A' at the norm towards `2 A = n_sigma²`; true when done.
    fn step(&mut self, value: f64, slope: f64, n_sigma: f64) -> bool {
        let root = (2.0 * value).sqrt();
        if root >= n_sigma {
            self.high = self.norm;
        } else {
            self.low = self.norm;
        }
        let newton = self.norm + (n_sigma - root) * root / slope;
        let next = if newton > self.low && newton < self.high {
            newton
        } else if self.high.is_finite() {
            0.5 * (self.low + self.high)
        } else {
            2.0 * self.norm
        };
        let moved = (next - self.norm).abs();
        self.norm = next;
        moved <= LAST_STEP * next
    }
}

impl RunOnGpu<'_, '_> {
    /// The norm of each pixel of the band whose Asimov counts have TS = n_sigma_sensitivity²; NaN where there is none
    /// or it was not found. Overwrites the norms in the band's state.
    pub(super) fn sensitivity(&self, band: &BandBuffers, tiles: &[u32], control: &Control) -> Result<Vec<f64>> {
        let n_sigma = self.run.settings.n_sigma_sensitivity;
        let pixels = band.rows.len() * self.shape.1;
        let mut found = vec![f64::NAN; pixels];
        self.device.write(&band.tiles, 0, tiles)?;
        self.cells_pass(&TS_MAP_SENSITIVITY, band, tiles.len(), 0, control)?;
        let information: Vec<f32> = self.device.read(&band.sums, 0, pixels)?;
        let mut open: Vec<Search> = self
            .pixels_of(tiles, band)
            .filter(|pixel| information[*pixel] > 0.0)
            .map(|pixel| Search {
                pixel,
                norm: n_sigma / f64::from(information[pixel]).sqrt(),
                low: 0.0,
                high: f64::INFINITY,
            })
            .collect();
        let mut norms = vec![0f32; pixels];
        for _ in 0..MAX_STEPS {
            if open.is_empty() {
                break;
            }
            open.iter().for_each(|search| norms[search.pixel] = search.norm as f32);
            self.device.write(&band.state, (4 * plane::X * pixels) as u64, &norms)?;
            let open_tiles = self.tiles_of(&open.iter().map(|s| s.pixel).collect::<Vec<_>>(), band);
            self.device.write(&band.tiles, 0, &open_tiles)?;
            self.cells_pass(&TS_MAP_SENSITIVITY, band, open_tiles.len(), 1, control)?;
            let sums: Vec<f32> = self.device.read(&band.sums, 0, 2 * pixels)?;
            open.retain_mut(|search| {
                let (value, slope) = (sums[search.pixel], sums[pixels + search.pixel]);
                let done = search.step(value.into(), slope.into(), n_sigma);
                if done {
                    found[search.pixel] = search.norm * self.scale;
                }
                !done
            });
        }
        Ok(found)
    }

    /// Pixels of the band in the listed tiles.
    fn pixels_of<'b>(&'b self, tiles: &'b [u32], band: &'b BandBuffers) -> impl Iterator<Item = usize> + 'b {
        let nx = self.shape.1;
        tiles.iter().flat_map(move |tile| {
            let (ty, tx) = (*tile as usize / nx.div_ceil(TILE) * TILE, *tile as usize % nx.div_ceil(TILE) * TILE);
            let rows = ty..band.rows.len().min(ty + TILE);
            rows.flat_map(move |y| (tx..nx.min(tx + TILE)).map(move |x| y * nx + x))
        })
    }

    /// Tiles of the band that the listed pixels lie in.
    fn tiles_of(&self, pixels: &[usize], band: &BandBuffers) -> Vec<u32> {
        let nx = self.shape.1;
        let mut needed = vec![false; nx.div_ceil(TILE) * band.rows.len().div_ceil(TILE)];
        for pixel in pixels {
            needed[pixel / nx / TILE * nx.div_ceil(TILE) + pixel % nx / TILE] = true;
        }
        (0u32..).zip(needed).filter_map(|(tile, needed)| needed.then_some(tile)).collect()
    }
}
