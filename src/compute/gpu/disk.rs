//! Sums over disks on the device: sums along rows, then one difference per row of the disk.

use ndarray::{Array3, s};

use super::device::GpuDevice;
use super::params;
use super::pipelines::{DISK_ROWS, DISK_SUM};
use super::two_float;
use crate::compute::bands::plan_bands;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::DiskSumJob;
use crate::kernels::cube::PlaneView;

/// Values times `scale` as two single-precision numbers each: 48 bits of them.
fn split(plane: PlaneView<'_>, rows: std::ops::Range<usize>, scale: f64) -> Vec<[f32; 2]> {
    let (_, nx) = plane.dim();
    let mut values = Vec::with_capacity(rows.len() * nx);
    for y in rows {
        values.extend((0..nx).map(|x| two_float::split(plane.at(y, x) * scale)));
    }
    values
}

/// The largest size of a plane's values.
fn largest(plane: PlaneView<'_>) -> f64 {
    let (ny, nx) = plane.dim();
    (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))).map(|(y, x)| plane.at(y, x).abs()).fold(0.0, f64::max)
}

/// Sums all planes of a job, plane by plane in bands of rows.
pub(super) fn disk_sum(device: &GpuDevice, job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (planes, ny, nx) = job.cube.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    if out.is_empty() {
        return Ok(out);
    }
    let widths: Vec<u32> = job.half_widths().iter().map(|w| *w as u32).collect();
    let reach = widths.len() - 1;
    if widths.len() > device.max_steps / 4 {
        return Err(Error::unsupported(format!("a disk of {reach} pixels radius on a GPU")));
    }
    let widths = device.upload("pevatron.widths", &widths)?;
    let rows_uniform = device.uniform(size_of::<params::DiskRows>())?;
    let sum_uniform = device.uniform(size_of::<params::DiskSum>())?;
    // The rows around a band go with it, as far as the image reaches.
    let around = (2 * reach).min(ny) as u64 * 8 * nx as u64;
    let room = device.binding_bytes.saturating_sub(around);
    let bands = plan_bands(ny, 1, 8 * nx as u64, room.max(8))?;
    for p in 0..planes {
        let plane = job.cube.plane(p);
        let scale = two_float::scale_for(largest(plane));
        for band in &bands {
            control.check()?;
            control.report("correlate", (p * ny + band.start) as u64, (planes * ny) as u64);
            let rows = band.start.saturating_sub(reach)..ny.min(band.end + reach);
            let values = device.upload("pevatron.rows", &split(plane, rows.clone(), scale))?;
            let sums = device.buffer("pevatron.disk", 8 * (band.len() * nx) as u64)?;
            let step = (device.max_steps / 8).max(1);
            for x0 in (0..nx).step_by(step) {
                let x1 = nx.min(x0 + step);
                let groups = rows.len().div_ceil(64) as u32;
                let work = (64 * (x1 - x0) * 4) as f64;
                device.run(&DISK_ROWS, &rows_uniform, &[(1, &values)], groups, 1, work, control, |first_group| {
                    params::DiskRows {
                        nx: nx as u32,
                        rows: rows.len() as u32,
                        x0: x0 as u32,
                        x1: x1 as u32,
                        first_group,
                        ..Default::default()
                    }
                })?;
            }
            let bindings = [(1, &values), (2, &widths), (3, &sums)];
            let groups = (band.len() * nx).div_ceil(256) as u32;
            let work = (256 * (2 * reach + 1) * 4) as f64;
            device.run(&DISK_SUM, &sum_uniform, &bindings, groups, 1, work, control, |first_group| {
                params::DiskSum {
                    nx: nx as u32,
                    rows: rows.len() as u32,
                    band_y0: (band.start - rows.start) as u32,
                    band_ny: band.len() as u32,
                    reach: reach as u32,
                    first_group,
                    ..Default::default()
                }
            })?;
            let found: Vec<[f32; 2]> = device.read(&sums, 0, band.len() * nx)?;
            let mut target = out.slice_mut(s![p, band.clone(), ..]);
            for (target, value) in target.iter_mut().zip(found) {
                *target = two_float::join(value) / scale;
            }
        }
    }
    Ok(out)
}
