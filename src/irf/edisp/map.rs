//! Energy dispersion maps and the matrix at a position.

use std::sync::Arc;

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::irf::position::{center_of, nearest_valid_position};
use crate::maps::{Geom, Map, MapAxis, MapData, RegionGeom, SkyPosition};

/// Values of a migration matrix below this are numerical noise (Gammapy's threshold).
const THRESHOLD: f64 = 1e-8;

/// Matrices per position: axes `[energy, energy_true]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EDispKernelMap {
    /// `[energy_true, energy, y, x]`.
    pub edisp: Map,
    /// Exposure at the map's pixels, `[energy_true, 1, y, x]`.
    pub exposure: Option<Map>,
}

/// Migration densities per position: axes `[migra, energy_true]`.
#[derive(Debug, Clone, PartialEq)]
pub struct EDispMap {
    /// `[energy_true, migra, y, x]`.
    pub edisp: Map,
    /// Exposure at the map's pixels, `[energy_true, 1, y, x]`.
    pub exposure: Option<Map>,
}

/// Either form of energy dispersion.
#[derive(Debug, Clone, PartialEq)]
pub enum EDisp {
    /// Matrices in reconstructed energy.
    Kernel(EDispKernelMap),
    /// Migration densities.
    Migra(EDispMap),
}

fn two_axes<'a>(map: &'a Map, first: &str) -> Result<(&'a MapAxis, &'a MapAxis)> {
    match map.geom().axes() {
        [a, b] if a.name() == first && b.name() == "energy_true" => Ok((a, b)),
        axes => {
            let names: Vec<_> = axes.iter().map(MapAxis::name).collect();
            Err(Error::input("edisp", format!("axes [{}] where [{first}, energy_true] are needed", names.join(", "))))
        }
    }
}

/// Values of all planes in the pixel that holds `position`, or of the region.
fn planes_at(map: &Map, position: Option<SkyPosition>) -> Result<Vec<f64>> {
    match (map.geom().as_ref(), position) {
        (Geom::Wcs(_), Some(p)) => map.nearest_planes_at(p),
        _ => Ok(map.data().iter().map(|v| if v.is_finite() { v } else { 0.0 }).collect()),
    }
}

impl EDispKernelMap {
    /// One matrix `[energy_true, energy]` that holds everywhere.
    ///
    /// # Errors
    /// [`Error::Input`] for a matrix that does not fit the axes.
    pub fn from_matrix(energy: MapAxis, energy_true: MapAxis, matrix: &Array2<f64>) -> Result<Self> {
        let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![energy, energy_true])));
        let data = ndarray::ArrayD::from_shape_vec(geom.data_shape(), matrix.iter().copied().collect())
            .map_err(|e| Error::input("edisp", format!("the matrix does not fit its axes: {e}")))?;
        Ok(Self { edisp: Map::new(geom, Default::default(), MapData::F64(data))?, exposure: None })
    }

    fn matrix_at(&self, position: Option<SkyPosition>, energy: &MapAxis) -> Result<Array2<f64>> {
        let (reco, truth) = two_axes(&self.edisp, "energy")?;
        if reco.nbin() != energy.nbin() {
            return Err(Error::input(
                "edisp",
                format!("{} reconstructed energies where the counts have {}", reco.nbin(), energy.nbin()),
            ));
        }
        let position = match position.map_or_else(|| center_of(&self.edisp), |p| Ok(Some(p)))? {
            Some(p) => Some(nearest_valid_position(&self.edisp, p)?),
            None => None,
        };
        Array2::from_shape_vec((truth.nbin(), reco.nbin()), planes_at(&self.edisp, position)?)
            .map_err(|e| Error::input("edisp", format!("values do not fit the axes: {e}")))
    }
}

impl EDispMap {
    fn matrix_at(&self, position: Option<SkyPosition>, energy: &MapAxis) -> Result<Array2<f64>> {
        let (migra, truth) = two_axes(&self.edisp, "migra")?;
        let position = position.map_or_else(|| center_of(&self.edisp), |p| Ok(Some(p)))?;
        let values = planes_at(&self.edisp, position)?;
        let (n_migra, widths) = (migra.nbin(), migra.bin_width());
        let edges = energy.edges_tev()?;
        let nodes = truth.center_tev()?;
        crate::memory::check::<f64>("a matrix of energies", &[nodes.len(), energy.nbin()])?;
        let mut matrix = Array2::zeros((nodes.len(), energy.nbin()));
        for (t, node) in nodes.iter().enumerate() {
            let mut cumulative = vec![0.0];
            for (v, w) in values[t * n_migra..(t + 1) * n_migra].iter().zip(&widths) {
                cumulative.push(cumulative[cumulative.len() - 1] + v * w);
            }
            // Linear in migra between the edges, constant outside.
            let integral = |m: f64| {
                let pix = migra.coord_to_pix(m) + 0.5;
                let lower = (pix.floor().max(0.0) as usize).min(n_migra - 1);
                let t = (pix - lower as f64).clamp(0.0, 1.0);
                cumulative[lower] * (1.0 - t) + cumulative[lower + 1] * t
            };
            for r in 0..energy.nbin() {
                let p = (integral(edges[r + 1] / node) - integral(edges[r] / node)).max(0.0);
                matrix[[t, r]] = if p < THRESHOLD { 0.0 } else { p };
            }
        }
        Ok(matrix)
    }
}

impl EDisp {
    /// The matrix `[energy_true, energy]` for reconstructed-energy bins, at a position (`None`: the centre of the
    /// energy-dispersion map), as Gammapy's `get_edisp_kernel`: the nearest pixel, for matrices the nearest one with
    /// values. Migration densities are integrated along migra at the nodes of the true-energy axis and not
    /// renormalised.
    ///
    /// # Errors
    /// [`Error::Input`] for axes that do not fit.
    pub fn matrix_at(&self, position: Option<SkyPosition>, energy: &MapAxis) -> Result<Array2<f64>> {
        match self {
            Self::Kernel(m) => m.matrix_at(position, energy),
            Self::Migra(m) => m.matrix_at(position, energy),
        }
    }

    /// The true-energy axis.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none.
    pub fn energy_true_axis(&self) -> Result<&MapAxis> {
        let map = match self {
            Self::Kernel(m) => &m.edisp,
            Self::Migra(m) => &m.edisp,
        };
        map.geom().axis("energy_true")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::AxisInterp;

    #[test]
    fn migration_densities_become_a_matrix() {
        let migra = MapAxis::from_edges("migra", Default::default(), vec![0.5, 1.0, 1.5], AxisInterp::Lin).unwrap();
        let truth = MapAxis::from_nodes("energy_true", "TeV".parse().unwrap(), vec![2.0], AxisInterp::Log).unwrap();
        let geom = Arc::new(Geom::Region(RegionGeom::new(None, None, vec![migra, truth])));
        let data = ndarray::ArrayD::from_shape_vec(geom.data_shape(), vec![0.5, 1.5]).unwrap();
        let map = EDispMap { edisp: Map::new(geom, Default::default(), MapData::F64(data)).unwrap(), exposure: None };
        let energy =
            MapAxis::from_edges("energy", "TeV".parse().unwrap(), vec![0.1, 1.5, 2.0, 2.5, 9.0], AxisInterp::Log)
                .unwrap();
        let matrix = EDisp::Migra(map).matrix_at(None, &energy).unwrap();
        for (r, expected) in [0.125, 0.125, 0.375, 0.375].into_iter().enumerate() {
            assert!((matrix[[0, r]] - expected).abs() < 1e-12, "{matrix:?}");
        }
    }
}
