//! FITS world coordinates (Calabretta & Greisen 2002, FITS paper II): projections and the rotation to the sky.
//!
//! Written from the paper; agreement with astropy is tested in both directions, up to where a projection ends.

mod all_sky;
mod cylindrical;
mod projection;
pub(super) mod rotation;
mod systems;
#[cfg(feature = "fits-system")]
mod turned;
mod zenithal;

use self::projection::Projection;
use self::rotation::Rotation;
pub(crate) use self::systems::System;
#[cfg(feature = "fits-system")]
pub(crate) use self::turned::Fiducial;
use super::frame::Frame;
use crate::error::{Error, Result};

/// A celestial WCS: linear part, projection, rotation.
#[derive(Debug, Clone, PartialEq)]
pub struct Wcs {
    header: WcsHeader,
    projection: Projection,
    rotation: Rotation,
    /// Degrees in the projection plane per pixel: CDELT times PC.
    matrix: [[f64; 2]; 2],
    /// Its inverse.
    inverse: [[f64; 2]; 2],
    /// Plane coordinate y of the reference pixel; not 0 for GLS only.
    y0_deg: f64,
}

/// The keywords that define a [`Wcs`].
#[derive(Debug, Clone, PartialEq)]
pub struct WcsHeader {
    /// FITS code of the projection: CAR, CEA, MER, TAN, SIN, ARC, STG, ZEA, AIT, MOL, SFL, GLS.
    pub projection: String,
    /// Frame of the coordinates.
    pub frame: Frame,
    /// Reference pixel, 1-based as in FITS (x, y).
    pub crpix: (f64, f64),
    /// Reference coordinate in degrees (lon, lat).
    pub crval: (f64, f64),
    /// Increment in degrees per pixel (x, y).
    pub cdelt: (f64, f64),
    /// PC matrix, row by row; unity by default.
    pub pc: [[f64; 2]; 2],
    /// LONPOLE in degrees; `None`: the standard's default.
    pub lonpole: Option<f64>,
    /// LATPOLE in degrees; `None`: the standard's default, 90.
    pub latpole: Option<f64>,
}

/// Pixels further from the reference pixel than this are known to no more than 1e-7 pixels in double precision.
const MOST_PIXELS: f64 = 1e9;

/// Angles of more turns than these are not angles. Some programs write 999 for an unknown LONPOLE or LATPOLE.
const MOST_TURNS_DEG: f64 = 999.0;

impl WcsHeader {
    /// The usual case: unity PC matrix, default LONPOLE and LATPOLE.
    pub fn new(projection: &str, frame: Frame, crpix: (f64, f64), crval: (f64, f64), cdelt: (f64, f64)) -> Self {
        Self {
            projection: projection.to_string(),
            frame,
            crpix,
            crval,
            cdelt,
            pc: [[1.0, 0.0], [0.0, 1.0]],
            lonpole: None,
            latpole: None,
        }
    }
}

impl Wcs {
    /// Prepares the rotation.
    ///
    /// # Errors
    /// [`crate::Error::Input`] for unknown projections, numbers that are not finite or out of all proportion (CRPIX beyond
    /// 1e9, angles beyond 999°), zero increments, a singular PC matrix, or a LONPOLE that is impossible for the reference
    /// latitude.
    pub fn new(header: WcsHeader) -> Result<Self> {
        let projection = Projection::from_code(&header.projection)?;
        let WcsHeader { crpix, crval, cdelt, pc, .. } = &header;
        let numbers = [
            ("CRPIX1", crpix.0, MOST_PIXELS),
            ("CRPIX2", crpix.1, MOST_PIXELS),
            ("CRVAL1", crval.0, MOST_TURNS_DEG),
            ("CRVAL2", crval.1, MOST_TURNS_DEG),
            ("CDELT1", cdelt.0, MOST_TURNS_DEG),
            ("CDELT2", cdelt.1, MOST_TURNS_DEG),
            ("LONPOLE", header.lonpole.unwrap_or(0.0), MOST_TURNS_DEG),
            ("LATPOLE", header.latpole.unwrap_or(0.0), MOST_TURNS_DEG),
        ];
        for (name, value, most) in numbers {
            if !value.is_finite() {
                return Err(Error::input(name, format!("found {value}, a finite number is needed")));
            }
            if value.abs() > most {
                return Err(Error::input(name, format!("{value} is out of all proportion, at most {most} is used")));
            }
        }
        if crval.1.abs() > 90.0 {
            return Err(Error::input("CRVAL2", format!("latitude {} is beyond a pole", crval.1)));
        }
        if cdelt.0 == 0.0 || cdelt.1 == 0.0 {
            return Err(Error::input("CDELT", format!("increments are {} and {}, none may be 0", cdelt.0, cdelt.1)));
        }
        let pc_determinant = pc[0][0] * pc[1][1] - pc[0][1] * pc[1][0];
        if !pc_determinant.is_finite() || pc_determinant == 0.0 {
            return Err(Error::input("PC", format!("the matrix {pc:?} has no inverse")));
        }
        let (matrix, inverse) = linear_part(&header);
        // astropy reads GLS as SFL with the fiducial point at native latitude CRVAL2 (PV1_0 = 1, PV1_2 = CRVAL2).
        let (theta0, y0_deg) =
            if header.projection == "GLS" { (crval.1, crval.1) } else { (projection.theta0_deg(), 0.0) };
        let rotation = Rotation::new(*crval, (0.0, theta0), header.lonpole, header.latpole)?;
        Ok(Self { header, projection, rotation, matrix, inverse, y0_deg })
    }

    /// The keywords.
    pub fn header(&self) -> &WcsHeader {
        &self.header
    }

    /// Frame of the coordinates.
    pub fn frame(&self) -> Frame {
        self.header.frame
    }

    /// LONPOLE and LATPOLE in degrees with the defaults filled in, as astropy writes them to a header.
    pub fn pole_deg(&self) -> (f64, f64) {
        (self.rotation.lonpole_deg, self.rotation.latpole_deg)
    }

    /// The same WCS with the reference pixel moved by `(x, y)` pixels.
    pub fn shifted(&self, x: f64, y: f64) -> Self {
        let mut shifted = self.clone();
        shifted.header.crpix.0 += x;
        shifted.header.crpix.1 += y;
        shifted
    }

    /// The same place on the sky with pixels of `factor` times the size; the corner of the first pixel stays.
    pub(super) fn rescaled(&self, factor: f64) -> Self {
        let mut scaled = self.clone();
        let header = &mut scaled.header;
        header.crpix = ((header.crpix.0 - 0.5) / factor + 0.5, (header.crpix.1 - 0.5) / factor + 0.5);
        header.cdelt = (header.cdelt.0 * factor, header.cdelt.1 * factor);
        (scaled.matrix, scaled.inverse) = linear_part(header);
        scaled
    }

    /// `(lon, lat)` in degrees at a 0-based pixel coordinate; `None` outside the projection. 0 ≤ lon < 360.
    ///
    /// Cylindrical projections (CAR, CEA, MER) repeat the sky beyond 180° from the reference point. Gammapy: NaN there.
    pub fn pix_to_world(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let (dx, dy) = (x + 1.0 - self.header.crpix.0, y + 1.0 - self.header.crpix.1);
        let plane_x = self.matrix[0][0] * dx + self.matrix[0][1] * dy;
        let plane_y = self.matrix[1][0] * dx + self.matrix[1][1] * dy + self.y0_deg;
        if !(plane_x.is_finite() && plane_y.is_finite()) {
            return None;
        }
        Some(match self.projection {
            Projection::Zenithal(p) => self.rotation.sky_of_vector(p.deproject(plane_x, plane_y)?),
            Projection::Cylindrical(p) => {
                let (phi, theta) = p.deproject(plane_x, plane_y)?;
                self.rotation.sky_of_native(phi, theta)
            }
            Projection::AllSky(p) => {
                let (phi, theta) = p.deproject(plane_x, plane_y)?;
                self.rotation.sky_of_native(phi, theta)
            }
        })
    }

    /// 0-based pixel coordinate of `(lon, lat)` in degrees; `None` where it cannot be projected. Of the copies of the sky
    /// in cylindrical projections the one within 180° of the reference point; [`super::WcsGeom::sky_to_pix`] knows the map's
    /// size and takes the one in the map.
    pub fn world_to_pix(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
        if !(lon_deg.is_finite() && lat_deg.abs() <= 90.0) {
            return None;
        }
        let (plane_x, plane_y) = match self.projection {
            Projection::Zenithal(p) => p.project(self.rotation.vector_of_sky(lon_deg, lat_deg))?,
            Projection::Cylindrical(p) => {
                let (phi, theta) = self.rotation.native_of_sky(lon_deg, lat_deg);
                p.project(phi, theta)?
            }
            Projection::AllSky(p) => {
                let (phi, theta) = self.rotation.native_of_sky(lon_deg, lat_deg);
                p.project(phi, theta)?
            }
        };
        let plane_y = plane_y - self.y0_deg;
        let dx = self.inverse[0][0] * plane_x + self.inverse[0][1] * plane_y;
        let dy = self.inverse[1][0] * plane_x + self.inverse[1][1] * plane_y;
        Some((dx + self.header.crpix.0 - 1.0, dy + self.header.crpix.1 - 1.0))
    }

    /// Pixel scales `(x, y)` in degrees, from CDELT and PC.
    pub fn pixel_scales_deg(&self) -> (f64, f64) {
        let m = &self.matrix;
        // Not hypot: the square root of a square is exact, and npix is a ceiling of a ratio to this number.
        let scale = |i: usize| (m[0][i] * m[0][i] + m[1][i] * m[1][i]).sqrt();
        (scale(0), scale(1))
    }

    /// Area of a pixel in the projection plane, in square degrees.
    pub(super) fn pixel_area_deg2(&self) -> f64 {
        let m = &self.matrix;
        (m[0][0] * m[1][1] - m[0][1] * m[1][0]).abs()
    }

    /// The step in pixels `(x, y)` from a place to itself, once around the sky along native longitude; `None` for
    /// projections in which the sky does not repeat.
    pub(super) fn turn_px(&self) -> Option<(f64, f64)> {
        matches!(self.projection, Projection::Cylindrical(_))
            .then(|| (360.0 * self.inverse[0][0], 360.0 * self.inverse[1][0]))
    }

    /// True where both map pixels to the same places: reference pixel and coordinate equal to 1e-6 (in pixels and
    /// degrees), pixel sizes and PC relative to 1e-6. This is the tolerance with which Gammapy compares geometries.
    pub fn is_close(&self, other: &Self) -> bool {
        const TOLERANCE: f64 = 1e-6;
        let (a, b) = (&self.header, &other.header);
        let near = |p: f64, q: f64| (p - q).abs() <= TOLERANCE;
        let same_angle = |p: f64, q: f64| near((p - q + 180.0).rem_euclid(360.0), 180.0);
        let size = self.matrix.as_flattened().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        let matrices = self.matrix.as_flattened().iter().zip(other.matrix.as_flattened());
        a.projection == b.projection
            && a.frame == b.frame
            && near(a.crpix.0, b.crpix.0)
            && near(a.crpix.1, b.crpix.1)
            && same_angle(a.crval.0, b.crval.0)
            && near(a.crval.1, b.crval.1)
            && matrices.into_iter().all(|(p, q)| (p - q).abs() <= TOLERANCE * size)
            && same_angle(self.rotation.lonpole_deg, other.rotation.lonpole_deg)
            && near(self.rotation.latpole_deg, other.rotation.latpole_deg)
    }
}

/// CDELT times PC, and the inverse.
fn linear_part(header: &WcsHeader) -> ([[f64; 2]; 2], [[f64; 2]; 2]) {
    let WcsHeader { cdelt, pc, .. } = header;
    let determinant = pc[0][0] * pc[1][1] - pc[0][1] * pc[1][0];
    let matrix = [[cdelt.0 * pc[0][0], cdelt.0 * pc[0][1]], [cdelt.1 * pc[1][0], cdelt.1 * pc[1][1]]];
    let inverse = [
        [pc[1][1] / determinant / cdelt.0, -pc[0][1] / determinant / cdelt.1],
        [-pc[1][0] / determinant / cdelt.0, pc[0][0] / determinant / cdelt.1],
    ];
    (matrix, inverse)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pair = (f64, f64);
    /// Projection, CRPIX, CRVAL, CDELT, PC, LONPOLE, LATPOLE, 0-based pixel, position.
    type Row = (&'static str, Pair, Pair, Pair, [[f64; 2]; 2], Option<f64>, Option<f64>, Pair, Pair);

    /// From astropy 8.0.2 (wcslib 8.6), `WCS(naxis=2)` with `ctype`, `crpix`, `crval`, `cdelt`, `pc`, `lonpole`,
    /// `latpole` set at random, and `wcs_pix2world(x, y, 0)`.
    #[rustfmt::skip]
    const ASTROPY: &[Row] = &[
        ("CAR", (30.5, 500.0), (-20.0, 49.62342424413484), (0.5, 1.0), [[0.7006507902769289, 1.4270087176808908], [-0.3567521794202227, 0.7006507902769289]], None, Some(90.0), (4.151070371125936, 474.49888347164614), (-52.793879660456554, 35.74592777639678)),
        ("CAR", (181.0, 500.0), (-20.0, -60.0), (0.5, 1.0), [[0.5955521541978487, -1.6066332893729072], [0.4016583223432268, 0.5955521541978487]], None, None, (72.47077916318747, 534.0521903797714), (-117.01691705167646, -36.034945034485474)),
        ("CEA", (181.0, 1.0), (0.0, 85.0), (0.5, 0.05), [[-0.8596571361314331, 0.05108714205143039], [-5.1087142051430385, -0.8596571361314331]], None, Some(90.0), (226.7963217290725, -9.487724666166589), (309.49038664252544, 63.799619460074126)),
        ("CEA", (1.0, 500.0), (83.63, 0.0), (0.5, 1.0), [[1.0, 0.0], [0.0, 1.0]], Some(0.0), Some(90.0), (13.959063013156143, 509.8789478226539), (90.60953150657807, 10.945399485182158)),
        ("CEA", (-200.25, 1.0), (-20.0, -60.0), (-0.1, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, None, (-202.65977994021878, -0.3752064933457484), (-19.71481093872969, -60.374905322742556)),
        ("CEA", (1.0, 500.0), (0.0, -60.0), (-5.0, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, Some(70.26365741365183), (-0.18079100311808557, 499.61397962225607), (1.7745393915934073, -59.37388513626415)),
        ("MER", (1.0, 1.0), (359.9, 0.0), (-1.0, 0.05), [[1.0, 0.0], [0.0, 1.0]], Some(45.0), Some(30.0), (16.610529753111805, -2.30709502466501), (343.2894702468882, -0.11535467330236315)),
        ("MER", (1.0, 500.0), (331.5787881811544, -60.0), (0.5, 1.0), [[-0.7428344134874568, -1.3389503861439318], [0.33473759653598295, -0.7428344134874568]], Some(150.0), None, (-314.04878369322904, 734.4605329455248), (61.74354931650794, -0.8481957626844542)),
        ("MER", (-200.25, 500.0), (83.63, -90.0), (0.5, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, None, (-206.6068944906834, 503.95370929807876), (55.268691706808156, -84.37554620063047)),
        ("MER", (30.5, 20.5), (83.63, 0.0), (-1.0, 1.0), [[1.0, 0.0], [0.0, 1.0]], Some(45.0), None, (-71.26052278671793, 248.00859881918618), (184.39052278671792, 87.8765709483591)),
        ("TAN", (1.0, 1.0), (-20.0, -60.0), (-0.1, 0.05), [[-0.8356352169039174, -0.2746423967043066], [1.0985695868172265, -0.8356352169039174]], Some(150.0), Some(90.0), (7.703186883647871, -20.284910545146232), (-21.083094089650643, -58.851895126169886)),
        ("TAN", (-200.25, 1.0), (359.9, 85.0), (-0.1, -0.3), [[1.0, 0.0], [0.0, 1.0]], Some(30.0), None, (-200.87988069705057, 0.5350757880713809), (1.2201761970812868, 85.11922131808366)),
        ("TAN", (30.5, 500.0), (359.9, 90.0), (-5.0, 0.05), [[1.0, 0.0], [0.0, 1.0]], Some(30.0), None, (29.858007357138128, 498.45627637992203), (60.770112669631715, 88.21033903894669)),
        ("SIN", (181.0, 1.0), (0.0, -60.0), (-0.1, 0.05), [[-0.12802486005985894, -0.495885479522907], [1.983541918091628, -0.12802486005985894]], Some(-90.0), Some(-76.74456455537144), (201.8400094337773, -4.347605308639963), (4.390844439008089, -59.99117877003133)),
        ("SIN", (181.0, 91.0), (88.23679031285835, -90.0), (0.5, -0.3), [[0.06227049919099831, -0.5988355855950624], [1.663432182208507, 0.06227049919099831]], Some(30.0), Some(86.82365411596166), (163.0319577758619, 80.10420456961629), (313.95266631735365, -80.97427873025579)),
        ("SIN", (-200.25, 20.5), (0.0, -60.0), (0.5, 0.05), [[-0.7158034457382265, -0.0698301816601734], [6.983018166017339, -0.7158034457382265]], Some(150.0), None, (-200.8458128084678, 20.735911931732346), (359.57768965577986, -60.00932372002489)),
        ("SIN", (1.0, 20.5), (58.13103358617366, 22.0), (0.5, 1.0), [[-0.5480910705824485, -1.6728373242461867], [0.4182093310615467, -0.5480910705824485]], Some(0.0), None, (0.12996324289416186, 19.07916575025378), (57.790488191095925, 21.714639272180232)),
        ("ARC", (181.0, 20.5), (180.0, -90.0), (0.5, -0.3), [[-0.9963345655644769, 0.05132519893892547], [-0.14256999705257076, -0.9963345655644769]], Some(180.0), Some(-90.0), (296.99389892017285, 108.48364902208712), (119.43678727358646, -25.69975756241937)),
        ("ARC", (181.0, 20.5), (83.63, 0.0), (-1.0, -0.3), [[-0.8957659388658846, -0.13335780610483522], [1.481753401164836, -0.8957659388658846]], Some(90.0), Some(60.62798923812798), (181.27923456313118, 18.892962735895598), (84.36186631857952, 1.0649126349964013)),
        ("ARC", (1.0, 500.0), (359.9, -90.0), (-5.0, 1.0), [[0.9999690989724145, 0.001572273516884859], [-0.039306837922121474, 0.9999690989724145]], Some(30.0), None, (-1.6539769824775188, 524.6203240589066), (227.33893120511306, -63.07803867940667)),
        ("STG", (181.0, 91.0), (180.0, 10.016172899877688), (-5.0, -0.3), [[-0.988253647535105, -0.009169352282512496], [2.547042300697916, -0.988253647535105]], Some(150.0), Some(30.0), (106.96058302311411, 209.72921531118095), (34.98707363043525, -17.076249701179446)),
        ("STG", (-200.25, 91.0), (0.0, -90.0), (-5.0, 1.0), [[0.37913352076831536, 0.18506839529534172], [-4.626709882383543, 0.37913352076831536]], Some(150.0), Some(7.4381719116008185), (-242.85580143125134, 72.78659767527348), (357.0101963144913, 32.469244229825726)),
        ("STG", (-200.25, 1.0), (359.9, 0.0), (0.5, 0.05), [[1.0, 0.0], [0.0, 1.0]], None, None, (-201.49592556963248, -0.27651618736926303), (359.77703726058854, -0.013825793381770752)),
        ("STG", (30.5, 20.5), (180.0, 85.0), (0.5, 0.05), [[0.5409211089179337, 0.08410733344524679], [-8.410733344524678, 0.5409211089179337]], None, None, (-402.80580568036, 147.27291710898072), (29.47760378149644, -29.841291197006644)),
        ("ZEA", (1.0, 500.0), (83.63, 0.0), (-0.1, 0.05), [[-0.21286702015205095, -0.4885405898519555], [1.954162359407822, -0.21286702015205095]], Some(90.0), Some(-90.0), (34.34034329196069, 476.5552295189993), (80.03513767915663, -0.3653462566504656)),
        ("ZEA", (181.0, 500.0), (0.0, 90.0), (-5.0, -0.3), [[1.0, 0.0], [0.0, 1.0]], Some(180.0), Some(78.71409260798598), (181.13614599488082, 499.3458468320933), (271.0463458569202, 84.31599208495233)),
        ("ZEA", (181.0, 91.0), (-20.0, 90.0), (-1.0, 0.05), [[-0.9973864731823144, 0.0036125555749857807], [-1.445022229994312, -0.9973864731823144]], None, Some(50.82494683547279), (180.4776831113697, 90.22749442880489), (-115.50737897339482, 89.52218009419059)),
        ("AIT", (1.0, 1.0), (180.0, 0.0), (-1.0, 0.05), [[1.0, 0.0], [0.0, 1.0]], Some(-90.0), Some(-2.8905530445235), (0.007560759433567929, -0.13215166787658525), (180.00756075947265, 0.006607583393895213)),
        ("AIT", (181.0, 500.0), (0.0, -90.0), (-5.0, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, None, (179.74364351618482, 497.79245465526424), (133.29361334006595, -88.23890331077172)),
        ("AIT", (1.0, 500.0), (-20.0, 44.30732156927098), (-1.0, -0.3), [[1.0, 0.0], [0.0, 1.0]], Some(30.0), None, (-16.466513925770077, 476.14892849760014), (-1.5819626653129149, 58.14018149375545)),
        ("MOL", (181.0, 500.0), (180.0, 0.0), (0.5, 1.0), [[0.7271272251634201, 1.3730054601874604], [-0.3432513650468651, 0.7271272251634201]], Some(150.0), Some(26.839158771944014), (179.7533955459666, 501.41745889760244), (181.7442111260146, 1.6588743440379086)),
        ("MOL", (-200.25, 1.0), (180.0, 0.0), (-5.0, -0.3), [[-0.6418796587931767, 0.04600832330197655], [-12.780089806104598, -0.6418796587931767]], Some(30.0), Some(-90.0), (-201.57648552653794, 1.6020293725085748), (181.5732820474038, 0.8492454395341008)),
        ("MOL", (1.0, 500.0), (359.9, 22.0), (0.5, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, Some(-90.0), (-0.736192972348476, 495.0667888809105), (0.3528045508556943, 25.541392732246837)),
        ("MOL", (181.0, 1.0), (210.84196266769044, -90.0), (-0.1, 1.0), [[1.0, 0.0], [0.0, 1.0]], None, None, (179.06426671446206, -1.2484482271377562), (25.55914384268027, -88.87117861403289)),
        ("SFL", (1.0, 500.0), (0.0, 22.0), (-1.0, 0.05), [[0.9920667551067341, 0.006285609240955725], [-2.51424369638229, 0.9920667551067341]], Some(30.0), Some(-27.280276238573073), (1.563669072146461, 499.87999849217294), (1.668636594165548, 21.77714938440817)),
        ("SFL", (-200.25, 91.0), (83.63, 85.0), (-1.0, -0.3), [[0.8855403326309637, 0.1393687509291297], [-1.5485416769903302, 0.8855403326309637]], None, None, (-182.77064047790176, 55.74937537766405), (305.8290451506322, 72.60786849831261)),
        ("SFL", (-200.25, 500.0), (180.0, 85.0), (-1.0, 1.0), [[-0.9308535057367578, 0.36539259825232884], [-0.36539259825232884, -0.9308535057367578]], None, None, (-200.95421508860437, 499.797786467288), (179.84134446254117, 84.14927774372555)),
        ("GLS", (1.0, 20.5), (83.63, 0.0), (-0.1, -0.3), [[0.7858343691592545, 1.8553110516117473], [-0.2061456724013053, 0.7858343691592545]], Some(45.0), Some(-73.87378569562858), (-14.384483979126916, 5.754581236189567), (79.94631470643026, -2.350897008319744)),
        ("GLS", (181.0, 1.0), (-20.0, -60.0), (0.5, -0.3), [[-0.4261827166341607, -0.5427822630993367], [1.5077285086092689, -0.4261827166341607]], Some(335.4567400889281), Some(-90.0), (222.12408040214524, 21.11900945692339), (-82.33867054552935, -76.35333602948677)),
        ("GLS", (-200.25, 500.0), (180.0, 85.0), (-0.1, -0.3), [[0.32869678573683697, 2.833306514907352], [-0.31481183498970583, 0.32869678573683697]], None, Some(90.0), (-201.29247891408497, 499.90434298024877), (177.12949261463652, 84.90681175128913)),
        ("GLS", (30.5, 91.0), (180.0, -60.0), (-0.1, 0.05), [[1.0, 0.0], [0.0, 1.0]], None, None, (29.666786810140977, 89.58732830380332), (179.96662181606382, -60.020633584809836)),
    ];

    fn wcs(row: &Row) -> Wcs {
        let &(projection, crpix, crval, cdelt, pc, lonpole, latpole, ..) = row;
        let frame = Frame::Icrs;
        let projection = projection.to_string();
        Wcs::new(WcsHeader { projection, frame, crpix, crval, cdelt, pc, lonpole, latpole }).unwrap()
    }

    #[test]
    fn positions_are_astropys() {
        for row in ASTROPY {
            let (pixel, (lon, lat)) = (row.7, row.8);
            let wcs = wcs(row);
            let (l, b) = wcs.pix_to_world(pixel.0, pixel.1).unwrap();
            let dlon = ((l - lon + 180.0).rem_euclid(360.0) - 180.0) * lat.to_radians().cos();
            assert!(dlon.abs() < 1e-11 && (b - lat).abs() < 1e-11, "{row:?}: {l} {b}");
            let (x, y) = wcs.world_to_pix(lon, lat).unwrap();
            assert!((x - pixel.0).abs() < 1e-7 && (y - pixel.1).abs() < 1e-7, "{row:?}: {x} {y}");
        }
    }

    fn header(projection: &str, crval: Pair) -> WcsHeader {
        WcsHeader::new(projection, Frame::Galactic, (1.0, 1.0), crval, (1.0, 1.0))
    }

    #[test]
    fn projections_end_where_astropys_do() {
        let r = 180.0 / std::f64::consts::PI;
        let diagonal = 2.0 * std::f64::consts::SQRT_2 * r;
        for (code, x_end, y_end) in [
            ("CAR", 180.0, 90.0),
            ("CEA", 180.0, r),
            ("SFL", 180.0, 90.0),
            ("AIT", diagonal, diagonal / 2.0),
            ("MOL", diagonal, diagonal / 2.0),
            ("ZEA", 2.0 * r, 2.0 * r),
            ("SIN", r, r),
            ("ARC", 180.0, 180.0),
        ] {
            let wcs = Wcs::new(header(code, (0.0, 0.0))).unwrap();
            for sign in [-1.0, 1.0] {
                assert!(wcs.pix_to_world(sign * x_end, 0.0).is_some(), "{code}");
                assert!(wcs.pix_to_world(0.0, sign * y_end).is_some(), "{code}");
                // Beyond the ends of a cylinder the sky goes on, as it does not in astropy.
                let beyond = wcs.pix_to_world(sign * x_end * (1.0 + 1e-9), 0.0);
                assert_eq!(beyond.is_some(), matches!(code, "CAR" | "CEA"), "{code}");
                assert!(wcs.pix_to_world(0.0, sign * y_end * (1.0 + 1e-9)).is_none(), "{code}");
            }
        }
        for code in ["TAN", "SIN"] {
            let wcs = Wcs::new(header(code, (10.0, 20.0))).unwrap();
            assert_eq!(wcs.world_to_pix(190.0, -20.0), None);
            assert_eq!(wcs.world_to_pix(190.0, -10.0), None);
        }
        let wcs = Wcs::new(header("CAR", (0.0, 0.0))).unwrap();
        assert_eq!(wcs.pix_to_world(f64::NAN, 0.0), None);
        assert_eq!(wcs.world_to_pix(0.0, 90.5), None);
        assert_eq!(wcs.world_to_pix(f64::INFINITY, 0.0), None);
    }

    #[test]
    fn plate_carree_on_the_equator_is_exact() {
        let wcs = Wcs::new(WcsHeader::new("CAR", Frame::Galactic, (1.0, 1.0), (0.0, 0.0), (-0.5, 0.5))).unwrap();
        assert_eq!(wcs.pix_to_world(10.0, 7.0), Some((355.0, 3.5)));
        assert_eq!(wcs.world_to_pix(355.0, 3.5), Some((10.0, 7.0)));
        // Both ends of the map keep their side, as in wcslib.
        assert_eq!(wcs.world_to_pix(180.0, 0.0), Some((-360.0, 0.0)));
        assert_eq!(wcs.world_to_pix(-180.0, 0.0), Some((360.0, 0.0)));
    }

    #[test]
    fn impossible_headers_are_errors() {
        let with = |change: fn(&mut WcsHeader)| {
            let mut h = header("CAR", (10.0, 22.0));
            change(&mut h);
            Wcs::new(h).map_err(|e| e.to_string())
        };
        assert!(with(|_| ()).is_ok());
        assert!(with(|h| h.lonpole = Some(150.0)).unwrap_err().starts_with("LONPOLE: 150 is impossible"));
        assert!(with(|h| h.lonpole = Some(30.0)).is_ok());
        assert!(with(|h| h.projection = "XXX".to_string()).is_err());
        assert!(with(|h| h.cdelt.1 = 0.0).is_err());
        assert!(with(|h| h.crval.1 = 91.0).is_err());
        assert!(with(|h| h.crpix.0 = f64::NAN).is_err());
        assert!(with(|h| h.pc = [[1.0, 2.0], [2.0, 4.0]]).is_err());
    }

    #[test]
    fn poles_have_astropys_defaults() {
        for (code, crval, pole) in [
            ("CAR", (10.0, -3.0), (180.0, 87.0)),
            ("CAR", (83.63, 22.01), (0.0, 67.99)),
            ("AIT", (120.0, 85.0), (0.0, 5.0)),
            ("TAN", (83.63, 22.01), (180.0, 22.01)),
            ("TAN", (10.0, 90.0), (0.0, 90.0)),
            ("GLS", (83.63, 22.01), (0.0, 90.0)),
        ] {
            let found = Wcs::new(header(code, crval)).unwrap().pole_deg();
            assert!((found.0 - pole.0).abs() < 1e-12 && (found.1 - pole.1).abs() < 1e-12, "{code} {crval:?} {found:?}");
        }
    }

    #[test]
    fn latpole_0_turns_the_map_over_as_in_astropy() {
        let with = |lonpole: Option<f64>, latpole: f64, lat0: f64| {
            let mut h = header("CAR", (0.0, lat0));
            (h.lonpole, h.latpole, h.cdelt.0) = (lonpole, Some(latpole), -1.0);
            Wcs::new(h).map(|wcs| wcs.pix_to_world(1.0, 2.0))
        };
        assert_eq!(with(None, 0.0, 0.0).unwrap(), Some((1.0, -2.0)));
        assert_eq!(with(Some(180.0), 0.0, 0.0).unwrap(), Some((359.0, 2.0)));
        assert_eq!(with(None, 90.0, 0.0).unwrap(), Some((359.0, 2.0)));
        assert!(with(Some(0.0), 0.0, -29.0).is_err() && with(Some(180.0), 0.0, 29.0).is_err());
        let (lon, lat) = with(None, 0.0, 29.0).unwrap().unwrap();
        assert!((lon - 1.12160991).abs() < 1e-8 && (lat - 26.99525482).abs() < 1e-8);
    }

    #[test]
    fn scales_come_from_cdelt_and_pc() {
        let mut h = header("TAN", (0.0, 0.0));
        h.cdelt = (-0.1, 0.3);
        assert_eq!(Wcs::new(h.clone()).unwrap().pixel_scales_deg(), (0.1, 0.3));
        h.pc = [[0.0, -1.0], [1.0, 0.0]];
        assert_eq!(Wcs::new(h).unwrap().pixel_scales_deg(), (0.3, 0.1));
    }

    #[test]
    fn closeness_is_gammapys() {
        let wcs = Wcs::new(header("CAR", (359.9999999, 22.0))).unwrap();
        assert!(wcs.is_close(&Wcs::new(header("CAR", (-1e-7, 22.0))).unwrap()));
        assert!(!wcs.is_close(&Wcs::new(header("CAR", (0.0001, 22.0))).unwrap()));
        assert!(!wcs.is_close(&Wcs::new(header("SFL", (359.9999999, 22.0))).unwrap()));
        assert!(!wcs.is_close(&wcs.shifted(1.0, 0.0)));
    }
}
