//! Sky geometries: a WCS image with any number of non-spatial axes, or a region.

use std::sync::Arc;

use ndarray::Array2;

use super::axis::MapAxis;
use super::frame::{Frame, SkyPosition};
use super::region::RegionGeom;
use super::wcs::Wcs;
use crate::error::{Error, Result};
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
        _center: SkyPosition,
        _nx: usize,
        _ny: usize,
        _binsz_deg: (f64, f64),
        _projection: &str,
        _axes: Vec<MapAxis>,
    ) -> Result<Self> {
        todo!()
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

    /// Pixel coordinate `(x, y)` of a position in any frame; `None` where it cannot be projected.
    pub fn sky_to_pix(&self, position: SkyPosition) -> Option<(f64, f64)> {
        let p = position.to_frame(self.frame());
        self.wcs.world_to_pix(p.lon_deg, p.lat_deg)
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

    /// Solid angle of each pixel `[y, x]` in sr, as Gammapy computes it: two planar triangles from the four corners
    /// on the sphere; NaN where a corner is outside the projection.
    pub fn solid_angle_sr(&self) -> Array2<f64> {
        todo!()
    }

    /// Great-circle distance of each pixel centre `[y, x]` to a position, in degrees; NaN outside the projection.
    pub fn separation_deg(&self, _position: SkyPosition) -> Array2<f64> {
        todo!()
    }

    /// True where both have the same pixels on the sky (axes are not compared).
    pub fn same_image(&self, other: &Self) -> bool {
        self.nx == other.nx && self.ny == other.ny && self.wcs.is_close(&other.wcs)
    }

    /// The part of the map around `center` with `width_deg` (x, y), trimmed at the borders, as Gammapy's
    /// `cutout(mode="trim", odd_npix=…)`: with `odd_npix` the number of pixels is made odd and centred on the pixel
    /// nearest to `center`.
    ///
    /// # Errors
    /// Where it does not overlap the map.
    pub fn cutout(
        &self,
        _center: SkyPosition,
        _width_deg: (f64, f64),
        _odd_npix: bool,
    ) -> Result<(Self, CutoutOrigin)> {
        todo!()
    }

    /// The rows and columns of a range as a geometry of their own.
    ///
    /// # Errors
    /// Where the range is empty or beyond the map.
    pub fn slice(&self, _y: std::ops::Range<usize>, _x: std::ops::Range<usize>) -> Result<Self> {
        todo!()
    }

    /// `pad_y`, `pad_x` pixels more on each side.
    pub fn pad(&self, _pad_y: usize, _pad_x: usize) -> Self {
        todo!()
    }

    /// `crop_y`, `crop_x` pixels less on each side.
    ///
    /// # Errors
    /// Where nothing is left.
    pub fn crop(&self, _crop_y: usize, _crop_x: usize) -> Result<Self> {
        todo!()
    }

    /// `factor` × `factor` pixels become one.
    ///
    /// # Errors
    /// Where the sides are not divisible.
    pub fn downsample(&self, _factor: usize) -> Result<Self> {
        todo!()
    }

    /// Each pixel becomes `factor` × `factor`.
    pub fn upsample(&self, _factor: usize) -> Self {
        todo!()
    }

    /// The kernel geometry of Gammapy's `to_odd_npix(max_radius)`: the same projection recentred at the map's centre
    /// (CRVAL = centre), square pixels of the larger scale, npix = ceil(2 radius / scale) // 2 · 2 + 1 per side; with
    /// `None` the map's own width decides. Axes are kept.
    ///
    /// # Errors
    /// Where the centre lies outside the projection or the radius is not positive.
    pub fn to_odd_npix(&self, _max_radius: Option<Angle>) -> Result<Self> {
        todo!()
    }
}
