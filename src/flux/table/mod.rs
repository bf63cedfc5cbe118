//! Flux points as tables, in the layouts of Gammapy and GADF.

mod axes;
mod from;
mod prepare;
mod reference;
mod to;

use crate::error::{Error, Result};
use crate::flux::SedType;
use crate::maps::SkyPosition;
use crate::models::SkyModel;
use crate::time::Gti;

pub use prepare::ColumnAs;

/// Layout of a table of flux points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// `gadf-sed`: one row per energy.
    GadfSed,
    /// `lightcurve`: one row per time bin, energies in each row.
    LightCurve,
    /// `profile`: one row per bin of `projected-distance`, energies in each row.
    Profile,
    /// `binned-time-series`: one row per time bin with its start and size; one energy bin.
    BinnedTimeSeries,
}

impl TableFormat {
    /// Gammapy's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::GadfSed => "gadf-sed",
            Self::LightCurve => "lightcurve",
            Self::Profile => "profile",
            Self::BinnedTimeSeries => "binned-time-series",
        }
    }
}

impl std::str::FromStr for TableFormat {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::GadfSed, Self::LightCurve, Self::Profile, Self::BinnedTimeSeries];
        let found = all.into_iter().find(|f| f.name() == text);
        found.ok_or_else(|| Error::not_one_of("format", text, all.map(Self::name)))
    }
}

/// How a table is to be understood; what is `None` is found from its columns and keywords.
#[derive(Debug, Clone, Default)]
pub struct FromTable {
    /// SED type of the columns.
    pub sed_type: Option<SedType>,
    /// Layout.
    pub format: Option<TableFormat>,
    /// The model that norms are relative to.
    pub reference_model: Option<SkyModel>,
    /// Good time intervals.
    pub gti: Option<Gti>,
    /// Where the points were taken.
    pub position: Option<SkyPosition>,
    /// Columns under other names, and units that replace those of the file.
    pub columns: Vec<ColumnAs>,
}
