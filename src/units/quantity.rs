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
        let unit = self.unit.to_string();
        // A factor of the unit is not to be taken for another number.
        if is_second_number(&unit) { write!(f, "{} ({unit})", self.value) } else { write!(f, "{} {unit}", self.value) }
    }
}

impl FromStr for Quantity {
    type Err = Error;

    /// A number, then a unit in any spelling of [`Unit`]; also `10**-12 cm-2`, `1.5x10^-12 cm-2`, `1/cm2`.
    fn from_str(text: &str) -> Result<Self> {
        let trimmed = text.trim();
        let (sign, end) = (sign_length(trimmed), number_length(trimmed));
        let Some(mut value) = trimmed[..end].replace('−', "-").parse::<f64>().ok() else {
            return Err(Error::input("quantity", format!("'{}' does not start with a number", shown(text)))
                .with_help("write a number and a unit, e.g. 0.5deg or '10 GeV'"));
        };
        if !value.is_finite() {
            return Err(Error::input("quantity", format!("'{}' is not finite", shown(text))));
        }
        let wrong = |problem: &str| {
            Error::input("quantity", format!("'{}': {problem}", shown(text)))
                .with_help("write a number and a unit, e.g. 0.5deg, '10 GeV' or '1e-12 cm-2 s-1'")
        };
        let mut rest = &trimmed[end..];
        // 10.cm-2: a product.
        rest = rest.strip_prefix('.').filter(|t| t.starts_with(char::is_alphabetic)).unwrap_or(rest);
        let mut next = rest.chars();
        if matches!(next.next(), Some('d' | 'D')) && next.next().is_some_and(|c| c.is_ascii_digit() || "+-".contains(c))
        {
            return Err(wrong("the letter behind the number is an exponent (Fortran) or a unit"));
        }
        if let Some(power) = rest.trim_start().strip_prefix(['x', '×', '*', '·']).map(str::trim_start)
            && is_power_of_ten(power)
        {
            // 1.5x10^-12
            rest = power;
        } else if trimmed[sign..end] == *"10" && is_power_of_ten(&trimmed[sign..]) {
            // 10**-12 itself
            rest = &trimmed[sign..];
            value = 1f64.copysign(value);
        } else if is_second_number(rest.trim_start()) {
            return Err(wrong("there are two numbers"));
        }
        Ok(Self { value, unit: rest.parse()? })
    }
}

/// Bytes of the sign that a text begins with.
fn sign_length(text: &str) -> usize {
    text.chars().next().filter(|c| "+-−".contains(*c)).map_or(0, char::len_utf8)
}

/// Bytes of the number that a text begins with; 0 where there is none.
fn number_length(text: &str) -> usize {
    let digits = |from: usize| text[from..].bytes().take_while(u8::is_ascii_digit).count();
    let mut end = sign_length(text);
    let whole = digits(end);
    end += whole;
    let mut fraction = 0;
    if text[end..].starts_with('.') {
        fraction = digits(end + 1);
        // "10.cm" is a product with a point, "10. cm" a number.
        let power = text[end + 1..].strip_prefix(['e', 'E']).map(|t| t.trim_start_matches(['+', '-']));
        let is_power = power.is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit()));
        let ends = is_power || !text[end + 1..].starts_with(|c: char| c.is_alphabetic());
        end += if fraction > 0 || (whole > 0 && ends) { 1 + fraction } else { 0 };
    }
    if whole + fraction == 0 {
        return 0;
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(end + 1 + sign);
        end += if exponent > 0 { 1 + sign + exponent } else { 0 };
    }
    end
}

/// True for `10**-12 …`, `10^3`, `10-3`, `10(-3)`, `10⁻³`.
fn is_power_of_ten(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("10") else { return false };
    let operator = rest.trim_start();
    let number = |t: &str| t.starts_with(|c: char| c.is_ascii_digit());
    operator.starts_with("**")
        || operator.starts_with('^')
        || rest.starts_with(['⁻', '⁺', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'])
        || rest.strip_prefix(['+', '-', '−']).is_some_and(number)
        || rest.strip_prefix('(').is_some_and(|t| number(t.trim_start_matches(['+', '-', '−'])))
}

/// True where a unit begins with a factor that is neither a power of ten nor the 1 of `1 / (cm2 s)`.
fn is_second_number(unit: &str) -> bool {
    let of_quotient = unit.strip_prefix('1').is_some_and(|rest| rest.trim_start().starts_with('/'));
    unit.starts_with(|c: char| c.is_ascii_digit() || c == '.') && !is_power_of_ten(unit) && !of_quotient
}

/// A text for messages, which are not to be longer than what was typed by hand.
fn shown(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}

/// Quantities separated by commas: `10GeV,100GeV,2TeV`; a unit at the end counts for all that have none.
///
/// # Errors
/// Where one of them is not a quantity.
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
                q.to($base).ok().filter(|v| v.is_finite()).map(Self).ok_or_else(|| {
                    if q.unit.to_string().is_empty() {
                        let help = format!("add one, e.g. {}{}", text.trim(), $base);
                        return Error::input($what, format!("'{text}' has no unit")).with_help(help);
                    }
                    Error::input($what, format!("'{text}' has a unit of another kind"))
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
        let value = |text: &str| text.parse::<Quantity>().and_then(|q| q.to("cm-2")).unwrap();
        for same in
            ["1.5e-12 cm-2", "1.5x10^-12 cm-2", "1.5 10**-12 cm-2", "1.5 × 10⁻¹² cm⁻²", "1.5e-12/cm2", "1.5 10-12cm-2"]
        {
            assert!((value(same) / 1.5e-12 - 1.0).abs() < 1e-12, "{same}");
        }
        assert!((value("10**-12 cm-2") / 1e-12 - 1.0).abs() < 1e-12 && value("-10^-12 cm-2") < 0.0);
        assert_eq!((value("10 cm-2"), value("10. cm-2"), value("10.cm-2"), value("−.5cm-2")), (10.0, 10.0, 10.0, -0.5));
        for bad in ["5 3 deg", "1d-3 deg", "5 -3 deg", "1e", "1.5.2 deg", "10** deg", "+", ".", "5deg5m"] {
            assert!(bad.parse::<Angle>().is_err(), "{bad}");
        }
        for bad in ["", "deg", "1e999 deg", "inf deg", "nan deg"] {
            assert!(bad.parse::<Angle>().is_err(), "{bad}");
        }
    }
}
