//! Sky geometries: a WCS image with any number of non-spatial axes, or a region.

use std::ops::Range;
use std::sync::Arc;

use super::axis::MapAxis;
use super::frame::{Frame, SkyPosition};
use super::region::RegionGeom;
use super::wcs::{Wcs, WcsHeader};
use crate::error::{Error, Result};
use crate::memory;
use crate::units::Angle;

/// Geometry of a map: its sky part and its axes.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Geom {
    /// Pixels of a FITS WCS.
    Wcs(WcsGeom),
    /// One sky region (or everywhere), as Fermi IRFs and spectra have it; data is `[axes reversed…, 1, 1]`.
    Region(RegionGeom),
}

impl From<WcsGeom> for Geom {
    fn from(geom: WcsGeom) -> Self {
        Self::Wcs(geom)
    }
}

impl From<&WcsGeom> for Geom {
    fn from(geom: &WcsGeom) -> Self {
        Self::Wcs(geom.clone())
    }
}

impl From<RegionGeom> for Geom {
    fn from(geom: RegionGeom) -> Self {
        Self::Region(geom)
    }
}

impl From<&RegionGeom> for Geom {
    fn from(geom: &RegionGeom) -> Self {
        Self::Region(geom.clone())
    }
}

impl Geom {
    /// Non-spatial axes, the first one fastest in memory (after x and y).
    pub fn axes(&self) -> &[MapAxis] {
        match self {
            Self::Wcs(g) => g.axes(),
            Self::Region(g) => g.axes(),
        }
    }

    /// The axis of that name.
    ///
    /// # Errors
    /// [`Error::Input`] that lists the axes there are.
    pub fn axis(&self, name: &str) -> Result<&MapAxis> {
        find_axis(self.axes(), name)
    }

    /// `[axes reversed…, ny, nx]`.
    pub fn data_shape(&self) -> Vec<usize> {
        let (ny, nx) = match self {
            Self::Wcs(g) => (g.ny(), g.nx()),
            Self::Region(_) => (1, 1),
        };
        self.axes().iter().rev().map(MapAxis::nbin).chain([ny, nx]).collect()
    }

    /// The same place on the sky with other axes.
    pub fn with_axes(&self, axes: Vec<MapAxis>) -> Self {
        match self {
            Self::Wcs(g) => Self::Wcs(g.with_axes(axes)),
            Self::Region(g) => Self::Region(g.with_axes(axes)),
        }
    }

    /// The WCS geometry.
    ///
    /// # Errors
    /// [`Error::Input`] where it is a region.
    pub fn as_wcs(&self) -> Result<&WcsGeom> {
        match self {
            Self::Wcs(g) => Ok(g),
            Self::Region(_) => {
                Err(Error::input("geometry", "a map with pixels on the sky is needed, this is a region"))
            }
        }
    }
}

fn find_axis<'a>(axes: &'a [MapAxis], name: &str) -> Result<&'a MapAxis> {
    axes.iter().find(|a| a.name() == name).ok_or_else(|| {
        let names: Vec<&str> = axes.iter().map(MapAxis::name).collect();
        Error::input(name, format!("there is no such axis, only [{}]", names.join(", ")))
    })
}

/// A WCS image geometry with axes. Pixel coordinates: the centre of the first pixel is (0, 0).
#[derive(Debug, Clone, PartialEq)]
pub struct WcsGeom {
    wcs: Arc<Wcs>,
    nx: usize,
    ny: usize,
    axes: Vec<MapAxis>,
}

/// Where a cutout lies in its parent: the first pixel of the cutout is `(y0, x0)` of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CutoutOrigin {
    /// First row.
    pub y0: usize,
    /// First column.
    pub x0: usize,
}

impl WcsGeom {
    /// From a WCS, its size in pixels, and axes.
    pub fn new(wcs: Wcs, nx: usize, ny: usize, axes: Vec<MapAxis>) -> Self {
        Self { wcs: Arc::new(wcs), nx, ny, axes }
    }

    /// As Gammapy's `WcsGeom.create`: `nx` × `ny` pixels of `binsz_deg` (x, y), centred on `center`, in the projection
    /// of that FITS code (`"CAR"`, `"TAN"`, …).
    ///
    /// # Errors
    /// Unknown projections, pixel sizes that are not positive.
    pub fn create(
        center: SkyPosition,
        nx: usize,
        ny: usize,
        binsz_deg: (f64, f64),
        projection: &str,
        axes: Vec<MapAxis>,
    ) -> Result<Self> {
        if !(binsz_deg.0 > 0.0 && binsz_deg.1 > 0.0) {
            return Err(Error::options("binsz", format!("pixel sizes {binsz_deg:?} deg must be positive")));
        }
        if nx == 0 || ny == 0 {
            return Err(Error::options("npix", format!("{nx} × {ny} pixels do not make a map")));
        }
        memory::bytes_of::<f64>(&format!("a map of {nx} × {ny} pixels of {binsz_deg:?} deg"), &[nx, ny])?;
        let header = WcsHeader::new(
            projection,
            center.frame,
            ((nx as f64 + 1.0) / 2.0, (ny as f64 + 1.0) / 2.0),
            (center.lon_deg, center.lat_deg),
            (-binsz_deg.0, binsz_deg.1),
        );
        Ok(Self::new(Wcs::new(header)?, nx, ny, axes))
    }

    /// As [`WcsGeom::create`] with a width `(x, y)` in degrees instead of a size in pixels: npix = width / binsz,
    /// rounded to the nearest integer (ties to even).
    ///
    /// # Errors
    /// As [`WcsGeom::create`].
    pub fn create_with_width(
        center: SkyPosition,
        width_deg: (f64, f64),
        binsz_deg: (f64, f64),
        projection: &str,
        axes: Vec<MapAxis>,
    ) -> Result<Self> {
        let npix = |width: f64, binsz: f64| (width / binsz).round_ties_even();
        let (nx, ny) = (npix(width_deg.0, binsz_deg.0), npix(width_deg.1, binsz_deg.1));
        if !(nx.is_finite() && ny.is_finite()) {
            return Err(Error::options("width", format!("{width_deg:?} deg in pixels of {binsz_deg:?} deg")));
        }
        Self::create(center, nx as usize, ny as usize, binsz_deg, projection, axes)
    }

    /// The projection and its parameters.
    pub fn wcs(&self) -> &Wcs {
        &self.wcs
    }

    /// Columns.
    pub fn nx(&self) -> usize {
        self.nx
    }

    /// Rows.
    pub fn ny(&self) -> usize {
        self.ny
    }

    /// Celestial frame.
    pub fn frame(&self) -> Frame {
        self.wcs.frame()
    }

    /// Non-spatial axes, the first one fastest.
    pub fn axes(&self) -> &[MapAxis] {
        &self.axes
    }

    /// The axis of that name.
    ///
    /// # Errors
    /// [`Error::Input`] that lists the axes there are.
    pub fn axis(&self, name: &str) -> Result<&MapAxis> {
        find_axis(&self.axes, name)
    }

    /// The same pixels without axes.
    pub fn to_image(&self) -> Self {
        self.with_axes(Vec::new())
    }

    /// The same pixels with other axes.
    pub fn with_axes(&self, axes: Vec<MapAxis>) -> Self {
        Self { axes, ..self.clone() }
    }

    /// Position of a pixel coordinate in the map's frame; `None` outside the projection. Longitude in [0, 360).
    pub fn pix_to_sky(&self, x: f64, y: f64) -> Option<SkyPosition> {
        let (lon_deg, lat_deg) = self.wcs.pix_to_world(x, y)?;
        Some(SkyPosition { lon_deg, lat_deg, frame: self.frame() })
    }

    /// Pixel coordinate `(x, y)` of a position in any frame; `None` where it cannot be projected. Cylindrical projections
    /// repeat the sky to the left and the right: of the copies of a position the one in the map, or nearest to it.
    pub fn sky_to_pix(&self, position: SkyPosition) -> Option<(f64, f64)> {
        let p = position.to_frame(self.frame());
        self.wcs.world_to_pix(p.lon_deg, p.lat_deg).map(|pixel| self.copy_in_map(pixel))
    }

    /// The centre of the image, pixel coordinate `((nx - 1)/2, (ny - 1)/2)`.
    ///
    /// # Errors
    /// Where it lies outside the projection.
    pub fn center(&self) -> Result<SkyPosition> {
        self.pix_to_sky((self.nx as f64 - 1.0) / 2.0, (self.ny as f64 - 1.0) / 2.0)
            .ok_or_else(|| Error::input("geometry", "the centre of the map lies outside its projection"))
    }

    /// Pixel scales `(x, y)` in degrees as astropy's `proj_plane_pixel_scales` gives them (from CDELT and PC).
    pub fn pixel_scales_deg(&self) -> (f64, f64) {
        self.wcs.pixel_scales_deg()
    }

    /// True where both have the same pixels on the sky (axes are not compared).
    pub fn same_image(&self, other: &Self) -> bool {
        self.nx == other.nx && self.ny == other.ny && self.wcs.is_close(&other.wcs)
    }

    /// Size `(x, y)` in degrees: pixels times increments, as Gammapy's `width`.
    pub fn width_deg(&self) -> (f64, f64) {
        let cdelt = self.wcs.header().cdelt;
        (cdelt.0.abs() * self.nx as f64, cdelt.1.abs() * self.ny as f64)
    }

    /// The pixel `(y, x)` that holds a position, `None` outside the map. A pixel has its lower borders, not its upper
    /// ones.
    pub fn pixel_of(&self, position: SkyPosition) -> Option<(usize, usize)> {
        let (x, y) = self.sky_to_pix(position)?;
        let (column, row) = ((x + 0.5).floor(), (y + 0.5).floor());
        let inside = column >= 0.0 && column < self.nx as f64 && row >= 0.0 && row < self.ny as f64;
        inside.then_some((row as usize, column as usize))
    }

    /// True where a position lies in a pixel of the map.
    pub fn contains(&self, position: SkyPosition) -> bool {
        self.pixel_of(position).is_some()
    }

    /// Where the first pixel of this map lies in another one on the same grid: `(y, x)` in whole pixels, negative ones
    /// included; `None` where the grids differ. A cutout has this offset in its parent, also after padding.
    pub fn offset_in(&self, other: &Self) -> Option<(isize, isize)> {
        let (a, b) = (self.wcs.header().crpix, other.wcs.header().crpix);
        let (x, y) = ((b.0 - a.0).round(), (b.1 - a.1).round());
        self.wcs.shifted(x, y).is_close(&other.wcs).then_some((y as isize, x as isize))
    }

    /// The part of the map around `center` with `width_deg` (x, y), trimmed at the borders, as Gammapy's
    /// `cutout(mode="trim", odd_npix=…)`: with `odd_npix` the number of pixels is made odd and centred on the pixel
    /// nearest to `center`.
    ///
    /// A centre halfway between two pixels (for odd sizes; on a pixel for even ones) is exact here to 1e-7 pixels and
    /// takes the lower cutout. Gammapy: rounding errors of the projection decide.
    ///
    /// # Errors
    /// Where it does not overlap the map.
    pub fn cutout(&self, center: SkyPosition, width_deg: (f64, f64), odd_npix: bool) -> Result<(Self, CutoutOrigin)> {
        if !(width_deg.0 >= 0.0 && width_deg.1 >= 0.0 && width_deg.0.is_finite() && width_deg.1.is_finite()) {
            return Err(Error::input("cutout", format!("width {width_deg:?} deg must be finite and not negative")));
        }
        let outside = || {
            Error::input(
                "cutout",
                format!("the position ({}, {}) deg lies outside the map", center.lon_deg, center.lat_deg),
            )
        };
        let (x, y) = self.sky_to_pix(center).ok_or_else(outside)?;
        let scales = self.pixel_scales_deg();
        let columns = cutout_range(x, width_deg.0 / scales.0, odd_npix, self.nx).ok_or_else(outside)?;
        let rows = cutout_range(y, width_deg.1 / scales.1, odd_npix, self.ny).ok_or_else(outside)?;
        let origin = CutoutOrigin { y0: rows.start, x0: columns.start };
        Ok((self.slice(rows, columns)?, origin))
    }

    /// The rows and columns of a range as a geometry of their own.
    ///
    /// # Errors
    /// Where the range is empty or beyond the map.
    pub fn slice(&self, y: Range<usize>, x: Range<usize>) -> Result<Self> {
        if y.is_empty() || x.is_empty() || y.end > self.ny || x.end > self.nx {
            return Err(Error::input(
                "geometry",
                format!("rows {y:?} and columns {x:?} are not all within {} × {} (ny × nx) pixels", self.ny, self.nx),
            ));
        }
        let wcs = self.wcs.shifted(-(x.start as f64), -(y.start as f64));
        Ok(Self { wcs: Arc::new(wcs), nx: x.len(), ny: y.len(), axes: self.axes.clone() })
    }

    /// `pad_y`, `pad_x` pixels more on each side.
    pub fn pad(&self, pad_y: usize, pad_x: usize) -> Self {
        let wcs = self.wcs.shifted(pad_x as f64, pad_y as f64);
        Self { wcs: Arc::new(wcs), nx: wider(self.nx, pad_x), ny: wider(self.ny, pad_y), axes: self.axes.clone() }
    }

    /// `crop_y`, `crop_x` pixels less on each side.
    ///
    /// # Errors
    /// Where nothing is left.
    pub fn crop(&self, crop_y: usize, crop_x: usize) -> Result<Self> {
        if 2 * crop_y >= self.ny || 2 * crop_x >= self.nx {
            return Err(Error::input(
                "geometry",
                format!("{} × {} (ny × nx) pixels cannot lose {crop_y}, {crop_x} on each side", self.ny, self.nx),
            ));
        }
        self.slice(crop_y..self.ny - crop_y, crop_x..self.nx - crop_x)
    }

    /// `factor` × `factor` pixels become one.
    ///
    /// # Errors
    /// Where the sides are not divisible.
    pub fn downsample(&self, factor: usize) -> Result<Self> {
        if factor == 0 || !self.nx.is_multiple_of(factor) || !self.ny.is_multiple_of(factor) {
            return Err(Error::input(
                "geometry",
                format!("{} × {} (ny × nx) pixels are not divisible by {factor}", self.ny, self.nx),
            )
            .with_help("pad the map first"));
        }
        let wcs = Arc::new(self.wcs.rescaled(factor as f64));
        Ok(Self { wcs, nx: self.nx / factor, ny: self.ny / factor, axes: self.axes.clone() })
    }

    /// Each pixel becomes `factor` × `factor`; a factor of 0 counts as 1.
    pub fn upsample(&self, factor: usize) -> Self {
        let factor = factor.max(1);
        let wcs = Arc::new(self.wcs.rescaled(1.0 / factor as f64));
        Self { wcs, nx: self.nx.saturating_mul(factor), ny: self.ny.saturating_mul(factor), axes: self.axes.clone() }
    }

    /// The kernel geometry of Gammapy's `to_odd_npix(max_radius)`: the same projection recentred at the map's centre
    /// (CRVAL = centre), square pixels of the larger scale, npix = ceil(2 radius / scale) // 2 · 2 + 1 per side; with
    /// `None` the map's own width decides. Axes are kept.
    ///
    /// # Errors
    /// Where the centre lies outside the projection or the radius is not positive.
    pub fn to_odd_npix(&self, max_radius: Option<Angle>) -> Result<Self> {
        let width_deg = match max_radius {
            Some(radius) => 2.0 * radius.to_deg(),
            None => self.width_deg().0.max(self.width_deg().1),
        };
        if !(width_deg > 0.0 && width_deg.is_finite()) {
            return Err(Error::options("max_radius", format!("{} deg must be positive and finite", width_deg / 2.0)));
        }
        let scales = self.pixel_scales_deg();
        let binsz = scales.0.max(scales.1);
        let npix = round_up_to_odd(width_deg / binsz);
        Self::create(self.center()?, npix, npix, (binsz, binsz), &self.wcs.header().projection, self.axes.clone())
    }
}

/// A side with so many pixels more at both ends; what no memory holds is found out by who makes a map of it.
fn wider(npix: usize, pad: usize) -> usize {
    npix.saturating_add(pad.saturating_mul(2))
}

/// The odd number that Gammapy takes for a size in pixels: ceil(n) if that is odd, the next one if not.
fn round_up_to_odd(npix: f64) -> usize {
    npix.ceil() as usize / 2 * 2 + 1
}

/// Pixels of one axis of a cutout, as astropy's `Cutout2D(mode="trim")` takes them; `None` without overlap.
fn cutout_range(center: f64, width_px: f64, odd: bool, npix: usize) -> Option<Range<usize>> {
    let width_px = width_px.max(1.0);
    let size = if odd { round_up_to_odd(width_px) as f64 } else { width_px.round_ties_even() };
    let first = center - size / 2.0;
    // On the edge between two choices the noise of the projection must not decide.
    let first = if (first - first.round()).abs() < 1e-7 { first.round() } else { first.ceil() };
    let (start, end) = (first.max(0.0), (first + size).min(npix as f64));
    (end > start).then_some(start as usize..end as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Projection, centre pixel, width, odd_npix, and what Gammapy 2.1 takes: first row, first column, ny, nx.
    type Cutout = (&'static str, f64, f64, (f64, f64), bool, Option<(usize, usize, usize, usize)>);

    /// `g = WcsGeom.create(skydir=S, npix=(21, 16), binsz=(0.1, 0.2), proj=P, frame=F)` with S, F = (0, 0), galactic
    /// (CAR) or (83.63, 22.01), icrs (TAN); `c = g.cutout(SkyCoord.from_pixel(x, y, g.wcs), width, odd_npix=odd)`;
    /// `g.wcs.wcs.crpix - c.wcs.wcs.crpix`, `c.data_shape`.
    const CUTOUTS: &[Cutout] = &[
        ("CAR", 10.0, 7.5, (0.45, 1.0), false, Some((5, 8, 5, 4))),
        ("CAR", 10.0, 7.5, (0.45, 1.0), true, Some((5, 8, 5, 5))),
        ("CAR", 10.3, 7.2, (0.35, 9.0), false, Some((0, 9, 16, 3))),
        ("CAR", 10.3, 7.2, (0.35, 9.0), true, Some((0, 8, 16, 5))),
        ("CAR", -1.17, -0.27, (1.0, 9.0), false, Some((0, 0, 16, 4))),
        ("CAR", -1.17, -0.27, (1.0, 9.0), true, Some((0, 0, 16, 5))),
        ("CAR", 13.17, 4.75, (0.01, 1.0), false, Some((3, 13, 5, 1))),
        ("CAR", 13.17, 4.75, (0.01, 1.0), true, Some((3, 13, 5, 1))),
        ("CAR", 14.23, 2.78, (5.0, 0.05), false, Some((3, 0, 1, 21))),
        ("CAR", 14.23, 2.78, (5.0, 0.05), true, Some((3, 0, 1, 21))),
        ("CAR", 17.49, 11.08, (0.35, 1.0), false, Some((9, 16, 5, 3))),
        ("CAR", 17.49, 11.08, (0.35, 1.0), true, Some((9, 15, 5, 5))),
        ("CAR", 18.24, 8.53, (5.0, 9.0), false, Some((0, 0, 16, 21))),
        ("CAR", 18.24, 8.53, (5.0, 9.0), true, Some((0, 0, 16, 21))),
        ("CAR", 2.32, 8.63, (1.0, 0.5), false, Some((8, 0, 2, 8))),
        ("CAR", 2.32, 8.63, (1.0, 0.5), true, Some((8, 0, 3, 8))),
        ("CAR", 6.19, 9.42, (1.0, 0.6), false, Some((8, 2, 3, 10))),
        ("CAR", 6.19, 9.42, (1.0, 0.6), true, Some((8, 1, 3, 11))),
        ("CAR", 17.86, 15.21, (5.0, 0.05), false, Some((15, 0, 1, 21))),
        ("CAR", 17.86, 15.21, (5.0, 0.05), true, Some((15, 0, 1, 21))),
        ("CAR", 9.14, 2.82, (0.01, 0.05), false, Some((3, 9, 1, 1))),
        ("CAR", 9.14, 2.82, (0.01, 0.05), true, Some((3, 9, 1, 1))),
        ("CAR", 20.29, 6.03, (0.3, 0.05), false, Some((6, 19, 1, 2))),
        ("CAR", 20.29, 6.03, (0.3, 0.05), true, Some((6, 19, 1, 2))),
        ("CAR", 14.51, 1.25, (0.45, 9.0), false, Some((0, 13, 16, 4))),
        ("CAR", 14.51, 1.25, (0.45, 9.0), true, Some((0, 13, 16, 5))),
        ("CAR", 2.65, -2.31, (0.3, 0.6), false, None),
        ("CAR", 2.65, -2.31, (0.3, 0.6), true, None),
        ("TAN", 10.0, 7.5, (0.35, 9.0), false, Some((0, 9, 16, 3))),
        ("TAN", 10.0, 7.5, (0.35, 9.0), true, Some((0, 8, 16, 5))),
        ("TAN", 10.3, 7.2, (5.0, 0.05), false, Some((7, 0, 1, 21))),
        ("TAN", 10.3, 7.2, (5.0, 0.05), true, Some((7, 0, 1, 21))),
        ("TAN", 1.16, 17.93, (0.01, 0.5), false, None),
        ("TAN", 1.16, 17.93, (0.01, 0.5), true, None),
        ("TAN", 14.97, -1.85, (0.35, 0.05), false, None),
        ("TAN", 14.97, -1.85, (0.35, 0.05), true, None),
        ("TAN", 18.99, 9.35, (0.01, 0.6), false, Some((8, 19, 3, 1))),
        ("TAN", 18.99, 9.35, (0.01, 0.6), true, Some((8, 19, 3, 1))),
        ("TAN", 5.25, -1.13, (1.0, 0.6), false, Some((0, 1, 1, 10))),
        ("TAN", 5.25, -1.13, (1.0, 0.6), true, Some((0, 0, 1, 11))),
        ("TAN", -2.36, 14.62, (0.01, 0.5), false, None),
        ("TAN", -2.36, 14.62, (0.01, 0.5), true, None),
        ("TAN", 0.31, 12.52, (5.0, 0.6), false, Some((12, 0, 3, 21))),
        ("TAN", 0.31, 12.52, (5.0, 0.6), true, Some((12, 0, 3, 21))),
        ("TAN", -1.39, 9.57, (5.0, 9.0), false, Some((0, 0, 16, 21))),
        ("TAN", -1.39, 9.57, (5.0, 9.0), true, Some((0, 0, 16, 21))),
        ("TAN", -2.3, 13.91, (0.45, 0.6), false, None),
        ("TAN", -2.3, 13.91, (0.45, 0.6), true, Some((13, 0, 3, 1))),
        ("TAN", -0.58, -2.62, (0.35, 0.6), false, None),
        ("TAN", -0.58, -2.62, (0.35, 0.6), true, None),
        ("TAN", 15.9, 7.36, (0.3, 9.0), false, Some((0, 15, 16, 3))),
        ("TAN", 15.9, 7.36, (0.3, 9.0), true, Some((0, 15, 16, 3))),
        ("TAN", 2.65, 3.62, (0.35, 0.6), false, Some((3, 2, 3, 3))),
        ("TAN", 2.65, 3.62, (0.35, 0.6), true, Some((3, 1, 3, 5))),
        ("TAN", 22.44, 16.76, (0.45, 0.5), false, None),
        ("TAN", 22.44, 16.76, (0.45, 0.5), true, None),
    ];

    fn image(projection: &str, center: SkyPosition, npix: (usize, usize), binsz: (f64, f64)) -> WcsGeom {
        WcsGeom::create(center, npix.0, npix.1, binsz, projection, Vec::new()).unwrap()
    }

    const CRAB: SkyPosition = SkyPosition::icrs(83.63, 22.01);

    #[test]
    fn cutouts_are_gammapys() {
        for &(projection, x, y, width, odd, expected) in CUTOUTS {
            let center = if projection == "CAR" { SkyPosition::galactic(0.0, 0.0) } else { CRAB };
            let geom = image(projection, center, (21, 16), (0.1, 0.2));
            let found = geom.cutout(geom.pix_to_sky(x, y).unwrap(), width, odd);
            let case = format!("{projection} at ({x}, {y}), {width:?} deg, odd: {odd}");
            match (found, expected) {
                (Ok((cutout, origin)), Some(expected)) => {
                    assert_eq!((origin.y0, origin.x0, cutout.ny(), cutout.nx()), expected, "{case}");
                    let same = (cutout.pix_to_sky(0.0, 0.0), geom.pix_to_sky(origin.x0 as f64, origin.y0 as f64));
                    let distance = same.0.unwrap().separation_deg(same.1.unwrap());
                    assert!(distance < 1e-12, "{case}: {distance}");
                }
                (Err(_), None) => {}
                (found, expected) => panic!("{case}: {found:?} where Gammapy has {expected:?}"),
            }
        }
    }

    /// `g = WcsGeom.create(skydir=(83.63, 22.01), frame="icrs", …)`; `g.cutout(SkyCoord.from_pixel(30.2, 20.2, g.wcs),
    /// 3 * u.deg).to_odd_npix(radius)`: npix, crval, cdelt, position of pixel (0, 0), its solid angle in sr.
    #[test]
    fn kernel_geometries_are_gammapys() {
        type Kernel = (&'static str, (usize, usize), (f64, f64), Option<f64>, usize, (f64, f64), f64, (f64, f64), f64);
        let cases: &[Kernel] = &[
            (
                "CAR",
                (100, 100),
                (0.05, 0.05),
                Some(0.5),
                21,
                (84.6458844363365, 20.781843760165483),
                0.05,
                (85.17891193309364, 20.281018556100165),
                7.61514459491e-07,
            ),
            (
                "TAN",
                (100, 80),
                (0.05, 0.1),
                Some(0.52),
                11,
                (84.64102143435572, 20.107815985061503),
                0.1,
                (85.17176506519323, 19.607051591667183),
                3.045474306936073e-06,
            ),
            (
                "AIT",
                (60, 40),
                (0.1, 0.1),
                None,
                31,
                (83.52206265820178, 22.109964702540648),
                0.1,
                (85.1244463709231, 20.602057550003487),
                3.046173154455281e-06,
            ),
            (
                "CAR",
                (60, 40),
                (0.1, 0.1),
                Some(0.55),
                11,
                (83.52206278492758, 22.109964699450458),
                0.1,
                (84.05984078768844, 21.609081516086142),
                3.046056678039585e-06,
            ),
            (
                "CAR",
                (60, 40),
                (0.1, 0.1),
                Some(0.65),
                13,
                (83.52206278492758, 22.109964699450458),
                0.1,
                (84.16693955137751, 21.508693818661065),
                3.0460056454986675e-06,
            ),
        ];
        for &(projection, npix, binsz, radius, side, crval, cdelt, first, omega) in cases {
            let geom = image(projection, CRAB, npix, binsz);
            let (geom, _) = geom.cutout(geom.pix_to_sky(30.2, 20.2).unwrap(), (3.0, 3.0), false).unwrap();
            let kernel = geom.to_odd_npix(radius.map(Angle::deg)).unwrap();
            assert_eq!((kernel.nx(), kernel.ny()), (side, side), "{projection} {radius:?}");
            let header = kernel.wcs().header();
            assert_eq!(header.cdelt, (-cdelt, cdelt));
            assert!((header.crval.0 - crval.0).abs() < 1e-10 && (header.crval.1 - crval.1).abs() < 1e-10);
            let p = kernel.pix_to_sky(0.0, 0.0).unwrap();
            assert!((p.lon_deg - first.0).abs() < 1e-10 && (p.lat_deg - first.1).abs() < 1e-10, "{p:?}");
            assert!((kernel.solid_angle_sr()[[0, 0]] / omega - 1.0).abs() < 1e-10);
        }
    }

    /// `WcsGeom.create(skydir=(10, -3), frame="galactic", npix=(12, 8), binsz=(.1, .2))`: `downsample(4)`,
    /// `upsample(3)`, `pad((3, 2), axis_name=None)`, `crop((3, 2))`; npix, crpix, cdelt.
    #[test]
    fn resampled_geometries_are_gammapys() {
        let geom = image("CAR", SkyPosition::galactic(10.0, -3.0), (12, 8), (0.1, 0.2));
        let third = 0.1 / 3.0;
        for (geom, npix, crpix, cdelt) in [
            (geom.downsample(4).unwrap(), (3, 2), (2.0, 1.5), (-0.4, 0.8)),
            (geom.upsample(3), (36, 24), (18.5, 12.5), (-third, 2.0 * third)),
            (geom.pad(2, 3), (18, 12), (9.5, 6.5), (-0.1, 0.2)),
            (geom.crop(2, 3).unwrap(), (6, 4), (3.5, 2.5), (-0.1, 0.2)),
        ] {
            assert_eq!((geom.nx(), geom.ny()), npix);
            let header = geom.wcs().header();
            assert!((header.crpix.0 - crpix.0).abs() < 1e-12 && (header.crpix.1 - crpix.1).abs() < 1e-12);
            assert!((header.cdelt.0 - cdelt.0).abs() < 1e-15 && (header.cdelt.1 - cdelt.1).abs() < 1e-15);
            // The prepared matrices follow the header.
            let fresh = Wcs::new(header.clone()).unwrap();
            let (a, b) = (fresh.pix_to_world(1.0, 2.0).unwrap(), geom.wcs().pix_to_world(1.0, 2.0).unwrap());
            assert!((a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12);
        }
        assert!(geom.downsample(5).is_err() && geom.downsample(0).is_err());
        assert!(geom.crop(4, 0).is_err() && geom.slice(0..0, 0..3).is_err() && geom.slice(0..9, 0..3).is_err());
        assert!(geom.same_image(&geom.pad(2, 3).crop(2, 3).unwrap()));
        assert!(!geom.same_image(&geom.pad(2, 3)));
        assert_eq!(geom.offset_in(&geom.pad(2, 3)), Some((2, 3)));
        assert_eq!(geom.pad(2, 3).offset_in(&geom), Some((-2, -3)));
        assert_eq!(geom.slice(3..5, 1..9).unwrap().pad(4, 0).offset_in(&geom), Some((-1, 1)));
        assert_eq!(geom.upsample(2).offset_in(&geom), None);
    }

    #[test]
    fn pixels_hold_their_lower_borders() {
        let geom = image("CAR", SkyPosition::galactic(0.0, 0.0), (4, 3), (1.0, 1.0));
        let at = |x: f64, y: f64| geom.pixel_of(geom.pix_to_sky(x, y).unwrap());
        assert_eq!(at(0.0, 0.0), Some((0, 0)));
        assert_eq!(at(3.49, 2.49), Some((2, 3)));
        assert_eq!(at(3.51, 0.0), None);
        assert_eq!(at(0.0, -0.51), None);
        assert!(geom.contains(SkyPosition::galactic(359.0, 0.0)));
    }
}
