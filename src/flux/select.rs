//! Parts of flux maps: some energies, one position.

use std::ops::Range;
use std::sync::Arc;

use ndarray::{Array3, Axis};

use super::maps::FluxMaps;
use crate::error::{Error, Result};
use crate::maps::{Geom, Map, MapAxis, RegionGeom, SkyPosition};

impl FluxMaps {
    /// The energy bins of a range, in all maps.
    ///
    /// # Errors
    /// Where the range is empty or beyond the axis.
    pub fn slice_energy_bins(&self, bins: Range<usize>) -> Result<Self> {
        let sliced = |geom: &Geom| -> Result<Geom> {
            let cut =
                |axis: &MapAxis| if axis.name() == "energy" { axis.slice(bins.clone()) } else { Ok(axis.clone()) };
            let axes: Vec<MapAxis> = geom.axes().iter().map(cut).collect::<Result<_>>()?;
            Ok(with_axes(geom, axes))
        };
        self.energy_axis()?.slice(bins.clone())?;
        self.rebuilt(sliced(self.geom())?, |map| {
            let planes: Vec<usize> =
                (0..map.planes()).filter(|p| bins.contains(&super::convert::energy_bin(map.geom(), *p))).collect();
            let cube = map.to_cube_f64().select(Axis(0), &planes);
            Map::from_cube(Arc::new(sliced(map.geom())?), map.unit().clone(), cube)
        })
    }

    /// The energy bins whose reference energy lies between `min_tev` and `max_tev`, in all maps.
    ///
    /// # Errors
    /// Where there is none, with the energies that there are.
    pub fn slice_by_energy(&self, min_tev: f64, max_tev: f64) -> Result<Self> {
        let energies = self.energy_ref_tev()?;
        let first = energies.iter().position(|e| *e >= min_tev);
        let last = energies.iter().rposition(|e| *e <= max_tev);
        match (first, last) {
            (Some(first), Some(last)) if first <= last => self.slice_energy_bins(first..last + 1),
            _ => Err(Error::options(
                "energy",
                format!("no bin is centred between {min_tev} and {max_tev} TeV, the centres are {energies:?} TeV"),
            )),
        }
    }

    /// Flux points: the values of the pixel that holds a position, as maps of a point region.
    ///
    /// # Errors
    /// Where the position is outside the map.
    pub fn at_position(&self, position: SkyPosition) -> Result<Self> {
        if let Geom::Wcs(geom) = self.geom().as_ref() {
            let inside = |pix: f64, n: usize| (-0.5..n as f64 - 0.5).contains(&pix);
            if !geom.sky_to_pix(position).is_some_and(|(x, y)| inside(x, geom.nx()) && inside(y, geom.ny())) {
                return Err(Error::options(
                    "position",
                    format!("({}, {}) deg is outside the map", position.lon_deg, position.lat_deg),
                ));
            }
        }
        let point = |geom: &Geom| Geom::Region(RegionGeom::new(Some(position), None, geom.axes().to_vec()));
        self.rebuilt(point(self.geom()), |map| {
            let values = map.nearest_planes_at(position)?;
            let cube = Array3::from_shape_fn((values.len(), 1, 1), |(p, ..)| values[p]);
            Map::from_cube(Arc::new(point(map.geom())), map.unit().clone(), cube)
        })
    }

    /// The same with another geometry and maps made from the old ones.
    fn rebuilt(&self, geom: Geom, make: impl Fn(&Map) -> Result<Map>) -> Result<Self> {
        let mut new = Self::new(Arc::new(geom), self.reference_model().clone());
        new.gti = self.gti.clone();
        new.meta = self.meta.clone();
        new.set_filter_success_nan(self.filter_success_nan());
        for quantity in self.available_quantities() {
            new.insert(quantity, make(self.require(quantity)?)?)?;
        }
        Ok(new)
    }
}

fn with_axes(geom: &Geom, axes: Vec<MapAxis>) -> Geom {
    match geom {
        Geom::Wcs(g) => Geom::Wcs(g.with_axes(axes)),
        Geom::Region(g) => Geom::Region(RegionGeom::new(g.center(), g.radius_deg(), axes)),
    }
}
