//! Points as the statistics take them, from maps of fluxes.

use super::likelihood::{Curve, Point};
use super::{FluxPointsDataset, values};
use crate::error::{Error, Result};
use crate::flux::{FluxPoints, FluxQuantity, SedType};
use crate::maps::{Map, MapAxis};

impl FluxPointsDataset {
    /// Points with errors; with `limits`, also upper limits.
    pub(super) fn measured_points(&self, limits: bool) -> Result<Vec<Point>> {
        let data = &self.data;
        let value = values(&data.dnde()?);
        let of = |quantity: FluxQuantity, map: fn(&FluxPoints) -> Result<Map>| -> Result<Vec<f64>> {
            let there = data.get(quantity).is_some();
            if there { Ok(values(&map(data)?)) } else { Ok(vec![f64::NAN; value.len()]) }
        };
        let symmetric = of(FluxQuantity::NormErr, |d| d.dnde_err())?;
        let below = of(FluxQuantity::NormErrn, |d| d.dnde_errn())?;
        let above = of(FluxQuantity::NormErrp, |d| d.dnde_errp())?;
        let limit = of(FluxQuantity::NormUl, |d| d.dnde_ul())?;
        let is_ul = values(&data.is_ul()?);
        let usable = |v: f64| if v.is_finite() && v > 0.0 { Some(v) } else { None };
        let mean = |i: usize| Some(0.5 * (usable(below[i])? + usable(above[i])?));
        let either = |own: f64, i: usize, other: f64| usable(own).or(usable(symmetric[i])).or(usable(other));
        let point = |i: usize| {
            if is_ul[i] != 0.0 {
                return match usable(limit[i]) {
                    Some(limit) if limits => Point::Limit(limit),
                    _ => Point::Nothing,
                };
            }
            if !value[i].is_finite() {
                return Point::Nothing;
            }
            let errors = match limits {
                false => usable(symmetric[i]).or(mean(i)).map(|error| (error, error)),
                true => either(below[i], i, above[i]).zip(either(above[i], i, below[i])),
            };
            match errors {
                Some((below, above)) => Point::Measured { value: value[i], below, above },
                None => Point::WithoutError,
            }
        };
        Ok((0..value.len()).map(point).collect())
    }

    /// Points with profiles: rise of −2 ln L above the best fit against norm.
    pub(super) fn profile_points(&self) -> Result<Vec<Point>> {
        let data = &self.data;
        if !data.has_stat_profiles() {
            return Err(Error::input("stat_scan", "these points have no likelihood profiles")
                .with_help("take stat_type chi2 or distrib"));
        }
        let (rise, norms) = (data.ts_scan()?, data.norm_scan()?);
        let axes = rise.geom().axes();
        let own = |a: &MapAxis| data.geom().axes().iter().all(|b| b.name() != a.name());
        let place = axes
            .iter()
            .position(own)
            .ok_or_else(|| Error::input("stat_scan", "has no axis of its own that norms could stand on"))?;
        let below: usize = axes[..place].iter().map(MapAxis::nbin).product();
        let n = axes[place].nbin();
        let reference = data.reference_values(SedType::Dnde)?;
        let (rise, norms) = (values(&rise), values(&norms));
        let count: usize = data.geom().axes().iter().map(MapAxis::nbin).product();
        let mut points = Vec::with_capacity(count);
        for i in 0..count {
            let at = |k: usize| i % below + below * (k + n * (i / below));
            let x: Vec<f64> = (0..n).map(|k| norms[at(k)]).collect();
            // Gammapy: profiles whose stat is a little above their lowest point are folded up.
            let y: Vec<f64> = (0..n).map(|k| rise[at(k)].abs()).collect();
            points.push(if y.iter().all(|v| v.is_finite()) {
                let curve = Curve::new(self.interpolation, &x, &y).ok_or_else(|| {
                    let problem = format!("profile {i} has {n} norms; three or more are needed, finite and increasing");
                    Error::input("norm_scan", problem)
                })?;
                Point::Profile { curve, reference: reference[i % reference.len()] }
            } else {
                Point::Nothing
            });
        }
        Ok(points)
    }
}
