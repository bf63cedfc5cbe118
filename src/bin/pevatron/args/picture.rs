//! Options of pictures, the same in every command that draws.

use std::path::PathBuf;

use clap::Args;

/// What the options stand under.
const HEADING: &str = "Pictures";

/// What every picture may be asked for.
#[derive(Debug, Args)]
pub struct ChartArgs {
    /// Title above the picture
    #[arg(long, help_heading = HEADING, value_name = "TEXT")]
    pub title: Option<String>,
    /// Letters of an .svg stay text, to be edited and searched, with the font inside [default: outlines, which look the
    /// same in every program]
    #[arg(long, help_heading = HEADING)]
    pub editable: bool,
}

/// What pictures of maps may be asked for.
#[derive(Debug, Args)]
pub struct PictureArgs {
    #[command(flatten)]
    pub chart: ChartArgs,
    /// Value of the lowest colour [default: from the map]; colours are those of the first quantity in the picture
    #[arg(long, help_heading = HEADING, value_name = "X", allow_hyphen_values = true)]
    pub vmin: Option<f64>,
    /// Value of the highest colour [default: from the map]
    #[arg(long, help_heading = HEADING, value_name = "X", allow_hyphen_values = true)]
    pub vmax: Option<f64>,
    /// Colour map, by matplotlib's names: viridis, plasma, inferno, magma, cividis, Greys, gray, hot, afmhot; and around
    /// zero coolwarm, RdBu, RdBu_r, seismic, bwr, significance (our own)
    #[arg(long, help_heading = HEADING, value_name = "NAME")]
    pub cmap: Option<String>,
    /// How values are spread over the colours: linear, sqrt, log, asinh or significance
    #[arg(long, help_heading = HEADING, value_name = "NAME")]
    pub stretch: Option<String>,
    /// Colours of several panels: one scale for all, or one for each [default: as suits the picture]
    #[arg(long, help_heading = HEADING, value_name = "one|each")]
    pub panel_scale: Option<String>,
    /// Coordinates in hours, minutes and seconds
    #[arg(long, help_heading = HEADING)]
    pub sexagesimal: bool,
    /// A circle of this radius in the lower left corner, e.g. 0.1deg; or a dataset, whose PSF gives the radius that holds
    /// 68 %
    #[arg(long, help_heading = HEADING, value_name = "ANGLE|DATASET", allow_hyphen_values = true)]
    pub psf_circle: Option<String>,
    /// A bar in the lower right corner as long as an angle, e.g. 0.5deg, or auto
    #[arg(long, help_heading = HEADING, value_name = "ANGLE|auto", allow_hyphen_values = true)]
    pub scale_bar: Option<String>,
}

impl PictureArgs {
    /// The file that the PSF is read from, where it is not an angle.
    pub fn psf_file(&self) -> Option<PathBuf> {
        let text = self.psf_circle.as_deref()?;
        // A number without a unit is not a file, but an angle whose unit is missing.
        text.parse::<pevatron::units::Quantity>().is_err().then(|| PathBuf::from(text))
    }

    /// The first of the options that is given.
    pub fn given(&self) -> Option<&'static str> {
        let more = [
            ("vmin", self.vmin.is_some()),
            ("vmax", self.vmax.is_some()),
            ("cmap", self.cmap.is_some()),
            ("stretch", self.stretch.is_some()),
            ("panel_scale", self.panel_scale.is_some()),
            ("sexagesimal", self.sexagesimal),
            ("psf_circle", self.psf_circle.is_some()),
            ("scale_bar", self.scale_bar.is_some()),
        ];
        self.chart.given().or_else(|| more.into_iter().find(|(_, given)| *given).map(|(name, _)| name))
    }
}

impl ChartArgs {
    /// The first of the options that is given.
    pub fn given(&self) -> Option<&'static str> {
        let all = [("title", self.title.is_some()), ("editable", self.editable)];
        all.into_iter().find(|(_, given)| *given).map(|(name, _)| name)
    }
}
