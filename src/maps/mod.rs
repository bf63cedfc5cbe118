//! Axes, sky geometries and maps. Data is `[axes reversed…, y, x]`: longitude fastest, as in FITS and numpy.

mod axis;
mod frame;
mod geom;
mod grid;
mod interp;
mod map;
mod mask;
mod pixels;
pub(crate) mod position;
mod region;
mod resample;
mod shape;
mod sky_region;
mod slice;
mod smooth;
mod stack;
pub mod wcs;

pub use axis::{AxisInterp, MapAxis, NodeType};
pub use frame::{Frame, SkyPosition};
pub use geom::{CutoutOrigin, Geom, WcsGeom};
pub use map::{Map, MapData};
pub use mask::Mask;
pub use pixels::PixelShape;
pub use region::RegionGeom;
pub use resample::{UpsampleOrder, Weights};
pub use shape::{Curve, Form, Length, RingForm, Shape, Sign, Spot};
pub use sky_region::SkyRegion;
pub use slice::AxisSlice;
pub use smooth::SmoothKernel;
pub use wcs::{Wcs, WcsHeader};
