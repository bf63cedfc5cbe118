//! How values become colours, and what the colour bar says of them.

use super::colour::ColourMap;
use super::label;
use super::scale::Scale;
use super::stretch::Stretch;

/// The options of everything that shows values as colours. Their setters are [`colouring_setters`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Colouring {
    /// What the values are called, at the colour bar.
    pub name: String,
    /// Their unit.
    pub unit: String,
    pub colours: ColourMap,
    pub stretch: Stretch,
    /// Ends of the colours; automatic without.
    pub range: Option<(f64, f64)>,
    /// Ends that were asked for, whatever the range is.
    pub vmin: Option<f64>,
    pub vmax: Option<f64>,
}

/// What panels must have in common for one scale to make sense.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ColourKey {
    name: String,
    unit: String,
    colours: ColourMap,
}

impl Colouring {
    pub fn key(&self) -> ColourKey {
        ColourKey { name: self.name.clone(), unit: self.unit.clone(), colours: self.colours }
    }

    /// The ends with those that were asked for in their places.
    pub fn limited(&self, (lo, hi): (f64, f64)) -> (f64, f64) {
        (self.vmin.unwrap_or(lo), self.vmax.unwrap_or(hi))
    }

    /// Name and unit at a colour bar, with the power of ten that its numbers leave out.
    pub fn label(&self, scale: &Scale) -> String {
        label::quantity_label(&self.name, &self.unit, scale.label_power())
    }
}

/// The chaining setters of a public type with a field `colouring`.
macro_rules! colouring_setters {
    () => {
        /// Name and unit at the colour bar: `quantity("flux", "cm-2 s-1")`. Powers of ten are taken out of the numbers.
        pub fn quantity(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
            (self.colouring.name, self.colouring.unit) = (name.into(), unit.into());
            self
        }

        /// Colour map, [`ColourMap::Viridis`] by default.
        pub fn colours(mut self, colours: ColourMap) -> Self {
            self.colouring.colours = colours;
            self
        }

        /// How values are spread over the colours, [`Stretch::Linear`] by default.
        pub fn stretch(mut self, stretch: Stretch) -> Self {
            self.colouring.stretch = stretch;
            self
        }

        /// Ends of the colour bar; automatic without.
        pub fn range(mut self, lo: f64, hi: f64) -> Self {
            self.colouring.range = Some((lo, hi));
            self
        }
    };
}

pub(super) use colouring_setters;
