//! Which parts of a plot its series cover: what decides where a legend hides the least.

use super::super::svg::Rect;
use super::draw::{ARROW, SIGN};
use super::place::Place;
use super::series::{Content, Series};

/// Side of a cell, in font sizes.
const CELL: f64 = 0.25;

/// What lies in a cell, from what can be hidden easily to what cannot. Levels and shades go over the whole plot, so that
/// they are seen wherever a legend is.
const BAND: u8 = 1;
const LINE: u8 = 4;
const POINT: u8 = 8;

/// The plot in cells.
pub(super) struct Covered {
    plot: Rect,
    cell_px: f64,
    columns: usize,
    cells: Vec<u8>,
}

impl Covered {
    pub(super) fn new(series: &[Series], place: &Place, font_px: f64) -> Self {
        let cell_px = CELL * font_px;
        let count = |px: f64| ((px / cell_px).ceil() as usize).clamp(1, 4000);
        let (columns, rows) = (count(place.plot.w), count(place.plot.h));
        let mut covered = Self { plot: place.plot, cell_px, columns, cells: vec![0; columns * rows] };
        series.iter().for_each(|s| covered.add(s, place, font_px));
        covered
    }

    /// What a rectangle would hide, 0 where nothing lies: the sum over its cells, in units of a cell that a line crosses.
    pub(super) fn hidden(&self, r: &Rect) -> f64 {
        let (x0, x1) = self.range(r.x - self.plot.x, r.w, self.columns);
        let (y0, y1) = self.range(r.y - self.plot.y, r.h, self.cells.len() / self.columns);
        let rows = self.cells.chunks(self.columns).take(y1).skip(y0);
        let sum: u32 = rows.flat_map(|row| &row[x0..x1]).map(|cell| u32::from(*cell)).sum();
        f64::from(sum) / f64::from(LINE)
    }

    /// Cells in a rectangle.
    pub(super) fn count(&self, r: &Rect) -> f64 {
        r.w * r.h / (self.cell_px * self.cell_px)
    }

    /// First cell and the one after the last of a stretch.
    fn range(&self, start_px: f64, length_px: f64, cells: usize) -> (usize, usize) {
        let at = |px: f64| (px / self.cell_px).max(0.0);
        let first = (at(start_px) as usize).min(cells);
        (first, (at(start_px + length_px).ceil() as usize).clamp(first, cells))
    }

    fn add(&mut self, series: &Series, place: &Place, font_px: f64) {
        match &series.content {
            Content::Line { points, .. } => {
                for pair in points.windows(2) {
                    if let (Some(a), Some(b)) = (place.at(pair[0]), place.at(pair[1])) {
                        self.stroke(a, b, LINE);
                    }
                }
            }
            Content::Band(points) => {
                let ends = |(x, lo, hi): &(f64, f64, f64)| place.at_clamped((*x, *lo)).zip(place.at_clamped((*x, *hi)));
                for pair in points.windows(2) {
                    if let (Some(a), Some(b)) = (ends(&pair[0]), ends(&pair[1])) {
                        self.fill(a, b);
                    }
                }
            }
            Content::Points { points, .. } => {
                for p in points {
                    let Some((x, y)) = place.at((p.x, p.y)) else { continue };
                    if let Some((lo, hi)) = p.x_range {
                        self.bar(place.at_clamped((lo, p.y)), place.at_clamped((hi, p.y)));
                    }
                    if p.upper_limit {
                        self.stroke((x, y), (x, y + ARROW * font_px), POINT);
                        continue;
                    }
                    if let Some((lo, hi)) = p.y_range {
                        self.bar(place.at_clamped((p.x, lo)), place.at_clamped((p.x, hi)));
                    }
                    let r = SIGN * font_px;
                    self.stroke((x - r, y), (x + r, y), POINT);
                    self.stroke((x, y - r), (x, y + r), POINT);
                }
            }
            Content::Level { .. } | Content::Shade(_) => {}
        }
    }

    fn bar(&mut self, a: Option<(f64, f64)>, b: Option<(f64, f64)>) {
        if let (Some(a), Some(b)) = (a, b) {
            self.stroke(a, b, LINE);
        }
    }

    fn mark(&mut self, x: f64, y: f64, what: u8) {
        let (column, row) = ((x - self.plot.x) / self.cell_px, (y - self.plot.y) / self.cell_px);
        if column < 0.0 || row < 0.0 || column as usize >= self.columns {
            return;
        }
        if let Some(cell) = self.cells.get_mut(row as usize * self.columns + column as usize) {
            *cell = what.max(*cell);
        }
    }

    /// The cells along a straight line.
    fn stroke(&mut self, a: (f64, f64), b: (f64, f64), what: u8) {
        let Some((start, end)) = inside(&self.plot, a, b) else { return };
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let steps = (2.0 * (end - start) * dx.hypot(dy) / self.cell_px).ceil().max(1.0);
        for i in 0..=steps as usize {
            let t = start + (end - start) * i as f64 / steps;
            self.mark(a.0 + t * dx, a.1 + t * dy, what);
        }
    }

    /// The cells between the lower and upper ends at one `x` and those at another.
    fn fill(&mut self, a: ((f64, f64), (f64, f64)), b: ((f64, f64), (f64, f64))) {
        let (a, b) = if a.0.0 <= b.0.0 { (a, b) } else { (b, a) };
        let (x0, x1) = (a.0.0.max(self.plot.x), b.0.0.min(self.plot.right()));
        let steps = ((x1 - x0) / self.cell_px).ceil().max(1.0);
        for i in 0..=steps as usize {
            let x = x0 + (x1 - x0) * i as f64 / steps;
            let t = if b.0.0 > a.0.0 { (x - a.0.0) / (b.0.0 - a.0.0) } else { 0.0 };
            let y = |from: (f64, f64), to: (f64, f64)| from.1 + t * (to.1 - from.1);
            self.stroke((x, y(a.0, b.0)), (x, y(a.1, b.1)), BAND);
        }
    }
}

/// The part of a straight line that lies in a rectangle, as shares of the way from `a` to `b`.
fn inside(r: &Rect, a: (f64, f64), b: (f64, f64)) -> Option<(f64, f64)> {
    let (mut start, mut end) = (0.0f64, 1.0f64);
    for (from, to, lo, hi) in [(a.0, b.0, r.x, r.right()), (a.1, b.1, r.y, r.bottom())] {
        let way = to - from;
        if way == 0.0 {
            if from < lo || from > hi {
                return None;
            }
            continue;
        }
        let (one, other) = ((lo - from) / way, (hi - from) / way);
        (start, end) = (start.max(one.min(other)), end.min(one.max(other)));
    }
    (start <= end).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::super::super::scale::Scale;
    use super::super::super::stretch::Stretch;
    use super::*;

    const PLOT: Rect = Rect { x: 10.0, y: 20.0, w: 100.0, h: 50.0 };

    fn covered(series: Series) -> Covered {
        let unit = Scale::new(Stretch::Linear, 0.0, 1.0);
        Covered::new(&[series], &Place { plot: PLOT, scales: (unit, unit) }, 4.0)
    }

    #[test]
    fn lines_are_cut_at_the_plot() {
        assert_eq!(inside(&PLOT, (10.0, 20.0), (110.0, 70.0)), Some((0.0, 1.0)));
        assert_eq!(inside(&PLOT, (-90.0, 45.0), (210.0, 45.0)), Some((1.0 / 3.0, 2.0 / 3.0)));
        assert_eq!(inside(&PLOT, (0.0, 45.0), (5.0, 45.0)), None);
        assert_eq!(inside(&PLOT, (0.0, 10.0), (120.0, 10.0)), None);
        assert_eq!(inside(&PLOT, (5.0, 30.0), (5.0, 30.0)), None);
    }

    #[test]
    fn cells_of_lines_bands_and_points() {
        // Cells of one px.
        let quarter = |x: f64, y: f64| Rect { x: 10.0 + x * 50.0, y: 20.0 + y * 25.0, w: 50.0, h: 25.0 };
        let line = covered(Series::line("", &[(-5.0, 0.75), (5.0, 0.75)]));
        assert_eq!([line.hidden(&quarter(0.0, 0.0)), line.hidden(&quarter(1.0, 1.0))], [50.0, 0.0]);
        assert_eq!(line.hidden(&PLOT), 100.0);
        assert_eq!(line.count(&PLOT), 5000.0);
        // Half of the plot, each cell a quarter of a line's.
        let band = covered(Series::band("", &[(0.0, 0.0, 0.5), (1.0, 0.0, 0.5)]));
        assert!((band.hidden(&PLOT) - 2500.0 / 4.0).abs() < 60.0, "{}", band.hidden(&PLOT));
        assert!(band.hidden(&quarter(0.0, 0.0)) <= 50.0 / 4.0);
        let point = covered(Series::points("", &[super::super::ChartPoint::new(0.25, 0.25)]));
        assert!(point.hidden(&quarter(0.0, 1.0)) > 0.0 && point.hidden(&quarter(1.0, 1.0)) == 0.0);
        // Nothing of it can be seen.
        for away in [Series::line("", &[(2.0, 2.0), (3.0, 2.0)]), Series::line("", &[(f64::NAN, 0.5), (1.0, 0.5)])] {
            assert_eq!(covered(away).hidden(&PLOT), 0.0);
        }
    }
}
