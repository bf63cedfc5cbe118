//! Charts of lines, points and bands: spectra, likelihood profiles, distributions.

use super::figure::{Figure, Margins, Panel};
use super::heat::HeatMap;
use super::image::{fit, shorten, widest};
use super::label;
use super::marker::{MarkerShape, sign};
use super::picture::Picture;
use super::profiles::{self, ProfileColumn};
use super::scale::{Scale, Stretch, Tick};
use super::side_bar;
use super::svg::{Anchor, Canvas, Rect, Text, ink, num, path_data};
use crate::error::Result;

/// Okabe & Ito's colours, told apart by all eyes.
const PALETTE: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];

/// A point with its errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartPoint {
    x: f64,
    y: f64,
    x_range: Option<(f64, f64)>,
    y_range: Option<(f64, f64)>,
    upper_limit: bool,
}

impl ChartPoint {
    /// A value without errors.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, x_range: None, y_range: None, upper_limit: false }
    }

    /// An upper limit: drawn as an arrow that points down from `y`.
    pub fn upper_limit(x: f64, y: f64) -> Self {
        Self { upper_limit: true, ..Self::new(x, y) }
    }

    /// Ends of the bin.
    pub fn x_range(mut self, lo: f64, hi: f64) -> Self {
        self.x_range = Some((lo, hi));
        self
    }

    /// Errors below and above, both positive.
    pub fn y_error(mut self, below: f64, above: f64) -> Self {
        self.y_range = Some((self.y - below, self.y + above));
        self
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Content {
    Line {
        points: Vec<(f64, f64)>,
        dashed: bool,
    },
    Points {
        points: Vec<ChartPoint>,
        shape: MarkerShape,
    },
    Band(Vec<(f64, f64, f64)>),
    Level {
        y: f64,
    },
    /// Ranges in `x`, over the whole height.
    Shade(Vec<(f64, f64)>),
}

/// Lines, points or a band with a name in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    name: String,
    content: Content,
    like_previous: bool,
    white: bool,
    dark: bool,
}

impl Series {
    /// What a band was made of.
    #[cfg(test)]
    pub(super) fn as_band(&self) -> Option<&[(f64, f64, f64)]> {
        match &self.content {
            Content::Band(points) => Some(points),
            _ => None,
        }
    }

    fn of(name: impl Into<String>, content: Content) -> Self {
        Self { name: name.into(), content, like_previous: false, white: false, dark: false }
    }

    /// A line through `(x, y)`; it breaks where a value is not finite. An empty name leaves it out of the legend.
    pub fn line(name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        Self::of(name, Content::Line { points: points.to_vec(), dashed: false })
    }

    /// A dashed line through `(x, y)`.
    pub fn dashed(name: impl Into<String>, points: &[(f64, f64)]) -> Self {
        Self::of(name, Content::Line { points: points.to_vec(), dashed: true })
    }

    /// Points with errors.
    pub fn points(name: impl Into<String>, points: &[ChartPoint]) -> Self {
        Self::of(name, Content::Points { points: points.to_vec(), shape: MarkerShape::Circle })
    }

    /// The area between the two values of `(x, lower, upper)`.
    pub fn band(name: impl Into<String>, points: &[(f64, f64, f64)]) -> Self {
        Self::of(name, Content::Band(points.to_vec()))
    }

    /// A thin grey line at a value, over the whole width.
    pub fn level(name: impl Into<String>, y: f64) -> Self {
        Self::of(name, Content::Level { y })
    }

    /// Grey over the whole height for each `(from, to)` in `x`: ranges that do not count. Take it first, so that it lies
    /// behind the others.
    pub fn shaded(name: impl Into<String>, ranges: &[(f64, f64)]) -> Self {
        Self::of(name, Content::Shade(ranges.to_vec()))
    }

    /// A line in steps over bins, `edges` being one more than `values`; it breaks where a value is not finite.
    ///
    /// ```
    /// use pevatron::plot::Series;
    /// let steps = Series::steps("", &[1.0, 2.0, 4.0], &[5.0, 3.0]);
    /// assert_eq!(steps, Series::line("", &[(1.0, 5.0), (2.0, 5.0), (2.0, 3.0), (4.0, 3.0)]));
    /// ```
    pub fn steps(name: impl Into<String>, edges: &[f64], values: &[f64]) -> Self {
        let corners = edges.windows(2).zip(values).flat_map(|(e, v)| [(e[0], *v), (e[1], *v)]);
        Self::of(name, Content::Line { points: corners.collect(), dashed: false })
    }

    /// As [`Series::steps`], dashed.
    pub fn dashed_steps(name: impl Into<String>, edges: &[f64], values: &[f64]) -> Self {
        let mut series = Self::steps(name, edges, values);
        if let Content::Line { dashed, .. } = &mut series.content {
            *dashed = true;
        }
        series
    }

    /// The area between 0 (or the lower end of a logarithmic axis) and the values of bins.
    pub fn filled_steps(name: impl Into<String>, edges: &[f64], values: &[f64]) -> Self {
        let corners = edges.windows(2).zip(values).flat_map(|(e, v)| [(e[0], 0.0, *v), (e[1], 0.0, *v)]);
        Self::of(name, Content::Band(corners.collect()))
    }

    /// Nearly black, out of the row of colours: for what was measured.
    pub fn dark(mut self) -> Self {
        self.dark = true;
        self
    }

    /// In the colour of the series before: a band and the line in it.
    pub fn like_previous(mut self) -> Self {
        self.like_previous = true;
        self
    }

    /// In white with a dark rim: on top of colours.
    pub fn white(mut self) -> Self {
        self.white = true;
        self
    }

    /// Finite places it takes up.
    fn extent(&self) -> Vec<(f64, f64)> {
        match &self.content {
            Content::Line { points, .. } => points.clone(),
            Content::Band(points) => points.iter().flat_map(|(x, a, b)| [(*x, *a), (*x, *b)]).collect(),
            Content::Points { points, .. } => points
                .iter()
                .flat_map(|p| {
                    let (x0, x1) = p.x_range.unwrap_or((p.x, p.x));
                    // Room for the arrow of a limit.
                    let (y0, y1) = p.y_range.unwrap_or((if p.upper_limit { 0.55 * p.y } else { p.y }, p.y));
                    [(x0, p.y), (x1, p.y), (p.x, y0), (p.x, y1)]
                })
                .collect(),
            Content::Level { .. } | Content::Shade(_) => Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq)]
struct ChartAxis {
    name: String,
    unit: String,
    log: bool,
    range: Option<(f64, f64)>,
    /// Without name and labels: the panel below has them.
    bare: bool,
}

impl ChartAxis {
    /// The axis around the values, a little wider than they are.
    fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let stretch = if self.log { Stretch::Log } else { Stretch::Linear };
        if let Some((lo, hi)) = self.range {
            return Scale::new(stretch, lo, hi);
        }
        let usable = values.filter(|v| v.is_finite() && (!self.log || *v > 0.0));
        let ends = usable.fold(None, |ends: Option<(f64, f64)>, v| match ends {
            Some((lo, hi)) => Some((lo.min(v), hi.max(v))),
            None => Some((v, v)),
        });
        let (lo, hi) = ends.unwrap_or(if self.log { (1.0, 10.0) } else { (0.0, 1.0) });
        let tight = Scale::new(stretch, lo, hi);
        if lo == hi { tight } else { Scale::new(stretch, tight.value(-0.05), tight.value(1.05)) }
    }

    fn label(&self, scale: &Scale) -> String {
        label::quantity_label(&self.name, &self.unit, scale.label_power())
    }
}

/// A chart with two axes.
///
/// ```
/// use pevatron::plot::{Chart, ChartPoint, Series};
/// let points = [ChartPoint::new(1.0, 3e-11).y_error(4e-12, 5e-12), ChartPoint::upper_limit(10.0, 6e-13)];
/// let picture = Chart::new()
///     .x("Energy", "TeV")
///     .y("dN/dE", "cm-2 s-1 TeV-1")
///     .log_x()
///     .log_y()
///     .series(Series::points("this work", &points))
///     .draw()?;
/// assert_eq!(picture.width_px(), 1200);
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    title: String,
    x: ChartAxis,
    y: ChartAxis,
    series: Vec<Series>,
    profiles: Option<Profiles>,
    heat: Option<HeatMap>,
    aspect: f64,
    width_px: f64,
}

/// Columns of likelihood profiles, what their colour is called, and its end.
#[derive(Debug, Clone, PartialEq)]
struct Profiles {
    columns: Vec<ProfileColumn>,
    name: String,
    most: f64,
}

impl Default for Chart {
    fn default() -> Self {
        Self::new()
    }
}

pub(super) const TICK: f64 = 0.32;
pub(super) const LABEL_GAP: f64 = 0.3;
pub(super) const CAPITAL: f64 = 0.73;

impl Chart {
    /// An empty chart with linear axes.
    pub fn new() -> Self {
        Self {
            title: String::new(),
            x: ChartAxis::default(),
            y: ChartAxis::default(),
            series: Vec::new(),
            profiles: None,
            heat: None,
            aspect: 0.6,
            width_px: Figure::WIDTH_PX,
        }
    }

    /// Title above the chart.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }

    /// Name and unit of the horizontal axis.
    pub fn x(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        (self.x.name, self.x.unit) = (name.into(), unit.into());
        self
    }

    /// Name and unit of the vertical axis.
    pub fn y(mut self, name: impl Into<String>, unit: impl Into<String>) -> Self {
        (self.y.name, self.y.unit) = (name.into(), unit.into());
        self
    }

    /// Logarithmic horizontal axis.
    pub fn log_x(mut self) -> Self {
        self.x.log = true;
        self
    }

    /// Logarithmic vertical axis; values that are not positive are left out.
    pub fn log_y(mut self) -> Self {
        self.y.log = true;
        self
    }

    /// Ends of the horizontal axis; automatic without.
    pub fn x_range(mut self, lo: f64, hi: f64) -> Self {
        self.x.range = Some((lo, hi));
        self
    }

    /// Ends of the vertical axis; automatic without.
    pub fn y_range(mut self, lo: f64, hi: f64) -> Self {
        self.y.range = Some((lo, hi));
        self
    }

    /// Something to draw; later ones lie on top, bands below all others.
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Likelihood profiles as columns of colour behind everything else, with a bar from 0 to `most`.
    pub fn profiles(mut self, columns: Vec<ProfileColumn>, name: impl Into<String>, most: f64) -> Self {
        self.profiles = Some(Profiles { columns, name: name.into(), most });
        self
    }

    /// Values over cells behind everything else, with a colour bar; the axes end where the cells do, if nothing else is
    /// said.
    pub fn heat_map(mut self, heat: HeatMap) -> Self {
        let (x, y) = heat.ends();
        self.x.range.get_or_insert(x);
        self.y.range.get_or_insert(y);
        self.heat = Some(heat);
        self
    }

    /// No name at the horizontal axis: what stands below has the same one.
    pub fn without_x_name(mut self) -> Self {
        (self.x.name, self.x.unit) = (String::new(), String::new());
        self
    }

    /// All names out of the legend.
    pub(super) fn without_legend(mut self) -> Self {
        self.series = self.series.into_iter().map(|s| Series { name: String::new(), ..s }).collect();
        self
    }

    /// All series so far in white, on top of colours; white names would be invisible in the legend, which is left out.
    pub(super) fn all_white(mut self) -> Self {
        self.series = self.series.into_iter().map(|s| Series { name: String::new(), ..s.white() }).collect();
        self
    }

    /// Height over width of the area between the axes, 0.6 by default.
    pub fn aspect(mut self, aspect: f64) -> Self {
        self.aspect = aspect;
        self
    }

    /// Width of the picture, 1200 px by default; texts scale with it.
    pub fn width_px(mut self, width_px: u32) -> Self {
        self.width_px = f64::from(width_px);
        self
    }

    /// Leaves the horizontal axis' name and labels to the panel below.
    pub(super) fn stand_above_another(mut self) -> Self {
        self.x.bare = true;
        self
    }

    /// Least and largest vertical value above 0 of points with their errors and limits.
    pub(super) fn y_of_points(&self) -> Option<(f64, f64)> {
        self.y_ends(|content| matches!(content, Content::Points { .. }))
    }

    /// The same of lines.
    pub(super) fn y_of_lines(&self) -> Option<(f64, f64)> {
        self.y_ends(|content| matches!(content, Content::Line { .. }))
    }

    fn y_ends(&self, of: impl Fn(&Content) -> bool) -> Option<(f64, f64)> {
        let chosen = self.series.iter().filter(|s| of(&s.content));
        let values = chosen.flat_map(Series::extent).map(|p| p.1).filter(|v| v.is_finite() && *v > 0.0);
        values.map(|v| (v, v)).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }

    /// The picture of this chart alone.
    ///
    /// # Errors
    /// Widths below 100 px or above 20000 px.
    pub fn draw(self) -> Result<Picture> {
        let width_px = self.width_px;
        Figure::new().width_exact(width_px).panel(self).draw()
    }

    fn scales(&self) -> (Scale, Scale) {
        let mut places: Vec<(f64, f64)> = self.series.iter().flat_map(Series::extent).collect();
        for column in self.profiles.iter().flat_map(|p| p.columns.iter().map(move |c| (c, p.most))) {
            let (lo, hi) = column.0.ends();
            places.extend(column.0.inside(column.1).flat_map(|y| [(lo, y), (hi, y)]));
        }
        let levels =
            self.series.iter().filter_map(|s| if let Content::Level { y } = s.content { Some(y) } else { None });
        let x = self.x.scale(places.iter().map(|p| p.0));
        let y = self.y.scale(places.iter().map(|p| p.1).chain(levels));
        (x, y)
    }

    fn ticks(&self, plot_w: f64, plot_h: f64, font_px: f64) -> (Vec<Tick>, Vec<Tick>) {
        let (x, y) = self.scales();
        (x.ticks(plot_w, (4.4 * font_px).max(plot_w / 11.0)), y.ticks(plot_h, (2.2 * font_px).max(plot_h / 11.0)))
    }

    /// Colour of each series.
    fn colours(&self) -> Vec<&'static str> {
        let mut next = 0;
        let mut colours: Vec<&'static str> = Vec::with_capacity(self.series.len());
        for series in &self.series {
            let previous = colours.last().copied().filter(|_| series.like_previous);
            colours.push(match (&series.content, previous) {
                (Content::Level { .. }, _) => "#777777",
                (Content::Shade(_), _) => "#8a8a8a",
                _ if series.white => ink::WHITE,
                _ if series.dark => ink::DARK,
                (_, Some(colour)) => colour,
                _ => {
                    next += 1;
                    PALETTE[(next - 1) % PALETTE.len()]
                }
            });
        }
        colours
    }

    fn draw_grid(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, scales: &(Scale, Scale)) {
        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let thin = num(font_px / 18.0);
        let grid = format!(r##"stroke="#dddddd" stroke-width="{thin}""##);
        let stroke = format!(r#"stroke="{}" stroke-width="{thin}""#, ink::DARK);
        let (x_ticks, y_ticks) = self.ticks(plot.w, plot.h, font_px);
        for t in x_ticks {
            let x = plot.x + scales.0.position(t.value) * plot.w;
            let major = !t.label.is_empty();
            if major {
                canvas.line((x, plot.y), (x, plot.bottom()), &grid);
            }
            canvas.line((x, plot.bottom()), (x, plot.bottom() + if major { tick } else { 0.5 * tick }), &stroke);
            if self.x.bare {
                continue;
            }
            canvas.text(Text::new(
                &t.label,
                x,
                plot.bottom() + tick + gap + CAPITAL * font_px,
                font_px,
                Anchor::Middle,
            ));
        }
        for t in y_ticks {
            let y = plot.bottom() - scales.1.position(t.value) * plot.h;
            let major = !t.label.is_empty();
            if major {
                canvas.line((plot.x, y), (plot.right(), y), &grid);
            }
            canvas.line((plot.x - if major { tick } else { 0.5 * tick }, y), (plot.x, y), &stroke);
            canvas.text(Text::new(&t.label, plot.x - tick - gap, y + 0.5 * CAPITAL * font_px, font_px, Anchor::End));
        }
    }

    fn draw_series(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, series: &Series, colour: &str, place: &Place) {
        let line = font_px / 18.0;
        let wide = num(2.2 * line);
        match &series.content {
            Content::Line { points, dashed } => {
                let dash = if *dashed {
                    format!(r#" stroke-dasharray="{} {}""#, num(8.0 * line), num(5.0 * line))
                } else {
                    String::new()
                };
                let data: String = points
                    .split(|p| place.at(*p).is_none())
                    .map(|run| path_data(&run.iter().filter_map(|p| place.at(*p)).collect::<Vec<_>>(), false))
                    .collect();
                canvas.path(
                    &data,
                    &format!(r#"fill="none" stroke="{colour}" stroke-width="{wide}" stroke-linejoin="round"{dash}"#),
                );
            }
            Content::Band(points) => {
                let usable = points.iter().filter(|(x, a, b)| x.is_finite() && a.is_finite() && b.is_finite());
                let upper = usable.clone().filter_map(|(x, _, b)| place.at_clamped((*x, *b)));
                let lower = usable.rev().filter_map(|(x, a, _)| place.at_clamped((*x, *a)));
                let border: Vec<(f64, f64)> = upper.chain(lower).collect();
                canvas.path(&path_data(&border, true), &format!(r#"fill="{colour}" fill-opacity="0.25""#));
            }
            Content::Shade(ranges) => {
                for (lo, hi) in ranges {
                    let y = place.scales.1.hi;
                    let (Some(a), Some(b)) = (place.at_clamped((*lo, y)), place.at_clamped((*hi, y))) else { continue };
                    let area = Rect { x: a.0, y: plot.y, w: (b.0 - a.0).max(0.0), h: plot.h };
                    canvas.rect(area, &format!(r#"fill="{colour}" fill-opacity="0.22""#));
                }
            }
            Content::Level { y } => {
                if let Some((_, y)) = place.at((place.scales.0.hi, *y)) {
                    let dash = format!("{} {}", num(4.0 * line), num(4.0 * line));
                    canvas.line(
                        (plot.x, y),
                        (plot.right(), y),
                        &format!(r#"stroke="{colour}" stroke-width="{}" stroke-dasharray="{dash}""#, num(1.4 * line)),
                    );
                }
            }
            Content::Points { points, shape } => {
                let bar = format!(r#"fill="none" stroke="{colour}" stroke-width="{}""#, num(1.8 * line));
                for p in points {
                    let Some((x, y)) = place.at((p.x, p.y)) else { continue };
                    if let Some((lo, hi)) = p.x_range
                        && let (Some(a), Some(b)) = (place.at_clamped((lo, p.y)), place.at_clamped((hi, p.y)))
                    {
                        canvas.line(a, b, &bar);
                    }
                    if p.upper_limit {
                        let (tip, head) = (y + 2.0 * font_px, 0.35 * font_px);
                        canvas.line((x, y), (x, tip - head), &bar);
                        let arrow = [(x - 0.7 * head, tip - 1.4 * head), (x, tip), (x + 0.7 * head, tip - 1.4 * head)];
                        canvas.path(&path_data(&arrow, true), &format!(r#"fill="{colour}""#));
                        if p.x_range.is_none() {
                            canvas.line((x - head, y), (x + head, y), &bar);
                        }
                        continue;
                    }
                    if let Some((lo, hi)) = p.y_range
                        && let (Some(a), Some(b)) = (place.at_clamped((p.x, lo)), place.at_clamped((p.x, hi)))
                    {
                        canvas.line(a, b, &bar);
                    }
                    let data = sign(*shape, x, y, 0.27 * font_px);
                    canvas.path(
                        &data,
                        &format!(
                            r#"fill="{colour}" stroke="{}" stroke-width="{}""#,
                            if series.white { ink::DARK } else { ink::WHITE },
                            num(line)
                        ),
                    );
                }
            }
        }
    }

    /// Places on the drawing that the series take up, lines in short steps.
    fn inked(&self, place: &Place) -> Vec<(f64, f64)> {
        const STEPS: usize = 12;
        let mut places = Vec::new();
        for series in &self.series {
            let corners: Vec<(f64, f64)> = series.extent().into_iter().filter_map(|p| place.at(p)).collect();
            for pair in corners.windows(2).filter(|_| matches!(series.content, Content::Line { .. })) {
                let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
                let share = |i: usize| i as f64 / STEPS as f64;
                places.extend((1..STEPS).map(|i| (x0 + share(i) * (x1 - x0), y0 + share(i) * (y1 - y0))));
            }
            places.extend(corners);
        }
        places
    }

    fn draw_legend(&self, canvas: &mut Canvas, plot: Rect, font_px: f64, colours: &[&str], place: &Place) {
        let entries: Vec<(&Series, &str)> =
            self.series.iter().zip(colours.iter().copied()).filter(|(s, _)| !s.name.is_empty()).collect();
        if entries.is_empty() {
            return;
        }
        let text_px = 0.92 * font_px;
        let (row, swatch, pad) = (1.45 * text_px, 2.0 * text_px, 0.6 * text_px);
        let w = widest(entries.iter().map(|(s, _)| s.name.as_str()), text_px) + swatch + 3.0 * pad;
        let h = row * entries.len() as f64 + pad;
        let inset = 0.7 * font_px;
        let (left, middle, right) = (plot.x + inset, plot.x + 0.5 * (plot.w - w), plot.right() - inset - w);
        let (top, centre, bottom) = (plot.y + inset, plot.y + 0.5 * (plot.h - h), plot.bottom() - inset - h);
        let spots = [
            (right, top),
            (left, top),
            (left, bottom),
            (right, bottom),
            (middle, top),
            (middle, bottom),
            (right, centre),
            (left, centre),
        ];
        let places = self.inked(place);
        let covered = |r: &Rect| places.iter().filter(|(x, y)| r.holds_point(*x, *y)).count();
        let Some(r) = spots.into_iter().map(|(x, y)| Rect { x, y, w, h }).min_by_key(covered) else { return };
        let thin = num(font_px / 18.0);
        canvas
            .rect(r, &format!(r##"rx="3" fill="#ffffff" fill-opacity="0.85" stroke="#cccccc" stroke-width="{thin}""##));
        for (i, (series, colour)) in entries.into_iter().enumerate() {
            let middle = r.y + 0.5 * pad + (i as f64 + 0.5) * row;
            let (a, b) = (r.x + pad, r.x + pad + swatch);
            let local = Place {
                plot: Rect { x: a, y: middle - 0.35 * row, w: b - a, h: 0.7 * row },
                scales: (Scale::new(Stretch::Linear, 0.0, 1.0), Scale::new(Stretch::Linear, 0.0, 1.0)),
            };
            let content = match &series.content {
                Content::Line { dashed, .. } => Content::Line { points: vec![(0.0, 0.5), (1.0, 0.5)], dashed: *dashed },
                Content::Points { shape, .. } => Content::Points {
                    points: vec![ChartPoint::new(0.5, 0.5).x_range(0.1, 0.9).y_error(0.5, 0.5)],
                    shape: *shape,
                },
                Content::Band(_) => Content::Band(vec![(0.0, 0.0, 1.0), (1.0, 0.0, 1.0)]),
                Content::Level { .. } => Content::Level { y: 0.5 },
                Content::Shade(_) => Content::Shade(vec![(0.0, 1.0)]),
            };
            let sample = Series { content, ..series.clone() };
            self.draw_series(canvas, local.plot, font_px, &sample, colour, &local);
            canvas.text(Text::new(&series.name, b + pad, middle + 0.5 * CAPITAL * text_px, text_px, Anchor::Start));
        }
    }
}

/// From values to the drawing.
pub(super) struct Place {
    pub(super) plot: Rect,
    pub(super) scales: (Scale, Scale),
}

impl Place {
    /// `None` where a value is not finite, or not positive on a logarithmic axis.
    pub(super) fn at(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let usable = |scale: &Scale, v: f64| v.is_finite() && (scale.stretch != Stretch::Log || v > 0.0);
        (usable(&self.scales.0, x) && usable(&self.scales.1, y)).then(|| {
            // Far outside is as good as outside, and keeps the renderer's numbers small.
            let t = |scale: &Scale, v: f64| scale.position(v).clamp(-20.0, 20.0);
            (self.plot.x + t(&self.scales.0, x) * self.plot.w, self.plot.bottom() - t(&self.scales.1, y) * self.plot.h)
        })
    }

    /// The same with values that a logarithmic axis cannot show moved to its lower end.
    fn at_clamped(&self, (x, y): (f64, f64)) -> Option<(f64, f64)> {
        let shown = |scale: &Scale, v: f64| if scale.stretch == Stretch::Log && v <= 0.0 { scale.lo } else { v };
        self.at((shown(&self.scales.0, x), shown(&self.scales.1, y)))
    }
}

impl Panel for Chart {
    fn aspect(&self) -> Option<f64> {
        Some(if self.aspect.is_finite() { self.aspect.clamp(0.05, 20.0) } else { 0.6 })
    }

    fn title(&self) -> &str {
        &self.title
    }

    fn label(&self) -> &str {
        &self.y.name
    }

    fn margins(&self, width_px: f64, height_px: f64, font_px: f64) -> Margins {
        let (x_ticks, y_ticks) = self.ticks(width_px, height_px, font_px);
        let (x, y) = self.scales();
        let y_name = if self.y.label(&y).is_empty() { 0.0 } else { 0.65 + 1.25 };
        let x_name = if self.x.label(&x).is_empty() { 0.0 } else { 0.65 + CAPITAL };
        let labels = widest(y_ticks.iter().map(|t| t.label.as_str()), font_px);
        Margins {
            left: labels + (TICK + LABEL_GAP + y_name + 0.2) * font_px,
            right: match (&self.profiles, &self.heat) {
                (Some(profiles), _) => {
                    side_bar::room(&profiles::scale(profiles.most), &profiles.name, height_px, font_px)
                }
                (None, Some(heat)) => side_bar::room(&heat.scale(), &heat.label(), height_px, font_px),
                (None, None) => 0.5 * widest(x_ticks.iter().map(|t| t.label.as_str()), font_px) + 0.3 * font_px,
            },
            bottom: if self.x.bare { TICK * font_px } else { (TICK + LABEL_GAP + CAPITAL + x_name + 0.6) * font_px },
        }
    }

    fn draw(&self, canvas: &mut Canvas, plot: Rect, font_px: f64) -> Result<()> {
        let place = Place { plot, scales: self.scales() };
        self.draw_grid(canvas, plot, font_px, &place.scales);
        let clip = canvas.id("clip");
        let (x, y, w, h) = (num(plot.x), num(plot.y), num(plot.w), num(plot.h));
        canvas.raw(&format!(r#"<clipPath id="{clip}"><rect x="{x}" y="{y}" width="{w}" height="{h}"/></clipPath>"#));
        canvas.open(&format!(r#"clip-path="url(#{clip})""#));
        if let Some(profiles) = &self.profiles {
            profiles::draw(canvas, &profiles.columns, profiles.most, &place);
        }
        if let Some(heat) = &self.heat {
            heat.draw(canvas, &place)?;
        }
        let colours = self.colours();
        // Bands would take the colour off what they cover.
        let is_band = |series: &Series| matches!(series.content, Content::Band(_));
        for bands in [true, false] {
            for (series, colour) in self.series.iter().zip(&colours).filter(|(s, _)| is_band(s) == bands) {
                self.draw_series(canvas, plot, font_px, series, colour, &place);
            }
        }
        canvas.close();
        if let Some(profiles) = &self.profiles {
            let scale = profiles::scale(profiles.most);
            side_bar::draw(canvas, plot, profiles::COLOURS, &scale, &profiles.name, font_px)?;
        } else if let Some(heat) = &self.heat {
            side_bar::draw(canvas, plot, heat.colour_map(), &heat.scale(), &heat.label(), font_px)?;
        }
        canvas.rect(plot, &format!(r#"fill="none" stroke="{}" stroke-width="{}""#, ink::DARK, num(font_px / 15.0)));
        self.draw_legend(canvas, plot, font_px, &colours, &place);

        let (tick, gap) = (TICK * font_px, LABEL_GAP * font_px);
        let x_name = self.x.label(&place.scales.0);
        let baseline = plot.bottom() + tick + gap + (2.0 * CAPITAL + 0.65) * font_px;
        let size = fit(&x_name, font_px, plot.w);
        if !self.x.bare {
            canvas.text(Text::new(&x_name, plot.x + 0.5 * plot.w, baseline, size, Anchor::Middle).grey());
        }
        let (_, y_ticks) = self.ticks(plot.w, plot.h, font_px);
        let labels = widest(y_ticks.iter().map(|t| t.label.as_str()), font_px);
        let (y_name, size) = shorten(&self.y.label(&place.scales.1), font_px, plot.h);
        let x = plot.x - tick - gap - labels - 0.65 * font_px;
        canvas.text(Text::new(&y_name, x, plot.y + 0.5 * plot.h, size, Anchor::Middle).grey().upright());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(chart: Chart) -> String {
        String::from_utf8(chart.draw().unwrap().to_svg_with_text()).unwrap()
    }

    #[test]
    fn a_spectrum_has_ticks_units_and_a_legend() {
        let text =
            svg(Chart::new().x("Energy", "TeV").y("dN/dE", "cm-2 s-1 TeV-1").log_x().log_y().series(Series::points(
                "data",
                &[ChartPoint::new(0.1, 1e-10).y_error(1e-11, 1e-11), ChartPoint::upper_limit(50.0, 2e-13)],
            )));
        for wanted in ["Energy [TeV]", "dN/dE [10⁻¹⁴ cm⁻² s⁻¹ TeV⁻¹]", ">0.1<", ">10<", ">data<", ">1000<"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
    }

    #[test]
    fn what_cannot_be_shown_is_left_out() {
        let points = [(0.0, 1.0), (1.0, f64::NAN), (2.0, -3.0), (3.0, 2.0), (f64::INFINITY, 1.0)];
        for chart in [Chart::new(), Chart::new().log_x().log_y()] {
            let text = svg(chart.series(Series::line("a", &points)).series(Series::band("b", &[(1.0, -1.0, 2.0)])));
            assert!(!text.contains("NaN") && !text.contains("inf"));
        }
        assert!(svg(Chart::new()).contains("<rect"));
    }
}
