//! Pixels that are not what the header says: far from the reference point of their projection.

use ndarray::Array2;

use crate::irf::is_distorted;
use crate::maps::{PixelShape, WcsGeom};

/// Most pixels that are looked at.
const SAMPLE: usize = 1024;

/// A pixel as its header says.
const NOMINAL: PixelShape = PixelShape { solid_angle_sr: f64::NAN, area: 1.0, width: 1.0, height: 1.0 };

/// The pixel at the centre of a map.
pub(super) fn shape_at_center(image: &WcsGeom) -> Option<PixelShape> {
    image.pixel_shape((image.nx() as f64 - 1.0) / 2.0, (image.ny() as f64 - 1.0) / 2.0)
}

/// How pixels differ from the one that a kernel was drawn on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Distortion {
    /// Pixels that differ, of all that were chosen; a sample of large maps.
    part: (usize, usize),
    chosen: usize,
    area: Range,
    width: Range,
    height: Range,
    flux: Range,
}

/// From the least to the largest value.
#[derive(Debug, Clone, Copy)]
struct Range(f64, f64);

impl Range {
    const EMPTY: Self = Self(f64::INFINITY, f64::NEG_INFINITY);

    fn add(&mut self, v: f64) {
        *self = Self(self.0.min(v), self.1.max(v));
    }
}

impl std::fmt::Display for Range {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.0)?;
        if self.1 - self.0 >= 5e-4 { write!(f, " to {:.3}", self.1) } else { Ok(()) }
    }
}

impl Distortion {
    /// Of the chosen pixels against one pixel (`None`: that of the header); `None` where none differs.
    pub fn new(image: &WcsGeom, chosen: &Array2<bool>, from: Option<PixelShape>) -> Option<Self> {
        let from = from.unwrap_or(NOMINAL);
        let n = chosen.iter().filter(|c| **c).count();
        let step = n.div_ceil(SAMPLE).max(1);
        let mut found = Self {
            part: (0, 0),
            chosen: n,
            area: Range::EMPTY,
            width: Range::EMPTY,
            height: Range::EMPTY,
            flux: Range::EMPTY,
        };
        for ((y, x), _) in chosen.indexed_iter().filter(|(_, c)| **c).step_by(step) {
            found.part.1 += 1;
            let Some(shape) = image.pixel_shape(x as f64, y as f64) else { continue };
            let ratio = PixelShape {
                area: shape.area / from.area,
                width: shape.width / from.width,
                height: shape.height / from.height,
                ..shape
            };
            if is_distorted(&ratio) {
                found.part.0 += 1;
                found.area.add(ratio.area);
                found.width.add(ratio.width);
                found.height.add(ratio.height);
                found.flux.add(flux_factor(&ratio));
            }
        }
        (found.part.0 > 0).then_some(found)
    }

    /// How many pixels differ, and by how much.
    pub fn describe(&self, what: &str) -> String {
        let (n, of) = self.part;
        let (about, number) = if of == self.chosen {
            ("", n)
        } else {
            ("about ", (n as f64 / of as f64 * self.chosen as f64).round() as usize)
        };
        format!(
            "{about}{number} of {} pixels differ from {what} by more than 2 %: their solid angle is {} of it, their \
             sides on the sky are {} (x) and {} (y) of it",
            self.chosen, self.area, self.width, self.height,
        )
    }

    /// By which factor fluxes of point sources come out, where the background dominates and the PSF is wider than pixels.
    pub fn flux(&self) -> String {
        self.flux.to_string()
    }
}

/// A Gaussian on the sky, seen on other pixels than those of its kernel: the weighted mean of the kernel over that of
/// itself.
fn flux_factor(shape: &PixelShape) -> f64 {
    let squares = shape.width * shape.width + shape.height * shape.height;
    2.0 / (1.0 + (squares + 1.0) / (shape.area * shape.area)).sqrt()
}

/// Pixels near the line along which a map of the whole sky is cut open, where nothing follows on the other side.
#[derive(Debug, Clone, Copy)]
pub(super) struct CutOpen {
    pixels: usize,
    chosen: usize,
    kind: Cut,
}

/// How a map is cut open.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The border of a projection of the whole sky.
    Border,
    /// Rows around the sky in a number of columns that is not a whole one.
    Fraction(f64),
}

impl CutOpen {
    /// Chosen pixels whose window of `2 half + 1` rows and columns reaches over the cut; `None` for maps without one.
    pub fn new(image: &WcsGeom, chosen: &Array2<bool>, half: (usize, usize)) -> Option<Self> {
        let projection = image.wcs().header().projection.as_str();
        let (ny, nx) = chosen.dim();
        let count = |near: &dyn Fn(usize, usize) -> bool| {
            chosen.indexed_iter().filter(|((y, x), c)| **c && near(*y, *x)).count()
        };
        let (pixels, kind) = match projection {
            "AIT" | "MOL" | "SFL" | "GLS" => {
                // Sums of pixels beyond the border, from the corner.
                let mut sums = Array2::<u32>::zeros((ny + 1, nx + 1));
                for y in 0..ny {
                    let mut row = 0;
                    for x in 0..nx {
                        row += u32::from(image.pix_to_sky(x as f64, y as f64).is_none());
                        sums[[y + 1, x + 1]] = sums[[y, x + 1]] + row;
                    }
                }
                if sums[[ny, nx]] == 0 {
                    return None;
                }
                let near = |y: usize, x: usize| {
                    let (low_y, high_y) = (y.saturating_sub(half.0), (y + half.0 + 1).min(ny));
                    let (low_x, high_x) = (x.saturating_sub(half.1), (x + half.1 + 1).min(nx));
                    let inside = sums[[high_y, high_x]] + sums[[low_y, low_x]];
                    inside > sums[[high_y, low_x]] + sums[[low_y, high_x]]
                };
                (count(&near), Cut::Border)
            }
            "CAR" | "CEA" | "MER" if image.closes_in_longitude().is_none() => {
                let turn = 360.0 / image.pixel_scales_deg().0;
                if (nx as f64) < turn - half.1.max(1) as f64 {
                    return None;
                }
                (count(&|_, x| x < half.1 || x + half.1 >= nx), Cut::Fraction(turn))
            }
            _ => return None,
        };
        (pixels > 0).then_some(Self { pixels, chosen: chosen.iter().filter(|c| **c).count(), kind })
    }

    pub fn warning(&self) -> String {
        let why = match self.kind {
            Cut::Border => {
                "the map is cut open where its projection ends, and pixels cannot be joined there".to_string()
            }
            Cut::Fraction(turn) => {
                format!("the map goes around the sky in {turn:.3} columns, which cannot be joined: a whole number can")
            }
        };
        format!(
            "{why}: the windows of {} of {} pixels end at that cut; a source there is seen in part on either side, with less \
             significance and flux",
            self.pixels, self.chosen
        )
    }
}
