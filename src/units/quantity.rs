//! Numbers with units, as typed on a command line or held by options.

use std::fmt;
use std::str::FromStr;

use super::unit::Unit;
use crate::error::{Error, Result};

/// A number and its unit: `"1 deg"`, `"10GeV"`, `"1e-12 cm-2 s-1"`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantity {
    /// The number.
    pub value: f64,
    /// The unit.
    pub unit: Unit,
}

impl Quantity {
    /// The value in another unit.
    ///
    /// # Errors
    /// Where the dimensions differ or `unit` is none.
    pub fn to(&self, unit: &str) -> Result<f64> {
        Ok(self.value * self.unit.factor_to_text(unit)?)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.unit)
    }
}

impl FromStr for Quantity {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        // The longest prefix that is a number: "1e-12 cm-2" must not stop at "1", nor "2eV" swallow the e.
        let number = (1..=trimmed.len())
            .rev()
            .filter(|end| trimmed.is_char_boundary(*end))
            .find_map(|end| trimmed[..end].trim_end().parse::<f64>().ok().map(|v| (v, end)))
            .filter(|_| trimmed.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)));
        let Some((value, end)) = number else {
            return Err(Error::input("quantity", format!("'{text}' does not start with a number"))
                .with_help("write a number and a unit, e.g. 0.5deg or '10 GeV'"));
        };
        if !value.is_finite() {
            return Err(Error::input("quantity", format!("'{text}' is not finite")));
        }
        Ok(Self { value, unit: trimmed[end..].parse()? })
    }
}

/// Quantities separated by commas: `10GeV,100GeV,2TeV`; a unit at the end counts for all that have none.
///
/// # Errors
/// Where one of them is no quantity.
pub fn parse_list(text: &str) -> Result<Vec<Quantity>> {
    let mut list: Vec<Quantity> = text.split(',').map(str::parse).collect::<Result<_>>()?;
    if let Some(last) = list.last().map(|q| q.unit.clone()) {
        for q in &mut list {
            if q.unit.to_string().is_empty() {
                q.unit = last.clone();
            }
        }
    }
    Ok(list)
}

macro_rules! typed_quantity {
    ($name:ident, $base:literal, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                let q: Quantity = text.parse()?;
                q.to($base).map(Self).map_err(|_| {
                    Error::input($what, format!("'{text}' has no unit of this kind"))
                        .with_help(concat!("give a unit such as ", $base))
                })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", self.0, $base)
            }
        }
    };
}

typed_quantity!(Angle, "deg", "angle", "An angle on the sky.");
typed_quantity!(Energy, "TeV", "energy", "A photon energy.");

impl Angle {
    /// From degrees.
    pub const fn deg(degrees: f64) -> Self {
        Self(degrees)
    }

    /// In degrees.
    pub const fn to_deg(self) -> f64 {
        self.0
    }

    /// In radians.
    pub fn to_rad(self) -> f64 {
        self.0.to_radians()
    }
}

impl Energy {
    /// From TeV.
    pub const fn tev(tev: f64) -> Self {
        Self(tev)
    }

    /// In TeV.
    pub const fn to_tev(self) -> f64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_of_the_command_line() {
        assert_eq!("0.05 deg".parse::<Angle>().unwrap().to_deg(), 0.05);
        assert!(("30arcmin".parse::<Angle>().unwrap().to_deg() - 0.5).abs() < 1e-15);
        assert!(("10GeV".parse::<Energy>().unwrap().to_tev() - 0.01).abs() < 1e-17);
        assert_eq!("2eV".parse::<Quantity>().unwrap().value, 2.0);
        let q: Quantity = "1e-12 cm-2 s-1".parse().unwrap();
        assert!((q.to("m-2 s-1").unwrap() / 1e-8 - 1.0).abs() < 1e-12);
        assert_eq!(parse_list("1,10,100 TeV").unwrap()[0].to("TeV").unwrap(), 1.0);
        for bad in ["", "deg", "1e999 deg", "inf deg", "nan deg"] {
            assert!(bad.parse::<Angle>().is_err(), "{bad}");
        }
    }
}
