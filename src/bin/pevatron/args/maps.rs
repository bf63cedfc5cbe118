//! Options of the commands that make and read flux maps.

use std::path::PathBuf;

use clap::{ArgAction, Args};
use pevatron::compute::{BackendChoice, BackendOptions};
use pevatron::estimators::{ExcessSelection, NormScan, Selection};
use pevatron::maps::Frame;
use pevatron::units::Angle;
use pevatron::{Error, Result};

use super::parse::{named, parse_edges, quantities, threads};
use super::{CommonArgs, EngineArgs, PictureArgs};

pub const TSMAP_EXAMPLE: &str = "Example: pevatron tsmap dataset.fits.gz -o flux.fits --png sqrt_ts.png --kernel-width 1deg \
     --energy-edges 10GeV,100GeV,2TeV --selection errn-errp,ul\n\nts is at least 0; sqrt_ts is its root, negative where \
     the fitted norm is not positive. Without --energy-edges there is one group over the whole energy axis.";
pub const EXCESS_EXAMPLE: &str = "Example: pevatron excess onoff.fits.gz -o excess.fits --png significance.png \
     --correlation-radius 0.1deg --selection errn-errp,ul,alpha\n\nA MapDataset is judged by the Cash statistic, a \
     MapDatasetOnOff by the W statistic: Li & Ma's significance. ts is at least 0; sqrt_ts is its root with the sign of \
     the excess. Without --energy-edges there is one group over the whole energy axis. Pixels without exposure have \
     counts and a significance, but no flux. The flux is not corrected for what the PSF spreads beyond the disk.";
pub const PEAKS_EXAMPLE: &str = "Example: pevatron peaks flux.fits -o peaks.ecsv --threshold 5 --min-distance 0.3deg --png \
     peaks.png\n         pevatron peaks --iterative --dataset dataset.fits.gz -o sources.ecsv --models-out sources.yaml\n\n\
     Each energy bin of the maps is an image of its own, unless --energy chooses one. Positions below the size of a pixel \
     (*_fit) and their 1 sigma errors are from the shape of ts; position_status says where there is none. With \
     --iterative each source enters the null hypothesis and the map is made again.";
pub const COMBINE_EXAMPLE: &str = "Example: pevatron combine 2023.fits 2024.fits -o all.fits\n\nMaps with stat_scan are \
     combined exactly; others by their asymmetric errors (a parabola whose variance changes with the norm), which is an \
     approximation: the output says which.";
pub const ASMOOTH_EXAMPLE: &str = "Example: pevatron asmooth dataset.fits.gz -o smooth.fits --scales 0.05deg,0.1deg,0.2deg \
     --threshold 3 --energy-edges 1TeV,10TeV";

/// Where the flux maps of an estimator go.
#[derive(Debug, Args)]
pub struct FluxMapArgs {
    /// Flux maps to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "FLUX.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Picture of sqrt_ts (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArgs,
    /// SED type of the output: likelihood, dnde, flux, eflux or e2dnde
    #[arg(long, default_value = "likelihood", value_name = "TYPE")]
    pub sed_type: String,
}

/// How far errors, limits and sensitivities of an estimator reach.
#[derive(Debug, Args)]
pub struct SigmaArgs {
    /// Number of sigmas of the errors
    #[arg(long, default_value_t = 1.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma: f64,
    /// Number of sigmas of upper limits
    #[arg(long, default_value_t = 2.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma_ul: f64,
    /// Number of sigmas of the sensitivity
    #[arg(long, default_value_t = 5.0, value_name = "N", allow_hyphen_values = true)]
    pub n_sigma_sensitivity: f64,
}

#[derive(Debug, Args)]
pub struct TsmapArgs {
    /// Datasets of one sky geometry, as MapDataset.write makes them; several are fitted jointly
    #[arg(required = true, value_name = "DATASET")]
    pub datasets: Vec<PathBuf>,
    #[command(flatten)]
    pub maps: FluxMapArgs,
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
    #[command(flatten)]
    pub sigmas: SigmaArgs,
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
        estimator.n_sigma = self.sigmas.n_sigma;
        estimator.n_sigma_ul = self.sigmas.n_sigma_ul;
        estimator.n_sigma_sensitivity = self.sigmas.n_sigma_sensitivity;
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
}

#[derive(Debug, Args)]
pub struct ExcessArgs {
    /// Dataset with a background (MapDataset) or with off counts (MapDatasetOnOff), as Gammapy writes them
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    #[command(flatten)]
    pub maps: FluxMapArgs,
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
    #[command(flatten)]
    pub sigmas: SigmaArgs,
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
        estimator.n_sigma = self.sigmas.n_sigma;
        estimator.n_sigma_ul = self.sigmas.n_sigma_ul;
        estimator.n_sigma_sensitivity = self.sigmas.n_sigma_sensitivity;
        estimator.selection_optional = self.selection.parse::<ExcessSelection>()?;
        estimator.gamma_min_sensitivity = self.gamma_min_sensitivity;
        estimator.bkg_syst_fraction_sensitivity = self.bkg_syst_fraction_sensitivity;
        estimator.apply_threshold_sensitivity = self.apply_threshold_sensitivity;
        Ok(estimator)
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
    /// Least distance of peaks: on the sky, e.g. 0.3deg, or half the side of a square of pixels, e.g. 3pix [default: 1pix]
    #[arg(long, value_name = "ANGLE|Npix", allow_hyphen_values = true)]
    pub min_distance: Option<String>,
    /// Quantity whose peaks are found (sqrt_ts, ts, flux, norm, …)
    #[arg(long, default_value = "sqrt_ts", value_name = "NAME")]
    pub quantity: String,
    /// Energy bin of the maps, counted from 0, or an energy within it [default: each by itself]
    #[arg(long, value_name = "N|ENERGY", allow_hyphen_values = true)]
    pub energy: Option<String>,
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
    /// Picture of sqrt_ts with the peaks (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArgs,
    /// Put each found source into the null hypothesis and make the map again
    #[arg(long, requires = "dataset")]
    pub iterative: bool,
    /// With --iterative: datasets, fitted jointly
    #[arg(long, num_args = 1.., value_delimiter = ',', value_name = "DATASET", requires = "iterative")]
    pub dataset: Vec<PathBuf>,
    /// With --iterative: most sources
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub max_sources: usize,
    /// Models to write (YAML): a source for each peak; with --iterative those of --models and the sources
    #[arg(long, value_name = "MODELS.yaml")]
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
            Some(text) => match text.trim().trim_end_matches('s').trim_end_matches("el") {
                pixels if pixels.ends_with("pix") || pixels.ends_with("px") => {
                    let number = pixels.trim_end_matches("pix").trim_end_matches("px").trim();
                    let wrong = |_| {
                        Error::options("min_distance", format!("'{text}': a whole number of pixels is needed"))
                            .with_help("e.g. 3pix, or an angle on the sky, e.g. 0.3deg")
                    };
                    Ok(PeakDistance::Pixels(number.parse().map_err(wrong)?))
                }
                _ => Ok(PeakDistance::Angle(named("min_distance", text.parse::<Angle>())?)),
            },
            None => Ok(PeakDistance::default()),
        }
    }

    pub fn frame(&self) -> Result<Option<Frame>> {
        self.frame.as_deref().map(|text| named("frame", text.parse())).transpose()
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
    /// Picture of sqrt_ts (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArgs,
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
    /// Picture of the smoothed flux (counts without an exposure; .png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArgs,
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
            estimator.scales = quantities("scales", scales, "deg")?.into_iter().map(Angle::deg).collect();
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
