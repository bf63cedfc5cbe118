//! Boolean maps.

use std::sync::Arc;

use ndarray::{Array2, ArrayD, ArrayView3, Axis};

use super::geom::Geom;
use super::map::{Map, MapData};
use crate::error::{Error, Result};
use crate::units::Unit;

/// A boolean map `[axes reversed…, y, x]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    geom: Arc<Geom>,
    data: ArrayD<bool>,
}

impl Mask {
    /// From data of the geometry's shape.
    ///
    /// # Errors
    /// [`Error::Input`] for another shape.
    pub fn new(geom: Arc<Geom>, data: ArrayD<bool>) -> Result<Self> {
        if data.shape() != geom.data_shape() {
            return Err(Error::input(
                "mask",
                format!("shape {:?} where the geometry has {:?}", data.shape(), geom.data_shape()),
            ));
        }
        let data = if data.is_standard_layout() { data } else { data.as_standard_layout().into_owned() };
        Ok(Self { geom, data })
    }

    /// True everywhere, or false.
    pub fn filled(geom: Arc<Geom>, value: bool) -> Self {
        let data = ArrayD::from_elem(geom.data_shape(), value);
        Self { geom, data }
    }

    /// True where a map is finite and not 0, as masks stand in files.
    pub fn from_map(map: &Map) -> Self {
        let data = match map.data() {
            MapData::F32(a) => a.mapv(|v| v.is_finite() && v != 0.0),
            MapData::F64(a) => a.mapv(|v| v.is_finite() && v != 0.0),
        };
        Self { geom: map.geom().clone(), data }
    }

    /// A map of 1 where the mask is true, else 0.
    pub fn to_map(&self) -> Map {
        let data = self.data.mapv(|v| f32::from(u8::from(v)));
        Map::unchecked(self.geom.clone(), Unit::default(), MapData::F32(data))
    }

    /// The geometry.
    pub fn geom(&self) -> &Arc<Geom> {
        &self.geom
    }

    /// The values.
    pub fn data(&self) -> &ArrayD<bool> {
        &self.data
    }

    /// The values, without a copy.
    pub fn into_data(self) -> ArrayD<bool> {
        self.data
    }

    /// True where both are.
    ///
    /// # Errors
    /// [`Error::Input`] for another shape.
    pub fn and(&self, other: &Self) -> Result<Self> {
        self.combined(other, |a, b| a && b)
    }

    /// True where one of them is.
    ///
    /// # Errors
    /// [`Error::Input`] for another shape.
    pub fn or(&self, other: &Self) -> Result<Self> {
        self.combined(other, |a, b| a || b)
    }

    /// True where this one is not.
    pub fn not(&self) -> Self {
        Self { geom: self.geom.clone(), data: self.data.mapv(|v| !v) }
    }

    fn combined(&self, other: &Self, f: impl Fn(bool, bool) -> bool) -> Result<Self> {
        if self.data.shape() != other.data.shape() {
            return Err(Error::input(
                "mask",
                format!("shapes {:?} and {:?} differ", self.data.shape(), other.data.shape()),
            ));
        }
        let data = ndarray::Zip::from(&self.data).and(&other.data).map_collect(|a, b| f(*a, *b));
        Ok(Self { geom: self.geom.clone(), data })
    }

    /// The values as `[plane, y, x]`, planes in memory order (the first axis fastest), without a copy.
    pub fn cube(&self) -> ArrayView3<'_, bool> {
        let shape = self.data.shape();
        let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let planes = shape[..shape.len() - 2].iter().product::<usize>();
        match self.data.as_slice().map(|s| ArrayView3::from_shape((planes, ny, nx), s)) {
            Some(Ok(view)) => view,
            // Mask::new sees to it.
            _ => unreachable!("masks hold arrays in standard layout"),
        }
    }

    /// `[y, x]`: true where any plane is.
    pub fn any_plane(&self) -> Array2<bool> {
        let cube = self.cube();
        let (planes, ny, nx) = cube.dim();
        let mut out = Array2::from_elem((ny, nx), false);
        for plane in 0..planes {
            out.zip_mut_with(&cube.index_axis(Axis(0), plane), |a, b| *a |= *b);
        }
        out
    }

    /// `[y, x]`: true where all planes are.
    pub fn all_planes(&self) -> Array2<bool> {
        let cube = self.cube();
        let (planes, ny, nx) = cube.dim();
        let mut out = Array2::from_elem((ny, nx), true);
        for plane in 0..planes {
            out.zip_mut_with(&cube.index_axis(Axis(0), plane), |a, b| *a &= *b);
        }
        out
    }

    /// Number of true values.
    pub fn count(&self) -> usize {
        self.data.iter().filter(|v| **v).count()
    }
}
