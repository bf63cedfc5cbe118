//! Bins of axes, by their numbers.

use std::ops::Range;

use super::map::Map;
use crate::error::Result;

/// Bins of an axis: one, which takes the axis away, or a range, which keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AxisSlice {
    /// This bin, without the axis.
    Index(usize),
    /// These bins.
    Range(Range<usize>),
}

impl From<usize> for AxisSlice {
    fn from(index: usize) -> Self {
        Self::Index(index)
    }
}

impl From<Range<usize>> for AxisSlice {
    fn from(bins: Range<usize>) -> Self {
        Self::Range(bins)
    }
}

impl Map {
    /// Bins of some axes; axes that are not named stay as they are, and a single bin takes its axis away, as in Gammapy.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use pevatron::maps::{Geom, Map, MapAxis, SkyPosition, WcsGeom};
    /// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
    /// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 3, 2, (0.1, 0.1), "TAN", vec![axis])?;
    /// let map = Map::zeros(Arc::new(Geom::Wcs(geom)), Default::default());
    /// assert_eq!(map.slice_by_idx(&[("energy", 2)])?.geom().data_shape(), [2, 3]);
    /// assert_eq!(map.slice_by_idx(&[("energy", 1..3)])?.geom().data_shape(), [2, 2, 3]);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`crate::Error::Input`] where there is no such axis, or the bins are none or beyond it.
    pub fn slice_by_idx<S: Clone + Into<AxisSlice>>(&self, slices: &[(&str, S)]) -> Result<Self> {
        slices.iter().try_fold(self.clone(), |map, (name, slice)| match slice.clone().into() {
            AxisSlice::Index(index) => map.select_bin(name, index),
            AxisSlice::Range(bins) => map.slice_axis(name, bins),
        })
    }
}
