//! Colour maps: tables of anchors.

use std::str::FromStr;

use crate::error::{Error, Result};

/// A colour map.
///
/// They look as those of the same name in matplotlib (viridis and its sisters: public domain, van der Walt & Smith 2015;
/// cividis: Nuñez et al. 2018; coolwarm: Moreland 2009; Greys and RdBu: Brewer 2002).
///
/// ```
/// use pevatron::plot::ColourMap;
/// assert_eq!("RdBu_r".parse::<ColourMap>()?, ColourMap::RdBuReversed);
/// assert_eq!(ColourMap::Coolwarm.colour(-1.0), [59, 76, 192]);
/// let told = "jet".parse::<ColourMap>().unwrap_err().to_string();
/// assert!(ColourMap::ALL.iter().all(|map| told.contains(map.name())));
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ColourMap {
    /// Dark violet to yellow; even steps for all eyes.
    #[default]
    Viridis,
    /// Blue over magenta to yellow.
    Plasma,
    /// Black over red to pale yellow.
    Inferno,
    /// Black over purple to pale pink.
    Magma,
    /// Blue to yellow, the same for colour-blind and other eyes.
    Cividis,
    /// White to black, for print.
    Greys,
    /// Black to white.
    Gray,
    /// Black over red and yellow to white.
    Hot,
    /// Black over brown and orange to white.
    Afmhot,
    /// Blue, pale grey, red; centred on zero as are all of the following.
    Coolwarm,
    /// Red, white, blue.
    RdBu,
    /// Blue, white, red: `RdBu_r`.
    RdBuReversed,
    /// Dark blue, blue, white, red, dark red.
    Seismic,
    /// Blue, white, red in equal steps.
    Bwr,
    /// Blue, nearly white, orange to dark red, centred on zero: for significances and residuals. The inner fifth of
    /// each side stays pale; with [`Stretch::Significance`](super::Stretch) that is ±2σ, and 5σ is a full orange.
    Diverging,
}

const VIRIDIS: &[u32] = &[
    0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d, 0x2c728e, 0x26828e, 0x21918c, 0x1f9f88, 0x27ad81,
    0x3dbc74, 0x5cc863, 0x81d34d, 0xaadc32, 0xd5e21a, 0xfde725,
];
const INFERNO: &[u32] = &[
    0x000004, 0x0b0724, 0x210c4a, 0x3d0965, 0x57106e, 0x71196e, 0x8a226a, 0xa32c61, 0xbc3754, 0xd04545, 0xe35933,
    0xf1711f, 0xf98c0a, 0xfcaa0f, 0xf9c932, 0xf2e865, 0xfcffa4,
];
const MAGMA: &[u32] = &[
    0x000004, 0x0a0822, 0x1d1147, 0x36106b, 0x51127c, 0x6a1c81, 0x832681, 0x9c2e7f, 0xb73779, 0xcf4070, 0xe55064,
    0xf4695c, 0xfb8761, 0xfea571, 0xfec287, 0xfde0a1, 0xfcfdbf,
];
const CIVIDIS: &[u32] = &[
    0x00224e, 0x002e6a, 0x1a386f, 0x32436d, 0x434e6c, 0x535a6d, 0x61656f, 0x6f7073, 0x7d7c78, 0x8b8778, 0x9a9376,
    0xaaa073, 0xbbad6d, 0xccba64, 0xddc858, 0xefd748, 0xfee838,
];
const PLASMA: &[u32] = &[
    0x0d0887, 0x310597, 0x4c02a1, 0x6600a7, 0x7e03a8, 0x9511a1, 0xaa2395, 0xbc3587, 0xcc4778, 0xda5a6a, 0xe66c5c,
    0xf0804e, 0xf89540, 0xfdac33, 0xfdc527, 0xf8df25, 0xf0f921,
];
const COOLWARM: &[u32] = &[
    0x3b4cc0, 0x4e68d8, 0x6282ea, 0x779af7, 0x8db0fe, 0xa3c2fe, 0xb9d0f9, 0xccd9ed, 0xdddcdc, 0xecd3c5, 0xf5c4ac,
    0xf7b093, 0xf4987a, 0xeb7d62, 0xdd5f4b, 0xca3b37, 0xb40426,
];
const GREYS: &[u32] = &[0xffffff, 0xf0f0f0, 0xd9d9d9, 0xbdbdbd, 0x969696, 0x737373, 0x525252, 0x252525, 0x000000];
const RD_BU: &[u32] =
    &[0x67001f, 0xb2182b, 0xd6604d, 0xf4a582, 0xfddbc7, 0xf7f7f7, 0xd1e5f0, 0x92c5de, 0x4393c3, 0x2166ac, 0x053061];
const SEISMIC: &[u32] = &[0x00004c, 0x0000ff, 0xffffff, 0xff0000, 0x800000];
const BWR: &[u32] = &[0x0000ff, 0xffffff, 0xff0000];
const GRAY: &[u32] = &[0x000000, 0xffffff];
/// Red, green and blue one after the other.
const AFMHOT: &[u32] = &[0x000000, 0x800000, 0xff8000, 0xffff80, 0xffffff];
const HOT: &[(f64, u32)] = &[(0.0, 0x0b0000), (0.365_079, 0xff0000), (0.746_032, 0xffff00), (1.0, 0xffffff)];

/// Positions on [-1, 1] and colours; lightness falls evenly on both sides, blue against orange is told apart by
/// all common kinds of colour blindness.
const DIVERGING: &[(f64, u32)] = &[
    (-1.0, 0x06163d),
    (-0.8, 0x123a7c),
    (-0.65, 0x2263a8),
    (-0.5, 0x4a91c9),
    (-0.4, 0x84b6dd),
    (-0.3, 0xb9d5ea),
    (-0.2, 0xdde9f2),
    (0.0, 0xf8f8f6),
    (0.2, 0xf8ead9),
    (0.3, 0xfad2a6),
    (0.4, 0xf7a95f),
    (0.5, 0xea7426),
    (0.65, 0xc8381c),
    (0.8, 0x8d1022),
    (1.0, 0x38031c),
];

/// Red, green and blue as bytes.
pub(super) type Rgb = [u8; 3];

fn bytes(hex: u32) -> Rgb {
    [(hex >> 16) as u8, (hex >> 8) as u8, hex as u8]
}

fn linear(byte: u8) -> f64 {
    let c = f64::from(byte) / 255.0;
    if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
}

fn byte(linear: f64) -> u8 {
    let c = if linear <= 0.003_130_8 { linear * 12.92 } else { 1.055 * linear.powf(1.0 / 2.4) - 0.055 };
    (c * 255.0).round().clamp(0.0, 255.0) as u8
}

/// Oklab (Ottosson 2020) of an sRGB colour.
fn oklab(rgb: Rgb) -> [f64; 3] {
    let [r, g, b] = rgb.map(linear);
    let l = (0.412_221_470_8 * r + 0.536_332_536_3 * g + 0.051_445_992_9 * b).cbrt();
    let m = (0.211_903_498_2 * r + 0.680_699_545_1 * g + 0.107_396_956_6 * b).cbrt();
    let s = (0.088_302_461_9 * r + 0.281_718_837_6 * g + 0.629_978_700_5 * b).cbrt();
    [
        0.210_454_255_3 * l + 0.793_617_785_0 * m - 0.004_072_046_8 * s,
        1.977_998_495_1 * l - 2.428_592_205_0 * m + 0.450_593_709_9 * s,
        0.025_904_037_1 * l + 0.782_771_766_2 * m - 0.808_675_766_0 * s,
    ]
}

fn from_oklab([lightness, a, b]: [f64; 3]) -> Rgb {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    [
        byte(4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s),
        byte(-1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s),
        byte(-0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s),
    ]
}

/// The anchors on both sides of a position from 0 to 1, evenly spread, and how far it is from the first to the second.
fn between(table: &[u32], position: f64) -> (u32, u32, f64) {
    let x = position.clamp(0.0, 1.0) * (table.len() - 1) as f64;
    let i = (x as usize).min(table.len() - 2);
    (table[i], table[i + 1], x - i as f64)
}

/// The same where the anchors have positions of their own.
fn between_places(table: &[(f64, u32)], x: f64) -> (u32, u32, f64) {
    let i = table.iter().rposition(|(p, _)| *p <= x).unwrap_or(0).min(table.len() - 2);
    let ((p, a), (q, b)) = (table[i], table[i + 1]);
    (a, b, (x - p) / (q - p))
}

/// Between two colours, in even steps for the eye.
fn mix(a: u32, b: u32, share: f64) -> Rgb {
    let (a, b) = (oklab(bytes(a)), oklab(bytes(b)));
    from_oklab([0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * share))
}

/// Between two colours, in even steps of the bytes.
fn blend(a: u32, b: u32, share: f64) -> Rgb {
    let (a, b) = (bytes(a), bytes(b));
    [0, 1, 2].map(|i| (f64::from(a[i]) + (f64::from(b[i]) - f64::from(a[i])) * share).round() as u8)
}

impl ColourMap {
    /// All of them, in the order of the error of an unknown name.
    pub const ALL: [Self; 15] = [
        Self::Viridis,
        Self::Plasma,
        Self::Inferno,
        Self::Magma,
        Self::Cividis,
        Self::Greys,
        Self::Gray,
        Self::Hot,
        Self::Afmhot,
        Self::Coolwarm,
        Self::RdBu,
        Self::RdBuReversed,
        Self::Seismic,
        Self::Bwr,
        Self::Diverging,
    ];

    /// Its name in matplotlib; `significance` for [`ColourMap::Diverging`], which is not there.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viridis => "viridis",
            Self::Plasma => "plasma",
            Self::Inferno => "inferno",
            Self::Magma => "magma",
            Self::Cividis => "cividis",
            Self::Greys => "Greys",
            Self::Gray => "gray",
            Self::Hot => "hot",
            Self::Afmhot => "afmhot",
            Self::Coolwarm => "coolwarm",
            Self::RdBu => "RdBu",
            Self::RdBuReversed => "RdBu_r",
            Self::Seismic => "seismic",
            Self::Bwr => "bwr",
            Self::Diverging => "significance",
        }
    }

    /// True for maps that are centred on zero.
    pub fn is_diverging(self) -> bool {
        matches!(self, Self::Coolwarm | Self::RdBu | Self::RdBuReversed | Self::Seismic | Self::Bwr | Self::Diverging)
    }

    /// Whether zero is in the middle of a scale that begins at `lo` and ends at `hi`: where there are values on both
    /// sides of it. The colours of significances mean the same in every map.
    pub(super) fn is_centred(self, lo: f64, hi: f64) -> bool {
        self == Self::Diverging || (self.is_diverging() && lo < 0.0 && hi > 0.0)
    }

    /// Whether its ground is so light that lines on it are dark.
    pub(super) fn is_light(self) -> bool {
        self.is_diverging() || self == Self::Greys
    }

    /// Red, green and blue at a position: 0 to 1, diverging maps −1 to 1; beyond, the colour of the end.
    pub fn colour(self, position: f64) -> [u8; 3] {
        let mixed = |table: &[u32]| {
            let (a, b, share) = between(table, position);
            mix(a, b, share)
        };
        let blended = |table: &[u32], position: f64| {
            let (a, b, share) = between(table, position);
            blend(a, b, share)
        };
        // From −1 to 1.
        let half = 0.5 * (position + 1.0);
        match self {
            Self::Viridis => mixed(VIRIDIS),
            Self::Plasma => mixed(PLASMA),
            Self::Inferno => mixed(INFERNO),
            Self::Magma => mixed(MAGMA),
            Self::Cividis => mixed(CIVIDIS),
            Self::Greys => blended(GREYS, position),
            Self::Gray => blended(GRAY, position),
            Self::Afmhot => blended(AFMHOT, position),
            Self::Hot => {
                let (a, b, share) = between_places(HOT, position.clamp(0.0, 1.0));
                blend(a, b, share)
            }
            Self::Coolwarm => blended(COOLWARM, half),
            Self::RdBu => blended(RD_BU, half),
            Self::RdBuReversed => blended(RD_BU, 1.0 - half),
            Self::Seismic => blended(SEISMIC, half),
            Self::Bwr => blended(BWR, half),
            Self::Diverging => {
                let (a, b, share) = between_places(DIVERGING, position.clamp(-1.0, 1.0));
                mix(a, b, share)
            }
        }
    }
}

impl FromStr for ColourMap {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|map| map.name() == text.trim());
        found.ok_or_else(|| Error::not_one_of("cmap", text, Self::ALL.iter().map(|map| map.name())))
    }
}

/// `#rrggbb`.
pub(super) fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_hit_and_ends_hold() {
        assert_eq!(ColourMap::Viridis.colour(0.0), [0x44, 0x01, 0x54]);
        assert_eq!(ColourMap::Viridis.colour(7.0), [0xfd, 0xe7, 0x25]);
        assert_eq!(ColourMap::Viridis.colour(0.5), [0x21, 0x91, 0x8c]);
        assert_eq!(ColourMap::Diverging.colour(0.0), [0xf8, 0xf8, 0xf6]);
        assert_eq!(ColourMap::Diverging.colour(0.5), [0xea, 0x74, 0x26]);
    }

    /// Numbers of matplotlib 3.11 at five places of each map.
    #[test]
    fn maps_look_as_in_matplotlib() {
        let wanted = [
            ("plasma", [0x0d0887, 0x7e03a8, 0xcc4778, 0xf89540, 0xf0f921]),
            ("Greys", [0xffffff, 0xd9d9d9, 0x959595, 0x515151, 0x000000]),
            ("gray", [0x000000, 0x404040, 0x808080, 0xc0c0c0, 0xffffff]),
            ("hot", [0x0b0000, 0xb30000, 0xff5c00, 0xffff07, 0xffffff]),
            ("afmhot", [0x000000, 0x800000, 0xff8001, 0xffff81, 0xffffff]),
            ("coolwarm", [0x3b4cc0, 0x8db0fe, 0xdddcdc, 0xf4987a, 0xb40426]),
            ("RdBu", [0x67001f, 0xe58368, 0xf6f7f7, 0x68abd0, 0x053061]),
            ("RdBu_r", [0x053061, 0x68abd0, 0xf6f7f7, 0xe58368, 0x67001f]),
            ("seismic", [0x00004c, 0x0101ff, 0xfffdfd, 0xfe0000, 0x800000]),
            ("bwr", [0x0000ff, 0x8080ff, 0xfffefe, 0xff7e7e, 0xff0000]),
        ];
        for (name, colours) in wanted {
            let map: ColourMap = name.parse().unwrap();
            assert_eq!(map.name(), name);
            for (i, wanted) in colours.into_iter().enumerate() {
                let share = i as f64 / 4.0;
                let found = map.colour(if map.is_diverging() { 2.0 * share - 1.0 } else { share });
                let far = (0..3).map(|k| found[k].abs_diff(bytes(wanted)[k])).max().unwrap();
                // 256 colours there, a continuum here: a step of the steepest part.
                assert!(far <= 6, "{name} at {share}: {} and {}", hex(found), hex(bytes(wanted)));
            }
        }
        assert!("Viridis".parse::<ColourMap>().unwrap_err().help().unwrap().contains("viridis"));
    }

    /// Whoever prints in grey or sees few colours reads the lightness: it must run one way.
    #[test]
    fn lightness_is_monotone() {
        let lightness = |map: ColourMap, p: f64| oklab(map.colour(p))[0];
        for map in [ColourMap::Viridis, ColourMap::Plasma, ColourMap::Inferno, ColourMap::Magma, ColourMap::Cividis] {
            for i in 0..100 {
                let p = f64::from(i) / 100.0;
                assert!(lightness(map, p + 0.01) > lightness(map, p) - 0.003, "{map:?} at {p}");
            }
        }
        for i in 0..100 {
            let p = f64::from(i) / 100.0;
            assert!(lightness(ColourMap::Diverging, p + 0.01) < lightness(ColourMap::Diverging, p) + 0.003, "at {p}");
            assert!(lightness(ColourMap::Diverging, -p - 0.01) < lightness(ColourMap::Diverging, -p) + 0.003, "-{p}");
        }
    }
}
