//! Energies in pictures: the bin that is asked for, and how a range is called.

use pevatron::datasets::Dataset;
use pevatron::units::Energy;
use pevatron::{Error, Result};

/// The bin that `--energy` says: its number counted from 0, or an energy within it.
pub fn bin_of(text: &str, bins: usize, edges_tev: Option<&[f64]>) -> Result<usize> {
    let last = bins.saturating_sub(1);
    if let Ok(bin) = text.trim().parse::<usize>() {
        return if bin < bins {
            Ok(bin)
        } else {
            Err(Error::options("energy", format!("{bin} is not one of the energy bins 0 to {last}")))
        };
    }
    let wrong = |problem: String| Error::options("energy", problem);
    let Ok(energy) = text.parse::<Energy>() else {
        return Err(wrong(format!("'{text}' is neither the number of a bin nor an energy"))
            .with_help(format!("write 0 to {last}, or an energy such as 10GeV")));
    };
    let Some(edges) = edges_tev.filter(|edges| edges.len() == bins + 1) else {
        return Err(wrong(format!("{text}: the planes have no energies")).with_help(format!("write 0 to {last}")));
    };
    let (tev, end) = (energy.to_tev(), edges[bins]);
    // A number of a file and one that was typed may differ in the last digit.
    let at_or_below = |e: &f64| *e <= tev * (1.0 + 1e-9);
    match edges.partition_point(at_or_below) {
        n if (1..=bins).contains(&n) => Ok(n - 1),
        n if n == bins + 1 && tev <= end * (1.0 + 1e-9) => Ok(last),
        _ => Err(wrong(format!("{text} is not within {} to {}", energy_text(edges[0]), energy_text(end)))),
    }
}

/// The bins that are drawn: all, or the one that is asked for.
pub fn chosen(energy: Option<&str>, bins: usize, edges_tev: Option<&[f64]>) -> Result<Vec<usize>> {
    match energy {
        Some(text) => Ok(vec![bin_of(text, bins, edges_tev)?]),
        None => Ok((0..bins).collect()),
    }
}

/// The edges of a dataset's energy bins.
pub fn edges_of(dataset: &Dataset) -> Result<Vec<f64>> {
    match dataset {
        Dataset::Map(map) => map.energy_axis()?.edges_tev(),
        Dataset::OnOff(on_off) => on_off.energy_axis()?.edges_tev(),
        Dataset::FluxPoints(points) => points.data.energy_axis()?.edges_tev(),
    }
}

/// An energy in the unit that reads best.
pub fn energy_text(tev: f64) -> String {
    let (value, unit) = match tev {
        t if t < 1e-6 => (t * 1e9, "keV"),
        t if t < 1e-3 => (t * 1e6, "MeV"),
        t if t < 0.9995 => (t * 1e3, "GeV"),
        t if t < 999.5 => (t, "TeV"),
        t => (t * 1e-3, "PeV"),
    };
    let digits = if value < 9.995 { 2 } else { usize::from(value < 99.95) };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} {unit}")
}

/// The energies of a bin.
pub fn range_text(low_tev: f64, high_tev: f64) -> String {
    format!("{} – {}", energy_text(low_tev), energy_text(high_tev))
}
