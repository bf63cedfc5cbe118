//! `pevatron combine`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pevatron::estimators::{CombineMethod, combine_flux_maps};
use pevatron::flux::{FluxMaps, SedType};
use pevatron::{Control, Error, Place, Result};
use serde_json::json;

use super::picture::Look;
use super::plot_maps::sqrt_ts_figure;
use super::{max_sqrt_ts, write_options};
use crate::args::CombineArgs;
use crate::outputs::Outputs;
use crate::{progress, report};

pub fn run(args: &CombineArgs, control: &Control) -> Result<()> {
    let sed_type = args.sed_type.parse::<SedType>()?;
    if !["auto", "profile", "errors"].contains(&args.method.as_str()) {
        return Err(Error::not_one_of("method", &args.method, ["auto", "profile", "errors"]));
    }
    Outputs::new(args.overwrite)
        .flux_maps("output", &args.output)
        .picture("png", args.png.as_ref())
        .reading_maps(&args.maps)
        .reading(args.picture.psf_file())
        .check()?;
    let look = Look::new(&args.picture, "png", args.png.as_deref())?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let names: Vec<String> = args.maps.iter().map(|p| p.display().to_string()).collect();
    let maps: Vec<FluxMaps> = args.maps.iter().map(FluxMaps::read).collect::<Result<_>>()?;
    let inputs: Vec<(&str, &FluxMaps)> = names.iter().map(String::as_str).zip(&maps).collect();
    let start = Instant::now();
    let combined = combine_flux_maps(&inputs, args.method == "errors", &control)?;
    let seconds = start.elapsed().as_secs_f64();
    if args.method == "profile"
        && let Some(i) = combined.methods.iter().position(|m| *m != CombineMethod::Profile)
    {
        return Err(Error::input_at(Place::file(&args.maps[i]).item("stat_scan"), "there is no profile")
            .with_help("estimate it with `--selection stat_scan`, or leave --method out"));
    }
    let paths: Vec<&Path> = args.maps.iter().map(PathBuf::as_path).collect();
    let draw = |path| Ok::<_, Error>((path, look.draw(sqrt_ts_figure(&combined.maps, &[], &look)?)?));
    let picture = args.png.as_ref().map(draw).transpose()?;
    combined.maps.write(&args.output, sed_type, &write_options(args.overwrite, &paths))?;
    if let Some((path, picture)) = picture {
        look.write_picture(&picture, path, args.overwrite)?;
    }
    let mut warnings = Vec::new();
    if combined.approximate > 0 {
        warnings.push(format!(
            "in {} of {} pixels the inputs' errors do not tell their likelihoods well enough (status bit 1024 there): estimate \
             them with `--selection stat_scan` for an exact combination",
            combined.approximate, combined.pixels
        ));
    }
    warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
    let best = max_sqrt_ts(&combined.maps)?;
    if args.common.json {
        let told = |(name, method): (&String, &CombineMethod)| json!({ "file": name, "method": method.name() });
        report::json(&json!({
            "output": report::name(&args.output),
            "inputs": names.iter().zip(&combined.methods).map(told).collect::<Vec<_>>(),
            "exact": combined.methods.iter().all(|m| *m == CombineMethod::Profile),
            "pixels": combined.pixels,
            "approximate_pixels": combined.approximate,
            "warnings": warnings,
            "combine_seconds": seconds,
            "max_sqrt_ts": best.map(|(value, position, group)| json!({
                "value": value, "lon_deg": position.lon_deg, "lat_deg": position.lat_deg, "energy_group": group,
            })),
        }));
        return Ok(());
    }
    if !args.common.quiet {
        let place = best.map_or(String::new(), |(value, p, _)| {
            format!(", largest sqrt_ts {value:.1} at ({:.3}, {:.3}) deg", p.lon_deg, p.lat_deg)
        });
        report::line(&format!("{}: {} pixels combined{place}", args.output.display(), combined.pixels));
        for (name, method) in names.iter().zip(&combined.methods) {
            report::line(&format!("  {name}: {}", method.name()));
        }
    }
    Ok(())
}
