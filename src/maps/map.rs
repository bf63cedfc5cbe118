//! Maps: values with a geometry and a unit, in the precision they came in.

use std::sync::Arc;

use ndarray::{Array2, Array3, ArrayD, ArrayView3, Axis, Ix3};

use super::geom::{Geom, WcsGeom};
use crate::error::{Error, Result};
use crate::kernels::{Cube, CubeView};
use crate::units::Unit;

/// Values of a map: files' single precision stays single, computed maps are double.
#[derive(Debug, Clone, PartialEq)]
pub enum MapData {
    /// Single precision.
    F32(ArrayD<f32>),
    /// Double precision.
    F64(ArrayD<f64>),
}

impl MapData {
    /// Shape `[axes reversed…, ny, nx]`.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::F32(a) => a.shape(),
            Self::F64(a) => a.shape(),
        }
    }

    /// Value at an index in memory order.
    pub(super) fn at(&self, index: usize) -> Option<f64> {
        match self {
            Self::F32(a) => a.as_slice()?.get(index).map(|v| f64::from(*v)),
            Self::F64(a) => a.as_slice()?.get(index).copied(),
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(a) => a.len(),
            Self::F64(a) => a.len(),
        }
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values in memory order.
    pub fn iter(&self) -> Box<dyn Iterator<Item = f64> + '_> {
        match self {
            Self::F32(a) => Box::new(a.iter().map(|v| f64::from(*v))),
            Self::F64(a) => Box::new(a.iter().copied()),
        }
    }
}

/// A map: `[axes reversed…, y, x]` values, a geometry, a unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Map {
    geom: Arc<Geom>,
    unit: Unit,
    data: MapData,
}

impl Map {
    /// From data of the geometry's shape.
    ///
    /// # Errors
    /// [`Error::Input`] for another shape.
    pub fn new(geom: Arc<Geom>, unit: Unit, data: MapData) -> Result<Self> {
        if data.shape() != geom.data_shape() {
            return Err(Error::input(
                "map",
                format!("data of shape {:?} where the geometry has {:?}", data.shape(), geom.data_shape()),
            ));
        }
        // Views and loops over planes rely on memory order.
        let data = match data {
            MapData::F32(a) if !a.is_standard_layout() => MapData::F32(a.as_standard_layout().into_owned()),
            MapData::F64(a) if !a.is_standard_layout() => MapData::F64(a.as_standard_layout().into_owned()),
            data => data,
        };
        Ok(Self { geom, unit, data })
    }

    /// From data that is known to be in standard layout and of the geometry's shape.
    pub(super) fn unchecked(geom: Arc<Geom>, unit: Unit, data: MapData) -> Self {
        debug_assert_eq!(data.shape(), geom.data_shape());
        Self { geom, unit, data }
    }

    /// From a double-precision cube `[plane, y, x]` for a geometry of any axes (planes in memory order).
    ///
    /// # Errors
    /// [`Error::Input`] where the number of values differs.
    pub fn from_cube(geom: Arc<Geom>, unit: Unit, cube: Array3<f64>) -> Result<Self> {
        let shape = geom.data_shape();
        let found = cube.dim();
        let data = cube
            .into_dyn()
            .into_shape_with_order(shape.as_slice())
            .map_err(|_| Error::input("map", format!("data of shape {found:?} where the geometry has {shape:?}")))?;
        Self::new(geom, unit, MapData::F64(data))
    }

    /// All zero, double precision.
    pub fn zeros(geom: Arc<Geom>, unit: Unit) -> Self {
        let data = MapData::F64(ArrayD::zeros(geom.data_shape()));
        Self { geom, unit, data }
    }

    /// The geometry.
    pub fn geom(&self) -> &Arc<Geom> {
        &self.geom
    }

    /// The WCS geometry.
    ///
    /// # Errors
    /// [`Error::Input`] for a region map.
    pub fn wcs_geom(&self) -> Result<&WcsGeom> {
        self.geom.as_wcs()
    }

    /// The unit of the values.
    pub fn unit(&self) -> &Unit {
        &self.unit
    }

    /// The values.
    pub fn data(&self) -> &MapData {
        &self.data
    }

    /// The values, without a copy.
    pub fn into_data(self) -> MapData {
        self.data
    }

    /// Number of planes: the product of the axes' bins.
    pub fn planes(&self) -> usize {
        self.geom.axes().iter().map(super::axis::MapAxis::nbin).product()
    }

    /// The values as `[plane, y, x]`, planes in memory order (the first axis fastest), without a copy.
    pub fn cube(&self) -> CubeView<'_> {
        let shape = self.geom.data_shape();
        let dim = Ix3(self.planes(), shape[shape.len() - 2], shape[shape.len() - 1]);
        // Map::new sees to it that maps hold arrays in standard layout.
        fn view<T>(a: &ArrayD<T>, dim: Ix3) -> ArrayView3<'_, T> {
            match a.as_slice().map(|s| ArrayView3::from_shape(dim, s)) {
                Some(Ok(v)) => v,
                _ => unreachable!("maps hold arrays in standard layout"),
            }
        }
        match &self.data {
            MapData::F32(a) => CubeView::F32(view(a, dim)),
            MapData::F64(a) => CubeView::F64(view(a, dim)),
        }
    }

    /// The values as an owned double-precision cube `[plane, y, x]`.
    pub fn to_cube_f64(&self) -> Array3<f64> {
        self.cube().to_f64()
    }

    /// The values as an owned double-precision cube `[plane, y, x]`, without a copy where they are in double precision.
    pub fn into_cube_f64(self) -> Array3<f64> {
        let dim = self.cube().dim();
        match self.data {
            MapData::F64(a) => match a.into_shape_with_order(dim) {
                Ok(cube) => cube,
                Err(_) => unreachable!("maps hold arrays in standard layout"),
            },
            MapData::F32(_) => self.to_cube_f64(),
        }
    }

    /// One plane as an owned double-precision image.
    pub fn plane_f64(&self, plane: usize) -> Array2<f64> {
        match self.cube() {
            CubeView::F32(a) => a.index_axis(Axis(0), plane).mapv(f64::from),
            CubeView::F64(a) => a.index_axis(Axis(0), plane).to_owned(),
        }
    }

    /// Sum of all finite values.
    pub fn sum(&self) -> f64 {
        self.data.iter().filter(|v| v.is_finite()).sum()
    }

    /// Largest finite value, with its memory index.
    pub fn max(&self) -> Option<(usize, f64)> {
        self.data.iter().enumerate().filter(|(_, v)| v.is_finite()).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The values times a number, in the same precision and another unit.
    pub fn scaled(&self, factor: f64, unit: Unit) -> Self {
        let data = match &self.data {
            MapData::F32(a) => MapData::F32(a.mapv(|v| (f64::from(v) * factor) as f32)),
            MapData::F64(a) => MapData::F64(a.mapv(|v| v * factor)),
        };
        Self { geom: self.geom.clone(), unit, data }
    }

    /// The values converted to another unit.
    ///
    /// # Errors
    /// Where the units differ in dimension.
    pub fn to_unit(&self, unit: &str) -> Result<Self> {
        let unit: Unit = unit.parse()?;
        let factor = self.unit.factor_to(&unit)?;
        Ok(if factor == 1.0 { Self { unit, ..self.clone() } } else { self.scaled(factor, unit) })
    }

    /// The planes of a cube in `Cube` form (an owned copy in the map's precision).
    pub fn to_cube(&self) -> Cube {
        match self.cube() {
            CubeView::F32(a) => Cube::F32(a.to_owned()),
            CubeView::F64(a) => Cube::F64(a.to_owned()),
        }
    }
}
