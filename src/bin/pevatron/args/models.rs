//! Options of the commands that compare datasets with models.

use std::path::PathBuf;

use clap::Args;

use super::{ChartArgs, CommonArgs, EngineArgs, SpectrumArgs};

pub const NPRED_EXAMPLE: &str = "Example: pevatron npred dataset.fits.gz --models models.yaml -o npred.fits --signal";
pub const FIT_EXAMPLE: &str = "Example: pevatron fit run1.fits run2.fits --models models.yaml -o fitted.yaml --confidence \
     crab.spectral.index\n\nAll free parameters are fitted to all datasets together: Cash where the background is known, W \
     with off counts, plus the priors. The covariance is written beside the models, as fitted_covariance.dat. A fit that \
     does not reach a minimum says why and ends with exit code 1; its files are written all the same.";

#[derive(Debug, Args)]
pub struct NpredArgs {
    /// Dataset, as MapDataset.write makes it
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Models (YAML)
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Map to write (FITS, HDU NPRED)
    #[arg(long, short, value_name = "NPRED.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Sources only, without the background
    #[arg(long)]
    pub signal: bool,
    /// Only the source of that name
    #[arg(long, value_name = "NAME")]
    pub component: Option<String>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct FitArgs {
    /// Datasets as Gammapy writes them, tables of flux points (FITS, ECSV), or lists of them (YAML)
    #[arg(required = true, value_name = "DATASET")]
    pub datasets: Vec<PathBuf>,
    /// Models (YAML)
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: PathBuf,
    /// Fitted models to write (YAML); their covariance goes beside them
    #[arg(long, short, value_name = "FITTED.yaml")]
    pub output: PathBuf,
    /// Replace existing outputs
    #[arg(long)]
    pub overwrite: bool,
    /// Asymmetric errors of a parameter by its full name; may be given several times
    #[arg(long, value_name = "MODEL.spectral.NAME")]
    pub confidence: Vec<String>,
    /// Size of asymmetric errors in sigma
    #[arg(long, default_value_t = 1.0, value_name = "NUMBER")]
    pub sigma: f64,
    /// How flux points are compared: chi2, distrib or profile [default: as their list says, else chi2]
    #[arg(long, value_name = "NAME")]
    pub stat_type: Option<String>,
    /// Profile of the statistic along a parameter, drawn into --png; may be given several times
    #[arg(long, value_name = "MODEL.spectral.NAME", requires = "png")]
    pub profile: Vec<String>,
    /// Contours of 1, 2 and 3 sigma of two parameters, drawn into --png; may be given several times
    #[arg(long, value_name = "NAME,NAME", requires = "png")]
    pub contour: Vec<String>,
    /// Picture of the profiles and contours (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub chart: ChartArgs,
    /// Draw the borders of disks and shells smoothly within pixels, so that the statistic varies smoothly with radius and
    /// position (Gammapy's change in steps)
    #[arg(long)]
    pub smooth_borders: bool,
    /// Most steps of a minimisation
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub max_iterations: usize,
    /// A minimum is reached where the statistic can sink by no more than this
    #[arg(long, default_value_t = 1e-6, value_name = "NUMBER")]
    pub tolerance: f64,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}
