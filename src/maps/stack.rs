//! Maps one behind the other along an axis.

use std::sync::Arc;

use ndarray::Array3;

use super::axis::MapAxis;
use super::map::Map;
use crate::error::{Error, Result};
use crate::units::Unit;

impl Map {
    /// Maps of one geometry as the bins of one map, along `axis`: a new one, which becomes the last (slowest) axis, or
    /// one that all maps have, whose bins are put one after the other. In double precision and the unit of the first.
    ///
    /// Gammapy: `Map.from_stack(maps, axis)`.
    ///
    /// # Errors
    /// [`Error::Input`] for no maps, other geometries, units that cannot be converted, or an axis that does not have as
    /// many bins as there are to be filled.
    pub fn from_stack(maps: &[&Self], axis: MapAxis) -> Result<Self> {
        let Some(first) = maps.first() else {
            return Err(Error::input(axis.name(), "there are no maps to be stacked"));
        };
        let wrong = |n: usize, problem: String| Error::input(axis.name(), format!("map {n}: {problem}"));
        let names = |map: &Self| -> Vec<String> { map.geom().axes().iter().map(|a| a.name().to_string()).collect() };
        let position = first.geom().axes().iter().position(|a| a.name() == axis.name());
        let mut converted = Vec::with_capacity(maps.len());
        for (n, map) in maps.iter().enumerate() {
            if names(map) != names(first) {
                return Err(wrong(n, format!("has the axes {:?} where the first has {:?}", names(map), names(first))));
            }
            let other = |p: usize| Some(p) != position;
            let sizes = |m: &Self| -> Vec<usize> {
                m.geom().axes().iter().enumerate().filter(|(p, _)| other(*p)).map(|(_, a)| a.nbin()).collect()
            };
            let (found, wanted) = (map.cube().dim(), first.cube().dim());
            if sizes(map) != sizes(first) || (found.1, found.2) != (wanted.1, wanted.2) {
                return Err(wrong(n, "has another shape than the first".to_string()));
            }
            let factor = map.unit().factor_to(first.unit()).map_err(|e| wrong(n, e.to_string()))?;
            let mut cube = map.to_cube_f64();
            if factor != 1.0 {
                cube.mapv_inplace(|v| v * factor);
            }
            converted.push(cube);
        }
        let mut axes = first.geom().axes().to_vec();
        let bins_of = |map: &Self| position.map_or(1, |p| map.geom().axes()[p].nbin());
        let bins: Vec<usize> = maps.iter().map(|m| bins_of(m)).collect();
        if bins.iter().sum::<usize>() != axis.nbin() {
            let problem = format!("has {} bins where the maps fill {}", axis.nbin(), bins.iter().sum::<usize>());
            return Err(Error::input(axis.name(), problem));
        }
        let below: usize = axes[..position.unwrap_or(axes.len())].iter().map(MapAxis::nbin).product();
        let above: usize = position.map_or(1, |p| axes[p + 1..].iter().map(MapAxis::nbin).product());
        let (_, ny, nx) = first.cube().dim();
        let total = axis.nbin();
        let mut out = Array3::zeros((below * total * above, ny, nx));
        let mut start = 0;
        for (cube, n) in converted.iter().zip(&bins) {
            for high in 0..above {
                for bin in 0..*n {
                    for low in 0..below {
                        let from = low + below * (bin + n * high);
                        let to = low + below * (start + bin + total * high);
                        out.index_axis_mut(ndarray::Axis(0), to).assign(&cube.index_axis(ndarray::Axis(0), from));
                    }
                }
            }
            start += n;
        }
        match position {
            Some(p) => axes[p] = axis,
            None => axes.push(axis),
        }
        let unit: Unit = first.unit().clone();
        Self::from_cube(Arc::new(first.geom().with_axes(axes)), unit, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{AxisInterp, Geom, RegionGeom};

    fn map(values: &[f64], bins: usize, unit: &str) -> Map {
        let energy = MapAxis::energy_bounds(1.0, 10.0, bins, "energy").unwrap();
        let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![energy])));
        Map::from_cube(geom, unit.parse().unwrap(), Array3::from_shape_vec((bins, 1, 1), values.to_vec()).unwrap())
            .unwrap()
    }

    #[test]
    fn a_new_axis_is_the_last_one() {
        let (a, b) = (map(&[1.0, 2.0], 2, "m2"), map(&[3e4, 4e4], 2, "cm2"));
        let axis = MapAxis::from_nodes("dataset", Unit::default(), vec![0.0, 1.0], AxisInterp::Lin).unwrap();
        let stacked = Map::from_stack(&[&a, &b], axis.clone()).unwrap();
        assert_eq!(stacked.data().iter().collect::<Vec<_>>(), [1.0, 2.0, 3.0, 4.0]);
        assert_eq!(stacked.geom().axes()[1].name(), "dataset");
        // And what was stacked comes out again.
        assert_eq!(stacked.select_bin("dataset", 1).unwrap().data().iter().collect::<Vec<_>>(), [3.0, 4.0]);
        assert!(Map::from_stack(&[&a], axis.clone()).is_err());
        assert!(Map::from_stack(&[&a, &map(&[1.0], 1, "m2")], axis.clone()).is_err());
        assert!(Map::from_stack(&[&a, &map(&[1.0, 1.0], 2, "s")], axis).is_err());
    }

    #[test]
    fn an_existing_axis_is_continued_between_others() {
        let axis = |n: usize| MapAxis::energy_bounds(1.0, 10.0, n, "energy").unwrap();
        let time = MapAxis::from_nodes("t", Unit::default(), vec![0.0, 1.0], AxisInterp::Lin).unwrap();
        let cube = |n: usize, first: f64| {
            let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![axis(n), time.clone()])));
            let values = Array3::from_shape_fn((2 * n, 1, 1), |(p, ..)| first + p as f64);
            Map::from_cube(geom, Unit::default(), values).unwrap()
        };
        let stacked = Map::from_stack(&[&cube(1, 0.0), &cube(2, 10.0)], axis(3)).unwrap();
        assert_eq!(stacked.data().iter().collect::<Vec<_>>(), [0.0, 10.0, 11.0, 1.0, 12.0, 13.0]);
    }
}
