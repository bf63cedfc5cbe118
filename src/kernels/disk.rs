//! Sums over a disk around each pixel: what a top-hat correlation is for counts.

use ndarray::Array3;

use super::cube::CubeView;
use crate::error::{Error, Result};

/// Planes whose pixels are summed over a disk.
#[derive(Debug, Clone, Copy)]
pub struct DiskSumJob<'a> {
    /// `[plane, y, x]`, finite values.
    pub cube: CubeView<'a>,
    /// Radius in pixels: a pixel belongs to the disk where its centre is no farther away.
    pub radius: f64,
}

impl DiskSumJob<'_> {
    /// Checks the radius.
    ///
    /// # Errors
    /// [`Error::Options`] where it is not positive and finite, or the disk is wider than the image on both sides of a
    /// pixel: at most the longer side of the image.
    pub fn check(&self) -> Result<()> {
        let (_, ny, nx) = self.cube.dim();
        if !(self.radius > 0.0 && self.radius.is_finite()) {
            return Err(Error::options("radius", format!("{} pixels: it must be positive and finite", self.radius)));
        }
        let longest = nx.max(ny);
        if self.radius > longest.max(1) as f64 {
            return Err(Error::options(
                "radius",
                format!("{:.6} pixels is more than the map's longer side of {longest} pixels", self.radius),
            ));
        }
        Ok(())
    }

    /// See [`half_widths`].
    pub fn half_widths(&self) -> Vec<usize> {
        half_widths(self.radius)
    }
}

/// How far the disk reaches to each side, in pixels, in the row of its centre, the next one, and so on: the largest w with
/// `w² + dy² ≤ radius²`. The disk is the same upside down and with rows and columns exchanged.
pub fn half_widths(radius: f64) -> Vec<usize> {
    let square = radius * radius;
    let inside = |w: usize, dy: usize| (w * w + dy * dy) as f64 <= square;
    let mut widths = Vec::new();
    let mut w = radius as usize + 1;
    for dy in 0.. {
        if !inside(0, dy) {
            break;
        }
        while !inside(w, dy) {
            w -= 1;
        }
        widths.push(w);
    }
    widths
}

/// `out[p, y, x]`: sum of `cube[p, y + dy, x + dx]` over `dx² + dy² ≤ radius²`, zeros outside, pixel by pixel: the twin of
/// `shaders/disk_sum.wgsl`.
pub fn disk_sum(job: &DiskSumJob<'_>) -> Array3<f64> {
    let (planes, ny, nx) = job.cube.dim();
    let widths = job.half_widths();
    let reach = widths.len() - 1;
    let mut out = Array3::zeros((planes, ny, nx));
    for ((p, y, x), sum) in out.indexed_iter_mut() {
        let plane = job.cube.plane(p);
        for row in y.saturating_sub(reach)..ny.min(y + reach + 1) {
            let w = widths[row.abs_diff(y)];
            for column in x.saturating_sub(w)..nx.min(x + w + 1) {
                *sum += plane.at(row, column);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_holds_the_pixels_within_the_radius() {
        assert_eq!(half_widths(0.5), vec![0]);
        assert_eq!(half_widths(1.0), vec![1, 0]);
        assert_eq!(half_widths(2.5), vec![2, 2, 1]);
        assert_eq!(half_widths(5.0), vec![5, 4, 4, 4, 3, 0]);
        for radius in [0.3, 1.4, 3.0, 7.07, 12.5, 50.0] {
            let r = radius as i64 + 1;
            let inside = (-r..=r).flat_map(|y| (-r..=r).map(move |x| x * x + y * y));
            let pixels = inside.filter(|d| *d as f64 <= radius * radius).count();
            let widths = half_widths(radius);
            let rows: usize = widths.iter().enumerate().map(|(dy, w)| (2 * w + 1) * if dy > 0 { 2 } else { 1 }).sum();
            assert_eq!(rows, pixels, "{radius}");
        }
    }

    #[test]
    fn radii_that_are_no_radii_are_refused() {
        let image = Array3::<f64>::zeros((1, 4, 7));
        for radius in [0.0, -1.0, f64::NAN, f64::INFINITY, 7.1, 1e300] {
            assert!(DiskSumJob { cube: CubeView::F64(image.view()), radius }.check().is_err(), "{radius}");
        }
        assert!(DiskSumJob { cube: CubeView::F64(image.view()), radius: 7.0 }.check().is_ok());
    }
}
