//! What a user should know of a dataset that can be read: nothing is refused here.

use std::fmt;

use super::validate::{bin, count_bad};
use crate::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use crate::error::words::of_number;
use crate::maps::{Map, Mask};

/// How much a [`Problem`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Results will be missing or different in some places.
    Warning,
    /// Estimators cannot run on this.
    Error,
}

/// Something in a dataset that its user should know.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// How much it matters.
    pub severity: Severity,
    /// The part it concerns, by its HDU name.
    pub part: &'static str,
    /// What it is, in one sentence.
    pub text: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: {}", self.part, self.text)
    }
}

impl MapDataset {
    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        let mut list = background_problems(self);
        list.extend(problems(self));
        list.sort_by_key(|p| std::cmp::Reverse(p.severity));
        list
    }
}

impl MapDatasetOnOff {
    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        let mut list = off_problems(self);
        list.extend(problems(&self.on));
        list.sort_by_key(|p| std::cmp::Reverse(p.severity));
        list
    }
}

impl Dataset {
    /// What a user should know of this dataset, the worst first.
    pub fn check(&self) -> Vec<Problem> {
        match self {
            Self::Map(dataset) => dataset.check(),
            Self::OnOff(dataset) => dataset.check(),
            Self::FluxPoints(_) => Vec::new(),
        }
    }
}

/// Values of a map that a mask chooses (all without one).
fn inside<'a>(map: &'a Map, mask: Option<&'a Mask>) -> Box<dyn Iterator<Item = f64> + 'a> {
    match mask.filter(|m| m.data().len() == map.data().len()) {
        Some(mask) => Box::new(map.data().iter().zip(mask.data().iter()).filter(|(_, m)| **m).map(|(v, _)| v)),
        None => map.data().iter(),
    }
}

/// Whether a bin `[plane, y, x]` is inside of a mask.
fn chosen(mask: Option<&Mask>) -> impl Fn(usize, usize, usize) -> bool {
    let mask = mask.map(Mask::cube);
    move |plane, y, x| mask.and_then(|m| m.get((plane, y, x)).copied()).unwrap_or(true)
}

/// What is to be said of undefined values (NaN): how many, how many of them in chosen bins on the sky.
fn undefined(map: &Map, is_chosen: impl Fn(usize, usize, usize) -> bool) -> Option<(Severity, String)> {
    let all = map.data().iter().filter(|v| v.is_nan()).count();
    if all == 0 {
        return None;
    }
    let (cube, geom) = (map.cube(), map.wcs_geom().ok());
    let (planes, ny, nx) = cube.dim();
    let (mut used, mut beyond) = (0, 0);
    for (y, x) in (0..ny).flat_map(|y| (0..nx).map(move |x| (y, x))) {
        let here = (0..planes).filter(|p| cube.at(*p, y, x).is_nan());
        if geom.is_some_and(|g| g.pix_to_sky(x as f64, y as f64).is_none()) {
            beyond += here.count();
        } else {
            used += here.filter(|p| is_chosen(*p, y, x)).count();
        }
    }
    let severity = if used > 0 { Severity::Warning } else { Severity::Note };
    let values = of_number(all, "value", "is");
    let mut text = format!("{values} undefined (NaN), {used} of them inside the safe mask: left out");
    if beyond > 0 {
        text += &format!("; outside the projection: {beyond}");
    }
    Some((severity, text))
}

/// What is to be said of a known background.
fn background_problems(dataset: &MapDataset) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, text: &str| list.push(Problem { severity, part: "BACKGROUND", text: text.to_string() });
    let Some(background) = &dataset.background else {
        add(Severity::Warning, "there is no background: 0 is taken");
        return list;
    };
    let mask = dataset.mask_safe.as_ref();
    if let Some((severity, text)) = undefined(background, chosen(mask)) {
        add(severity, &text);
    }
    if inside(background, mask).all(|v| v.is_nan() || v == 0.0) {
        add(Severity::Warning, "no bin has any background");
    }
    list
}

/// What is to be said of off counts and acceptances.
fn off_problems(dataset: &MapDatasetOnOff) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, part, text: String| list.push(Problem { severity, part, text });
    for (part, map) in [
        ("COUNTS_OFF", &dataset.counts_off),
        ("ACCEPTANCE", &dataset.acceptance),
        ("ACCEPTANCE_OFF", &dataset.acceptance_off),
    ] {
        if map.is_none() {
            add(Severity::Error, part, "it is missing: the background is not known".into());
        }
    }
    let mask = dataset.on.mask_safe.as_ref();
    if let Some(off) = &dataset.counts_off
        && inside(off, mask).all(|v| v == 0.0)
    {
        add(Severity::Warning, "COUNTS_OFF", "no bin has any off counts".into());
    }
    if let Some(acceptance) = &dataset.acceptance_off {
        let bad = inside(acceptance, mask).filter(|v| v.is_nan() || *v <= 0.0).count();
        if bad > 0 {
            let values = of_number(bad, "value", "is");
            let text = format!("{values} 0 or undefined inside the safe mask: there is no background there");
            add(Severity::Warning, "ACCEPTANCE_OFF", text);
        }
    }
    list
}

/// What is to be said of the parts that both kinds of datasets have.
fn problems(dataset: &MapDataset) -> Vec<Problem> {
    let mut list = Vec::new();
    let mut add = |severity, part, text: String| list.push(Problem { severity, part, text });
    let mask = dataset.mask_safe.as_ref();
    if let Some(gti) = &dataset.gti {
        let empty = gti.intervals.iter().filter(|(a, b)| a == b).count();
        if empty > 0 {
            let text = format!("{empty} of {} intervals of no length: left out", gti.intervals.len());
            add(Severity::Warning, "GTI", text);
        }
    }
    match &dataset.counts {
        None => add(Severity::Error, "COUNTS", "there are no counts".into()),
        Some(counts) => {
            if let Some((n, index, value)) = count_bad(counts, |v| v < 0.0 || v.is_infinite()) {
                let text = format!(
                    "{} negative or infinite, the first one ({value}) in {}",
                    of_number(n, "value", "is"),
                    bin(counts, index)
                );
                add(Severity::Error, "COUNTS", text);
            } else if counts.data().iter().any(|v| v.is_finite() && v.fract() != 0.0) {
                add(Severity::Note, "COUNTS", "some counts are not whole numbers".into());
            }
            if let Some((severity, text)) = undefined(counts, chosen(mask)) {
                add(severity, "COUNTS", text);
            }
            if counts.sum() == 0.0 {
                add(Severity::Warning, "COUNTS", "all counts are 0".into());
            }
        }
    }
    match &dataset.exposure {
        None => add(Severity::Error, "EXPOSURE", "there is no exposure: counts cannot be turned into fluxes".into()),
        Some(exposure) => {
            let image = mask.map(Mask::any_plane);
            if let Some((severity, text)) =
                undefined(exposure, |_, y, x| image.as_ref().is_none_or(|m| m.get((y, x)).is_none_or(|m| *m)))
            {
                add(severity, "EXPOSURE", text);
            }
            let empty: Vec<String> = (0..exposure.planes())
                .filter(|plane| exposure.plane_f64(*plane).iter().all(|v| v.is_nan() || *v == 0.0))
                .map(|plane| plane.to_string())
                .collect();
            if empty.len() == exposure.planes() {
                add(Severity::Error, "EXPOSURE", "the exposure is 0 everywhere".into());
            } else if !empty.is_empty() {
                add(Severity::Warning, "EXPOSURE", format!("the exposure is 0 in the planes {}", empty.join(", ")));
            }
        }
    }
    match &dataset.psf {
        // The area of a spectrum is that of its region already.
        None if dataset.is_spectrum() => {}
        None => add(Severity::Warning, "PSF", "there is no PSF: sources are taken as seen sharply".into()),
        Some(psf) => {
            if let (Some(exposure), Some(nodes)) =
                (&dataset.exposure, psf.psf.geom().axes().iter().find(|a| a.name() == "energy_true"))
            {
                let planes = exposure.planes();
                if nodes.nbin() < planes {
                    let text = format!(
                        "the PSF has {} true energies, the exposure {planes}: the last planes have no kernel",
                        nodes.nbin()
                    );
                    add(Severity::Warning, "PSF", text);
                }
            }
        }
    }
    if dataset.edisp.is_none() {
        add(
            Severity::Note,
            "EDISP",
            "there is no energy dispersion: true and reconstructed energies are taken as equal".into(),
        );
    }
    match mask {
        None => add(Severity::Note, "MASK_SAFE", "there is no safe mask: all bins are used".into()),
        Some(mask) if mask.count() == 0 => add(Severity::Error, "MASK_SAFE", "no bin is safe to use".into()),
        Some(_) => {}
    }
    if let Some(fit) = &dataset.mask_fit {
        let both = mask.map_or(Ok(fit.clone()), |m| m.and(fit));
        if both.is_ok_and(|m| m.count() == 0) {
            add(Severity::Error, "MASK_FIT", "no bin is chosen for the fit".into());
        }
    }
    if let Some(Ok(geom)) = dataset.counts.as_ref().map(Map::wcs_geom) {
        let (x, y) = geom.pixel_scales_deg();
        if (x / y - 1.0).abs() > 1e-4 {
            let text = format!("pixels of {x:.6} × {y:.6} deg are not square: a PSF cannot be applied");
            add(Severity::Warning, "COUNTS", text);
        }
    }
    if dataset.gti.as_ref().is_some_and(|g| g.intervals.is_empty()) {
        add(Severity::Note, "GTI", "there are no time intervals".into());
    }
    list
}
