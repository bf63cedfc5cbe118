//! The reference spectrum that a table describes.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::flux::quantity::SedType;
use crate::flux::reference::reference_values;
use crate::maps::MapAxis;
use crate::models::SkyModel;
use crate::models::spectral::{PowerLawSpectralModel, SpectralModel, TemplateSpectralModel};
use crate::table::Table;

/// The reference spectrum that the columns of a table describe.
pub(super) fn template_reference(table: &Table, energy: &MapAxis, warnings: &mut Vec<String>) -> Result<SkyModel> {
    let n = energy.nbin();
    let column = |name: &str, sed: SedType| -> Result<Vec<f64>> {
        let mut values = table.floats(name, sed.unit())?;
        values.truncate(n);
        Ok(values)
    };
    let dnde = column("ref_dnde", SedType::Dnde)?;
    let centers = energy.center_tev()?;
    if let Some(row) = dnde.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
        return Err(Error::input("ref_dnde", format!("row {row}: {} is not a positive flux", dnde[row])));
    }
    let flux = if table.has("ref_flux") && energy.has_bins() { Some(column("ref_flux", SedType::Flux)?) } else { None };
    let spectral: Arc<dyn SpectralModel> = if n == 1 {
        // One point has no slope: the one that gives the integral flux.
        let (min, max) = energy.bounds().first().map_or((1.0, 1.0), |b| *b);
        let factor = energy.unit().factor_to_text("TeV")?;
        let slope =
            |index: f64| PowerLawSpectralModel::new(index, dnde[0], centers[0]).integral(min * factor, max * factor);
        let wanted = flux.as_ref().map_or(f64::NAN, |f| f[0]);
        Arc::new(PowerLawSpectralModel::new(index_of(slope, wanted), dnde[0], centers[0]))
    } else {
        Arc::new(TemplateSpectralModel::new(centers, dnde)?)
    };
    let model = SkyModel::new("reference", spectral, None);
    if let Some(flux) = flux {
        let found = reference_values(&model, energy, SedType::Flux)?;
        let worst = found.iter().zip(&flux).map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
        if worst > 1e-3 {
            warnings.push(format!(
                "the reference fluxes of the table differ by up to {:.1} % from those of a template of ref_dnde: give the \
                 reference model for exact integral fluxes",
                worst * 100.0
            ));
        }
    }
    Ok(model)
}

/// The index between -10 and 12 of a power law through (E, dnde) whose integral is `wanted`; 2 where there is none. The
/// integral has its minimum near the index that makes both halves of the bin equal: steeper ones are looked for first.
fn index_of(integral: impl Fn(f64) -> f64, wanted: f64) -> f64 {
    let difference = |index: f64| integral(index) - wanted;
    let lowest = (0..=220).map(|i| -10.0 + 0.1 * f64::from(i)).min_by(|a, b| integral(*a).total_cmp(&integral(*b)));
    let Some(lowest) = lowest else { return 2.0 };
    let (mut low, mut high) = (lowest, 12.0);
    if !(difference(low) <= 0.0 && difference(high) >= 0.0) {
        return 2.0;
    }
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if difference(middle) < 0.0 { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}
