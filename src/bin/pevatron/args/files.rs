//! Options of the commands that look at files, draw and convert them.

use std::path::PathBuf;

use clap::Args;

use super::{ChartArgs, CommonArgs, EngineArgs, PictureArgs, SpectrumArgs};

pub const FLUX_POINTS_EXAMPLE: &str = "Example: pevatron flux-points flux.fits --position 83.63deg,22.01deg --frame icrs -o \
     crab.fits --png crab.png\n         pevatron flux-points flux.fits --positions sources.csv -o points.ecsv\n\nThe file \
     of positions is a table (ECSV, FITS, CSV) with the columns name, lon, lat in degrees.";
pub const CONVERT_EXAMPLE: &str = "Example: pevatron convert flux.fits -o dnde.fits --sed-type dnde\n         pevatron convert \
     paper.csv -o points.fits --column e_ref=E:TeV --column dnde=flux:'cm-2 s-1 TeV-1'\n         pevatron convert \
     pha_obs23523.fits -o spectrum.fits --format gadf\n\nWith --format ogip a dataset of one region with off counts becomes \
     OUT (counts), OUT_arf, OUT_rmf and OUT_bkg, as Gammapy and XSPEC have them.";
pub const PLOT_EXAMPLE: &str = "Example: pevatron plot flux.fits -o sqrt_ts.png --quantity sqrt_ts --energy 0\n         pevatron \
     plot flux.fits -o background.png --kind histogram --sources models.yaml --exclude-radius 0.5deg\n         pevatron plot \
     points.fits -o sed.svg --quantity e2dnde\n         pevatron plot dataset.fits.gz -o peek.png --kind peek \
     --width 1600\n         pevatron plot dataset.fits.gz -o fit.png --kind spectrum --models fitted.yaml --region \
     'icrs;circle(83.63,22.01,0.2)'";

#[derive(Debug, Args)]
pub struct InfoArgs {
    /// Datasets, flux maps, maps or models
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct PlotArgs {
    /// Flux maps, flux points, dataset or map
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Picture to write: .png, .svg or .pdf
    #[arg(long, short, value_name = "PICTURE")]
    pub output: PathBuf,
    /// Replace an existing picture
    #[arg(long)]
    pub overwrite: bool,
    /// Quantity of flux maps (sqrt_ts, ts, flux, flux_ul, …), part of a dataset (counts, background, exposure; counts_off,
    /// acceptance, acceptance_off, alpha), counts or excess of a spectrum of counts, SED type of flux points (dnde, e2dnde, flux, eflux, likelihood), or image of a
    /// file of maps by its name
    #[arg(long, value_name = "NAME")]
    pub quantity: Option<String>,
    /// Energy bin, counted from 0, or an energy within it, e.g. 10GeV [default: all, as panels; counts are summed]
    #[arg(long, value_name = "N|ENERGY", allow_hyphen_values = true)]
    pub energy: Option<String>,
    /// Width of the picture in pixels
    #[arg(long, default_value_t = 1200, value_name = "PX")]
    pub width: u32,
    /// Sources that are marked: models (YAML), table of peaks, or catalogue; in the spectrum of flux points the line of the
    /// first model is drawn
    #[arg(long, value_name = "FILE")]
    pub sources: Option<PathBuf>,
    /// DS9 regions that are drawn over maps, as what they are: circles, annuli, ellipses, boxes, sectors, polygons, lines,
    /// points and texts, in frames of the sky or in pixels
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
    pub picture: PictureArgs,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What pictures of datasets are made with.
#[derive(Debug, Args)]
pub struct PlotDatasetArgs {
    /// Models (YAML) that predict the counts of a dataset [default: the background alone]; fitted ones, with the
    /// covariance that they name, that flux points are compared with (kind fit)
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Region of a spectrum or of spectral residuals, as DS9 writes it, e.g. 'icrs;circle(83.63,22.01,0.2)'; without a
    /// frame, that of the dataset [default: all pixels]
    #[arg(long, value_name = "REGION", conflicts_with_all = ["position", "radius"])]
    pub region: Option<String>,
    /// Centre of the region, or where responses are looked at, e.g. 83.63deg,22.01deg, or a name in --sources or --models
    /// [default: the centre of the map]
    #[arg(long, value_name = "LON,LAT|NAME", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// Radius of the region around the position; of the disks of excess and significance in a peek
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub radius: Option<String>,
    /// Frame of a position that names none: icrs or galactic [default: that of the dataset]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    /// Maps of counts and residuals are smoothed by a Gaussian of this sigma [default: residuals 0.1deg]
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub smooth: Option<String>,
    /// Residuals: diff, diff/sqrt(model) or diff/model [default: diff/sqrt(model); of flux points diff/model]
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
    /// Position, e.g. 83.63deg,22.01deg, '05h34m31s +22d00m52s' or 'galactic 184.55,-5.78', or a name in --positions
    /// [default: the centre of the map]
    #[arg(long, value_name = "LON,LAT|NAME", allow_hyphen_values = true)]
    pub position: Option<String>,
    /// Table of positions (ECSV, FITS, CSV) with the columns name, lon, lat, table of peaks, catalogue or models: a
    /// collection is written
    #[arg(long, value_name = "FILE")]
    pub positions: Option<PathBuf>,
    /// Frame of positions that name none: icrs or galactic [default: that of the maps]
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
    /// Picture of the spectra (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub chart: ChartArgs,
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
    /// The image of a file of maps that is written, by the name that `pevatron info` says [default: all of them]
    #[arg(long, value_name = "NAME")]
    pub quantity: Option<String>,
    /// Column OLD of a table is read as NEW, its numbers in UNIT whatever the file says; may be repeated
    #[arg(long, value_name = "NEW=OLD[:UNIT]", allow_hyphen_values = true)]
    pub column: Vec<String>,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}
