//! Every option of every command, in Gammapy's words.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use pevatron::bench::{BenchOptions, Workload};
use pevatron::compute::{BackendChoice, BackendOptions};
use pevatron::estimators::{ExcessSelection, NormScan, Selection};
use pevatron::flux::SedType;
use pevatron::maps::{Frame, SkyPosition};
use pevatron::units::{Angle, Energy};
use pevatron::{Error, Result};

/// Test-statistic maps and flux maps of gamma-ray surveys, on GPUs and CPUs.
#[derive(Debug, Parser)]
#[command(name = "pevatron", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// TS map of one or several datasets (TSMapEstimator)
    #[command(args_override_self = true, after_help = TSMAP_EXAMPLE)]
    Tsmap(TsmapArgs),
    /// Excess, significance and flux in a disk around each pixel (ExcessMapEstimator)
    #[command(args_override_self = true, after_help = EXCESS_EXAMPLE)]
    Excess(ExcessArgs),
    /// Peaks of flux maps, or sources one after the other: positions, fluxes, names
    #[command(args_override_self = true, after_help = PEAKS_EXAMPLE)]
    Peaks(Box<PeaksArgs>),
    /// Flux maps of several data sets or epochs combined through their likelihoods
    #[command(args_override_self = true, after_help = COMBINE_EXAMPLE)]
    Combine(CombineArgs),
    /// Adaptive smoothing (ASmoothMapEstimator)
    #[command(args_override_self = true, after_help = ASMOOTH_EXAMPLE)]
    Asmooth(AsmoothArgs),
    /// Predicted counts of models
    #[command(args_override_self = true, after_help = NPRED_EXAMPLE)]
    Npred(NpredArgs),
    /// Fits models to datasets
    #[command(args_override_self = true, after_help = FIT_EXAMPLE)]
    Fit(FitArgs),
    /// What a file is and holds
    #[command(args_override_self = true, after_help = "Example: pevatron info dataset.fits.gz flux.fits")]
    Info(InfoArgs),
    /// Picture of a file
    #[command(args_override_self = true, after_help = PLOT_EXAMPLE)]
    Plot(PlotArgs),
    /// Flux points of positions in flux maps
    #[command(args_override_self = true, after_help = FLUX_POINTS_EXAMPLE)]
    FluxPoints(FluxPointsArgs),
    /// Flux maps and tables of flux points between SED types and layouts; other files written anew
    #[command(args_override_self = true, after_help = CONVERT_EXAMPLE)]
    Convert(ConvertArgs),
    /// Several datasets added up into one
    #[command(args_override_self = true, after_help = crate::dataset_args::STACK_EXAMPLE)]
    Stack(crate::dataset_args::StackArgs),
    /// The part of a dataset around a position
    #[command(args_override_self = true, after_help = crate::dataset_args::CUTOUT_EXAMPLE)]
    Cutout(crate::dataset_args::CutoutArgs),
    /// Counts compared with what models predict, as a map and picture
    #[command(args_override_self = true, after_help = crate::dataset_args::RESIDUALS_EXAMPLE)]
    Residuals(crate::dataset_args::ResidualsArgs),
    /// A dataset with simulated counts of models
    #[command(args_override_self = true, after_help = crate::dataset_args::SIMULATE_EXAMPLE)]
    Simulate(crate::dataset_args::SimulateArgs),
    /// Graphics adapters and what they can do
    #[command(args_override_self = true, after_help = "Example: pevatron devices --measure")]
    Devices(DevicesArgs),
    /// Simulates a survey with known sources, makes its TS map and compares
    #[command(args_override_self = true, after_help = "Example: pevatron demo -o demo")]
    Demo(DemoArgs),
    /// Standard workloads on every engine: how fast, and whether right
    #[command(args_override_self = true, after_help = BENCH_EXAMPLE)]
    Bench(BenchArgs),
    /// Completions for a shell, on stdout
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// The manual page, on stdout
    Man,
}

const TSMAP_EXAMPLE: &str = "Example: pevatron tsmap dataset.fits.gz -o flux.fits --png sqrt_ts.png --kernel-width 1deg \
     --energy-edges 10GeV,100GeV,2TeV --selection errn-errp,ul\n\nts is at least 0; sqrt_ts is its root, negative where \
     the fitted norm is not positive. Without --energy-edges there is one group over the whole energy axis.";
const EXCESS_EXAMPLE: &str = "Example: pevatron excess onoff.fits.gz -o excess.fits --png significance.png \
     --correlation-radius 0.1deg --selection errn-errp,ul,alpha\n\nA MapDataset is judged by the Cash statistic, a \
     MapDatasetOnOff by the W statistic: Li & Ma's significance. ts is at least 0; sqrt_ts is its root with the sign of \
     the excess. Without --energy-edges there is one group over the whole energy axis. Pixels without exposure have \
     counts and a significance, but no flux. The flux is not corrected for what the PSF spreads beyond the disk.";
const PEAKS_EXAMPLE: &str = "Example: pevatron peaks flux.fits -o peaks.ecsv --threshold 5 --min-distance 0.3deg --png \
     peaks.png\n         pevatron peaks --iterative --dataset dataset.fits.gz -o sources.ecsv --models-out sources.yaml\n\n\
     Each energy bin of the maps is an image of its own, unless --energy chooses one. Positions below the size of a pixel \
     (*_fit) and their 1 sigma errors are from the shape of ts; position_status says where there is none. With \
     --iterative each source enters the null hypothesis and the map is made again.";
const COMBINE_EXAMPLE: &str = "Example: pevatron combine 2023.fits 2024.fits -o all.fits\n\nMaps with stat_scan are \
     combined exactly; others by their asymmetric errors (a parabola whose variance changes with the norm), which is an \
     approximation: the output says which.";
const ASMOOTH_EXAMPLE: &str = "Example: pevatron asmooth dataset.fits.gz -o smooth.fits --scales 0.05deg,0.1deg,0.2deg \
     --threshold 3 --energy-edges 1TeV,10TeV";
const NPRED_EXAMPLE: &str = "Example: pevatron npred dataset.fits.gz --models models.yaml -o npred.fits --signal";
const FIT_EXAMPLE: &str = "Example: pevatron fit run1.fits run2.fits --models models.yaml -o fitted.yaml --confidence \
     crab.spectral.index\n\nAll free parameters are fitted to all datasets together: Cash where the background is known, W \
     with off counts, plus the priors. The covariance is written beside the models, as fitted_covariance.dat. A fit that \
     does not reach a minimum says so in a warning and in the JSON; its file is written all the same.";
const BENCH_EXAMPLE: &str = "Example: pevatron bench --quick\n         pevatron bench --json > before.json; pevatron \
     bench --compare before.json --threshold 10\n\nEvery result is compared with the double-precision reference; a wrong \
     one, or with --compare a slower one, ends with exit code 1.";
const FLUX_POINTS_EXAMPLE: &str = "Example: pevatron flux-points flux.fits --position 83.63deg,22.01deg --frame icrs -o \
     crab.fits --png crab.png\n         pevatron flux-points flux.fits --positions sources.csv -o points.ecsv\n\nThe file \
     of positions is a table (ECSV, FITS, CSV) with the columns name, lon, lat in degrees.";
const CONVERT_EXAMPLE: &str = "Example: pevatron convert flux.fits -o dnde.fits --sed-type dnde\n         pevatron convert \
     paper.csv -o points.fits --column e_ref=E:TeV --column dnde=flux:'cm-2 s-1 TeV-1'\n         pevatron convert \
     pha_obs23523.fits -o spectrum.fits --format gadf\n\nWith --format ogip a dataset of one region with off counts becomes \
     OUT (counts), OUT_arf, OUT_rmf and OUT_bkg, as Gammapy and XSPEC have them.";
const PLOT_EXAMPLE: &str = "Example: pevatron plot flux.fits -o sqrt_ts.png --quantity sqrt_ts --energy 0\n         pevatron \
     plot flux.fits -o background.png --kind histogram --sources models.yaml --exclude-radius 0.5deg\n         pevatron plot \
     points.fits -o sed.svg --quantity e2dnde\n         pevatron plot dataset.fits.gz -o peek.png --kind peek \
     --width 1600\n         pevatron plot dataset.fits.gz -o fit.png --kind spectrum --models fitted.yaml --region \
     'icrs;circle(83.63,22.01,0.2)'";

/// Where the work is done and what is said about it.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// auto, cpu, gpu or reference; auto takes a hardware GPU where there is one, else the CPU
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub backend: String,
    /// Name or index of the GPU, as `pevatron devices` lists them
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Most CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Most memory, e.g. 2GB [default: three quarters of the free memory]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

impl EngineArgs {
    pub fn options(&self) -> Result<BackendOptions> {
        Ok(BackendOptions {
            choice: self.backend.parse::<BackendChoice>()?,
            adapter: self.adapter.clone(),
            threads: threads(self.threads)?,
            memory_bytes: memory_bytes(self.memory.as_deref())?,
        })
    }
}

fn threads(wanted: Option<usize>) -> Result<Option<usize>> {
    if wanted == Some(0) { Err(Error::options("threads", "must be at least 1")) } else { Ok(wanted) }
}

/// What is asked for, else three quarters of what is free.
fn memory_bytes(wanted: Option<&str>) -> Result<Option<u64>> {
    match wanted {
        Some(text) => parse_size(text).map(Some),
        None => Ok(crate::report::free_memory_bytes().map(|free| free / 4 * 3)),
    }
}

/// What every command has.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// One JSON document on stdout, nothing else there
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
    /// What was decided and why; twice: timings by stage
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,
    /// TOML file with the options of this command (underscores for dashes); the command line wins
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Prints the effective options as TOML and ends
    #[arg(long)]
    pub dump_config: bool,
}

#[derive(Debug, Args)]
pub struct TsmapArgs {
    /// Datasets of one sky geometry, as MapDataset.write makes them; several are fitted jointly
    #[arg(required = true, value_name = "DATASET")]
    pub datasets: Vec<PathBuf>,
    /// Flux maps to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "FLUX.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Picture of sqrt_ts
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Models of the null hypothesis (YAML)
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Test source (YAML) [default: point source, power law of index 2]
    #[arg(long, value_name = "MODEL.yaml")]
    pub kernel_model: Option<PathBuf>,
    /// Width of the kernel, e.g. 1deg [default: that of the widest PSF]
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub kernel_width: Option<String>,
    /// Merge N x N pixels before the fit
    #[arg(long, value_name = "N")]
    pub downsampling_factor: Option<usize>,
    /// Edges of the energy groups, e.g. 10GeV,100GeV,2TeV; `all` for every bin [default: one group]
    #[arg(long, value_name = "EDGES")]
    pub energy_edges: Option<String>,
    /// Sum the counts of a group before the fit, or fit its bins together
    #[arg(long, default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub sum_over_energy_groups: bool,
    /// Number of sigmas of the errors
    #[arg(long, default_value_t = 1.0, value_name = "N")]
    pub n_sigma: f64,
    /// Number of sigmas of upper limits
    #[arg(long, default_value_t = 2.0, value_name = "N")]
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity
    #[arg(long, default_value_t = 5.0, value_name = "N")]
    pub n_sigma_sensitivity: f64,
    /// errn-errp, ul, stat_scan, sensitivity (by comma), or all
    #[arg(long, default_value = "", value_name = "LIST")]
    pub selection: String,
    /// Keep the first guess where its TS is not above this
    #[arg(long, value_name = "TS", allow_hyphen_values = true)]
    pub threshold: Option<f64>,
    /// Relative precision that must at least be reached
    #[arg(long, default_value_t = 0.01, value_name = "X")]
    pub rtol: f64,
    /// Most iterations of a fit
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub max_niter: u32,
    /// Norms of the likelihood profile [default: per pixel around the best fit]
    #[arg(long, value_name = "MIN,MAX,N", allow_hyphen_values = true)]
    pub norm_scan: Option<String>,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde
    #[arg(long, default_value = "likelihood", value_name = "TYPE")]
    pub sed_type: String,
    /// Exact sums only: no expansion of weak terms
    #[arg(long)]
    pub exact: bool,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl TsmapArgs {
    /// The estimator, without its kernel model, which is in a file.
    pub fn estimator(&self) -> Result<pevatron::estimators::TsMapEstimator> {
        let mut estimator = pevatron::estimators::TsMapEstimator::new();
        if let Some(width) = &self.kernel_width {
            estimator.kernel_width = Some(named("kernel_width", width.parse::<Angle>())?);
        }
        estimator.downsampling_factor = self.downsampling_factor;
        if let Some(edges) = &self.energy_edges {
            estimator.energy_edges = parse_edges(edges)?;
        }
        estimator.sum_over_energy_groups = self.sum_over_energy_groups;
        estimator.n_sigma = self.n_sigma;
        estimator.n_sigma_ul = self.n_sigma_ul;
        estimator.n_sigma_sensitivity = self.n_sigma_sensitivity;
        estimator.selection_optional = self.selection.parse::<Selection>()?;
        estimator.threshold = self.threshold;
        estimator.rtol = self.rtol;
        estimator.max_niter = self.max_niter;
        if let Some(scan) = &self.norm_scan {
            estimator.norm = scan.parse::<NormScan>()?;
        }
        estimator.exact = self.exact;
        Ok(estimator)
    }

    pub fn sed_type(&self) -> Result<SedType> {
        self.sed_type.parse()
    }
}

#[derive(Debug, Args)]
pub struct ExcessArgs {
    /// Dataset with a background (MapDataset) or with off counts (MapDatasetOnOff), as Gammapy writes them
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Flux maps to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "FLUX.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Picture of sqrt_ts
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Models of the null hypothesis (YAML): the excess is what is beyond them
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Radius of the disk that counts are summed over, e.g. 0.1deg or 6arcmin
    #[arg(long, default_value = "0.1deg", value_name = "ANGLE", allow_hyphen_values = true)]
    pub correlation_radius: String,
    /// Sum the off counts over the disk, too; false where they are sums already (ring background)
    #[arg(long, default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub correlate_off: bool,
    /// Spectrum of the flux (YAML, first source) [default: power law of index 2]
    #[arg(long, value_name = "MODEL.yaml")]
    pub spectral_model: Option<PathBuf>,
    /// Edges of the energy groups, e.g. 0.7TeV,5TeV,50TeV; `all` for every bin [default: one group]
    #[arg(long, value_name = "EDGES")]
    pub energy_edges: Option<String>,
    /// One group over the whole energy axis, where no edges are given [both values do that, as in Gammapy 2.1]
    #[arg(long, default_value_t = false, action = ArgAction::Set, value_name = "true|false")]
    pub sum_over_energy_groups: bool,
    /// Number of sigmas of the errors
    #[arg(long, default_value_t = 1.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma: f64,
    /// Number of sigmas of upper limits
    #[arg(long, default_value_t = 2.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity
    #[arg(long, default_value_t = 5.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma_sensitivity: f64,
    /// errn-errp, ul, sensitivity (by comma), and of off counts alpha, acceptance (or acceptance_on, acceptance_off); or all
    #[arg(long, default_value = "", value_name = "LIST")]
    pub selection: String,
    /// Least number of excess counts of a sensitivity, with --apply-threshold-sensitivity true
    #[arg(long, default_value_t = 10.0, value_name = "COUNTS", allow_hyphen_values = true)]
    pub gamma_min_sensitivity: f64,
    /// Least excess of a sensitivity as a fraction of the background in the disk, with --apply-threshold-sensitivity true
    #[arg(long, default_value_t = 0.05, value_name = "FRACTION", allow_hyphen_values = true)]
    pub bkg_syst_fraction_sensitivity: f64,
    /// Apply the two thresholds to the sensitivity
    #[arg(long, default_value_t = false, action = ArgAction::Set, value_name = "true|false")]
    pub apply_threshold_sensitivity: bool,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde
    #[arg(long, default_value = "likelihood", value_name = "TYPE")]
    pub sed_type: String,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ExcessArgs {
    /// The estimator, without its spectral model, which is in a file.
    pub fn estimator(&self) -> Result<pevatron::estimators::ExcessMapEstimator> {
        let mut estimator = pevatron::estimators::ExcessMapEstimator::new();
        estimator.correlation_radius = named("correlation_radius", self.correlation_radius.parse::<Angle>())?;
        if let Some(edges) = &self.energy_edges {
            estimator.energy_edges = parse_edges(edges)?;
        }
        estimator.correlate_off = self.correlate_off;
        estimator.sum_over_energy_groups = self.sum_over_energy_groups;
        estimator.n_sigma = self.n_sigma;
        estimator.n_sigma_ul = self.n_sigma_ul;
        estimator.n_sigma_sensitivity = self.n_sigma_sensitivity;
        estimator.selection_optional = self.selection.parse::<ExcessSelection>()?;
        estimator.gamma_min_sensitivity = self.gamma_min_sensitivity;
        estimator.bkg_syst_fraction_sensitivity = self.bkg_syst_fraction_sensitivity;
        estimator.apply_threshold_sensitivity = self.apply_threshold_sensitivity;
        Ok(estimator)
    }

    pub fn sed_type(&self) -> Result<SedType> {
        self.sed_type.parse()
    }
}

#[derive(Debug, Args)]
pub struct PeaksArgs {
    /// Flux maps; with --iterative only their reference model is taken, as test source
    #[arg(required_unless_present = "iterative", value_name = "FLUX.fits")]
    pub flux: Option<PathBuf>,
    /// Table to write (ECSV)
    #[arg(long, short, value_name = "PEAKS.ecsv")]
    pub output: PathBuf,
    /// Replace existing outputs
    #[arg(long)]
    pub overwrite: bool,
    /// Value that a peak must exceed, in the unit of the quantity
    #[arg(long, default_value_t = 5.0, value_name = "X", allow_hyphen_values = true)]
    pub threshold: f64,
    /// Least distance of peaks, e.g. 0.3deg [default: one pixel]
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub min_distance: Option<String>,
    /// Quantity whose peaks are found (sqrt_ts, ts, flux, norm, …)
    #[arg(long, default_value = "sqrt_ts", value_name = "NAME")]
    pub quantity: String,
    /// Energy bin of the maps, counted from 0 [default: each by itself]
    #[arg(long, value_name = "N")]
    pub energy: Option<usize>,
    /// Regions for DS9 to write: 1 sigma ellipses, points where there is no error
    #[arg(long, value_name = "FILE.reg")]
    pub regions: Option<PathBuf>,
    /// Frame of the regions, icrs or galactic [default: that of the map]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    /// Catalogue (FITS) that counterparts are named from
    #[arg(long = "match", value_name = "CATALOGUE.fits")]
    pub catalogue: Option<PathBuf>,
    /// Largest distance of a counterpart
    #[arg(long, default_value = "0.3deg", value_name = "ANGLE", allow_hyphen_values = true)]
    pub match_radius: String,
    /// Picture of sqrt_ts with the peaks
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Put each found source into the null hypothesis and make the map again
    #[arg(long, requires = "dataset")]
    pub iterative: bool,
    /// With --iterative: datasets, fitted jointly
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "DATASET", requires = "iterative")]
    pub dataset: Vec<PathBuf>,
    /// With --iterative: most sources
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub max_sources: usize,
    /// With --iterative: models to write, those of --models and the sources (YAML)
    #[arg(long, value_name = "MODELS.yaml", requires = "iterative")]
    pub models_out: Option<PathBuf>,
    /// With --iterative: flux maps to write, with all sources in the null hypothesis
    #[arg(long, value_name = "FLUX.fits", requires = "iterative")]
    pub residual: Option<PathBuf>,
    /// With --iterative: models of the null hypothesis (YAML)
    #[arg(long, value_name = "MODELS.yaml", requires = "iterative")]
    pub models: Option<PathBuf>,
    /// With --iterative: test source (YAML) [default: reference model of FLUX.fits, else power law of index 2]
    #[arg(long, value_name = "MODEL.yaml", requires = "iterative")]
    pub kernel_model: Option<PathBuf>,
    /// With --iterative: width of the kernel, e.g. 1deg [default: that of the widest PSF]
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true, requires = "iterative")]
    pub kernel_width: Option<String>,
    /// With --iterative: the two edges of the energy range, e.g. 1TeV,10TeV [default: all energies]
    #[arg(long, value_name = "EDGES", requires = "iterative")]
    pub energy_edges: Option<String>,
    /// With --iterative: sum the counts over energy before the fit, or fit the bins together
    #[arg(long, default_value_t = true, action = ArgAction::Set, value_name = "true|false")]
    pub sum_over_energy_groups: bool,
    /// With --iterative: errn-errp, ul (by comma)
    #[arg(long, default_value = "", value_name = "LIST")]
    pub selection: String,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl PeaksArgs {
    pub fn min_distance(&self) -> Result<pevatron::estimators::PeakDistance> {
        use pevatron::estimators::PeakDistance;
        match &self.min_distance {
            Some(text) => Ok(PeakDistance::Angle(named("min_distance", text.parse::<Angle>())?)),
            None => Ok(PeakDistance::default()),
        }
    }

    pub fn frame(&self) -> Result<Option<Frame>> {
        match self.frame.as_deref() {
            None => Ok(None),
            Some("icrs") => Ok(Some(Frame::Icrs)),
            Some("galactic") => Ok(Some(Frame::Galactic)),
            Some(other) => Err(Error::options("frame", format!("'{other}' is not one of icrs, galactic"))),
        }
    }

    /// The estimator of --iterative, without its kernel model, which is in a file.
    pub fn estimator(&self) -> Result<pevatron::estimators::TsMapEstimator> {
        let mut estimator = pevatron::estimators::TsMapEstimator::new();
        if let Some(width) = &self.kernel_width {
            estimator.kernel_width = Some(named("kernel_width", width.parse::<Angle>())?);
        }
        if let Some(edges) = &self.energy_edges {
            estimator.energy_edges = parse_edges(edges)?;
        }
        estimator.sum_over_energy_groups = self.sum_over_energy_groups;
        estimator.selection_optional = self.selection.parse::<Selection>()?;
        Ok(estimator)
    }
}

#[derive(Debug, Args)]
pub struct CombineArgs {
    /// Flux maps of the same pixels, energies and spectrum
    #[arg(required = true, num_args = 2.., value_name = "FLUX.fits")]
    pub maps: Vec<PathBuf>,
    /// Flux maps to write
    #[arg(long, short, value_name = "FLUX.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// auto: profiles where there are any, else errors; profile: profiles or nothing; errors: errors only
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub method: String,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde
    #[arg(long, default_value = "likelihood", value_name = "TYPE")]
    pub sed_type: String,
    /// Picture of sqrt_ts
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct AsmoothArgs {
    /// Dataset, as MapDataset.write makes it
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Maps to write (HDUs COUNTS, BACKGROUND, FLUX, SCALE, SQRT_TS)
    #[arg(long, short, value_name = "SMOOTH.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Sigmas of the Gaussian kernels, in the order in which they are tried [default: nine from 0.19 pixels by √2]
    #[arg(long, value_name = "ANGLES", allow_hyphen_values = true)]
    pub scales: Option<String>,
    /// Significance at which a scale is taken
    #[arg(long, default_value_t = 5.0, value_name = "X", allow_hyphen_values = true)]
    pub threshold: f64,
    /// How significance is told: lima or asmooth
    #[arg(long, default_value = "lima", value_name = "NAME")]
    pub method: String,
    /// Edges of the energy groups, e.g. 10GeV,100GeV,2TeV; `all` for every bin [default: one group]
    #[arg(long, value_name = "EDGES")]
    pub energy_edges: Option<String>,
    /// Models with the background model of the dataset (YAML)
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Source whose spectrum fluxes are for (YAML) [default: power law of index 2]
    #[arg(long, value_name = "MODEL.yaml")]
    pub kernel_model: Option<PathBuf>,
    /// Picture of the smoothed flux (counts without an exposure)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Most CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl AsmoothArgs {
    /// The estimator, without its spectrum, which is in a file.
    pub fn estimator(&self) -> Result<pevatron::estimators::AsmoothMapEstimator> {
        let mut estimator = pevatron::estimators::AsmoothMapEstimator::new();
        if let Some(scales) = &self.scales {
            let scales = named("scales", pevatron::units::parse_list(scales))?;
            let angles = scales.iter().map(|q| q.to("deg").map(Angle::deg)).collect::<Result<_>>();
            estimator.scales = named("scales", angles)?;
        }
        estimator.threshold = self.threshold;
        estimator.method = self.method.parse()?;
        if let Some(edges) = &self.energy_edges {
            estimator.energy_edges = parse_edges(edges)?;
        }
        Ok(estimator)
    }

    /// A backend of the wanted number of threads; nothing but its threads is used.
    pub fn backend_options(&self) -> Result<BackendOptions> {
        Ok(BackendOptions { choice: BackendChoice::Cpu, threads: threads(self.threads)?, ..Default::default() })
    }
}

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
    /// Picture of the profiles and contours (.png or .svg)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    /// Most steps of a minimisation
    #[arg(long, default_value_t = 200, value_name = "N")]
    pub max_iterations: usize,
    /// A minimum is reached where the statistic can sink by no more than this
    #[arg(long, default_value_t = 1e-6, value_name = "NUMBER")]
    pub tolerance: f64,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Datasets, flux maps, maps or models
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Flux maps, flux points, dataset or map
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Picture to write, .png or .svg
    #[arg(long, short, value_name = "PICTURE")]
    pub output: PathBuf,
    /// Replace an existing picture
    #[arg(long)]
    pub overwrite: bool,
    /// Quantity of flux maps (sqrt_ts, ts, flux, flux_ul, …), part of a dataset (counts, background, exposure; counts_off,
    /// acceptance, acceptance_off, alpha), counts or excess of a spectrum of counts, or SED type of flux points (dnde, e2dnde, flux, eflux, likelihood)
    #[arg(long, value_name = "NAME")]
    pub quantity: Option<String>,
    /// Energy bin, counted from 0 [default: all, as panels; counts are summed]
    #[arg(long, value_name = "N")]
    pub energy: Option<usize>,
    /// Width of the picture in pixels
    #[arg(long, default_value_t = 1200, value_name = "PX")]
    pub width: u32,
    /// Models (YAML) whose positions are marked; in the spectrum of flux points the first one's line is drawn
    #[arg(long, value_name = "MODELS.yaml")]
    pub sources: Option<PathBuf>,
    /// Fitted models (YAML, with the covariance that it names) that flux points are compared with, for the kind fit
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Residuals of the kind fit: diff or diff/model
    #[arg(long, default_value = "diff/model", value_name = "NAME")]
    pub method: String,
    /// DS9 regions (circles, ellipses, points) that are drawn over maps
    #[arg(long, value_name = "FILE.reg")]
    pub regions: Option<PathBuf>,
    /// What to draw. Flux maps: map, histogram (of significances); flux points: sed, light-curve, profiles, fit (with
    /// models and residuals); datasets: map, peek, counts, excess, npred, spectrum, residuals, masks, psf, edisp, exposure,
    /// stack [default: the natural one]
    #[arg(long, value_name = "KIND")]
    pub kind: Option<String>,
    #[command(flatten)]
    pub dataset: PlotDatasetArgs,
    /// Pixels that far from a source count as background in a histogram, e.g. 0.3deg
    #[arg(long, value_name = "ANGLE", requires = "sources")]
    pub exclude_radius: Option<String>,
    /// Levels of contour lines, e.g. 3,5,10
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    pub contours: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What pictures of datasets are made with.
#[derive(Debug, Args)]
pub struct PlotDatasetArgs {
    /// Models (YAML) that predict the counts of a dataset [default: the background alone]
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Region of a spectrum or of spectral residuals, as DS9 writes it, e.g. 'icrs;circle(83.63,22.01,0.2)'; without a
    /// frame, that of the dataset [default: all pixels]
    #[arg(long, value_name = "REGION", conflicts_with_all = ["position", "radius"])]
    pub region: Option<String>,
    /// Centre of the region, or where responses are looked at, e.g. 83.63deg,22.01deg [default: the centre of the map]
    #[arg(long, value_name = "LON,LAT", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// Radius of the region around the position; of the disks of excess and significance in a peek
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub radius: Option<String>,
    /// Frame of the position: icrs or galactic [default: that of the dataset]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    /// Maps of counts and residuals are smoothed by a Gaussian of this sigma [default: residuals 0.1deg]
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub smooth: Option<String>,
    /// Residuals: diff, diff/sqrt(model) or diff/model [default: diff/sqrt(model)]
    #[arg(long, value_name = "NAME")]
    pub method: Option<String>,
    /// The runs that a stack was made of (kind stack); may be given several times, or lists of datasets (YAML)
    #[arg(long, value_name = "DATASET")]
    pub runs: Vec<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
}

#[derive(Debug, Args)]
pub struct FluxPointsArgs {
    /// Flux maps
    #[arg(value_name = "FLUX.fits")]
    pub file: PathBuf,
    /// Position, e.g. 83.63deg,22.01deg [default: the centre of the map]
    #[arg(long, value_name = "LON,LAT", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// Table of positions (ECSV, FITS, CSV) with the columns name, lon, lat: a collection is written
    #[arg(long, value_name = "FILE", conflicts_with = "position")]
    pub positions: Option<PathBuf>,
    /// Frame of positions: icrs or galactic [default: that of the maps]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    /// Table to write: .fits, .fits.gz or .ecsv
    #[arg(long, short, value_name = "POINTS")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde [default: that of the maps]
    #[arg(long, value_name = "TYPE")]
    pub sed_type: Option<String>,
    /// Picture of the spectra
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct ConvertArgs {
    /// Flux maps, table of flux points, dataset, OGIP spectrum (PHA), map or models
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// File to write; an OGIP spectrum has others beside it
    #[arg(long, short, value_name = "OUT")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde [default: as it came]
    #[arg(long, value_name = "TYPE")]
    pub sed_type: Option<String>,
    /// Layout of tables: gadf-sed, lightcurve, profile or binned-time-series; gadf or ogip for datasets [default: as it
    /// came]
    #[arg(long, value_name = "NAME")]
    pub format: Option<String>,
    /// Reference model (YAML) instead of the one that the file has or lacks
    #[arg(long, value_name = "MODEL.yaml")]
    pub models: Option<PathBuf>,
    /// Column of a table of another tool and its unit; may be repeated
    #[arg(long, value_name = "NEW=OLD[:UNIT]", allow_hyphen_values = true)]
    pub column: Vec<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Measure what the CPU and each adapter reach: fused multiply-adds and copies
    #[arg(long)]
    pub measure: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder to write to
    #[arg(long, short, default_value = "demo", value_name = "DIR")]
    pub output: PathBuf,
    /// Replace files of an earlier demo
    #[arg(long)]
    pub overwrite: bool,
    /// Seed of the simulated counts
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Pixel size, e.g. 0.02deg
    #[arg(long, default_value = "0.02deg", value_name = "ANGLE")]
    pub binsz: String,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// all, cpu, gpu, reference (by comma); gpu is every adapter, all is cpu and gpu
    #[arg(long, default_value = "all", value_name = "LIST")]
    pub backend: String,
    /// Name or index of the GPU, as `pevatron devices` lists them [default: all of them]
    #[arg(long, alias = "device", value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Most CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Most memory, e.g. 2GB; what needs more is skipped [default: three quarters of the free memory]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Workloads by comma; `tsmap` stands for all that begin with it [default: all]
    #[arg(long, value_name = "NAME,NAME")]
    pub workload: Option<String>,
    /// tiny, quick, standard, large or huge; fit: the largest for which there is memory [default: standard; large, too,
    /// on a graphics card, quick on a software adapter]
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// Small maps and few repetitions: about 20 s
    #[arg(long)]
    pub quick: bool,
    /// Least number of timed repetitions [default: 5; with --quick 2]
    #[arg(long, value_name = "N")]
    pub runs: Option<usize>,
    /// Repeat one workload for so long and show its rate over time
    #[arg(long, value_name = "SECONDS")]
    pub sustain: Option<f64>,
    /// Compare with an earlier output of --json; slower is an error
    #[arg(long, value_name = "FILE.json")]
    pub compare: Option<PathBuf>,
    /// Change of the median that --compare counts as slower, in percent
    #[arg(long, default_value_t = 10.0, value_name = "PERCENT")]
    pub threshold: f64,
    /// Table to write, one line per workload and engine
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Replace an existing table
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl BenchArgs {
    pub fn options(&self) -> Result<BenchOptions> {
        let base = if self.quick { BenchOptions::quick() } else { BenchOptions::standard() };
        let names = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect()
        };
        let backend = |name: &String| match name.as_str() {
            "all" => Ok(BackendChoice::Auto),
            "cpu" => Ok(BackendChoice::Cpu),
            "gpu" => Ok(BackendChoice::Gpu),
            "reference" => Ok(BackendChoice::Reference),
            _ => Err(Error::options("backend", format!("'{name}' is not one of all, cpu, gpu, reference"))),
        };
        let mut repeat = base.repeat;
        match self.runs {
            Some(0) => return Err(Error::options("runs", "must be at least 1")),
            Some(runs) => (repeat.least, repeat.least_long, repeat.most) = (runs, runs, repeat.most.max(runs)),
            None => {}
        }
        if !(self.threshold.is_finite() && self.threshold > 0.0) {
            return Err(Error::options("threshold", format!("{} % is not positive", self.threshold)));
        }
        let workloads = names(self.workload.as_deref().unwrap_or(""));
        let memory_bytes = memory_bytes(self.memory.as_deref())?;
        let size = match self.size.as_deref() {
            None => base.size,
            Some("fit") => Some(Workload::largest_size(&workloads, memory_bytes.unwrap_or(0))?),
            Some(name) => Some(name.parse()?),
        };
        Ok(BenchOptions {
            backends: names(&self.backend).iter().map(backend).collect::<Result<_>>()?,
            adapter: self.adapter.clone(),
            threads: threads(self.threads)?,
            memory_bytes,
            workloads,
            size,
            sustain: self.sustain,
            repeat,
            ..base
        })
    }
}

impl Cli {
    fn common(&self) -> Option<&CommonArgs> {
        match &self.command {
            Command::Tsmap(a) => Some(&a.common),
            Command::Excess(a) => Some(&a.common),
            Command::Peaks(a) => Some(&a.common),
            Command::Combine(a) => Some(&a.common),
            Command::Asmooth(a) => Some(&a.common),
            Command::Npred(a) => Some(&a.common),
            Command::Fit(a) => Some(&a.common),
            Command::Info(a) => Some(&a.common),
            Command::Plot(a) => Some(&a.common),
            Command::FluxPoints(a) => Some(&a.common),
            Command::Convert(a) => Some(&a.common),
            Command::Stack(a) => Some(&a.common),
            Command::Cutout(a) => Some(&a.common),
            Command::Residuals(a) => Some(&a.common),
            Command::Simulate(a) => Some(&a.common),
            Command::Devices(a) => Some(&a.common),
            Command::Demo(a) => Some(&a.common),
            Command::Bench(a) => Some(&a.common),
            Command::Completions { .. } | Command::Man => None,
        }
    }

    pub fn dumps_config(&self) -> bool {
        self.common().is_some_and(|c| c.dump_config)
    }
}

/// Names the option in an error that a value's own parser made.
pub fn named<T>(option: &str, value: Result<T>) -> Result<T> {
    value.map_err(|error| {
        let help = error.help().map(str::to_string);
        let named = Error::options(option, error.to_string());
        match help {
            Some(help) => named.with_help(help),
            None => named,
        }
    })
}

fn parse_edges(text: &str) -> Result<pevatron::estimators::EnergyEdges> {
    use pevatron::estimators::EnergyEdges;
    if text == "all" {
        return Ok(EnergyEdges::All);
    }
    let edges = named("energy_edges", pevatron::units::parse_list(text))?
        .iter()
        .map(|q| q.to("TeV").map(Energy::tev))
        .collect::<Result<_>>();
    named("energy_edges", edges).map(EnergyEdges::Edges)
}

/// `2GB`, `500 MB`, `1GiB`, plain bytes.
fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::options("memory", format!("'{text}' is no size")).with_help("write e.g. 2GB or 500MB");
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(trimmed.len());
    let number: f64 = trimmed[..split].trim().parse().map_err(|_| wrong())?;
    let scale = match trimmed[split..].to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    let bytes = number * scale;
    if (1.0..1e18).contains(&bytes) { Ok(bytes as u64) } else { Err(wrong()) }
}

/// `83.63deg,22.01deg`; bare numbers are degrees.
pub fn parse_position(text: &str, frame: Frame) -> Result<SkyPosition> {
    let wrong = |problem: String| {
        Error::options("position", problem).with_help("write longitude and latitude, e.g. 83.63deg,22.01deg")
    };
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let [lon, lat] = parts.as_slice() else { return Err(wrong(format!("'{text}' is not two angles"))) };
    let degrees = |text: &str| match text.parse::<f64>() {
        Ok(value) => Ok(value),
        Err(_) => text.parse::<Angle>().map(Angle::to_deg).map_err(|e| wrong(e.to_string())),
    };
    let (lon_deg, lat_deg) = (degrees(lon)?, degrees(lat)?);
    if !(lon_deg.is_finite() && (-90.0..=90.0).contains(&lat_deg)) {
        return Err(wrong(format!("({lon_deg}, {lat_deg}) deg is no place on the sky")));
    }
    Ok(SkyPosition { lon_deg, lat_deg, frame })
}

/// The frame of an option, else the one of the data.
pub fn parse_frame(text: Option<&str>, default: Frame) -> Result<Frame> {
    text.map_or(Ok(default), |t| named("frame", t.parse()))
}
