//! Options of the commands that make datasets of datasets.

use std::path::PathBuf;

use clap::Args;
use pevatron::datasets::ResidualMethod;
use pevatron::maps::SmoothKernel;
use pevatron::units::Angle;
use pevatron::{Error, Result};

use super::parse::{named, quantities};
use super::{CommonArgs, EngineArgs, PictureArgs, SpectrumArgs};

pub const STACK_EXAMPLE: &str = "Example: pevatron stack run-1.fits.gz run-2.fits.gz -o stacked.fits\n\nThe sum has the \
     geometry of the first dataset; the others have the same one or that of a cutout of it. Counts and background are \
     summed inside of each mask_safe, exposures where any energy is safe, responses are averaged by exposure, so predicted \
     counts stay the same. mask_fit is dropped.";
pub const CUTOUT_EXAMPLE: &str =
    "Example: pevatron cutout dataset.fits.gz -o crab.fits --position 83.63deg,22.01deg --frame icrs --width 2deg,1deg";
pub const RESIDUALS_EXAMPLE: &str = "Example: pevatron residuals dataset.fits.gz --models fitted.yaml -o residuals.fits \
     --method 'diff/sqrt(model)' --smooth 0.1deg --png residuals.png";
pub const SIMULATE_EXAMPLE: &str = "Example: pevatron simulate dataset.fits.gz --models models.yaml -o simulated.fits --seed 42\n         pevatron simulate \
     dataset.fits.gz --models models.yaml --events -o events.fits --pointing 83.63deg,22.51deg";

#[derive(Debug, Args)]
pub struct StackArgs {
    /// Datasets of one kind, as Gammapy writes them, or lists of datasets (YAML)
    #[arg(required = true, value_name = "DATASET")]
    pub datasets: Vec<PathBuf>,
    /// Dataset to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "OUT.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Name of the stacked dataset
    #[arg(long, default_value = "stacked", value_name = "NAME")]
    pub name: String,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct CutoutArgs {
    /// Dataset, as Gammapy writes it
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Dataset to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "OUT.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Centre, e.g. 83.63deg,22.01deg, '05h34m31s +22d00m52s' or 'galactic 184.55,-5.78', or a name in --sources
    #[arg(long, value_name = "LON,LAT|NAME", allow_hyphen_values = true, required_unless_present = "region")]
    pub position: Option<String>,
    /// Models (YAML), table of peaks, or catalogue, with the source that --position names
    #[arg(long, value_name = "FILE", requires = "position")]
    pub sources: Option<PathBuf>,
    /// Width, or width and height, e.g. 2deg or 2deg,1deg
    #[arg(long, value_name = "ANGLE[,ANGLE]", allow_hyphen_values = true, required_unless_present = "region")]
    pub width: Option<String>,
    /// The spectrum of a region instead, as DS9 writes it, e.g. 'circle(83.63, 22.01, 0.11)'
    #[arg(long, value_name = "REGION", conflicts_with_all = ["position", "width"])]
    pub region: Option<String>,
    /// Multiply the exposure with the part of the PSF that lies in the region, a circle
    #[arg(long)]
    pub containment_correction: bool,
    /// Frame of a position or region that names none: icrs or galactic [default: that of the dataset]
    #[arg(long, value_name = "FRAME")]
    pub frame: Option<String>,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl CutoutArgs {
    /// (x, y).
    pub fn width(&self) -> Result<(Angle, Angle)> {
        let text = self.width.as_deref().unwrap_or_default();
        match quantities("width", text, "deg")?.as_slice() {
            [one] => Ok((Angle::deg(*one), Angle::deg(*one))),
            [x, y] => Ok((Angle::deg(*x), Angle::deg(*y))),
            _ => Err(Error::options("width", format!("'{text}' is not one or two angles"))),
        }
    }
}

#[derive(Debug, Args)]
pub struct ResidualsArgs {
    /// Dataset, as Gammapy writes it
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Models (YAML) [default: the background alone]
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Map to write (FITS, HDU RESIDUALS), NaN outside of the masks; of flux points a table (FITS or ECSV)
    #[arg(long, short, value_name = "OUT.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// diff, diff/sqrt(model) or diff/model
    #[arg(long, default_value = "diff", value_name = "NAME")]
    pub method: String,
    /// Smooth counts and model before, by a Gaussian of this sigma, e.g. 0.1deg
    #[arg(long, value_name = "ANGLE", allow_hyphen_values = true)]
    pub smooth: Option<String>,
    /// Picture, one panel per energy (.png, .svg or .pdf)
    #[arg(long, value_name = "FILE.png")]
    pub png: Option<PathBuf>,
    #[command(flatten)]
    pub picture: PictureArgs,
    /// Energy bin of the picture, counted from 0, or an energy within it, e.g. 10GeV [default: all]
    #[arg(long, value_name = "N|ENERGY", allow_hyphen_values = true)]
    pub energy: Option<String>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl ResidualsArgs {
    pub fn method(&self) -> Result<ResidualMethod> {
        self.method.parse()
    }

    pub fn smooth(&self) -> Result<Option<SmoothKernel>> {
        let sigma = self.smooth.as_deref().map(|text| named("smooth", text.parse::<Angle>())).transpose()?;
        match sigma {
            Some(sigma) if sigma.to_deg() <= 0.0 => Err(Error::options("smooth", format!("{sigma} is not positive"))),
            sigma => Ok(sigma.map(SmoothKernel::Gauss)),
        }
    }
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Dataset whose background, exposure and responses are taken
    #[arg(value_name = "DATASET")]
    pub dataset: PathBuf,
    /// Models (YAML) [default: the background alone]
    #[arg(long, value_name = "MODELS.yaml")]
    pub models: Option<PathBuf>,
    /// Dataset or event list to write (FITS, .gz compresses)
    #[arg(long, short, value_name = "OUT.fits")]
    pub output: PathBuf,
    /// Replace an existing output
    #[arg(long)]
    pub overwrite: bool,
    /// Seed of the random numbers; the same one gives the same counts, or events
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub seed: u64,
    /// The predicted counts themselves, not Poisson counts of them
    #[arg(long, conflicts_with = "seed")]
    pub asimov: bool,
    /// An event list (EVENTS and GTI), each event with its time, position and energy
    #[arg(long, conflicts_with = "asimov")]
    pub events: bool,
    /// Events: where the telescopes pointed (ICRS), for DETX and DETY, e.g. 83.63deg,22.51deg, or a name in --models
    #[arg(long, requires = "events", value_name = "RA,DEC|NAME", allow_hyphen_values = true)]
    pub pointing: Option<String>,
    /// Events: of one component only, by the name of its model, or "background"
    #[arg(long, requires = "events", value_name = "NAME")]
    pub component: Option<String>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub spectrum: SpectrumArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}
