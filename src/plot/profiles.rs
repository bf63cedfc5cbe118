//! Likelihood profiles as columns of colour in a chart, with a bar.

use super::chart::Place;
use super::colour::{ColourMap, hex};
use super::raster;
use super::scale::Scale;
use super::stretch::Stretch;
use super::svg::{Canvas, Rect};

/// Colours of the rise above the best fit: dark where the model fits, so that the points stand out.
pub(super) const COLOURS: ColourMap = ColourMap::Viridis;

/// Steps of a column over the height of the chart.
const STEPS: usize = 160;

/// A profile over `y` between two ends in `x`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileColumn {
    x: (f64, f64),
    /// `(y, rise above the best fit)`, y increasing.
    values: Vec<(f64, f64)>,
}

impl ProfileColumn {
    /// From `x_lo` to `x_hi`, with points `(y, rise)`; those that are not finite are left out.
    pub fn new(x_lo: f64, x_hi: f64, values: &[(f64, f64)]) -> Self {
        let mut values: Vec<(f64, f64)> =
            values.iter().copied().filter(|(y, v)| y.is_finite() && v.is_finite()).collect();
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { x: (x_lo, x_hi), values }
    }

    pub(super) fn ends(&self) -> (f64, f64) {
        self.x
    }

    /// The `y` whose rise is at most `most`.
    pub(super) fn inside(&self, most: f64) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().filter(move |(_, v)| *v <= most).map(|(y, _)| *y)
    }

    /// The rise at a `y`, in the root linearly between points; `None` beyond them.
    fn at(&self, y: f64) -> Option<f64> {
        let upper = self.values.partition_point(|(v, _)| *v <= y);
        let (a, b) = (self.values.get(upper.checked_sub(1)?)?, self.values.get(upper)?);
        let root = |v: f64| v.max(0.0).sqrt();
        let share = (y - a.0) / (b.0 - a.0);
        Some((root(a.1) + share * (root(b.1) - root(a.1))).powi(2))
    }
}

/// The scale of the rises.
pub(super) fn scale(most: f64) -> Scale {
    Scale::new(Stretch::Linear, 0.0, most)
}

/// Draws the columns.
pub(super) fn draw(canvas: &mut Canvas, columns: &[ProfileColumn], most: f64, place: &Place) {
    let scale = scale(most);
    let table = raster::colour_table(COLOURS, &scale);
    let y_scale = &place.scales.1;
    for column in columns {
        let (Some(a), Some(b)) = (place.at((column.x.0, y_scale.hi)), place.at((column.x.1, y_scale.hi))) else {
            continue;
        };
        for step in 0..STEPS {
            let position = (step as f64 + 0.5) / STEPS as f64;
            let Some(rise) = column.at(y_scale.value(position)).filter(|v| *v <= most) else { continue };
            // A little higher than a step, so that no gaps show between neighbours.
            let h = place.plot.h / STEPS as f64;
            let y = place.plot.bottom() - (step as f64 + 1.0) * h;
            let fill = hex(raster::colour_of(&table, &scale, rise));
            canvas.rect(Rect { x: a.0, y: y - 0.3, w: b.0 - a.0, h: h + 0.6 }, &format!(r#"fill="{fill}""#));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_parabolas_between_their_points() {
        let column = ProfileColumn::new(0.0, 1.0, &[(2.0, 4.0), (0.0, 0.0), (1.0, f64::NAN)]);
        assert!((column.at(1.0).unwrap() - 1.0).abs() < 1e-12);
        assert_eq!((column.at(-1.0), column.at(3.0)), (None, None));
        assert_eq!(column.inside(1.0).collect::<Vec<_>>(), [0.0]);
    }
}
