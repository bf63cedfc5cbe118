//! What commands that make flux maps share: where the maps go, and what is told of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use pevatron::Result;
use pevatron::compute::Backend;
use pevatron::flux::{FluxMaps, SedType};
use serde_json::{Map, Value, json};

use super::picture::Look;
use super::plot_maps::sqrt_ts_figure;
use super::{max_sqrt_ts, say_groups, write_options};
use crate::args::{CommonArgs, FluxMapArgs};
use crate::outputs::Outputs;
use crate::report;

/// What is written.
pub struct Target {
    sed_type: SedType,
    look: Look,
}

/// What is written, once it is known that there is room for the files, none of which is an input.
pub fn check(args: &FluxMapArgs, inputs: &[&Path]) -> Result<Target> {
    let sed_type = args.sed_type.parse()?;
    Outputs::new(args.overwrite)
        .flux_maps("output", &args.output)
        .picture("png", args.png.as_ref())
        .reading(inputs)
        .reading(args.picture.psf_file())
        .check()?;
    Ok(Target { sed_type, look: Look::new(&args.picture, "png", args.png.as_deref())? })
}

/// Writes the maps, what they were made of in their headers, and their picture; gives the seconds that took.
pub fn write(maps: &FluxMaps, target: &Target, args: &FluxMapArgs, inputs: &[&Path]) -> Result<f64> {
    let start = Instant::now();
    let draw = |path| Ok::<_, pevatron::Error>((path, target.look.draw(sqrt_ts_figure(maps, &[], &target.look)?)?));
    let picture = args.png.as_ref().map(draw).transpose()?;
    maps.write(&args.output, target.sed_type, &write_options(args.overwrite, inputs))?;
    if let Some((path, picture)) = picture {
        target.look.write_picture(&picture, path, args.overwrite)?;
    }
    Ok(start.elapsed().as_secs_f64())
}

/// Wall time by stage, in seconds.
pub struct Stages {
    pub read: f64,
    pub prepare: f64,
    pub estimate: f64,
    pub write: f64,
}

/// What is told of flux maps that were made.
pub struct Summary<'a> {
    pub output: &'a Path,
    pub backend: &'a Backend,
    pub maps: &'a FluxMaps,
    /// Pixels of all energy groups together, and what is counted by them: fits, pixels.
    pub pixels: (u64, &'static str),
    pub energy_groups: usize,
    pub datasets: usize,
    pub stages: Stages,
    pub status_counts: &'a BTreeMap<&'static str, u64>,
    pub warnings: &'a [String],
    /// Keys of the JSON that only this command has.
    pub own: Map<String, Value>,
    /// What was decided, for `-v`.
    pub decided: String,
}

impl Summary<'_> {
    /// Prints it, as JSON or as text.
    pub fn print(self, common: &CommonArgs) -> Result<()> {
        let best = max_sqrt_ts(self.maps)?;
        if common.json {
            let info = self.backend.info();
            let mut document = json!({
                "output": report::name(self.output),
                "backend": info.name,
                "adapter": info.adapter,
                "pixels": self.pixels.0,
                "energy_groups": self.energy_groups,
                "datasets": self.datasets,
                "stages": {
                    "read_seconds": self.stages.read,
                    "prepare_seconds": self.stages.prepare,
                    "estimate_seconds": self.stages.estimate,
                    "write_seconds": self.stages.write,
                },
                "peak_memory_bytes": report::peak_memory_bytes(),
                "max_sqrt_ts": best.map(|(value, position, group)| json!({
                    "value": value, "lon_deg": position.lon_deg, "lat_deg": position.lat_deg, "energy_group": group,
                })),
                "status_counts": self.status_counts,
                "warnings": self.warnings,
            });
            if let Value::Object(keys) = &mut document {
                keys.extend(self.own);
            }
            report::json(&document);
            return Ok(());
        }
        for warning in self.warnings {
            report::warning(warning);
        }
        if common.verbose > 0 {
            let null = self.maps.meta.entries.get("null_models").map_or("", String::as_str);
            report::remark(&format!("{}; null hypothesis: {null}", self.decided));
            report::remark(&format!("status: {:?}", self.status_counts));
            say_groups(self.maps.geom())?;
        }
        if common.verbose > 1 {
            let Stages { read, prepare, estimate, write } = self.stages;
            report::remark(&format!(
                "read {read:.3} s, prepare {prepare:.4} s, estimate {estimate:.4} s, write {write:.3} s"
            ));
        }
        if !common.quiet {
            let place = best.map_or(String::new(), |(value, p, _)| {
                format!(", largest sqrt_ts {value:.1} at ({:.3}, {:.3}) deg", p.lon_deg, p.lat_deg)
            });
            let (pixels, what) = self.pixels;
            report::line(&format!(
                "{}: {pixels} {what} in {} energy group{}, {:.3} s{place}",
                self.output.display(),
                self.energy_groups,
                if self.energy_groups == 1 { "" } else { "s" },
                self.stages.estimate,
            ));
        }
        Ok(())
    }
}
