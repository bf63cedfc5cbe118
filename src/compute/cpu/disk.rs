//! Sums over disks: running sums, so that the cost per pixel goes with the rows of the disk, not with its area.
//!
//! A disk is cut into columns; columns of one height are summed together. The sum over a column of height L is what is
//! left of one block of L rows and what has begun of the next: sums from the end of each block backwards and from the
//! start of each block forwards give all of them with two additions each. Nothing is ever subtracted, so whole numbers
//! are exact up to 2^53, zeros stay zeros, and other values are right to the last digits beside however bright a
//! neighbour. Rows are added as a whole, which compilers vectorise.

use multiversion::multiversion;
use ndarray::Array3;
use rayon::prelude::*;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::DiskSumJob;
use crate::kernels::cube::PlaneView;

/// Rows of a band, the unit of work: the order of additions depends on bands, never on threads.
const BAND_ROWS: usize = 64;

/// Sums all planes of a job.
pub fn disk_sum(job: &DiskSumJob<'_>, control: &Control) -> Result<Array3<f64>> {
    let (planes, ny, nx) = job.cube.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    if out.is_empty() {
        return Ok(out);
    }
    let Some(values) = out.as_slice_mut() else {
        return Err(Error::input("disk", "the result must lie in one piece"));
    };
    let columns = columns_by_height(&job.half_widths());
    // Larger disks have larger bands: the rows around a band are summed for each band anew.
    let rows = BAND_ROWS.max(4 * columns[0].0).min(ny);
    values.par_chunks_mut(nx * ny).enumerate().try_for_each(|(p, plane)| {
        plane.par_chunks_mut(nx * rows).enumerate().try_for_each_init(Scratch::default, |scratch, (band, target)| {
            control.check()?;
            scratch.sum_band(job.cube.plane(p), band * rows, &columns, target);
            Ok(())
        })
    })?;
    control.report("correlate", planes as u64, planes as u64);
    Ok(out)
}

/// Columns of the disk by their half height, the highest first: half height and the distances of such columns from the
/// centre, to either side.
fn columns_by_height(half_heights: &[usize]) -> Vec<(usize, Vec<usize>)> {
    let mut list: Vec<(usize, Vec<usize>)> = Vec::new();
    for (dx, half) in half_heights.iter().enumerate() {
        match list.last_mut() {
            Some((last, columns)) if last == half => columns.push(dx),
            _ => list.push((*half, vec![dx])),
        }
    }
    list
}

#[derive(Default)]
struct Scratch {
    /// The band and the rows that its columns reach, rows outside the image being zeros.
    rows: Vec<f64>,
    /// Sums from each row of a block to its end.
    ends: Vec<f64>,
    /// Sums of the next block from its start on, and a row of column sums.
    lines: Vec<f64>,
}

/// `to += from`.
#[inline(always)]
fn add(to: &mut [f64], from: &[f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += from;
    }
}

impl Scratch {
    /// `target`: rows of a band, beginning with row `y0` of the plane.
    fn sum_band(&mut self, plane: PlaneView<'_>, y0: usize, columns: &[(usize, Vec<usize>)], target: &mut [f64]) {
        let (ny, nx) = plane.dim();
        let count = target.len() / nx;
        let reach = columns[0].0;
        self.rows.clear();
        self.rows.resize((count + 2 * reach) * nx, 0.0);
        for (row, y) in self.rows.chunks_exact_mut(nx).zip(y0 as isize - reach as isize..) {
            if (0..ny as isize).contains(&y) {
                plane.copy_row(y as usize, 0, row);
            }
        }
        self.lines.resize(2 * nx, 0.0);
        for (half, distances) in columns {
            let (ends, lines) = (&mut self.ends, &mut self.lines);
            add_columns(&self.rows, ends, lines, nx, reach - half, 2 * half + 1, distances, target);
        }
    }
}

/// Adds the columns of one height to a band; the window of its row i is rows `first + i .. first + i + length` of `rows`.
/// `ends` and `scratch` are room for sums of a block, and of a row twice.
#[multiversion(targets("x86_64+avx512f+avx512vl", "x86_64+avx2+fma", "aarch64+neon"))]
#[expect(clippy::too_many_arguments, reason = "borrowed apart: instruction sets are chosen for free functions")]
fn add_columns(
    rows: &[f64],
    ends: &mut Vec<f64>,
    scratch: &mut [f64],
    nx: usize,
    first: usize,
    length: usize,
    distances: &[usize],
    target: &mut [f64],
) {
    let count = target.len() / nx;
    let (start, sums) = scratch.split_at_mut(nx);
    for begin in (0..count).step_by(length) {
        let used = length.min(count - begin);
        ends.clear();
        ends.extend_from_slice(&rows[(first + begin) * nx..(first + begin + length) * nx]);
        for row in (0..length - 1).rev() {
            let (before, after) = ends.split_at_mut((row + 1) * nx);
            add(&mut before[row * nx..], &after[..nx]);
        }
        start.fill(0.0);
        for i in 0..used {
            if i > 0 {
                // The window has moved on into the next block.
                let row = first + begin + length + i - 1;
                add(start, &rows[row * nx..(row + 1) * nx]);
            }
            for ((sum, end), start) in sums.iter_mut().zip(&ends[i * nx..(i + 1) * nx]).zip(&*start) {
                *sum = end + start;
            }
            let target = &mut target[(begin + i) * nx..(begin + i + 1) * nx];
            for &dx in distances.iter().filter(|dx| **dx < nx) {
                add(&mut target[..nx - dx], &sums[dx..]);
                if dx > 0 {
                    add(&mut target[dx..], &sums[..nx - dx]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::Array3;
    use proptest::prelude::*;

    use super::*;
    use crate::kernels::cube::CubeView;
    use crate::kernels::disk::disk_sum as by_hand;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        /// Whole numbers bit by bit, others to the last digits, whatever the shape, the radius and the threads.
        #[test]
        fn running_sums_are_sums(
            ny in 1..140usize, nx in 1..60usize, radius in 0.01..30.0f64, seed in 0..u64::MAX, whole in any::<bool>()
        ) {
            let radius = radius.min(nx.max(ny) as f64);
            let mut state = seed | 1;
            let image = Array3::from_shape_fn((2, ny, nx), |_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let v = (state >> 33) as f64;
                // A bright pixel now and then.
                let v = if (v as u64).is_multiple_of(97) { v * 1e5 } else { (v % 5.0).floor() };
                if whole { v } else { v * 0.1 }
            });
            let job = DiskSumJob { cube: CubeView::F64(image.view()), radius };
            let control = Control::new();
            let found = disk_sum(&job, &control).unwrap();
            let wanted = by_hand(&job);
            for (at, wanted) in wanted.indexed_iter() {
                let same = if whole { found[at] == *wanted } else { (found[at] - wanted).abs() <= 1e-12 * wanted };
                prop_assert!(same, "{at:?}: {} for {wanted}", found[at]);
            }
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                prop_assert_eq!(&pool.install(|| disk_sum(&job, &control)).unwrap(), &found);
            }
        }
    }

    /// A dim pixel keeps its value beside one that is 1e20 times brighter, and empty disks stay empty.
    #[test]
    fn bright_neighbours_leave_no_trace() {
        let mut image = Array3::<f64>::zeros((1, 90, 90));
        image[[0, 45, 10]] = 1e20;
        image[[0, 45, 60]] = 1.25e-3;
        let out = disk_sum(&DiskSumJob { cube: CubeView::F64(image.view()), radius: 6.0 }, &Control::new()).unwrap();
        assert_eq!((out[[0, 45, 66]], out[[0, 45, 67]], out[[0, 45, 4]]), (1.25e-3, 0.0, 1e20));
        assert_eq!(out.iter().filter(|v| **v != 0.0).count(), 2 * 113);
    }

    #[test]
    fn a_cancelled_sum_stops() {
        let image = Array3::<f64>::zeros((1, 9, 9));
        let control = Control::new();
        control.cancel();
        assert!(disk_sum(&DiskSumJob { cube: CubeView::F64(image.view()), radius: 2.0 }, &control).is_err());
    }
}
