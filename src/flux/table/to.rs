//! Tables of flux points.

use super::TableFormat;
use crate::error::{Error, Result};
use crate::flux::maps::ScanZero;
use crate::flux::points::FluxPoints;
use crate::flux::quantity::SedType;
use crate::flux::select::mjd_bounds;
use crate::maps::{Map, MapAxis};
use crate::math::confidence_of_sigma;
use crate::table::{Column, Table, Values};
use crate::units::Unit;

/// Quantities that each dataset has its own of.
const COUNTS: [&str; 3] = ["npred", "npred_excess", "counts"];

/// Column names of the reference fluxes of SED type likelihood.
const REFERENCES: [(&str, SedType); 3] =
    [("ref_dnde", SedType::Dnde), ("ref_flux", SedType::Flux), ("ref_eflux", SedType::Eflux)];

impl FluxPoints {
    /// The layout that goes with the axes.
    fn natural_format(&self) -> TableFormat {
        let has = |name: &str| self.geom().axis(name).is_ok();
        match (has("time"), has("projected-distance")) {
            (true, _) => TableFormat::LightCurve,
            (_, true) => TableFormat::Profile,
            _ => TableFormat::GadfSed,
        }
    }

    /// The points as a table; `format` `None`: the one that goes with their axes. Columns are those of Gammapy: energies,
    /// reference fluxes (likelihood), norms or fluxes with errors and limits, and what else is there.
    ///
    /// # Errors
    /// Where the axes do not fit the format, or the reference model does not allow the SED type.
    pub fn to_table(&self, sed: SedType, format: Option<TableFormat>) -> Result<Table> {
        let format = format.unwrap_or_else(|| self.natural_format());
        let outer = match format {
            TableFormat::GadfSed => None,
            TableFormat::LightCurve | TableFormat::BinnedTimeSeries => Some("time"),
            TableFormat::Profile => Some("projected-distance"),
        };
        let unfit = |problem: String| Error::options("format", format!("{}: {problem}", format.name()));
        let extra: Vec<&str> = self.geom().axes().iter().map(MapAxis::name).filter(|n| *n != "energy").collect();
        if !extra.iter().copied().eq(outer) {
            let needed = outer.map_or("energy alone".to_string(), |o| format!("energy and {o}"));
            return Err(unfit(format!("these points have the axes energy, {extra:?}, it needs {needed}")));
        }
        let energy = self.energy_axis()?;
        let rows = Rows { outer, bins: outer.map_or(Ok(1), |o| self.geom().axis(o).map(MapAxis::nbin))?, energy };
        let mut table = Table::new();
        match format {
            TableFormat::GadfSed => {}
            TableFormat::LightCurve => {
                let (min, max): (Vec<f64>, Vec<f64>) = mjd_bounds(self.geom().axis("time")?)?.into_iter().unzip();
                table.push(Column::floats("time_min", Unit::default(), min))?;
                table.push(Column::floats("time_max", Unit::default(), max))?;
            }
            TableFormat::BinnedTimeSeries => {
                if energy.nbin() != 1 {
                    return Err(unfit(format!("one energy bin is needed, there are {}", energy.nbin())));
                }
                let bounds = mjd_bounds(self.geom().axis("time")?)?;
                let start = bounds.iter().map(|b| b.0).collect();
                let size = bounds.iter().map(|b| (b.1 - b.0) * 86400.0).collect();
                table.push(Column::floats("time_bin_start", "d".parse()?, start))?;
                table.push(Column::floats("time_bin_size", "s".parse()?, size))?;
            }
            TableFormat::Profile => {
                let axis = self.geom().axis("projected-distance")?;
                let (min, max): (Vec<f64>, Vec<f64>) = axis.bounds().into_iter().unzip();
                table.push(Column::floats("x_min", axis.unit().clone(), min))?;
                table.push(Column::floats("x_max", axis.unit().clone(), max))?;
                table.push(Column::floats("x_ref", axis.unit().clone(), axis.center()))?;
            }
        }
        self.push_energies(&mut table, &rows, sed)?;
        self.push_quantities(&mut table, &rows, sed)?;
        table.set_meta("SED_TYPE", sed.name());
        // As many digits as Gammapy writes.
        table.set_meta("UL_CONF", (confidence_of_sigma(self.n_sigma_ul()) * 1e7).round() / 1e7);
        if outer == Some("time") {
            let reference = self.geom().axis("time")?.time_reference().cloned().unwrap_or_default();
            table.set_meta("MJDREFI", 0_i64);
            table.set_meta("MJDREFF", 0.0);
            table.set_meta("TIMESYS", reference.timesys.as_str());
            table.set_meta("TIMEUNIT", "d");
        }
        Ok(table)
    }

    fn push_energies(&self, table: &mut Table, rows: &Rows<'_>, sed: SedType) -> Result<()> {
        let energy = rows.energy;
        let (min, max): (Vec<f64>, Vec<f64>) = energy.bounds().into_iter().unzip();
        let mut columns = vec![("e_ref", energy.unit().clone(), energy.center())];
        if self.is_convertible_to_flux_sed_type() && energy.has_bins() {
            columns.push(("e_min", energy.unit().clone(), min));
            columns.push(("e_max", energy.unit().clone(), max));
        }
        if sed == SedType::Likelihood {
            for (name, of) in REFERENCES {
                // A reference that is a norm has no fluxes, and energies without bins no integrals.
                if let Ok(values) = self.reference(of) {
                    columns.push((name, of.unit().parse()?, values));
                }
            }
        }
        for (name, unit, values) in columns {
            let column = Column::floats(name, unit, values.repeat(rows.bins));
            table.push(rows.shaped(column, None)?)?;
        }
        Ok(())
    }

    fn push_quantities(&self, table: &mut Table, rows: &Rows<'_>, sed: SedType) -> Result<()> {
        let in_scan = |name: &str| ["stat_scan", "norm_scan", "dnde_scan_values"].contains(&name);
        for (name, map) in self.to_maps(sed)? {
            if in_scan(&name) || (name == "is_ul" && !self.has_ul()) {
                continue;
            }
            table.push(rows.column(&name, &map)?)?;
        }
        // Gammapy takes the number of datasets from counts, or from this column.
        if (table.has("npred") || table.has("npred_excess")) && !table.has("counts") {
            table.push(Column::texts("datasets", vec!["all".to_string(); table.rows()]))?;
        }
        if self.has_stat_profiles() {
            table.push(rows.column("norm_scan", &self.norm_scan()?)?)?;
            // The table's profiles count from nothing, as stat does.
            let scan = match self.meta.scan_zero {
                ScanZero::Absolute => self.stat_scan()?.clone(),
                ScanZero::StatNull => {
                    self.with_norms(self.stat_scan()?, self.stat_null()?, |scan, null| scan + null)?
                }
            };
            table.push(rows.column("stat_scan", &scan)?)?;
        }
        Ok(())
    }
}

/// How values go into rows.
struct Rows<'a> {
    outer: Option<&'static str>,
    bins: usize,
    energy: &'a MapAxis,
}

impl Rows<'_> {
    /// A column with the shape of one row: energies where rows are times, then what else each point has.
    fn shaped(&self, column: Column, more: Option<usize>) -> Result<Column> {
        let energies = self.outer.is_some().then(|| self.energy.nbin());
        let shape: Vec<usize> = energies.into_iter().chain(more).collect();
        if shape.is_empty() { Ok(column) } else { column.with_shape(shape) }
    }

    /// A map as a column.
    fn column(&self, name: &str, map: &Map) -> Result<Column> {
        let axes = map.geom().axes();
        let known = |a: &MapAxis| a.name() == "energy" || Some(a.name()) == self.outer;
        let more: usize = axes.iter().filter(|a| !known(a)).map(MapAxis::nbin).product();
        let has_more = axes.iter().any(|a| !known(a));
        let cube = map.cube();
        let mut values = Vec::with_capacity(self.bins * self.energy.nbin() * more);
        for row in 0..self.bins {
            for energy in 0..self.energy.nbin() {
                for item in 0..more {
                    let (mut plane, mut stride) = (0, 1);
                    for axis in axes {
                        let index = match axis.name() {
                            "energy" => energy,
                            name if Some(name) == self.outer => row,
                            _ => item,
                        };
                        plane += stride * index;
                        stride *= axis.nbin();
                    }
                    values.push(cube.at(plane, 0, 0));
                }
            }
        }
        let values = match name {
            "is_ul" | "success" => Values::Bool(values.iter().map(|v| !v.is_nan() && *v != 0.0).collect()),
            _ => Values::Float(values),
        };
        // Counts are arrays over datasets, also of one, for Gammapy to find that axis.
        let is_array = has_more || COUNTS.contains(&name);
        self.shaped(Column::new(name, map.unit().clone(), values), is_array.then_some(more))
    }
}
