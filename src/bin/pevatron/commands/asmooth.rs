//! `pevatron asmooth`.

use pevatron::compute::Backend;
use pevatron::datasets::MapDataset;
use pevatron::models::Models;
use pevatron::{Control, Error, Result};
use serde_json::json;

use super::picture::Look;
use super::plot_maps::panels_figure;
use super::{require_map, say_unused, write_options};
use crate::args::AsmoothArgs;
use crate::outputs::{FITS, Outputs};
use crate::{progress, report};

pub fn run(args: &AsmoothArgs, control: &Control) -> Result<()> {
    let mut estimator = args.estimator()?;
    Outputs::new(args.overwrite)
        .file("output", &args.output, FITS)
        .picture("png", args.png.as_ref())
        .reading([&args.dataset])
        .reading(&args.models)
        .reading(&args.kernel_model)
        .reading(args.picture.psf_file())
        .check()?;
    let look = Look::new(&args.picture, "png", args.png.as_deref())?;
    let control = progress::observed(control, args.common.quiet || args.common.json);
    let mut dataset = MapDataset::read(&args.dataset)?;
    require_map(&dataset, &args.dataset)?;
    if let Some(models) = &args.models {
        dataset.models = Models::read(models)?;
        say_unused(&dataset.models, &[&dataset.name])?;
    }
    if let Some(path) = &args.kernel_model {
        estimator.spectral_model = super::tsmap::kernel_model(path)?.spectral;
    }
    let backend = Backend::new(&args.backend_options()?)?;
    let maps = backend.install(|| estimator.run(&dataset, &control))?;
    let mut inputs = vec![args.dataset.as_path()];
    inputs.extend(args.models.as_deref());
    inputs.extend(args.kernel_model.as_deref());
    let options = write_options(args.overwrite, &inputs);
    let (shown, name) = maps.flux.as_ref().map_or((&maps.counts, "counts"), |flux| (flux, "flux"));
    let draw = |path| Ok::<_, Error>((path, look.draw(panels_figure(shown, name, &look)?)?));
    let picture = args.png.as_ref().map(draw).transpose()?;
    pevatron::io::write_maps(&args.output, &maps.named(), &options)?;
    if let Some((path, picture)) = picture {
        look.write_picture(&picture, path, args.overwrite)?;
    }
    for warning in &maps.warnings {
        report::warning(warning);
    }
    if args.common.verbose > 0 {
        super::say_groups(maps.counts.geom())?;
    }
    let taken = maps.scale.data().iter().filter(|s| !s.is_nan()).count();
    let all = maps.scale.data().len();
    if args.common.json {
        let names: Vec<&str> = maps.named().iter().map(|m| m.0).collect();
        report::json(&json!({
            "output": report::name(&args.output),
            "maps": names,
            "pixels": all,
            "significant_pixels": taken,
            "max_sqrt_ts": maps.sqrt_ts.max().map(|m| m.1),
            "warnings": maps.warnings,
        }));
    } else if !args.common.quiet {
        report::line(&format!("{}: {taken} of {all} pixels above {}", args.output.display(), args.threshold));
    }
    Ok(())
}
