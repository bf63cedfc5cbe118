//! Which energy bins are taken together.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::maps::MapAxis;
use crate::units::Energy;

/// The wanted energy groups.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum EnergyEdges {
    /// One group over the whole axis (Gammapy's `energy_edges=None`).
    #[default]
    Whole,
    /// One group per bin of the dataset.
    All,
    /// Edges of the groups; each is moved to the nearest bin edge of the dataset.
    Edges(Vec<Energy>),
}

/// Groups of bins and the axis that they make.
#[derive(Debug, Clone, PartialEq)]
pub struct EnergyGroups {
    /// Bins of each group.
    pub bins: Vec<Range<usize>>,
    /// The axis whose bins are the groups, in the dataset's unit.
    pub axis: MapAxis,
    /// Wanted edges that are none of the dataset's axis, and those that were taken for them, in TeV.
    pub moved: Vec<(f64, f64)>,
}

/// Edges that differ by less than this fraction are the same, written in another way.
const SAME_EDGE: f64 = 1e-3;

impl EnergyEdges {
    /// Groups on a dataset's energy axis. Each edge goes to the nearest bin edge in the axis' scale, ties to even
    /// numbers, edges beyond the axis to its ends (Gammapy's `group_table`).
    ///
    /// # Errors
    /// [`Error::Options`] for edges that do not increase or leave no bin between them.
    pub fn groups(&self, axis: &MapAxis) -> Result<EnergyGroups> {
        let n = axis.nbin();
        let indices: Vec<usize> = match self {
            Self::Whole => vec![0, n],
            Self::All => (0..=n).collect(),
            Self::Edges(edges) => {
                if edges.len() < 2 {
                    return Err(Error::options("energy_edges", "at least two edges are needed"));
                }
                let factor = axis.unit().factor_to_text("TeV")?;
                for pair in edges.windows(2) {
                    if !(pair[0].to_tev() > 0.0 && pair[1] > pair[0]) {
                        return Err(Error::options(
                            "energy_edges",
                            format!("{} does not follow {}; edges must be positive and increase", pair[1], pair[0]),
                        ));
                    }
                }
                edges
                    .iter()
                    .map(|e| {
                        let pix = axis.coord_to_pix(e.to_tev() / factor).clamp(-0.5, n as f64 - 0.5);
                        (pix + 0.5).round_ties_even() as usize
                    })
                    .collect()
            }
        };
        let edges = axis.edges();
        let ends_tev = axis.edges_tev()?;
        if let Some(i) = indices.windows(2).position(|w| w[0] == w[1]) {
            return Err(Error::options(
                "energy_edges",
                format!("the edges {} and {} leave no bin of the dataset between them", i + 1, i + 2),
            )
            .with_help(format!(
                "the dataset's energy axis has {n} bins from {} to {}",
                text(ends_tev[0]),
                text(ends_tev[n])
            )));
        }
        let moved = match self {
            Self::Edges(wanted) => {
                let pairs = wanted.iter().zip(&indices).map(|(e, i)| (e.to_tev(), ends_tev[*i]));
                pairs.filter(|(from, to)| (from / to - 1.0).abs() > SAME_EDGE).collect()
            }
            Self::Whole | Self::All => Vec::new(),
        };
        let group_edges = indices.iter().map(|i| edges[*i]).collect();
        Ok(EnergyGroups {
            bins: indices.windows(2).map(|w| w[0]..w[1]).collect(),
            axis: MapAxis::from_edges("energy", axis.unit().clone(), group_edges, axis.interp())?,
            moved,
        })
    }
}

impl EnergyGroups {
    /// What is to be told of edges that are none of the dataset's axis.
    pub fn warning(&self) -> Option<String> {
        let list: Vec<String> =
            self.moved.iter().map(|(from, to)| format!("{} to {}", text(*from), text(*to))).collect();
        let what =
            "energy_edges: edges of groups are edges of the dataset's energy axis, so these were moved to the nearest";
        (!list.is_empty()).then(|| format!("{what}: {}", list.join(", ")))
    }
}

/// An energy in TeV, in few digits.
fn text(tev: f64) -> String {
    let (value, unit) = match tev {
        e if e < 1e-3 => (e * 1e6, "MeV"),
        e if e < 1.0 => (e * 1e3, "GeV"),
        e => (e, "TeV"),
    };
    let digits = (4 - value.abs().log10().floor() as i32).clamp(0, 12) as usize;
    let short = format!("{value:.digits$}");
    let short = if short.contains('.') { short.trim_end_matches('0').trim_end_matches('.') } else { &short };
    format!("{short} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_go_to_the_nearest_bin_edges() {
        let axis = MapAxis::energy_bounds(0.01, 2.0, 11, "energy").unwrap();
        let edges = EnergyEdges::Edges([0.01, 0.1, 0.5].map(Energy::tev).to_vec());
        let groups = edges.groups(&axis).unwrap();
        assert_eq!(groups.bins, vec![0..5, 5..8]);
        let warning = groups.warning().unwrap();
        assert!(warning.contains("100 GeV to 111.1") && warning.contains("500 GeV to 471"), "{warning}");
        assert!(!warning.contains("10 GeV to"), "{warning}");
        let outside = EnergyEdges::Edges([5.0, 7.0].map(Energy::tev).to_vec());
        assert!(outside.groups(&axis).unwrap_err().to_string().contains("leave no bin"));
        assert_eq!(EnergyEdges::Whole.groups(&axis).unwrap().bins, vec![0..11]);
        let all = EnergyEdges::All.groups(&axis).unwrap();
        assert_eq!((all.bins.len(), all.warning()), (11, None));
        let falling = EnergyEdges::Edges([0.5, 0.1].map(Energy::tev).to_vec());
        assert!(falling.groups(&axis).is_err());
    }
}
