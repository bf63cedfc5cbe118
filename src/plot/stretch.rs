//! How values are spread over the colours.

use std::str::FromStr;

use crate::error::{Error, Result};

/// How values are spread over the colours.
///
/// ```
/// use pevatron::plot::Stretch;
/// assert_eq!("asinh".parse::<Stretch>()?, Stretch::Asinh);
/// assert!("power".parse::<Stretch>().unwrap_err().to_string().contains("linear, sqrt, log, asinh"));
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Stretch {
    /// In proportion.
    #[default]
    Linear,
    /// Square root above the lower end: shows faint parts beside bright ones.
    Sqrt,
    /// Logarithm; values that are not positive get the lowest colour.
    Log,
    /// Inverse hyperbolic sine around zero: linear for the faintest twentieth, logarithmic beyond; negatives allowed.
    Asinh,
    /// For √TS: linear to ±5, logarithmic beyond.
    Significance,
}

impl Stretch {
    /// All of them, in the order of the error of an unknown name.
    pub const ALL: [Self; 5] = [Self::Linear, Self::Sqrt, Self::Log, Self::Asinh, Self::Significance];

    /// Its name in options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Sqrt => "sqrt",
            Self::Log => "log",
            Self::Asinh => "asinh",
            Self::Significance => "significance",
        }
    }
}

impl FromStr for Stretch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|stretch| stretch.name() == text.trim());
        found.ok_or_else(|| Error::not_one_of("stretch", text, Self::ALL.iter().map(|s| s.name())))
    }
}
