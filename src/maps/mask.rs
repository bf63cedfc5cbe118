//! Boolean maps.

use std::sync::Arc;

use ndarray::{Array2, ArrayD};

use super::geom::Geom;
use crate::error::{Error, Result};

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
        Ok(Self { geom, data })
    }

    /// The geometry.
    pub fn geom(&self) -> &Arc<Geom> {
        &self.geom
    }

    /// The values.
    pub fn data(&self) -> &ArrayD<bool> {
        &self.data
    }

    /// True where both are.
    ///
    /// # Errors
    /// [`Error::Input`] for another shape.
    pub fn and(&self, other: &Self) -> Result<Self> {
        if self.data.shape() != other.data.shape() {
            return Err(Error::input(
                "mask",
                format!("shapes {:?} and {:?} differ", self.data.shape(), other.data.shape()),
            ));
        }
        let data = ndarray::Zip::from(&self.data).and(&other.data).map_collect(|a, b| *a && *b);
        Ok(Self { geom: self.geom.clone(), data })
    }

    /// `[y, x]`: true where any plane is.
    pub fn any_plane(&self) -> Array2<bool> {
        let shape = self.data.shape();
        let (ny, nx) = (shape[shape.len() - 2], shape[shape.len() - 1]);
        let mut out = Array2::from_elem((ny, nx), false);
        for (i, v) in self.data.iter().enumerate() {
            let pixel = i % (ny * nx);
            out[[pixel / nx, pixel % nx]] |= *v;
        }
        out
    }

    /// Number of true values.
    pub fn count(&self) -> usize {
        self.data.iter().filter(|v| **v).count()
    }
}
