//! A band of rows: its buffers on the device, and what comes back from it.

use std::ops::Range;
use std::sync::Mutex;

use super::super::buffers::{Download, Downloaded};
use super::super::device::{GpuDevice, lock};
use super::super::memory::Buffer;
use super::super::planes::{TILE, tiles_x};
use super::layout::{STATE_BYTES, SUM_PLANES, flag, plane};
use super::run::RunOnGpu;
use crate::error::Result;

/// Bytes of a pixel in the buffers of a band.
pub(super) const BAND_BYTES: usize = STATE_BYTES + 4 * SUM_PLANES + 8;
/// Bytes of a pixel that come back.
pub(super) const RESULT_BYTES: usize = 4 * 10 + 8;

/// Buffers of one band.
pub(super) struct BandBuffers {
    pub(super) rows: Range<usize>,
    /// Pixels that the buffers hold, at least those of the band.
    capacity: usize,
    pub(super) state: Buffer,
    pub(super) sums: Buffer,
    pub(super) model: Buffer,
    pub(super) tiles: Buffer,
    pub(super) open: Buffer,
    /// Moments of the wings, `WING_PLANES` planes, where they are kept.
    pub(super) wing: Option<Buffer>,
}

/// Buffers that wait for the next band or run.
#[derive(Default)]
pub(super) struct BandPool(Mutex<Option<BandBuffers>>);

impl BandPool {
    /// Bytes of what waits.
    pub(super) fn bytes(&self) -> u64 {
        let wing = |band: &BandBuffers| band.wing.as_ref().map_or(0, |wing| wing.size());
        lock(&self.0).as_ref().map_or(0, |band| (band.capacity * BAND_BYTES) as u64 + wing(band))
    }

    /// Takes the buffers that wait where they hold `pixels`, or makes new ones of zeros.
    fn take(
        &self,
        device: &GpuDevice,
        rows: Range<usize>,
        (pixels, tiles): (usize, usize),
        wing_bytes: usize,
    ) -> Result<BandBuffers> {
        // Those that are too small are given up before larger ones are asked for.
        let waiting = lock(&self.0).take().filter(|band| band.capacity >= pixels);
        match waiting.filter(|band| band.tiles.size() >= 4 * tiles as u64) {
            Some(mut band) => {
                device.clear(&band.state)?;
                let needed = (wing_bytes * pixels) as u64;
                band.wing = band.wing.filter(|wing| needed > 0 && wing.size() >= needed);
                if needed > 0 && band.wing.is_none() {
                    band.wing = Some(device.buffer("pevatron.wing", (wing_bytes * band.capacity) as u64)?);
                }
                Ok(BandBuffers { rows, ..band })
            }
            None => Ok(BandBuffers {
                rows,
                capacity: pixels,
                state: device.buffer("pevatron.state", (STATE_BYTES * pixels) as u64)?,
                sums: device.buffer("pevatron.sums", (4 * SUM_PLANES * pixels) as u64)?,
                model: device.buffer("pevatron.model", (8 * pixels) as u64)?,
                tiles: device.buffer("pevatron.tiles", 4 * tiles as u64)?,
                open: device.buffer("pevatron.open", 4 * tiles as u64)?,
                wing: match wing_bytes {
                    0 => None,
                    bytes => Some(device.buffer("pevatron.wing", (bytes * pixels) as u64)?),
                },
            }),
        }
    }

    /// Keeps the buffers for the next band.
    pub(super) fn put(&self, band: BandBuffers) {
        *lock(&self.0) = Some(band);
    }
}

/// The results of a band on their way to the host.
pub(super) struct BandResult {
    rows: Range<usize>,
    download: Download,
    pub(super) sensitivity: Option<Vec<f64>>,
}

/// The results of a band as the device left them.
pub(super) struct BandState {
    pub(super) rows: Range<usize>,
    pixels: usize,
    data: Downloaded,
    pub(super) sensitivity: Option<Vec<f64>>,
}

/// First and last plane of `state` in each part that comes back.
const PARTS: [(usize, usize); 4] =
    [(plane::X, plane::X), (plane::C_ALL, plane::Q), (plane::D_ERRN, plane::D_UL), (plane::GAIN, plane::ITERATIONS)];

impl BandResult {
    /// Waits for the results.
    pub(super) fn finish(self, device: &GpuDevice, nx: usize) -> Result<BandState> {
        let pixels = self.rows.len() * nx;
        let data = device.finish(self.download)?;
        Ok(BandState { rows: self.rows, pixels, data, sensitivity: self.sensitivity })
    }
}

impl BandState {
    fn bits(&self, plane: usize) -> &[u32] {
        let part = PARTS.iter().position(|(first, last)| (*first..=*last).contains(&plane));
        let (part, first) = part.map_or((0, 0), |part| (part, PARTS[part].0));
        &self.data.part::<u32>(part)[(plane - first) * self.pixels..][..self.pixels]
    }

    pub(super) fn flags(&self) -> &[u32] {
        self.bits(plane::FLAGS)
    }

    /// A plane of the state at a pixel.
    pub(super) fn at(&self, plane: usize, pixel: usize) -> f64 {
        f64::from(f32::from_bits(self.bits(plane)[pixel]))
    }

    /// M.
    pub(super) fn model(&self, pixel: usize) -> f64 {
        let model: &[[f32; 2]] = self.data.part(PARTS.len());
        f64::from(model[pixel][0]) + f64::from(model[pixel][1])
    }
}

impl RunOnGpu<'_, '_> {
    /// The tiles with pixels to fit, and the buffers of the band with flags and first guesses in them.
    pub(super) fn band_buffers(&self, rows: Range<usize>, pool: &BandPool) -> Result<(Vec<u32>, BandBuffers)> {
        let nx = self.shape.1;
        let settings = &self.run.settings;
        let pixels = rows.len() * nx;
        let across = tiles_x(nx);
        let mut needed = vec![false; across * rows.len().div_ceil(TILE)];
        let wanted = flag::VALID | self.unwanted();
        let mut flags = vec![0u32; pixels];
        for (i, y) in rows.clone().enumerate() {
            for x in 0..nx {
                if self.run.fit_mask[[y, x]] {
                    flags[i * nx + x] = wanted;
                    needed[i / TILE * across + x / TILE] = true;
                }
            }
        }
        let tiles: Vec<u32> = (0u32..).zip(needed).filter_map(|(tile, needed)| needed.then_some(tile)).collect();
        let device = self.device;
        let all_tiles = across * rows.len().div_ceil(TILE);
        let band = pool.take(device, rows.clone(), (pixels, all_tiles), self.wing_bytes())?;
        device.write(&band.state, (4 * plane::FLAGS * pixels) as u64, &flags)?;
        if let (Some(guess), Some(_)) = (self.run.norm_guess, settings.threshold) {
            let guess: Vec<f32> = guess
                .slice(ndarray::s![rows, ..])
                .iter()
                .map(|g| if g.is_finite() { (g / self.scale) as f32 } else { f32::MAX })
                .collect();
            device.write(&band.state, (4 * plane::GUESS * pixels) as u64, &guess)?;
        }
        Ok((tiles, band))
    }

    /// Flags of what the run does not ask for.
    pub(super) fn unwanted(&self) -> u32 {
        let settings = &self.run.settings;
        let errors = if settings.errn_errp { 0 } else { flag::DONE_ERRN | flag::DONE_ERRP };
        errors | if settings.ul { 0 } else { flag::DONE_UL }
    }

    /// Sends a band's results on their way.
    pub(super) fn send_back(&self, band: &BandBuffers) -> Result<BandResult> {
        let pixels = band.rows.len() * self.shape.1;
        let mut parts: Vec<_> = PARTS
            .iter()
            .map(|(first, last)| (&band.state, (4 * first * pixels) as u64, (4 * (last + 1 - first) * pixels) as u64))
            .collect();
        parts.push((&band.model, 0, (8 * pixels) as u64));
        Ok(BandResult { rows: band.rows.clone(), download: self.device.download(&parts)?, sensitivity: None })
    }
}
