//! Units of gamma-ray files: conversion factors between all that have a meaning, and text for those that have none.

use std::fmt;

use super::atoms::Dims;
use super::parse::parse;
use crate::error::{Error, Result};

/// A unit: its text, its scale against (m, s, TeV, rad, …), and its dimensions.
///
/// Spellings are those of FITS, OGIP, CDS and astropy: `cm-2 s-1 TeV-1`, `erg/(cm2 s)`, `10**-12 cm**-2/s`, `2.5e-12 cm⁻²`,
/// `sqrt(m)`, with all SI prefixes. `erg/cm2 s` is `erg/(cm2 s)`, as in astropy. What can be read in two ways is refused,
/// as are logarithmic units and those with a zero of their own. Dimensionless names (`ph`, `count`, `ct`, `adu`, `pix`,
/// `bin`, the empty string) are all 1, other than in astropy; `percent` is 0.01. The text is that of the file where
/// FITS or astropy read it, else the same unit in their spelling.
///
/// Text that is not a unit can be kept ([`Unit::parse_or_keep`]): it is shown and written as it is, equals itself, and
/// converts to nothing else.
///
/// ```
/// use pevatron::units::Unit;
/// let a: Unit = "cm2 s".parse()?;
/// let b: Unit = "m2 s".parse()?;
/// assert!((b.factor_to(&a)? - 1e4).abs() < 1e-9);
/// let sigma = Unit::parse_or_keep("sigma");
/// assert!(!sigma.is_known() && sigma.factor_to(&a).is_err() && sigma.factor_to(&sigma)? == 1.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Unit {
    text: String,
    /// `None` for text that is not a unit.
    meaning: Option<(f64, Dims)>,
}

impl PartialEq for Unit {
    /// Units are equal when they mean the same, whatever their spelling.
    fn eq(&self, other: &Self) -> bool {
        match (&self.meaning, &other.meaning) {
            (Some((scale, dims)), Some((other_scale, other_dims))) => {
                dims == other_dims && (scale / other_scale - 1.0).abs() < 1e-12
            }
            (None, None) => self.text == other.text,
            _ => false,
        }
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

impl Unit {
    /// The unit 1.
    pub fn dimensionless() -> Self {
        Self { text: String::new(), meaning: Some((1.0, Dims::default())) }
    }

    /// The unit of a text, or, where it has no meaning, the text itself (without control characters).
    pub fn parse_or_keep(text: &str) -> Self {
        text.parse().unwrap_or_else(|_| {
            let clean = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
            Self { text: clean, meaning: None }
        })
    }

    /// False where it is text that is not a unit, see [`Unit::parse_or_keep`].
    pub fn is_known(&self) -> bool {
        self.meaning.is_some()
    }

    /// True if it has no dimension (its scale may differ from 1).
    pub fn is_dimensionless(&self) -> bool {
        self.meaning.is_some_and(|(_, dims)| dims == Dims::default())
    }

    /// The number that turns a value in this unit into one in `target`.
    ///
    /// # Errors
    /// [`Error::Input`] where the dimensions differ, or one of the two is not a unit (and the other is not the same
    /// text).
    pub fn factor_to(&self, target: &Self) -> Result<f64> {
        match (&self.meaning, &target.meaning) {
            (Some((scale, dims)), Some((target_scale, target_dims))) if dims == target_dims => Ok(scale / target_scale),
            (None, None) if self.text == target.text => Ok(1.0),
            (None, _) => Err(self.unknown()),
            (_, None) => Err(target.unknown()),
            _ => Err(Error::input("unit", format!("'{self}' cannot be converted to '{target}'"))),
        }
    }

    /// Why a text is not a unit.
    fn unknown(&self) -> Error {
        match parse(&self.text) {
            Err(error) => error,
            Ok(_) => Error::input("unit", format!("'{self}' is not a unit")),
        }
    }

    /// [`Unit::factor_to`] a unit given as text.
    ///
    /// # Errors
    /// Where the text is not a unit or the dimensions differ.
    pub fn factor_to_text(&self, target: &str) -> Result<f64> {
        self.factor_to(&target.parse()?)
    }

    /// The product of two units, spelled one after the other. With text that is not a unit, the product is text, too.
    pub fn times(&self, other: &Self) -> Self {
        // A quotient or a factor keeps its meaning in parentheses only.
        let part = |text: &str| {
            let simple = text.starts_with(|c: char| c.is_alphabetic()) && !text.contains('/');
            if simple { text.to_string() } else { format!("({text})") }
        };
        let text = match (self.text.is_empty(), other.text.is_empty()) {
            (true, _) => other.text.clone(),
            (_, true) => self.text.clone(),
            _ => format!("{} {}", part(&self.text), part(&other.text)),
        };
        let meaning = match (self.meaning, other.meaning) {
            (Some((a, mut dims)), Some((b, more))) => {
                dims.iter_mut().zip(more).for_each(|(a, b)| *a = a.saturating_add(b));
                Some((a * b, dims))
            }
            _ => None,
        };
        Self { text, meaning }
    }

    /// True where the two differ by a number only.
    pub fn is_convertible_to(&self, other: &Self) -> bool {
        match (&self.meaning, &other.meaning) {
            (Some((_, a)), Some((_, b))) => a == b,
            (None, None) => self.text == other.text,
            _ => false,
        }
    }
}

impl std::str::FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = parse(text)?;
        Ok(Self { text: parsed.text, meaning: Some((parsed.scale, parsed.dims)) })
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

    #[test]
    fn text_equals_itself_alone() {
        let (a, b) = (Unit::parse_or_keep("furlong"), Unit::parse_or_keep(" furlong "));
        assert!(a == b && a != Unit::default() && !a.is_dimensionless() && a.is_convertible_to(&b));
        assert!(a.factor_to_text("m").is_err() && Unit::default().factor_to(&a).is_err());
        let product = a.times(&"cm".parse().unwrap());
        assert!(!product.is_known() && product.to_string() == "furlong cm");
    }

    #[test]
    fn products_mean_what_they_say() {
        let units = ["erg/s", "cm2", "1 / (cm2 s)", "10**-12 cm", "2.5e-12 s", "m(1/2)", "%"];
        for (a, b) in units.iter().flat_map(|a| units.map(|b| (a, b))) {
            let (a, b): (Unit, Unit) = (a.parse().unwrap(), b.parse().unwrap());
            let product = a.times(&b);
            assert_eq!(product.to_string().parse::<Unit>().unwrap(), product, "{a} times {b}");
        }
    }
}
