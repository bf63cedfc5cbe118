//! How pictures look and where they go: what the options say, for every command that draws.

use std::ffi::OsStr;
use std::path::Path;

use pevatron::datasets::Dataset;
use pevatron::irf::PsfMap;
use pevatron::plot::{self, Figure, MapImage, MapStyle, Picture, ScaleBar};
use pevatron::units::Angle;
use pevatron::{Error, Place, Result};

use super::energies::energy_text;
use crate::args::{ChartArgs, PictureArgs, named};

/// Width of pictures if nothing is said, in px.
const WIDTH_PX: u32 = 1200;

/// The part of a PSF that its circle holds.
const CONTAINMENT: f64 = 0.68;

/// Where the size of the PSF comes from.
enum Psf {
    Angle(f64),
    Of(Box<PsfMap>),
}

/// How a picture looks.
pub struct Look {
    title: Option<String>,
    style: MapStyle,
    psf: Option<Psf>,
    editable: bool,
    width_px: u32,
}

impl Default for Look {
    fn default() -> Self {
        Self { title: None, style: MapStyle::new(), psf: None, editable: false, width_px: WIDTH_PX }
    }
}

impl Look {
    /// What the options say of a picture of maps at `path`, the value of `option`.
    pub fn new(args: &PictureArgs, option: &str, path: Option<&Path>) -> Result<Self> {
        has_picture(args.given(), path)?;
        let mut look = Self::of_chart(&args.chart, option, path)?;
        let finite = |name: &str, value: Option<f64>| match value {
            Some(v) if !v.is_finite() => Err(Error::options(name, format!("{v} is not a finite number"))),
            value => Ok(value),
        };
        let mut style = MapStyle::new().sexagesimal(args.sexagesimal);
        let (vmin, vmax) = (finite("vmin", args.vmin)?, finite("vmax", args.vmax)?);
        if let (Some(lo), Some(hi)) = (vmin, vmax)
            && lo >= hi
        {
            return Err(Error::options("vmin", format!("{lo} is not below vmax, {hi}")));
        }
        style = vmin.into_iter().fold(style, MapStyle::vmin);
        style = vmax.into_iter().fold(style, MapStyle::vmax);
        if let Some(name) = &args.cmap {
            style = style.colours(name.parse()?);
        }
        if let Some(name) = &args.stretch {
            style = style.stretch(name.parse()?);
        }
        match args.panel_scale.as_deref() {
            None => {}
            Some("one") => style = style.one_scale(true),
            Some("each") => style = style.one_scale(false),
            Some(other) => return Err(Error::not_one_of("panel_scale", other, ["one", "each"])),
        }
        match args.scale_bar.as_deref().map(str::trim) {
            None => {}
            Some("auto") => style = style.scale_bar(ScaleBar::Auto),
            Some(text) => style = style.scale_bar(ScaleBar::Deg(above_zero("scale_bar", text)?)),
        }
        look.style = style;
        look.psf = match (args.psf_file(), &args.psf_circle) {
            (Some(path), _) => Some(Psf::Of(Box::new(psf_of(&path)?))),
            (None, Some(text)) => Some(Psf::Angle(above_zero("psf_circle", text)?)),
            (None, None) => None,
        };
        Ok(look)
    }

    /// The same of a picture of charts alone.
    pub fn of_chart(args: &ChartArgs, option: &str, path: Option<&Path>) -> Result<Self> {
        has_picture(args.given(), path)?;
        let is_svg = |e: &OsStr| e.eq_ignore_ascii_case("svg");
        if let Some(path) = path.filter(|path| args.editable && !path.extension().is_some_and(is_svg)) {
            let problem = format!("letters stay text in .svg alone, and --{option} is {}", path.display());
            return Err(Error::options("editable", problem));
        }
        Ok(Self { title: args.title.clone(), editable: args.editable, ..Self::default() })
    }

    /// Another width.
    pub fn width_px(mut self, width_px: u32) -> Self {
        self.width_px = width_px;
        self
    }

    /// A map of energies in TeV (`None`: those of the PSF) with the circle of its PSF, if that is wanted.
    pub fn with_psf(&self, image: MapImage, tev: Option<(f64, f64)>) -> Result<MapImage> {
        Ok(match self.circle(tev)? {
            Some((radius, label)) => image.psf_circle(radius, label),
            None => image,
        })
    }

    fn circle(&self, tev: Option<(f64, f64)>) -> Result<Option<(f64, String)>> {
        let psf = match &self.psf {
            None => return Ok(None),
            Some(Psf::Angle(radius_deg)) => return Ok(Some((*radius_deg, "PSF".to_string()))),
            Some(Psf::Of(psf)) => psf,
        };
        let radii = plot::containment_radii(psf, CONTAINMENT, None)?;
        let known: Vec<(f64, f64)> = radii.into_iter().filter(|(_, r)| r.is_finite() && *r > 0.0).collect();
        let (Some(first), Some(last)) = (known.first(), known.last()) else {
            return Err(Error::options("psf_circle", "68 % of the PSF lie within its axis at no energy"));
        };
        let (lo, hi) = tev.unwrap_or((first.0, last.0));
        let middle = (lo * hi).sqrt();
        let far = |e: f64| (e / middle).ln().abs();
        let nearest = known.iter().min_by(|a, b| far(a.0).total_cmp(&far(b.0))).unwrap_or(first);
        Ok(Some((nearest.1, format!("PSF 68 %, {}", energy_text(nearest.0)))))
    }

    /// Draws a figure as it is wanted.
    pub fn draw(&self, figure: Figure) -> Result<Picture> {
        let mut style = self.style.clone();
        if let Some((radius, label)) = self.circle(None)? {
            style = style.psf_circle(radius, label);
        }
        let figure = figure.width_px(self.width_px).map_style(style);
        match &self.title {
            Some(title) => figure.title(title).draw(),
            None => figure.draw(),
        }
    }

    /// Draws and writes it.
    pub fn write(&self, figure: Figure, path: &Path, overwrite: bool) -> Result<()> {
        self.write_picture(&self.draw(figure)?, path, overwrite)
    }

    /// Writes what was drawn, as the name ends.
    pub fn write_picture(&self, picture: &Picture, path: &Path, overwrite: bool) -> Result<()> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let bytes = match extension.as_deref() {
            Some("svg") if self.editable => picture.to_svg_with_text(),
            Some("svg") => picture.to_svg()?,
            Some("png") => picture.to_png()?,
            Some("pdf") => picture.to_pdf()?,
            _ => {
                return Err(Error::options(
                    "output",
                    format!("{}: pictures end in .png, .svg or .pdf", path.display()),
                ));
            }
        };
        pevatron::io::write_atomic(path, overwrite, |out| out.write_all(&bytes))
    }
}

/// Refuses options of a picture that is not made.
fn has_picture(given: Option<&'static str>, path: Option<&Path>) -> Result<()> {
    match (given, path) {
        (Some(option), None) => {
            Err(Error::options(option, "is for the picture, and none is made").with_help("name its file with --png"))
        }
        _ => Ok(()),
    }
}

fn above_zero(option: &str, text: &str) -> Result<f64> {
    let deg = named(option, text.parse::<Angle>())?.to_deg();
    if deg > 0.0 { Ok(deg) } else { Err(Error::options(option, format!("{text} is not above 0"))) }
}

/// The PSF of a dataset.
fn psf_of(path: &Path) -> Result<PsfMap> {
    let wrong = |e: Error| {
        let error = Error::options("psf_circle", e.to_string());
        error.with_help("give an angle, e.g. 0.1deg, or a dataset with a PSF")
    };
    let mut dataset = Dataset::read(path).map_err(wrong)?;
    let common = dataset.common_mut().map_err(wrong)?;
    let missing = || Error::input_at(Place::file(path), "it has no psf");
    common.psf.take().ok_or_else(missing).map_err(wrong)
}
