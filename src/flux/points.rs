//! Flux points: flux maps of a region.

use std::ops::Deref;

use super::maps::FluxMaps;
use super::quantity::FluxQuantity;
use crate::error::{Error, Result};
use crate::maps::{Geom, MapAxis, SkyPosition};

/// Flux maps over a region: a spectrum, a light curve (with an axis `time`) or a profile (`projected-distance`). All
/// methods of [`FluxMaps`] are there; tables are read and written by [`FluxPoints::from_table`] and
/// [`FluxPoints::to_table`], files by `FluxPoints::read` and `FluxPoints::write`.
///
/// ```
/// use pevatron::flux::{FluxPoints, SedType, TableFormat};
/// use pevatron::table::{Column, Table};
/// let mut table = Table::new();
/// table.push(Column::floats("e_ref", "TeV".parse()?, vec![1.0, 10.0]))?;
/// table.push(Column::floats("dnde", "TeV-1 s-1 cm-2".parse()?, vec![2e-12, 1e-14]))?;
/// let points = FluxPoints::from_table(&table, &Default::default())?.0;
/// // Relative to an E^-2 spectrum of 1e-12 at 1 TeV.
/// assert_eq!(points.norm()?.data().iter().collect::<Vec<_>>(), [2.0, 1.0]);
/// let back = points.to_table(SedType::E2dnde, None)?;
/// assert!((back.floats("e2dnde", "TeV s-1 cm-2")?[1] - 1e-12).abs() < 1e-24);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct FluxPoints(FluxMaps);

impl Deref for FluxPoints {
    type Target = FluxMaps;

    fn deref(&self) -> &FluxMaps {
        &self.0
    }
}

impl From<FluxPoints> for FluxMaps {
    fn from(points: FluxPoints) -> Self {
        points.0
    }
}

impl FluxPoints {
    /// From flux maps of a region.
    ///
    /// # Errors
    /// [`Error::Input`] for maps with pixels: take the points of a position with [`FluxMaps::get_flux_points`].
    pub fn new(maps: FluxMaps) -> Result<Self> {
        match maps.geom().as_ref() {
            Geom::Region(_) => Ok(Self(maps)),
            Geom::Wcs(_) => Err(Error::input("geometry", "flux points belong to a region, these are maps with pixels")
                .with_help_for(
                    "FluxMaps::get_flux_points takes the points of a position out of them",
                    "`pevatron flux-points --position LON,LAT` takes the points of a position out of them",
                )),
        }
    }

    /// Where the points were taken; `None` where the file does not say.
    pub fn position(&self) -> Option<SkyPosition> {
        match self.geom().as_ref() {
            Geom::Region(region) => region.center(),
            Geom::Wcs(_) => None,
        }
    }

    /// The time axis of a light curve.
    pub fn time_axis(&self) -> Option<&MapAxis> {
        self.geom().axes().iter().find(|a| a.name() == "time")
    }

    /// For changing what [`FluxMaps`] lets change; the geometry stays a region.
    pub fn maps_mut(&mut self) -> &mut FluxMaps {
        &mut self.0
    }

    /// New upper limits of `n_sigma_ul` from the likelihood profiles: the norm above the best fit where the profile has
    /// risen by n_sigma_ul², between its points linearly in the root of the rise. NaN where it does not rise so far.
    ///
    /// # Errors
    /// Where there are no profiles, and for `n_sigma_ul` that is not positive.
    pub fn recompute_ul(&self, n_sigma_ul: f64) -> Result<Self> {
        if !(n_sigma_ul > 0.0 && n_sigma_ul.is_finite()) {
            return Err(Error::options("n_sigma_ul", format!("{n_sigma_ul} is not positive")));
        }
        let (rise, norms) = (self.ts_scan()?, self.norm_scan()?);
        let scan_axes = rise.geom().axes();
        let position = scan_axes
            .iter()
            .position(|a| !self.geom().axes().iter().any(|b| b.name() == a.name()))
            .ok_or_else(|| Error::input("stat_scan", "has no axis of its own that norms could stand on"))?;
        let below: usize = scan_axes[..position].iter().map(MapAxis::nbin).product();
        let n = scan_axes[position].nbin();
        let (rises, norms) = (rise.to_cube_f64(), norms.to_cube_f64());
        let mut limits = self.norm()?.to_cube_f64();
        for (plane, limit) in limits.iter_mut().enumerate() {
            let at = |i: usize| {
                let index = (plane % below + below * (i + n * (plane / below)), 0, 0);
                (norms[index], rises[index])
            };
            *limit = upper_crossing(&(0..n).map(at).collect::<Vec<_>>(), n_sigma_ul);
        }
        let mut out = self.clone();
        let map = crate::maps::Map::from_cube(self.geom().clone(), Default::default(), limits)?;
        out.0.insert(FluxQuantity::NormUl, map)?;
        out.0.meta.n_sigma_ul = n_sigma_ul;
        Ok(out)
    }
}

/// Where a profile of (norm, rise above its minimum), sorted by norm, has risen by n² above its lowest point.
fn upper_crossing(profile: &[(f64, f64)], n_sigma: f64) -> f64 {
    let finite = |p: &&(f64, f64)| p.1.is_finite();
    let Some(best) = profile.iter().filter(finite).map(|p| p.1).min_by(f64::total_cmp) else { return f64::NAN };
    let lowest = profile.iter().position(|p| p.1 == best).unwrap_or_default();
    // The best fit lies between the points of the scan: its own rise of 0 is not among them.
    let root = |v: f64| v.max(0.0).sqrt();
    profile[lowest..].windows(2).find(|w| root(w[0].1) <= n_sigma && root(w[1].1) > n_sigma).map_or(f64::NAN, |w| {
        let (a, b) = (root(w[0].1), root(w[1].1));
        w[0].0 + (w[1].0 - w[0].0) * (n_sigma - a) / (b - a)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossings_of_a_parabola_are_exact() {
        let profile: Vec<(f64, f64)> =
            (0..41).map(|i| (i as f64 * 0.1, (i as f64 * 0.1 - 1.0).powi(2) / 0.25)).collect();
        assert!((upper_crossing(&profile, 2.0) - 2.0).abs() < 1e-12);
        assert!((upper_crossing(&profile, 3.1) - 2.55).abs() < 1e-12);
        assert!(upper_crossing(&profile, 9.0).is_nan());
        assert!(upper_crossing(&[(1.0, f64::NAN)], 1.0).is_nan());
    }
}
