//! A source as flux points see it: energies, times, and what a template of the sky makes of its spectrum.

use super::FluxPointsDataset;
use crate::error::{Error, Result};
use crate::maps::{Geom, MapAxis};
use crate::models::{SkyModel, temporal};
use crate::time::{Gti, convert_mjd};

impl FluxPointsDataset {
    /// What stays the same of a source while its spectrum and its variation with time are fitted.
    ///
    /// # Errors
    /// [`Error::Input`] where its spectrum is a norm, or for a template without pixels.
    pub fn source(&self, model: &SkyModel) -> Result<PointsSource> {
        if !model.apply_irf.exposure {
            return Err(Error::input(&model.name, "without exposure it has counts, which flux points have not")
                .with_help("name the datasets that it is for in datasets_names"));
        }
        model.check_irf()?;
        if model.spectral.is_norm() {
            let problem = format!("a {} is a norm, flux points need a flux", model.spectral.tag());
            return Err(Error::input(&model.name, problem));
        }
        let energies = self.data.energy_ref_tev()?;
        let share = template_integrals(model, &energies)?;
        let times = self.times()?;
        let axes = self.data.geom().axes();
        let place = axes.iter().position(|a| a.name() == "time");
        let below = axes[..place.unwrap_or(0)].iter().map(MapAxis::nbin).product();
        let planes = axes.iter().map(MapAxis::nbin).product();
        Ok(PointsSource { energies, share, times, below, planes })
    }

    /// The time that each bin of the time axis stands for; one for all where there is none, none where it is not known.
    fn times(&self) -> Result<Vec<Option<Gti>>> {
        let Some(axis) = self.data.time_axis() else { return Ok(vec![self.gti().cloned()]) };
        let seconds = axis.unit().factor_to_text("s")?;
        let reference = axis.time_reference().cloned().unwrap_or_default();
        let of = |(min, max): (f64, f64)| {
            let whole = Gti { intervals: vec![(min * seconds, max * seconds)], reference: reference.clone() };
            let Some(gti) = self.gti() else { return Ok(Some(whole)) };
            let date = |v: f64| {
                let mjd = reference.mjd() + v * seconds / 86400.0;
                convert_mjd(mjd, &reference.timesys, &gti.reference.timesys)
            };
            let inside = gti.select_time(date(min)?, date(max)?);
            // Intervals that miss the bin say nothing of it.
            Ok(Some(if inside.intervals.is_empty() { whole } else { inside }))
        };
        axis.bounds().into_iter().map(of).collect()
    }
}

/// A source as the points see it.
#[derive(Debug, Clone)]
pub struct PointsSource {
    energies: Vec<f64>,
    /// By energy, what a template of the sky makes of the spectrum.
    share: Vec<f64>,
    /// By bin of time.
    times: Vec<Option<Gti>>,
    /// Planes per bin of time.
    below: usize,
    planes: usize,
}

impl PointsSource {
    /// Differential flux at the points in TeV-1 s-1 cm-2, plane by plane.
    ///
    /// # Errors
    /// [`Error::Input`] for time scales that are not known.
    pub fn flux(&self, model: &SkyModel) -> Result<Vec<f64>> {
        let spectrum: Vec<f64> =
            self.energies.iter().zip(&self.share).map(|(e, share)| model.spectral.evaluate(*e) * share).collect();
        let factors: Vec<f64> = match &model.temporal {
            None => vec![1.0; self.times.len()],
            Some(model) => {
                let of = |gti: &Option<Gti>| gti.as_ref().map_or(Ok(1.0), |gti| temporal::mean(model.as_ref(), gti));
                self.times.iter().map(of).collect::<Result<_>>()?
            }
        };
        let at = |plane: usize| {
            let factor = if factors.len() == 1 { factors[0] } else { factors[plane / self.below % factors.len()] };
            spectrum[plane % spectrum.len()] * factor
        };
        Ok((0..self.planes).map(at).collect())
    }
}

/// By energy, the integral of a template over the sky that it is for; 1 for other shapes, whose spectrum is the flux of
/// the source. Gammapy interpolates between 20 energies per decade here.
fn template_integrals(model: &SkyModel, energies: &[f64]) -> Result<Vec<f64>> {
    let Some(spatial) = model.spatial.as_ref().filter(|s| s.as_template().is_some()) else {
        return Ok(vec![1.0; energies.len()]);
    };
    let Some(template) = spatial.as_template() else { return Ok(vec![1.0; energies.len()]) };
    let Geom::Wcs(geom) = template.map().geom().as_ref() else {
        return Err(Error::input(&model.name, "its template has no pixels on the sky"));
    };
    let solid_angle = geom.solid_angle_sr();
    let centers: Vec<_> = solid_angle
        .indexed_iter()
        .filter_map(|((y, x), omega)| geom.pix_to_sky(x as f64, y as f64).map(|p| (p, *omega)))
        .collect();
    let integral = |energy: f64| -> f64 {
        let here = centers.iter().map(|(p, omega)| spatial.evaluate(p.lon_deg, p.lat_deg, energy) * omega);
        here.filter(|v| v.is_finite()).sum()
    };
    if spatial.is_energy_dependent() {
        return Ok(energies.iter().map(|e| integral(*e)).collect());
    }
    Ok(vec![integral(energies.first().copied().unwrap_or(1.0)); energies.len()])
}
