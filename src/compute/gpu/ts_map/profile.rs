//! Likelihood profiles of a band, on the device.
//!
//! Sums in single precision are good to 1e-7 of what they sum. A profile's differences are wanted to more digits than
//! that, where sources are bright: so the rises of a pixel start from one of its own norms, the middle one, and only the
//! rise of that one starts from 0.

use std::ops::Range;

use ndarray::{ArrayView3, ArrayViewMut3};

use super::super::buffers::Downloaded;
use super::super::pipelines::{TS_MAP_BOUND, TS_MAP_FIT, TS_MAP_MOMENTS, TS_MAP_RISE};
use super::band::{BandBuffers, BandPool};
use super::layout::{flag, plane};
use super::run::{KernelPart, RunOnGpu};
use super::window_sums::WindowSums;
use crate::control::Control;
use crate::error::Result;

/// Displacements that one pass sums.
const AT_ONCE: usize = 3;
/// Norms left of this share of the bound are the host's: predicted counts are truncated there, or next to nothing.
const LEAST_SHARE: f64 = -0.99;
/// Norms of the device beyond this, and largest c below its inverse, leave single precision.
const LARGEST: f64 = 1e30;
const SMALLEST: f64 = 1e-11;

/// What is known of a pixel of a band before its rises are summed.
#[derive(Clone, Copy)]
struct Start {
    /// The norm that rises start from.
    base: f32,
    c_counts: f32,
    /// P - M at 0.
    rho: f64,
    model: f64,
    on_device: bool,
}

impl RunOnGpu<'_, '_> {
    /// Fills the rows of `out`, `[scan, row of band, x]`; returns the pixels that the host has to do.
    pub(super) fn profile_band(
        &self,
        rows: Range<usize>,
        norms: ArrayView3<'_, f64>,
        sums: &WindowSums,
        pool: &BandPool,
        mut out: ArrayViewMut3<'_, f64>,
        control: &Control,
    ) -> Result<Vec<(usize, usize)>> {
        let (tiles, band) = self.band_buffers(rows.clone(), pool)?;
        let count = tiles.len();
        let device = self.device;
        device.write(&band.tiles, 0, &tiles)?;
        self.model(&band, count, control)?;
        self.cells_pass(&TS_MAP_BOUND, &band, count, 0, control)?;
        self.list_pass(&TS_MAP_MOMENTS, &band, count, (0, KernelPart::Whole), control)?;
        let (starts, left) = self.starts(&band, norms, sums)?;

        // From 0 to the base: u = c, nowhere near a pole.
        let pixels = starts.len();
        self.write_plane(&band, plane::X, &vec![0f32; pixels])?;
        self.write_plane(&band, plane::Z, &vec![1f32; pixels])?;
        self.write_plane(&band, plane::C_COUNTS, &vec![1f32; pixels])?;
        self.write_plane(&band, plane::D_ERRN, &starts.iter().map(|start| start.base).collect::<Vec<_>>())?;
        self.write_flags(&band, &starts, flag::DONE_ERRP | flag::DONE_UL)?;
        self.list_pass(&TS_MAP_RISE, &band, count, (0, KernelPart::Whole), control)?;
        let first: Vec<f32> = device.read(&band.sums, 0, pixels)?;
        let to_base = |o: usize| f64::from(first[o]) - f64::from(starts[o].base) * starts[o].rho;

        // From the base to all norms.
        self.write_plane(&band, plane::X, &starts.iter().map(|start| start.base).collect::<Vec<_>>())?;
        self.write_plane(&band, plane::Z, &starts.iter().map(Start::pole_distance).collect::<Vec<_>>())?;
        self.write_plane(&band, plane::C_COUNTS, &starts.iter().map(|start| start.c_counts).collect::<Vec<_>>())?;
        self.write_flags(&band, &starts, 0)?;
        self.list_pass(&TS_MAP_FIT, &band, count, (0, KernelPart::Whole), control)?;
        let slopes: Vec<f32> = device.read(&band.sums, 0, 2 * pixels)?;
        let rho = |o: usize| f64::from(slopes[o]) + f64::from(slopes[pixels + o]) - starts[o].model;

        let nx = self.shape.1;
        let distance = |scan: usize, o: usize| norms[[scan, o / nx, o % nx]] / self.scale - f64::from(starts[o].base);
        for first in (0..norms.dim().0).step_by(AT_ONCE) {
            control.check()?;
            let scans = first..norms.dim().0.min(first + AT_ONCE);
            for (k, scan) in scans.clone().enumerate() {
                let along = |(o, start): (usize, &Start)| if start.on_device { distance(scan, o) as f32 } else { 0.0 };
                let distances: Vec<f32> = starts.iter().enumerate().map(along).collect();
                self.write_plane(&band, plane::D_ERRN + k, &distances)?;
            }
            self.list_pass(&TS_MAP_RISE, &band, count, (0, KernelPart::Whole), control)?;
            let rises: Vec<f32> = device.read(&band.sums, 0, scans.len() * pixels)?;
            for (k, scan) in scans.enumerate() {
                for (o, _) in starts.iter().enumerate().filter(|(_, start)| start.on_device) {
                    let rise = f64::from(rises[k * pixels + o]) - distance(scan, o) * rho(o);
                    let zero = norms[[scan, o / nx, o % nx]] == 0.0;
                    out[[scan, o / nx, o % nx]] = if zero { 0.0 } else { 2.0 * (to_base(o) + rise) };
                }
            }
        }
        pool.put(band);
        Ok(left.into_iter().map(|o| (rows.start + o / nx, o % nx)).collect())
    }

    /// Where each pixel's rises start, and the pixels that the host has to do.
    fn starts(
        &self,
        band: &BandBuffers,
        norms: ArrayView3<'_, f64>,
        sums: &WindowSums,
    ) -> Result<(Vec<Start>, Vec<usize>)> {
        let nx = self.shape.1;
        let pixels = band.rows.len() * nx;
        let bytes = (4 * pixels) as u64;
        let found: Downloaded = self.device.finish(self.device.download(&[
            (&band.model, 0, 2 * bytes),
            (&band.state, plane::C_ALL as u64 * bytes, bytes),
            (&band.sums, 0, 5 * bytes),
        ])?)?;
        let (model, c_all, moments) = (found.part::<[f32; 2]>(0), found.part::<f32>(1), found.part::<f32>(2));
        let mut left = Vec::new();
        let start = |o: usize| {
            let (y, x) = (o / nx, o % nx);
            let [high, low] = model[o].map(f64::from);
            let model = high + low;
            let rho = (f64::from(moments[o]) - high) + (f64::from(moments[pixels + o]) - low);
            let mut of_pixel: Vec<f64> =
                norms.slice(ndarray::s![.., y, x]).iter().map(|norm| norm / self.scale).collect();
            of_pixel.sort_unstable_by(f64::total_cmp);
            let base = of_pixel.get(of_pixel.len() / 2).map_or(0.0, |base| *base as f32);
            let c_all = f64::from(c_all[o]);
            let in_range = of_pixel.iter().all(|norm| norm.abs() < LARGEST && norm * c_all > LEAST_SHARE);
            let plain = model == 0.0 || (model > 1.0 / LARGEST && c_all > SMALLEST);
            let wanted = self.run.fit_mask[[band.rows.start + y, x]];
            let on_device = wanted && in_range && plain && !sums.has_hole(band.rows.start + y, x);
            if wanted && !on_device {
                left.push(o);
            }
            let base = if on_device { base } else { 0.0 };
            Start { base, c_counts: moments[4 * pixels + o], rho, model, on_device }
        };
        let starts = (0..pixels).map(start).collect();
        Ok((starts, left))
    }

    fn write_plane(&self, band: &BandBuffers, plane: usize, values: &[f32]) -> Result<()> {
        self.device.write(&band.state, (4 * plane * values.len()) as u64, values)
    }

    fn write_flags(&self, band: &BandBuffers, starts: &[Start], done: u32) -> Result<()> {
        let open = flag::VALID | flag::FITTED | done;
        let flags: Vec<u32> = starts.iter().map(|start| if start.on_device { open } else { 0 }).collect();
        self.device.write(&band.state, (4 * plane::FLAGS * flags.len()) as u64, &flags)
    }
}

impl Start {
    /// Distance of the base from the last pole.
    fn pole_distance(&self) -> f32 {
        if self.c_counts > 0.0 { (f64::from(self.base) + 1.0 / f64::from(self.c_counts)) as f32 } else { 1.0 }
    }
}
