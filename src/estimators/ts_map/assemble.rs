//! From arrays to flux maps: upsampled, cropped, named.

use std::collections::BTreeMap;
use std::mem::replace;
use std::sync::Arc;

use ndarray::{Array2, Array3, Axis};

use crate::error::Result;
use crate::estimators::EnergyGroups;
use crate::flux::{FluxMaps, FluxQuantity};
use crate::kernels::cube::of_columns;
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

impl GroupResult {
    /// Number of pixels that were fitted.
    pub fn fitted(&self) -> u64 {
        self.output.status.iter().filter(|s| **s & (TsMapStatus::MASKED | TsMapStatus::NO_MODEL) == 0).count() as u64
    }
}

/// One plane per group, without a copy where there is one group; `None` where a group has none.
fn stack(planes: impl Iterator<Item = Option<Array2<f64>>>) -> Option<Array3<f64>> {
    let mut planes: Vec<Array2<f64>> = planes.collect::<Option<_>>()?;
    if planes.len() == 1 {
        return planes.pop().map(|plane| plane.insert_axis(Axis(0)));
    }
    let (ny, nx) = planes.first()?.dim();
    let mut cube = Array3::zeros((planes.len(), ny, nx));
    for (mut target, plane) in cube.outer_iter_mut().zip(planes) {
        target.assign(&plane);
    }
    Some(cube)
}

/// A map around the sky with its last column before the first one, and its first one after the last.
fn continued(map: &Map) -> Result<Map> {
    let geom = map.wcs_geom()?.pad(0, 1);
    let nx = map.wcs_geom()?.nx();
    let columns: Vec<usize> = [nx - 1].into_iter().chain(0..nx).chain([0]).collect();
    let cube = of_columns(map.to_cube_f64().view(), &columns);
    Map::from_cube(Arc::new(Geom::Wcs(geom)), map.unit().clone(), cube)
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
    mut results: Vec<GroupResult>,
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
        // Values between the last column and the first one of rows around the sky.
        let beyond = usize::from(grid.pad.1 == 0 && fitted_image.closes_in_longitude() == Some(fitted_image.nx()));
        let map = if beyond == 1 { continued(&map)? } else { map };
        let fine = map.upsample(grid.factor, order, false)?.crop(grid.pad.0, grid.pad.1 + beyond * grid.factor)?;
        // Cropping by hand keeps the header of the dataset's own geometry, digit for digit.
        Map::from_cube(to.clone(), Default::default(), fine.to_cube_f64())
    };
    // Each map is taken out of the results when its turn comes: no more than one is there twice.
    let mut insert =
        |maps: &mut FluxMaps, quantity, order, take: &mut dyn FnMut(&mut TsMapOutput) -> Option<Array2<f64>>| {
            match stack(results.iter_mut().map(|group| take(&mut group.output))) {
                Some(cube) => maps.insert(quantity, place(cube, order, &fitted_geom, &geom)?),
                None => Ok(()),
            }
        };
    let nothing = || Array2::zeros((0, 0));
    let mut linear = |maps: &mut FluxMaps, quantity, take: &mut dyn FnMut(&mut TsMapOutput) -> Option<Array2<f64>>| {
        insert(maps, quantity, UpsampleOrder::Linear, take)
    };
    linear(&mut maps, FluxQuantity::NormErr, &mut |o| Some(replace(&mut o.norm_err, nothing())))?;
    linear(&mut maps, FluxQuantity::NormErrn, &mut |o| o.norm_errn.take())?;
    linear(&mut maps, FluxQuantity::NormErrp, &mut |o| o.norm_errp.take())?;
    linear(&mut maps, FluxQuantity::NormUl, &mut |o| o.norm_ul.take())?;
    linear(&mut maps, FluxQuantity::NormSensitivity, &mut |o| o.norm_sensitivity.take())?;
    linear(&mut maps, FluxQuantity::NpredExcess, &mut |o| {
        o.npred_reference *= &o.norm;
        Some(o.npred_reference.clone())
    })?;
    linear(&mut maps, FluxQuantity::Norm, &mut |o| Some(replace(&mut o.norm, nothing())))?;
    linear(&mut maps, FluxQuantity::Npred, &mut |o| {
        o.npred_null += &replace(&mut o.npred_reference, nothing());
        Some(replace(&mut o.npred_null, nothing()))
    })?;
    linear(&mut maps, FluxQuantity::Stat, &mut |o| Some(&o.stat_null - &o.ts))?;
    linear(&mut maps, FluxQuantity::StatNull, &mut |o| Some(replace(&mut o.stat_null, nothing())))?;
    linear(&mut maps, FluxQuantity::Ts, &mut |o| Some(replace(&mut o.ts, nothing())))?;
    insert(&mut maps, FluxQuantity::Niter, UpsampleOrder::Nearest, &mut |o| {
        let count = |n: &u32, s: &u32| if s & TsMapStatus::MASKED != 0 { f64::NAN } else { f64::from(*n) };
        Some(ndarray::Zip::from(&o.niter).and(&o.status).map_collect(count))
    })?;
    insert(&mut maps, FluxQuantity::Success, UpsampleOrder::Nearest, &mut |o| {
        Some(o.status.mapv(|s| if s & TsMapStatus::NOT_CONVERGED != 0 { 0.0 } else { 1.0 }))
    })?;
    insert(&mut maps, FluxQuantity::Status, UpsampleOrder::Nearest, &mut |o| Some(o.status.mapv(f64::from)))?;

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
                norms.index_axis_mut(Axis(0), plane).assign(&(&x.index_axis(Axis(0), i) * dnde[g]));
                stat.index_axis_mut(Axis(0), plane).assign(&s.index_axis(Axis(0), i));
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
    let mut pixels: BTreeMap<u32, u64> = BTreeMap::new();
    for result in results {
        // Neighbours mostly share their status.
        let mut run = (0, 0);
        for status in &result.output.status {
            if *status != run.0 {
                *pixels.entry(run.0).or_default() += run.1;
                run = (*status, 0);
            }
            run.1 += 1;
        }
        *pixels.entry(run.0).or_default() += run.1;
    }
    let mut counts = BTreeMap::from([("ok", pixels.get(&0).copied().unwrap_or(0))]);
    for (status, n) in pixels.into_iter().filter(|(_, n)| *n > 0) {
        for (_, name) in TsMapStatus::ALL.iter().filter(|(bit, _)| status & bit != 0) {
            *counts.entry(name).or_default() += n;
        }
    }
    counts
}
