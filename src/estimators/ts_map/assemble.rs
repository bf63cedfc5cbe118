//! From arrays to flux maps: upsampled, cropped, named.

use std::collections::BTreeMap;
use std::sync::Arc;

use ndarray::{Array2, Array3};

use crate::error::Result;
use crate::estimators::EnergyGroups;
use crate::flux::{FluxMaps, FluxQuantity};
use crate::kernels::{TsMapOutput, TsMapStatus};
use crate::maps::{AxisInterp, Geom, Map, MapAxis, UpsampleOrder, WcsGeom};
use crate::models::SkyModel;

/// Results of one energy group.
#[derive(Debug)]
pub(super) struct GroupResult {
    pub output: TsMapOutput,
    /// Norms of the profile and stat - stat_null there, `[scan, y, x]`.
    pub profile: Option<(Array3<f64>, Array3<f64>)>,
}

/// The grid that the groups were computed on, and how it comes back to the dataset's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Pixels added on each side (y, x), in pixels of the dataset.
    pub pad: (usize, usize),
    /// Downsampling factor.
    pub factor: usize,
}

/// Puts the groups of all quantities together.
pub(super) fn assemble(
    groups: &EnergyGroups,
    results: Vec<GroupResult>,
    image: &WcsGeom,
    fitted_image: &WcsGeom,
    grid: Grid,
    model: &SkyModel,
) -> Result<FluxMaps> {
    let geom = Arc::new(Geom::Wcs(image.with_axes(vec![groups.axis.clone()])));
    let fitted_geom = Arc::new(Geom::Wcs(fitted_image.with_axes(vec![groups.axis.clone()])));
    let mut maps = FluxMaps::new(geom.clone(), model.clone());

    let place = |cube: Array3<f64>, order: UpsampleOrder, from: &Arc<Geom>, to: &Arc<Geom>| -> Result<Map> {
        if grid.factor == 1 && grid.pad == (0, 0) {
            return Map::from_cube(to.clone(), Default::default(), cube);
        }
        let map = Map::from_cube(from.clone(), Default::default(), cube)?;
        let fine = map.upsample(grid.factor, order, false)?.crop(grid.pad.0, grid.pad.1)?;
        // Cropping by hand keeps the header of the dataset's own geometry, digit for digit.
        Map::from_cube(to.clone(), Default::default(), fine.to_cube_f64())
    };
    let stack = |value: &dyn Fn(&TsMapOutput) -> Option<Array2<f64>>| -> Option<Array3<f64>> {
        let planes: Vec<Array2<f64>> = results.iter().filter_map(|g| value(&g.output)).collect();
        let views: Vec<_> = planes.iter().map(|p| p.view()).collect();
        ndarray::stack(ndarray::Axis(0), &views).ok().filter(|s| s.dim().0 == results.len())
    };
    let mut insert = |quantity: FluxQuantity,
                      order: UpsampleOrder,
                      value: &dyn Fn(&TsMapOutput) -> Option<Array2<f64>>| {
        match stack(value) {
            Some(cube) => maps.insert(quantity, place(cube, order, &fitted_geom, &geom)?),
            None => Ok(()),
        }
    };
    insert(FluxQuantity::Norm, UpsampleOrder::Linear, &|o| Some(o.norm.clone()))?;
    insert(FluxQuantity::NormErr, UpsampleOrder::Linear, &|o| Some(o.norm_err.clone()))?;
    insert(FluxQuantity::NormErrn, UpsampleOrder::Linear, &|o| o.norm_errn.clone())?;
    insert(FluxQuantity::NormErrp, UpsampleOrder::Linear, &|o| o.norm_errp.clone())?;
    insert(FluxQuantity::NormUl, UpsampleOrder::Linear, &|o| o.norm_ul.clone())?;
    insert(FluxQuantity::NormSensitivity, UpsampleOrder::Linear, &|o| o.norm_sensitivity.clone())?;
    insert(FluxQuantity::Ts, UpsampleOrder::Linear, &|o| Some(o.ts.clone()))?;
    insert(FluxQuantity::NpredExcess, UpsampleOrder::Linear, &|o| Some(&o.norm * &o.npred_reference))?;
    insert(FluxQuantity::Npred, UpsampleOrder::Linear, &|o| Some(&o.npred_null + &(&o.norm * &o.npred_reference)))?;
    insert(FluxQuantity::StatNull, UpsampleOrder::Linear, &|o| Some(o.stat_null.clone()))?;
    insert(FluxQuantity::Stat, UpsampleOrder::Linear, &|o| Some(&o.stat_null - &o.ts))?;
    insert(FluxQuantity::Niter, UpsampleOrder::Nearest, &|o| {
        Some(
            ndarray::Zip::from(&o.niter)
                .and(&o.status)
                .map_collect(|n, s| if s & TsMapStatus::MASKED != 0 { f64::NAN } else { f64::from(*n) }),
        )
    })?;
    insert(FluxQuantity::Success, UpsampleOrder::Nearest, &|o| {
        Some(o.status.mapv(|s| if s & TsMapStatus::NOT_CONVERGED != 0 { 0.0 } else { 1.0 }))
    })?;
    insert(FluxQuantity::Status, UpsampleOrder::Nearest, &|o| Some(o.status.mapv(f64::from)))?;

    if let Some(n) = results.first().and_then(|g| g.profile.as_ref()).map(|p| p.0.dim().0) {
        // A plain counter, as Gammapy has it: the norms differ from pixel to pixel.
        let counter = (0..n).map(|i| i as f64).collect();
        let axis = MapAxis::from_nodes("dnde_bin", Default::default(), counter, AxisInterp::Lin)?;
        let axes = vec![groups.axis.clone(), axis];
        let scan_geom = Arc::new(Geom::Wcs(image.with_axes(axes.clone())));
        let fitted_scan = Arc::new(Geom::Wcs(fitted_image.with_axes(axes)));
        let (_, ny, nx) = results[0].profile.as_ref().map_or((0, 0, 0), |p| p.0.dim());
        let dnde: Vec<f64> = groups.axis.center_tev()?.iter().map(|e| model.spectral.evaluate(*e)).collect();
        // Memory order: scan slowest, then energy.
        let mut norms = Array3::zeros((n * results.len(), ny, nx));
        let mut stat = norms.clone();
        for (g, result) in results.iter().enumerate() {
            let Some((x, s)) = &result.profile else { continue };
            for i in 0..n {
                let plane = i * results.len() + g;
                norms.index_axis_mut(ndarray::Axis(0), plane).assign(&(&x.index_axis(ndarray::Axis(0), i) * dnde[g]));
                stat.index_axis_mut(ndarray::Axis(0), plane).assign(&s.index_axis(ndarray::Axis(0), i));
            }
        }
        maps.insert(FluxQuantity::StatScan, place(stat, UpsampleOrder::Linear, &fitted_scan, &scan_geom)?)?;
        let values = place(norms, UpsampleOrder::Linear, &fitted_scan, &scan_geom)?;
        maps.insert(FluxQuantity::DndeScanValues, values.scaled(1.0, "cm-2 s-1 TeV-1".parse()?))?;
    }
    Ok(maps)
}

/// Pixels per status bit, over all groups; pixels without any bit count as `ok`.
pub(super) fn status_counts(results: &[GroupResult]) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::from([("ok", 0)]);
    for result in results {
        for status in &result.output.status {
            if *status == 0 {
                *counts.entry("ok").or_default() += 1;
            }
            for (bit, name) in TsMapStatus::ALL {
                if status & bit != 0 {
                    *counts.entry(name).or_default() += 1;
                }
            }
        }
    }
    counts
}
