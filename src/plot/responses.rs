//! Charts of instrument responses at a position: PSF, energy dispersion, exposure.

use super::chart::{Chart, Series};
use super::heat::HeatMap;
use super::label::rounded;
use super::spectra::{axis_unit, energy_unit};
use super::stretch::Stretch;
use crate::error::{Error, Result};
use crate::irf::{EDisp, PsfMap};
use crate::maps::{Geom, Map, MapAxis, SkyPosition};

/// Containments that are drawn.
const FRACTIONS: [f64; 2] = [0.68, 0.95];

/// Radii that differ by more than this need a logarithmic axis.
const RADIUS_SPREAD: f64 = 8.0;

/// Ratio of the edges of energy bins above which a matrix hides the energy resolution.
const WIDEST_BIN: f64 = 1.2;

/// Steps in which the end of a PSF is sought.
const RADIUS_STEPS: usize = 200;

/// Radius in degrees that holds a fraction of the PSF, at the energies (in TeV) of its own axis; NaN where less than the
/// fraction is in it, such as outside of the energies that it is known at.
///
/// # Errors
/// Those of [`PsfMap::profile_at`].
pub fn containment_radii(psf: &PsfMap, fraction: f64, position: Option<SkyPosition>) -> Result<Vec<(f64, f64)>> {
    let profile = psf.profile_at(position)?;
    let axis = psf.psf.geom().axis("rad")?.to_unit("deg")?;
    let end = axis.edges().into_iter().fold(0.0, f64::max);
    Ok(profile
        .energy_axis()
        .center()
        .into_iter()
        .map(|e| {
            let share = |i: usize| profile.containment(end * i as f64 / RADIUS_STEPS as f64, e);
            let most = (1..=RADIUS_STEPS).map(share).fold(0.0, f64::max);
            // The radius is the nearest of a table: without the fraction anywhere it would be the last one.
            let known = most >= fraction;
            (e, if known { profile.containment_radius_deg(fraction, e) } else { f64::NAN })
        })
        .collect())
}

/// Radii that hold 68 and 95 % of the PSF over energy, at a position (`None`: the centre of the PSF map).
///
/// ```
/// use pevatron::irf::PsfMap;
/// use pevatron::maps::{AxisInterp, MapAxis};
/// use pevatron::plot::{containment_radii, psf_chart};
/// let rad = MapAxis::from_edges("rad", "deg".parse()?, (0..=100).map(|i| 0.01 * f64::from(i)).collect(), AxisInterp::Lin)?;
/// let psf = PsfMap::from_gauss(rad, MapAxis::energy_bounds(1.0, 10.0, 3, "energy_true")?, |_| 0.1)?;
/// let radii = containment_radii(&psf, 0.68, None)?;
/// assert!(radii.iter().all(|(_, r)| (r - 0.151).abs() < 0.002));
/// let svg = String::from_utf8_lossy(&psf_chart(&psf, None)?.draw()?.to_svg()?).into_owned();
/// assert!(svg.contains("<path"));
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// Those of [`PsfMap::profile_at`], and [`Error::Input`] where no radius is known.
pub fn psf_chart(psf: &PsfMap, position: Option<SkyPosition>) -> Result<Chart> {
    let name = if psf.is_in_reco_energy() { "Energy" } else { "True energy" };
    let mut lines = Vec::new();
    for fraction in FRACTIONS {
        lines.push((format!("{:.0} %", 100.0 * fraction), containment_radii(psf, fraction, position)?));
    }
    let radii = || lines.iter().flat_map(|(_, l)| l.iter().map(|p| p.1)).filter(|r| r.is_finite());
    let (lo, hi) = radii().fold((f64::INFINITY, 0.0f64), |(lo, hi), r| (lo.min(r), hi.max(r)));
    if lo > hi {
        return Err(Error::input("psf", "no energy at which 68 % of it lie within its axis"));
    }
    let (unit, factor) = axis_unit(lines[0].1.first().map_or(1.0, |p| p.0), lines[0].1.last().map_or(1.0, |p| p.0));
    let mut chart = Chart::new().x(name, unit).y("containment radius", "deg").log_x();
    chart = if hi > RADIUS_SPREAD * lo { chart.log_y() } else { chart.y_range(0.0, 1.3 * hi) };
    for (name, line) in lines {
        let line: Vec<(f64, f64)> = line.into_iter().map(|(e, r)| (e * factor, r)).collect();
        // One energy has no line.
        let line =
            if line.len() == 1 { vec![(0.9 * line[0].0, line[0].1), (1.1 * line[0].0, line[0].1)] } else { line };
        chart = chart.series(Series::line(name, &line));
    }
    Ok(chart)
}

/// The density of the PSF over the distance from its centre, at up to four energies, at a position (`None`: the centre of
/// the PSF map).
///
/// # Errors
/// Those of [`psf_chart`].
pub fn psf_profile_chart(psf: &PsfMap, position: Option<SkyPosition>) -> Result<Chart> {
    const LINES: usize = 4;
    const POINTS: usize = 150;
    let profile = psf.profile_at(position)?;
    let finite = |fraction: f64| -> Result<Vec<(f64, f64)>> {
        Ok(containment_radii(psf, fraction, position)?.into_iter().filter(|(_, r)| r.is_finite()).collect())
    };
    // A PSF that ends before holds less than 95 %.
    let mut known = finite(FRACTIONS[1])?;
    if known.is_empty() {
        known = finite(FRACTIONS[0])?;
    }
    let Some(widest) = known.iter().map(|p| p.1).reduce(f64::max) else {
        return Err(Error::input("psf", "no energy at which 68 % of it lie within its axis"));
    };
    let n = known.len().min(LINES);
    let mut chart = Chart::new().x("distance", "deg").y("density", "sr-1").log_y();
    let (mut lo, mut hi) = (f64::INFINITY, 0.0f64);
    for line in 0..n {
        let (energy, radius) = known[if n == 1 { 0 } else { line * (known.len() - 1) / (n - 1) }];
        let density = profile.density_at(energy);
        let end = 1.25 * widest;
        let points: Vec<(f64, f64)> =
            (0..=POINTS).map(|i| end * i as f64 / POINTS as f64).map(|r| (r, density(r))).collect();
        // As far down as the densities at these radii: beyond are tails that hardly count.
        (lo, hi) = (lo.min(density(radius)), hi.max(density(0.0)));
        let (unit, factor) = energy_unit(energy);
        chart = chart.series(Series::line(format!("{} {unit}", rounded(energy * factor)), &points));
    }
    if lo > 0.0 && hi > lo {
        chart = chart.y_range(0.1 * lo, 2.0 * hi);
    }
    Ok(chart)
}

/// Bias and resolution of the reconstructed energy over the true one, at a position (`None`: the centre of the map): mean
/// and standard deviation of E / E_true − 1. Of migration densities they are exact; of matrices they are those of the bins'
/// centres, where at least 95 % of the events stay within the energies of the counts.
///
/// # Errors
/// Those of [`EDisp::matrix_at`], and [`Error::Input`] where there is no such energy, or for a matrix with bins so wide that
/// they hide bias and resolution.
pub fn edisp_bias_chart(edisp: &EDisp, energy: &MapAxis, position: Option<SkyPosition>) -> Result<Chart> {
    let truth = edisp.energy_true_axis()?.center_tev()?;
    // Per true energy: (E / E_true, probability).
    let rows: Vec<Vec<(f64, f64)>> = match edisp {
        EDisp::Migra(map) => {
            let values = match (map.edisp.geom().as_ref(), position) {
                (Geom::Wcs(geom), None) => map.edisp.nearest_planes_at(geom.center()?)?,
                (Geom::Wcs(_), Some(position)) => map.edisp.nearest_planes_at(position)?,
                _ => map.edisp.data().iter().collect(),
            };
            let migra = map.edisp.geom().axis("migra")?;
            let (center, width) = (migra.center(), migra.bin_width());
            let row = |values: &[f64]| center.iter().zip(&width).zip(values).map(|((m, w), p)| (*m, p * w)).collect();
            values.chunks(center.len()).map(row).collect()
        }
        EDisp::Kernel(_) => {
            let matrix = edisp.matrix_at(position, energy)?;
            let (reco, edges) = (energy.center_tev()?, energy.edges_tev()?);
            if edges.windows(2).any(|e| e[1] > WIDEST_BIN * e[0]) {
                return Err(Error::input(
                    "edisp",
                    "the energy bins of the matrix are too wide for bias and resolution",
                ));
            }
            let row = |(row, e): (ndarray::ArrayView1<'_, f64>, &f64)| {
                row.iter().zip(&reco).map(|(p, r)| (r / e, *p)).collect()
            };
            matrix.rows().into_iter().zip(&truth).map(row).collect()
        }
    };
    let (unit, factor) = axis_unit(truth[0], truth[truth.len() - 1]);
    let (mut bias, mut resolution) = (Vec::new(), Vec::new());
    for (row, e) in rows.iter().zip(&truth) {
        let sum: f64 = row.iter().map(|(_, p)| p).sum();
        let mean = row.iter().map(|(m, p)| p * (m - 1.0)).sum::<f64>() / sum;
        let variance = row.iter().map(|(m, p)| p * (m - 1.0 - mean).powi(2)).sum::<f64>() / sum;
        if sum >= FRACTIONS[1] && mean.is_finite() && variance.is_finite() {
            bias.push((e * factor, mean));
            resolution.push((e * factor, variance.max(0.0).sqrt()));
        }
    }
    if bias.is_empty() {
        return Err(Error::input("edisp", "at no energy do 95 % of the events stay within the energies of the counts"));
    }
    let chart = Chart::new().x("True energy", unit).y("E / E_true − 1", "").log_x();
    let chart = chart.series(Series::level("", 0.0)).series(Series::line("bias", &bias));
    Ok(chart.series(Series::line("resolution", &resolution)))
}

/// The probability of each bin of reconstructed energy as colours over true and reconstructed energy, at a position
/// (`None`: the centre of the map), with the line on which both are equal.
///
/// ```
/// use pevatron::irf::{EDisp, EDispKernelMap, gauss_response};
/// use pevatron::maps::MapAxis;
/// use pevatron::plot::edisp_chart;
/// let (energy, truth) =
///     (MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?, MapAxis::energy_bounds(0.5, 20.0, 12, "energy_true")?);
/// let matrix = gauss_response(&truth, &energy, 0.15, 0.0)?;
/// let edisp = EDisp::Kernel(EDispKernelMap::from_matrix(energy.clone(), truth, &matrix)?);
/// assert!(edisp_chart(&edisp, &energy, None)?.draw()?.to_png()?.len() > 1000);
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// Those of [`EDisp::matrix_at`], and [`Error::Input`] for axes without a width.
pub fn edisp_chart(edisp: &EDisp, energy: &MapAxis, position: Option<SkyPosition>) -> Result<Chart> {
    let matrix = edisp.matrix_at(position, energy)?;
    let (truth, reco) = (edisp.energy_true_axis()?.edges_tev()?, energy.edges_tev()?);
    let (unit, factor) = axis_unit(truth[0].min(reco[0]), truth[truth.len() - 1].max(reco[reco.len() - 1]));
    let scaled = |edges: &[f64]| edges.iter().map(|e| e * factor).collect::<Vec<_>>();
    let (truth, reco) = (scaled(&truth), scaled(&reco));
    // Fine matrices have small probabilities per bin, coarse ones large: the root shows both with their tails.
    let heat = HeatMap::new(&truth, &reco, &matrix.t().to_owned())?
        .quantity("probability per bin", "")
        .stretch(Stretch::Sqrt)
        .range(0.0, matrix.iter().copied().filter(|v| v.is_finite()).fold(1e-3, f64::max));
    let (lo, hi) = (truth[0].max(reco[0]), truth[truth.len() - 1].min(reco[reco.len() - 1]));
    let chart = Chart::new().x("True energy", unit).y("Energy", unit).log_x().log_y().heat_map(heat);
    Ok(chart.series(Series::dashed("", &[(lo, lo), (hi, hi)]).white()))
}

/// Exposure over true energy at a position (`None`: the centre of the map), or of a region.
///
/// # Errors
/// [`Error::Input`] without an axis of true energies, or where there is no exposure at the position.
pub fn exposure_chart(exposure: &Map, position: Option<SkyPosition>) -> Result<Chart> {
    let axis = exposure.geom().axis("energy_true")?;
    let values = match (exposure.geom().as_ref(), position) {
        (Geom::Wcs(geom), None) => exposure.interp_planes_at(geom.center()?)?,
        (Geom::Wcs(_), Some(position)) => exposure.interp_planes_at(position)?,
        _ => exposure.data().iter().collect(),
    };
    let tev = axis.center_tev()?;
    let (unit, factor) = axis_unit(tev[0], tev[tev.len() - 1]);
    let line: Vec<(f64, f64)> = tev.iter().map(|e| e * factor).zip(values).collect();
    if !line.iter().any(|(_, v)| *v > 0.0) {
        return Err(Error::input("exposure", "it is 0 there at all energies"));
    }
    let chart = Chart::new().x("True energy", unit).y("exposure", exposure.unit().to_string()).log_x().log_y();
    Ok(chart.series(Series::line("", &line)))
}
