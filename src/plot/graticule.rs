//! Lines of equal longitude and latitude over an image of the sky, and where they meet its frame.

use super::angles::AngleFormat;
use super::mapping::{SkyMapping, wrap};
use super::outline::trace;
use super::svg::Rect;
use crate::maps::Frame;

/// Points along a line, an edge or a side of the search grid.
const LINE_POINTS: usize = 240;
const EDGE_POINTS: usize = 240;
const GRID_POINTS: usize = 48;

/// Meridians or parallels at most.
const MOST_LINES: f64 = 100.0;

/// A meridian ends where it is nearer than this to its neighbours, so that poles stay clear.
const CROWDED_PX: f64 = 12.0;

/// A labelled place in pixel coordinates.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GridLabel {
    pub x: f64,
    pub y: f64,
    pub text: String,
}

/// Lines, ticks and labels, all in pixel coordinates.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Graticule {
    pub lines: Vec<Vec<(f64, f64)>>,
    /// Where meridians meet the lower edge.
    pub bottom: Vec<GridLabel>,
    /// Where parallels meet the left edge.
    pub left: Vec<GridLabel>,
    /// Labels of meridians inside the map, for maps whose edges lie outside the sky.
    pub inside: Vec<GridLabel>,
    /// Border of the sky within the image; `None` where the image is full of it.
    pub outline: Option<Vec<(f64, f64)>>,
}

/// An image and the size it is drawn in.
pub(super) struct View<'a> {
    pub mapping: &'a dyn SkyMapping,
    pub nx: usize,
    pub ny: usize,
    pub width_px: f64,
    pub height_px: f64,
    pub font_px: f64,
    /// In hours, minutes and seconds.
    pub sexagesimal: bool,
}

impl View<'_> {
    fn edge_x(&self, share: f64) -> f64 {
        -0.5 + share * self.nx as f64
    }

    fn edge_y(&self, share: f64) -> f64 {
        -0.5 + share * self.ny as f64
    }

    /// How longitudes and latitudes are written.
    fn formats(&self) -> (AngleFormat, AngleFormat) {
        match (self.sexagesimal, self.mapping.frame()) {
            (false, _) => (AngleFormat::Degrees, AngleFormat::Degrees),
            (true, Frame::Icrs) => (AngleFormat::Hours, AngleFormat::Arc),
            (true, Frame::Galactic) => (AngleFormat::Arc, AngleFormat::Arc),
        }
    }

    /// Distance on the drawing, px.
    fn distance_px(&self, a: (f64, f64), b: (f64, f64)) -> f64 {
        ((a.0 - b.0) * self.width_px / self.nx as f64).hypot((a.1 - b.1) * self.height_px / self.ny as f64)
    }

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        x >= -0.5 && x <= self.nx as f64 - 0.5 && y >= -0.5 && y <= self.ny as f64 - 0.5
    }

    /// The graticule of the view; empty where the centre has no place on the sky.
    pub fn graticule(&self) -> Graticule {
        let grid = |i: usize| i as f64 / GRID_POINTS as f64;
        let sample = |i: usize, j: usize| self.mapping.sky(self.edge_x(grid(i)), self.edge_y(grid(j)));
        let sky: Vec<(f64, f64)> =
            (0..=GRID_POINTS).flat_map(|j| (0..=GRID_POINTS).filter_map(move |i| sample(i, j))).collect();
        let Some(centre) = self.mapping.sky(self.edge_x(0.5), self.edge_y(0.5)) else {
            return Graticule::default();
        };
        let full = sky.len() == (GRID_POINTS + 1) * (GRID_POINTS + 1);
        let outline = if full { None } else { Some(self.outline()) };
        let (lat_lo, lat_hi) = self.lat_range(&sky);
        let (lon_step, lat_step) = self.steps(centre, full);
        // Whatever the edges see, the map as a whole gets a countable number of lines.
        let (lon_format, lat_format) = self.formats();
        let lon_step = lon_step.max(lon_format.step_at_least(2.0 * self.lon_reach(&sky, centre.0) / MOST_LINES));
        let lat_step = lat_step.max(lat_format.step_at_least((lat_hi - lat_lo) / MOST_LINES));

        let mut graticule = Graticule { outline, ..Graticule::default() };
        let meridians = (360.0 / lon_step).round() as i64;
        let half = ((self.lon_reach(&sky, centre.0) / lon_step).ceil() as i64 + 1).min(meridians / 2);
        let first = (centre.0 / lon_step).round() as i64 - half;
        let lons: Vec<f64> =
            (first..(first + 2 * half + 1).min(first + meridians)).map(|k| k as f64 * lon_step).collect();
        let lats: Vec<f64> = ((lat_lo / lat_step).floor() as i64..=(lat_hi / lat_step).ceil() as i64)
            .map(|k| k as f64 * lat_step)
            .filter(|lat| lat.abs() < 90.0 - 1e-9)
            .collect();
        for lon in &lons {
            let quarter = wrap(lon * 4.0).abs() < 1e-6;
            let (lo, hi) = if quarter { (lat_lo, lat_hi) } else { self.uncrowded(*lon, lon_step, lat_lo, lat_hi) };
            self.trace(&mut graticule.lines, |share| (*lon, lo + share * (hi - lo)));
        }
        let reach = (self.lon_reach(&sky, centre.0) + lon_step).min(180.0 - 1e-6);
        for lat in &lats {
            self.trace(&mut graticule.lines, |share| (centre.0 + (2.0 * share - 1.0) * reach, *lat));
        }

        graticule.bottom =
            self.crossings(&lons, |share| (self.edge_x(share), self.edge_y(0.0)), |(lon, _), k| wrap(lon - k));
        graticule.left = self.crossings(&lats, |share| (self.edge_x(0.0), self.edge_y(share)), |(_, lat), k| lat - k);
        if full && graticule.bottom.len() < 2 {
            // The lower edge is a pole, or sees but one meridian: label them across the middle.
            let middle =
                self.crossings(&lons, |share| (self.edge_x(share), self.edge_y(0.5)), |(lon, _), k| wrap(lon - k));
            if middle.len() > graticule.bottom.len() {
                graticule.bottom.clear();
                graticule.inside = middle;
                for tick in &mut graticule.inside {
                    let lon = tick.text.parse::<f64>().unwrap_or(0.0).rem_euclid(360.0);
                    tick.text = lon_format.text(lon, lon_step);
                }
            }
        }
        if !full {
            self.label_inside(&mut graticule, centre, &lons, lon_step, &lats, lat_step);
        }
        for tick in &mut graticule.bottom {
            let lon = tick.text.parse::<f64>().unwrap_or(0.0).rem_euclid(360.0);
            tick.text = lon_format.text(if 360.0 - lon < 1e-9 { 0.0 } else { lon }, lon_step);
        }
        for tick in &mut graticule.left {
            tick.text = lat_format.text(tick.text.parse().unwrap_or(0.0), lat_step);
        }
        graticule.bottom.sort_by(|a, b| a.x.total_cmp(&b.x));
        graticule.bottom.dedup_by(|a, b| (a.x - b.x).abs() < 1e-6);
        graticule.left.sort_by(|a, b| a.y.total_cmp(&b.y));
        graticule
    }

    /// Steps of longitude and latitude that leave room for the labels.
    fn steps(&self, centre: (f64, f64), full: bool) -> (f64, f64) {
        let span = |along: &dyn Fn(f64) -> (f64, f64), change: &dyn Fn((f64, f64), (f64, f64)) -> f64| {
            let points: Vec<Option<(f64, f64)>> = (0..=EDGE_POINTS)
                .map(|i| along(i as f64 / EDGE_POINTS as f64))
                .map(|(x, y)| self.mapping.sky(x, y))
                .collect();
            points.windows(2).filter_map(|w| Some(change(w[0]?, w[1]?).abs())).sum::<f64>()
        };
        let lon_change = |a: (f64, f64), b: (f64, f64)| wrap(b.0 - a.0);
        let lat_change = |a: (f64, f64), b: (f64, f64)| b.1 - a.1;
        let lon_span_at = |row: f64| span(&|s| (self.edge_x(s), self.edge_y(row)), &lon_change);
        // The lower edge has the labels, but may be a pole.
        let (edge, middle) = (if full { lon_span_at(0.0) } else { 0.0 }, lon_span_at(0.5));
        let lon_span = if edge > 0.1 * middle { edge } else { middle };
        let lat_span_at = |column: f64| span(&|s| (self.edge_x(column), self.edge_y(s)), &lat_change);
        // Near a pole the left edge sees little of the latitudes.
        let lat_span = lat_span_at(0.5).max(if full { lat_span_at(0.0) } else { 0.0 });
        let (lon_format, lat_format) = self.formats();
        let lon_least = lon_span * self.font_px * lon_format.label_room(full) / self.width_px;
        let lat_least = lat_span * self.font_px * 3.4 / self.height_px;
        let mut lon_step = lon_format.step_at_least(lon_least.max(1e-9));
        let mut lat_step = lat_format.step_at_least(lat_least.max(1e-9));
        // Fewer than two labels say too little: go finer where they still fit apart.
        while lon_span / lon_step < 1.5 && lon_format.next_finer(lon_step) > 0.6 * lon_least {
            lon_step = lon_format.next_finer(lon_step);
        }
        while lat_span / lat_step < 1.5 && lat_format.next_finer(lat_step) > 0.4 * lat_least {
            lat_step = lat_format.next_finer(lat_step);
        }
        // Square meshes where that leaves enough parallels.
        if !self.sexagesimal && centre.1.abs() < 60.0 && lat_step < lon_step && lat_span / lon_step >= 3.0 {
            lat_step = lon_step;
        }
        (lon_step, lat_step)
    }

    fn lat_range(&self, sky: &[(f64, f64)]) -> (f64, f64) {
        let (mut lo, mut hi) = sky.iter().fold((90.0f64, -90.0f64), |(lo, hi), (_, lat)| (lo.min(*lat), hi.max(*lat)));
        for pole in [-90.0, 90.0] {
            if self.mapping.pixel(0.0, pole).is_some_and(|p| self.holds(p)) {
                (lo, hi) = (lo.min(pole), hi.max(pole));
            }
        }
        let pad = (hi - lo) / GRID_POINTS as f64;
        ((lo - pad).max(-90.0), (hi + pad).min(90.0))
    }

    /// Farthest longitude from the centre's.
    fn lon_reach(&self, sky: &[(f64, f64)], centre_lon: f64) -> f64 {
        let reach = sky.iter().map(|(lon, _)| wrap(lon - centre_lon).abs()).fold(0.0, f64::max);
        (reach * (1.0 + 2.0 / GRID_POINTS as f64)).min(180.0)
    }

    /// The part of a meridian that keeps its distance from the neighbours.
    fn uncrowded(&self, lon: f64, step: f64, lat_lo: f64, lat_hi: f64) -> (f64, f64) {
        let apart = |lat: f64| match (self.mapping.pixel(lon, lat), self.mapping.pixel(lon + step, lat)) {
            (Some(a), Some(b)) => self.distance_px(a, b) >= CROWDED_PX,
            _ => true,
        };
        let (mut lo, mut hi) = (lat_lo, lat_hi);
        let notch = (lat_hi - lat_lo) / LINE_POINTS as f64;
        while lo < 0.0 && lo < hi && !apart(lo) {
            lo += notch;
        }
        while hi > 0.0 && hi > lo && !apart(hi) {
            hi -= notch;
        }
        (lo, hi)
    }

    /// Adds the visible pieces of a line given by sky positions.
    fn trace(&self, lines: &mut Vec<Vec<(f64, f64)>>, along: impl Fn(f64) -> (f64, f64)) {
        let (sx, sy) = (self.width_px / self.nx as f64, self.height_px / self.ny as f64);
        let at = |share: f64| {
            let (lon, lat) = along(share);
            let (x, y) = self.mapping.pixel(lon, lat)?;
            Some(((x + 0.5) * sx, (y + 0.5) * sy))
        };
        let bounds = Rect { x: 0.0, y: 0.0, w: self.width_px, h: self.height_px };
        for piece in trace(&at, bounds) {
            let pixels: Vec<(f64, f64)> = piece.iter().map(|(x, y)| (x / sx - 0.5, y / sy - 0.5)).collect();
            lines.push(self.straighten(&pixels));
        }
    }

    /// Two points where they say the same as all.
    fn straighten(&self, piece: &[(f64, f64)]) -> Vec<(f64, f64)> {
        let (Some(a), Some(b)) = (piece.first(), piece.last()) else { return Vec::new() };
        let (sx, sy) = (self.width_px / self.nx as f64, self.height_px / self.ny as f64);
        let (dx, dy) = ((b.0 - a.0) * sx, (b.1 - a.1) * sy);
        let length = dx.hypot(dy).max(1e-12);
        let bent = |p: &(f64, f64)| (((p.0 - a.0) * sx * dy - (p.1 - a.1) * sy * dx) / length).abs() > 0.1;
        if piece.iter().any(bent) { piece.to_vec() } else { vec![*a, *b] }
    }

    /// Where lines of the values `levels` meet an edge; the text holds the bare value.
    fn crossings(
        &self,
        levels: &[f64],
        edge: impl Fn(f64) -> (f64, f64),
        distance: impl Fn((f64, f64), f64) -> f64,
    ) -> Vec<GridLabel> {
        let sky_at = |share: f64| {
            let (x, y) = edge(share);
            self.mapping.sky(x, y)
        };
        // A little more than the edge: rounding must not lose a line through a corner.
        let slack = 1e-6;
        let share_of = |i: usize| (1.0 + 2.0 * slack) * i as f64 / EDGE_POINTS as f64 - slack;
        let samples: Vec<Option<(f64, f64)>> = (0..=EDGE_POINTS).map(|i| sky_at(share_of(i))).collect();
        let mut found = Vec::new();
        for level in levels {
            for (i, pair) in samples.windows(2).enumerate() {
                let [Some(a), Some(b)] = pair else { continue };
                let (da, db) = (distance(*a, *level), distance(*b, *level));
                // A whole turn changes the sign too, but far away from zero.
                if da.abs().max(db.abs()) > 90.0 || (da <= 0.0) == (db <= 0.0) {
                    continue;
                }
                let (mut lo, mut hi) = (share_of(i), share_of(i + 1));
                for _ in 0..40 {
                    let mid = 0.5 * (lo + hi);
                    match sky_at(mid) {
                        Some(p) if (distance(p, *level) <= 0.0) == (da <= 0.0) => lo = mid,
                        _ => hi = mid,
                    }
                }
                let (x, y) = edge((0.5 * (lo + hi)).clamp(0.0, 1.0));
                found.push(GridLabel { x, y, text: level.to_string() });
            }
        }
        found
    }

    /// Border of the sky, seen from the centre of the image.
    fn outline(&self) -> Vec<(f64, f64)> {
        let (cx, cy) = (self.edge_x(0.5), self.edge_y(0.5));
        let (w, h) = (self.nx as f64, self.ny as f64);
        let rays = 720;
        let corner = h.atan2(w);
        let mut angles: Vec<f64> = (0..rays).map(|i| f64::from(i) / f64::from(rays) * std::f64::consts::TAU).collect();
        angles.extend([
            corner,
            std::f64::consts::PI - corner,
            std::f64::consts::PI + corner,
            std::f64::consts::TAU - corner,
        ]);
        angles.sort_by(f64::total_cmp);
        angles
            .into_iter()
            .map(|angle| {
                let (s, c) = angle.sin_cos();
                let reach = (0.5 * w / c.abs()).min(0.5 * h / s.abs());
                let valid = |r: f64| self.mapping.sky(cx + r * c, cy + r * s).is_some();
                let (mut lo, mut hi) = (0.0, reach);
                if valid(reach) {
                    lo = reach;
                }
                for _ in 0..30 {
                    let mid = 0.5 * (lo + hi);
                    if valid(mid) { lo = mid } else { hi = mid }
                }
                (cx + lo * c, cy + lo * s)
            })
            .collect()
    }

    /// Labels for images with corners outside the sky: parallels at the outline's left, meridians along the parallel
    /// below the centre.
    fn label_inside(
        &self,
        graticule: &mut Graticule,
        centre: (f64, f64),
        lons: &[f64],
        lon_step: f64,
        lats: &[f64],
        lat_step: f64,
    ) {
        // One parallel lower: the equator of galactic maps is where the sources are.
        let middle = (centre.1 / lat_step).round() * lat_step;
        let lower = self.mapping.pixel(centre.0, middle - lat_step).filter(|p| self.holds(*p));
        let row = if lower.is_some() { middle - lat_step } else { middle };
        for lon in lons {
            if let Some((x, y)) = self.mapping.pixel(*lon, row).filter(|p| self.holds(*p)) {
                // Too near to the border: the label would stick out.
                let margin = self.font_px * 2.2 * self.nx as f64 / self.width_px;
                if [-margin, margin].iter().all(|dx| self.mapping.sky(x + dx, y).is_some() && self.holds((x + dx, y))) {
                    let text = self.formats().0.text(lon.rem_euclid(360.0), lon_step);
                    graticule.inside.push(GridLabel { x, y, text });
                }
            }
        }
        graticule.bottom.clear();
        graticule.left.clear();
        for lat in lats {
            let points = (0..=LINE_POINTS)
                .map(|i| centre.0 + (2.0 * i as f64 / LINE_POINTS as f64 - 1.0) * (180.0 - 1e-6))
                .filter_map(|lon| self.mapping.pixel(lon, *lat))
                .filter(|p| self.holds(*p));
            if let Some((x, y)) = points.min_by(|a, b| a.0.total_cmp(&b.0)) {
                // A parallel around a pole has no end at the outline: its label stays inside.
                let beside = x - self.font_px * self.nx as f64 / self.width_px;
                if self.holds((beside, y)) && self.mapping.sky(beside, y).is_some() {
                    graticule.inside.push(GridLabel { x, y, text: self.formats().1.text(*lat, lat_step) });
                } else {
                    graticule.left.push(GridLabel { x, y, text: lat.to_string() });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::mapping::toy::{Flat, WholeSky};
    use super::*;

    fn view(mapping: &dyn SkyMapping, (nx, ny): (usize, usize), (width_px, height_px): (f64, f64)) -> View<'_> {
        View { mapping, nx, ny, width_px, height_px, font_px: 18.0, sexagesimal: false }
    }

    fn texts(labels: &[GridLabel]) -> Vec<&str> {
        labels.iter().map(|l| l.text.as_str()).collect()
    }

    #[test]
    fn ticks_across_the_zero_of_longitude() {
        let flat = Flat { lon: 0.0, lat: 0.0, step: 0.05, nx: 100, ny: 60 };
        let mapping = flat;
        let view = view(&mapping, (100, 60), (1000.0, 600.0));
        let g = view.graticule();
        assert_eq!(
            texts(&g.bottom),
            ["2.5°", "2.0°", "1.5°", "1.0°", "0.5°", "0.0°", "359.5°", "359.0°", "358.5°", "358.0°", "357.5°"]
        );
        assert_eq!(texts(&g.left), ["−1.5°", "−1.0°", "−0.5°", "0.0°", "0.5°", "1.0°", "1.5°"]);
        assert!((g.bottom[5].x - 49.5).abs() < 1e-6 && g.outline.is_none() && g.inside.is_empty());
        assert!(g.lines.iter().all(|l| l.len() == 2));
    }

    #[test]
    fn poles_at_the_edges_do_not_make_steps_vanish() {
        let flat = Flat { lon: 120.0, lat: 0.0, step: 1.0, nx: 360, ny: 180 };
        #[derive(Debug)]
        struct Poles(Flat);
        impl SkyMapping for Poles {
            fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
                self.0.sky(x, y).map(|(lon, lat)| if lat.abs() > 89.9 { (0.0, lat) } else { (lon, lat) })
            }
            fn pixel(&self, lon_deg: f64, lat_deg: f64) -> Option<(f64, f64)> {
                self.0.pixel(lon_deg, lat_deg)
            }
            fn frame(&self) -> Frame {
                self.0.frame()
            }
            fn scales_deg(&self) -> (f64, f64) {
                self.0.scales_deg()
            }
        }
        let mapping = Poles(flat);
        let view = view(&mapping, (360, 180), (1000.0, 500.0));
        let g = view.graticule();
        assert!(g.lines.len() < 40 && g.left.len() >= 5, "{} lines, {:?}", g.lines.len(), g.left);
    }

    #[test]
    fn one_tiny_pixel_has_ticks() {
        let flat = Flat { lon: 83.63, lat: 22.01, step: 0.02, nx: 1, ny: 1 };
        let mapping = flat;
        let view = view(&mapping, (1, 1), (900.0, 900.0));
        let g = view.graticule();
        assert!(g.bottom.len() >= 3 && g.left.len() >= 3, "{g:?}");
    }

    #[test]
    fn whole_sky_has_outline_and_inner_labels() {
        let mapping = WholeSky;
        let view = view(&mapping, (180, 90), (1000.0, 500.0));
        let g = view.graticule();
        assert!(g.outline.is_some() && g.bottom.is_empty());
        assert_eq!(texts(&g.left), ["−60°", "−30°", "0°", "30°", "60°"]);
        assert!(texts(&g.inside).contains(&"0°") && texts(&g.inside).contains(&"330°"), "{:?}", g.inside);
    }
}
