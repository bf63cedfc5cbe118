//! Units of gamma-ray files: FITS and astropy spelling, products and powers, conversion factors.

use std::fmt;

use crate::error::{Error, Result};

/// Exponents of length, time, energy, angle and mass-free counts.
type Dims = [i8; 4];

/// A unit: the text it was written as, its scale against (m, s, TeV, rad), and its dimensions.
///
/// Dimensionless names (`ph`, `count`, `ct`, `adu`, `pix`, the empty string) are all 1.
///
/// ```
/// use pevatron::units::Unit;
/// let a: Unit = "cm2 s".parse()?;
/// let b: Unit = "m2 s".parse()?;
/// assert!((b.factor_to(&a)? - 1e4).abs() < 1e-9);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Unit {
    text: String,
    scale: f64,
    dims: Dims,
}

impl PartialEq for Unit {
    /// Units are equal when they mean the same, whatever their spelling.
    fn eq(&self, other: &Self) -> bool {
        self.dims == other.dims && (self.scale / other.scale - 1.0).abs() < 1e-12
    }
}

impl Default for Unit {
    fn default() -> Self {
        Self::dimensionless()
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Energy of one erg in TeV (CODATA 2018, exact by the SI definition of e).
const ERG_TEV: f64 = 1.0 / 1.602_176_634;

/// A parsec in metres: 648000 / pi astronomical units (IAU 2015).
const PARSEC_M: f64 = 3.085_677_581_491_367e16;

const ATOMS: [(&str, f64, Dims); 34] = [
    ("m", 1.0, [1, 0, 0, 0]),
    ("cm", 1e-2, [1, 0, 0, 0]),
    ("km", 1e3, [1, 0, 0, 0]),
    ("pc", PARSEC_M, [1, 0, 0, 0]),
    ("kpc", 1e3 * PARSEC_M, [1, 0, 0, 0]),
    ("Mpc", 1e6 * PARSEC_M, [1, 0, 0, 0]),
    ("s", 1.0, [0, 1, 0, 0]),
    ("sec", 1.0, [0, 1, 0, 0]),
    ("ms", 1e-3, [0, 1, 0, 0]),
    ("min", 60.0, [0, 1, 0, 0]),
    ("h", 3600.0, [0, 1, 0, 0]),
    ("d", 86400.0, [0, 1, 0, 0]),
    ("day", 86400.0, [0, 1, 0, 0]),
    ("yr", 31_557_600.0, [0, 1, 0, 0]),
    ("eV", 1e-12, [0, 0, 1, 0]),
    ("keV", 1e-9, [0, 0, 1, 0]),
    ("MeV", 1e-6, [0, 0, 1, 0]),
    ("GeV", 1e-3, [0, 0, 1, 0]),
    ("TeV", 1.0, [0, 0, 1, 0]),
    ("PeV", 1e3, [0, 0, 1, 0]),
    ("erg", ERG_TEV, [0, 0, 1, 0]),
    ("J", 1e7 * ERG_TEV, [0, 0, 1, 0]),
    ("rad", 1.0, [0, 0, 0, 1]),
    ("deg", std::f64::consts::PI / 180.0, [0, 0, 0, 1]),
    ("arcmin", std::f64::consts::PI / 10800.0, [0, 0, 0, 1]),
    ("arcsec", std::f64::consts::PI / 648_000.0, [0, 0, 0, 1]),
    ("sr", 1.0, [0, 0, 0, 2]),
    ("ph", 1.0, [0; 4]),
    ("photon", 1.0, [0; 4]),
    ("ct", 1.0, [0; 4]),
    ("count", 1.0, [0; 4]),
    ("counts", 1.0, [0; 4]),
    ("adu", 1.0, [0; 4]),
    ("pix", 1.0, [0; 4]),
];

impl Unit {
    /// The unit 1.
    pub fn dimensionless() -> Self {
        Self { text: String::new(), scale: 1.0, dims: [0; 4] }
    }

    /// True if it has no dimension (its scale may differ from 1).
    pub fn is_dimensionless(&self) -> bool {
        self.dims == [0; 4]
    }

    /// The number that turns a value in this unit into one in `target`.
    ///
    /// # Errors
    /// [`Error::Input`] where the dimensions differ.
    pub fn factor_to(&self, target: &Self) -> Result<f64> {
        if self.dims == target.dims {
            Ok(self.scale / target.scale)
        } else {
            Err(Error::input("unit", format!("'{self}' cannot be converted to '{target}'")))
        }
    }

    /// [`Unit::factor_to`] a unit given as text.
    ///
    /// # Errors
    /// Where the text is no unit or the dimensions differ.
    pub fn factor_to_text(&self, target: &str) -> Result<f64> {
        self.factor_to(&target.parse()?)
    }

    /// The product of two units, spelled one after the other.
    pub fn times(&self, other: &Self) -> Self {
        let text = match (self.text.is_empty(), other.text.is_empty()) {
            (true, _) => other.text.clone(),
            (_, true) => self.text.clone(),
            _ => format!("{} {}", self.text, other.text),
        };
        let mut dims = self.dims;
        for (a, b) in dims.iter_mut().zip(other.dims) {
            *a = a.saturating_add(b);
        }
        Self { text, scale: self.scale * other.scale, dims }
    }

    /// True where the two differ by a number only.
    pub fn is_convertible_to(&self, other: &Self) -> bool {
        self.dims == other.dims
    }

    fn unknown(text: &str, word: &str) -> Error {
        Error::input("unit", format!("'{word}' in '{text}' is not a known unit"))
            .with_help("units are spelled as in FITS or astropy, e.g. 'cm-2 s-1 TeV-1'")
    }
}

/// `cm-2`, `cm**-2`, `cm^-2`, `cm(-2)`, `cm2`: name and exponent.
fn split_power(word: &str) -> Option<(&str, i8)> {
    let end = word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
    let (name, power) = word.split_at(end);
    let power = power.trim_start_matches("**").trim_start_matches('^').trim_matches(['(', ')']);
    if power.is_empty() { Some((name, 1)) } else { power.parse().ok().map(|p| (name, p)) }
}

impl std::str::FromStr for Unit {
    type Err = Error;

    /// Words divided by blanks, `.` or `*`; after a `/` the next word (or parenthesis) counts inversely.
    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let mut unit = Self { text: trimmed.to_string(), scale: 1.0, dims: [0; 4] };
        let mut spaced = String::with_capacity(trimmed.len() + 8);
        let mut chars = trimmed.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.peek() == Some(&'*') => {
                    chars.next();
                    spaced.push('^');
                }
                '*' | '.' => spaced.push(' '),
                '/' => spaced.push_str(" / "),
                _ => spaced.push(c),
            }
        }
        let words = spaced.split_whitespace();
        let mut inverse = false;
        let mut group_inverse = false;
        for word in words {
            if word == "/" {
                inverse = true;
                continue;
            }
            let mut word = word;
            if let Some(rest) = word.strip_prefix('(') {
                group_inverse = inverse;
                word = rest;
            }
            let closes = word.ends_with(')') && !word.contains('(');
            let word = if closes { word.trim_end_matches(')') } else { word };
            let sign: i8 = if inverse || group_inverse { -1 } else { 1 };
            inverse = false;
            if closes {
                group_inverse = false;
            }
            if word.is_empty() {
                continue;
            }
            if let Ok(number) = word.parse::<f64>() {
                unit.scale *= number.powi(i32::from(sign));
                continue;
            }
            let (name, power) = split_power(word).ok_or_else(|| Self::unknown(trimmed, word))?;
            let (_, scale, dims) =
                ATOMS.iter().find(|(atom, ..)| *atom == name).ok_or_else(|| Self::unknown(trimmed, name))?;
            let power = sign.saturating_mul(power);
            unit.scale *= scale.powi(i32::from(power));
            for (total, dim) in unit.dims.iter_mut().zip(dims) {
                *total = total.saturating_add(dim.saturating_mul(power));
            }
        }
        if unit.scale.is_finite() && unit.scale > 0.0 { Ok(unit) } else { Err(Self::unknown(trimmed, trimmed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(a: &str, b: &str) -> f64 {
        a.parse::<Unit>().unwrap().factor_to_text(b).unwrap()
    }

    #[test]
    fn spellings_of_files() {
        for (a, b, f) in [
            ("cm2 s", "m2 s", 1e-4),
            ("TeV-1 s-1 cm-2", "MeV-1 cm-2 s-1", 1e-6),
            ("1 / (cm2 s)", "cm-2 s-1", 1.0),
            ("1/(cm2 s TeV)", "cm-2 s-1 TeV-1", 1.0),
            ("cm**-2/s/sr", "cm-2 s-1 sr-1", 1.0),
            ("ph.cm^-2.s^-1", "cm-2 s-1", 1.0),
            ("deg-2", "sr-1", 3282.806350011744),
            ("erg", "TeV", 0.624_150_907_446_076_3),
            ("", "ct", 1.0),
            ("GeV", "keV", 1e6),
            ("cm(-2) s(-1)", "cm-2 s-1", 1.0),
            ("1e-12 cm-2", "m-2", 1e-8),
        ] {
            assert!((factor(a, b) / f - 1.0).abs() < 1e-12, "{a} -> {b}");
        }
    }

    #[test]
    fn unknown_and_unlike_units_are_errors() {
        assert!("furlong".parse::<Unit>().unwrap_err().to_string().contains("furlong"));
        assert!("cm".parse::<Unit>().unwrap().factor_to_text("s").is_err());
        assert!("cm99999".parse::<Unit>().is_err());
    }
}
