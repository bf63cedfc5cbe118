//! Values over cells of two axes as colours: matrices of energy dispersion, likelihood surfaces.

use ndarray::Array2;

use super::chart::Place;
use super::colour::ColourMap;
use super::colouring::{ColourKey, Colouring, colouring_setters};
use super::raster;
use super::scale::Scale;
use super::spread::Spread;
use super::stretch::Stretch;
use super::style::MapStyle;
use super::svg::Canvas;
use crate::error::{Error, Result};

/// Pixels of the raster per pixel of the drawing.
const DENSITY: f64 = 2.0;

/// Values over cells between edges, for [`Chart::heat_map`](super::Chart::heat_map). Cells that are not finite stay white.
///
/// ```
/// use ndarray::array;
/// use pevatron::plot::{Chart, HeatMap};
/// let matrix = array![[0.9, 0.1], [0.2, 0.8]];
/// let heat = HeatMap::new(&[1.0, 3.0, 10.0], &[1.0, 2.0, 10.0], &matrix)?.quantity("probability", "");
/// let chart = Chart::new().x("true energy", "TeV").y("energy", "TeV").log_x().log_y().heat_map(heat);
/// let svg = String::from_utf8(chart.draw()?.to_svg()?).map_err(|e| pevatron::Error::input("svg", e.to_string()))?;
/// assert!(svg.contains("<image"));
/// assert!(HeatMap::new(&[1.0, 3.0], &[1.0, 2.0, 10.0], &matrix).is_err());
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct HeatMap {
    x_edges: Vec<f64>,
    y_edges: Vec<f64>,
    values: Array2<f64>,
    colouring: Colouring,
}

impl HeatMap {
    /// `values[y, x]` in cells between ascending edges, one more than cells along each axis. Viridis, linear, from the
    /// lowest to the highest value.
    ///
    /// # Errors
    /// [`Error::Input`] for edges that do not ascend, or another number of them.
    pub fn new(x_edges: &[f64], y_edges: &[f64], values: &Array2<f64>) -> Result<Self> {
        let (ny, nx) = values.dim();
        for (name, edges, n) in [("x", x_edges, nx), ("y", y_edges, ny)] {
            if n == 0 || edges.len() != n + 1 {
                return Err(Error::input("heat map", format!("{} edges in {name} for {n} cells", edges.len())));
            }
            if !edges.windows(2).all(|e| e[0] < e[1] && e[0].is_finite() && e[1].is_finite()) {
                return Err(Error::input("heat map", format!("the edges in {name} do not ascend")));
            }
        }
        Ok(Self {
            x_edges: x_edges.to_vec(),
            y_edges: y_edges.to_vec(),
            values: values.clone(),
            colouring: Colouring::default(),
        })
    }

    colouring_setters!();

    /// Ends of both axes.
    pub(super) fn ends(&self) -> ((f64, f64), (f64, f64)) {
        let of = |edges: &[f64]| (edges[0], edges[edges.len() - 1]);
        (of(&self.x_edges), of(&self.y_edges))
    }

    pub(super) fn scale(&self) -> Scale {
        let (lo, hi) = self.value_range().unwrap_or(self.colouring.limited((0.0, 1.0)));
        Scale::new(self.colouring.stretch, lo, hi)
    }

    /// Ends of the colours; `None` where no value is finite.
    pub(super) fn value_range(&self) -> Option<(f64, f64)> {
        let all = || Spread::of(self.values.iter(), (0.0, 0.0)).map(|s| (s.min, s.max));
        self.colouring.range.or_else(all).map(|range| self.colouring.limited(range))
    }

    pub(super) fn set_range(&mut self, lo: f64, hi: f64) {
        self.colouring.range = Some((lo, hi));
    }

    pub(super) fn key(&self) -> ColourKey {
        self.colouring.key()
    }

    pub(super) fn stretched(&self) -> Stretch {
        self.colouring.stretch
    }

    pub(super) fn restyle(&mut self, style: &MapStyle) {
        style.colour(&mut self.colouring);
    }

    pub(super) fn colour_map(&self) -> ColourMap {
        self.colouring.colours
    }

    pub(super) fn label(&self) -> String {
        self.colouring.label(&self.scale())
    }

    /// Draws the cells, as one raster: thousands of rectangles would show seams and fill the file.
    pub(super) fn draw(&self, canvas: &mut Canvas, place: &Place) -> Result<()> {
        let size = |px: f64| ((DENSITY * px).ceil() as usize).clamp(1, 4000);
        let (w, h) = (size(place.plot.w), size(place.plot.h));
        let cells = |scale: &Scale, edges: &[f64], n: usize| -> Vec<Option<usize>> {
            let at = |i: usize| scale.value((i as f64 + 0.5) / n as f64);
            let cell = |v: f64| edges.partition_point(|e| *e <= v).checked_sub(1).filter(|c| c + 1 < edges.len());
            (0..n).map(|i| cell(at(i))).collect()
        };
        let (columns, rows) = (cells(&place.scales.0, &self.x_edges, w), cells(&place.scales.1, &self.y_edges, h));
        let raster = Array2::from_shape_fn((h, w), |(y, x)| match (rows[y], columns[x]) {
            (Some(row), Some(column)) if self.values[[row, column]].is_finite() => self.values[[row, column]],
            _ => f64::NAN,
        });
        canvas.png(&raster::map_png(&raster, self.colouring.colours, &self.scale())?, place.plot);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::*;

    #[test]
    fn cells_end_the_axes_and_broken_edges_are_refused() {
        let values = Array2::from_elem((2, 3), 0.5);
        let heat = HeatMap::new(&[1.0, 2.0, 3.0, 4.0], &[0.1, 1.0, 10.0], &values).unwrap();
        assert_eq!(heat.ends(), ((1.0, 4.0), (0.1, 10.0)));
        for edges in [vec![1.0, 2.0, 2.0, 4.0], vec![1.0, f64::NAN, 3.0, 4.0], vec![1.0, 2.0]] {
            assert!(HeatMap::new(&edges, &[0.1, 1.0, 10.0], &values).is_err(), "{edges:?}");
        }
        let empty = HeatMap::new(&[0.0, 1.0], &[0.0, 1.0], &Array2::from_elem((1, 1), f64::NAN)).unwrap();
        let text = String::from_utf8(Chart::new().heat_map(empty.quantity("p", "")).draw().unwrap().to_svg_with_text());
        assert!(!text.unwrap().contains("NaN"));
    }
}
