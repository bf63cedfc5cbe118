//! Pixels of an image and where they lie on the sky.

use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

use crate::maps::{Frame, SkyPosition, WcsGeom};

/// What pictures need of a map: pixel coordinates (centre of the first pixel: 0, 0) to degrees and back.
pub(super) trait SkyMapping: Debug + Send + Sync {
    /// `(lon, lat)` in degrees; `None` outside the projection.
    fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)>;
    /// Pixel coordinate; `None` where it cannot be projected.
    fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)>;
    /// Frame of both.
    fn frame(&self) -> Frame;
    /// Degrees per pixel along x and y.
    fn scales_deg(&self) -> (f64, f64);

    /// Pixel coordinate of one of the whole image that this is a part of.
    fn image_pixel(&self, x: f64, y: f64) -> (f64, f64) {
        (x, y)
    }
    /// Whether the last of `nx` columns is followed by the first one, once around the sky.
    fn closes(&self, nx: usize) -> bool {
        let _ = nx;
        false
    }

    /// Pixel coordinate of a position in any frame.
    fn place(&self, position: SkyPosition) -> Option<(f64, f64)> {
        let p = if position.frame == self.frame() { position } else { position.to_frame(self.frame()) };
        self.pixel(p.lon_deg, p.lat_deg)
    }
}

impl SkyMapping for WcsGeom {
    fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        self.pix_to_sky(x, y).map(|p| (p.lon_deg, p.lat_deg))
    }

    fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
        self.sky_to_pix(SkyPosition { lon_deg, lat_deg, frame: self.frame() })
    }

    fn frame(&self) -> Frame {
        WcsGeom::frame(self)
    }

    fn scales_deg(&self) -> (f64, f64) {
        self.pixel_scales_deg()
    }

    fn closes(&self, nx: usize) -> bool {
        self.closes_in_longitude() == Some(nx)
    }
}

/// A part of an image whose first pixel is `(x0, y0)` of the whole.
#[derive(Debug)]
pub(super) struct Window {
    pub whole: Arc<dyn SkyMapping>,
    pub x0: usize,
    pub y0: usize,
}

impl SkyMapping for Window {
    fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        self.whole.sky(x + self.x0 as f64, y + self.y0 as f64)
    }

    fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
        self.whole.pixel(lon_deg, lat_deg).map(|(x, y)| (x - self.x0 as f64, y - self.y0 as f64))
    }

    fn frame(&self) -> Frame {
        self.whole.frame()
    }

    fn scales_deg(&self) -> (f64, f64) {
        self.whole.scales_deg()
    }

    fn image_pixel(&self, x: f64, y: f64) -> (f64, f64) {
        let (x, y) = self.whole.image_pixel(x, y);
        (x - self.x0 as f64, y - self.y0 as f64)
    }

    fn closes(&self, nx: usize) -> bool {
        self.x0 == 0 && self.whole.closes(nx)
    }
}

/// Rows and columns `(y, x)` that hold any sky: images of the whole sky often have empty borders.
pub(super) fn sky_window(mapping: &dyn SkyMapping, nx: usize, ny: usize) -> (Range<usize>, Range<usize>) {
    let (right, top) = (nx as f64 - 0.5, ny as f64 - 0.5);
    let corners = [(-0.5, -0.5), (right, -0.5), (-0.5, top), (right, top)];
    if corners.iter().all(|(x, y)| mapping.sky(*x, *y).is_some()) {
        return (0..ny, 0..nx);
    }
    let on_sky = |x: usize, y: usize| mapping.sky(x as f64, y as f64).is_some();
    let row = |y: &usize| (0..nx).any(|x| on_sky(x, *y));
    let column = |x: &usize| (0..ny).any(|y| on_sky(*x, y));
    let rows = (0..ny).find(row).zip((0..ny).rev().find(row)).map(|(a, b)| a..b + 1);
    let columns = (0..nx).find(column).zip((0..nx).rev().find(column)).map(|(a, b)| a..b + 1);
    (rows.unwrap_or(0..ny), columns.unwrap_or(0..nx))
}

/// Difference of two longitudes in [-180, 180).
pub(super) fn wrap(lon: f64) -> f64 {
    (lon + 180.0).rem_euclid(360.0) - 180.0
}

/// Mappings simple enough to be checked by eye.
#[cfg(test)]
pub(super) mod toy {
    use super::{Frame, SkyMapping};

    /// Degrees per pixel around a centre, longitude to the left.
    #[derive(Debug)]
    pub struct Flat {
        pub lon: f64,
        pub lat: f64,
        pub step: f64,
        pub nx: usize,
        pub ny: usize,
    }

    impl SkyMapping for Flat {
        fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
            let lon = self.lon - (x - (self.nx as f64 - 1.0) / 2.0) * self.step;
            Some((lon.rem_euclid(360.0), self.lat + (y - (self.ny as f64 - 1.0) / 2.0) * self.step))
        }

        fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
            let x = (self.nx as f64 - 1.0) / 2.0 - super::wrap(lon_deg - self.lon) / self.step;
            Some((x, (self.ny as f64 - 1.0) / 2.0 + (lat_deg - self.lat) / self.step))
        }

        fn frame(&self) -> Frame {
            Frame::Galactic
        }

        fn scales_deg(&self) -> (f64, f64) {
            (self.step, self.step)
        }
    }

    /// Sinusoidal projection of the whole sky, 2° pixels.
    #[derive(Debug)]
    pub struct WholeSky;

    impl SkyMapping for WholeSky {
        fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
            let lat = (y - 44.5) * 2.0;
            let lon = -(x - 89.5) * 2.0 / lat.to_radians().cos();
            (lat.abs() <= 90.0 && lon.abs() <= 180.0).then_some((lon.rem_euclid(360.0), lat))
        }

        fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
            let lon = super::wrap(lon_deg);
            Some((89.5 - lon * lat_deg.to_radians().cos() / 2.0, 44.5 + lat_deg / 2.0))
        }

        fn frame(&self) -> Frame {
            Frame::Icrs
        }

        fn scales_deg(&self) -> (f64, f64) {
            (2.0, 2.0)
        }
    }
}
