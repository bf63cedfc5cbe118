//! Charts of lines, points and bands: spectra, likelihood profiles, distributions.

mod axis;
mod covered;
mod draw;
mod legend;
mod panel;
mod place;
mod series;

pub(super) use place::Place;
pub use series::{ChartPoint, Series};

use self::axis::ChartAxis;
use self::legend::LegendPlace;
use self::series::Content;
use super::figure::Figure;
use super::heat::HeatMap;
use super::picture::Picture;
use super::profiles::ProfileColumn;
use super::scale::{Scale, Tick};
use super::svg::ink;
use crate::error::Result;

/// Okabe & Ito's colours, told apart by all eyes.
const PALETTE: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#333333"];

pub(super) const TICK: f64 = 0.32;
pub(super) const LABEL_GAP: f64 = 0.3;
pub(super) const CAPITAL: f64 = 0.73;

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
    legend: LegendPlace,
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
            legend: LegendPlace::default(),
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

    /// Powers of ten at logarithmic axes whose numbers are not handy (`10⁻¹²`), in place of a common factor in the name.
    pub fn powers_of_ten(mut self) -> Self {
        (self.x.powers, self.y.powers) = (true, true);
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

    /// Height of the picture and the middle of each name of the legend, px.
    fn names(chart: Chart, names: &[&str]) -> (f64, Vec<(f64, f64)>) {
        let picture = chart.width_px(600).draw().unwrap();
        let text = String::from_utf8(picture.to_svg_with_text()).unwrap();
        let number = |element: &str, key: &str| -> f64 {
            let rest = element.split(&format!(" {key}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        let place = |name: &&str| {
            let end = text.find(&format!(">{name}<")).unwrap_or_else(|| panic!("{name} is not drawn"));
            let element = &text[text[..end].rfind("<text").unwrap()..end];
            (number(element, "x"), number(element, "y"))
        };
        (f64::from(picture.height_px()), names.iter().map(place).collect())
    }

    #[test]
    fn legends_lie_in_the_empty_corner_or_below_the_axis() {
        let square = || Chart::new().x("x", "").x_range(0.0, 1.0).y_range(0.0, 1.0);
        // A line through three of the corners: the free one is where the names go.
        for (free, line) in [
            ((true, true), [(0.05, 1.0), (0.05, 0.05), (1.0, 0.05)]),
            ((false, true), [(0.95, 1.0), (0.95, 0.05), (0.0, 0.05)]),
            ((false, false), [(0.0, 0.95), (0.95, 0.95), (0.95, 0.0)]),
            ((true, false), [(1.0, 0.95), (0.05, 0.95), (0.05, 0.0)]),
        ] {
            let (height, places) = names(square().series(Series::line("a line", &line)), &["a line"]);
            assert_eq!((places[0].0 > 300.0, places[0].1 < 0.5 * height), free, "{places:?}");
        }
        // Points everywhere: nothing may lie on top of them.
        let full: Vec<ChartPoint> =
            (0..900).map(|i| ChartPoint::new(f64::from(i % 30) / 29.0, f64::from(i / 30) / 29.0)).collect();
        let all = (1..=9).map(|n| format!("source number {n}")).collect::<Vec<_>>();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        let chart = all.iter().fold(square(), |chart, name| chart.series(Series::points(*name, &full)));
        let (height, places) = names(chart.clone(), &all);
        let bare = names(chart.without_legend(), &[]).0;
        assert!(height > bare + 20.0, "{height} {bare}");
        assert!(places.iter().all(|(x, y)| *y > bare - 10.0 && *y < height && *x > 0.0 && *x < 600.0), "{places:?}");
        let rows: std::collections::BTreeSet<i64> = places.iter().map(|p| p.1.round() as i64).collect();
        assert!(rows.len() > 1 && rows.len() < all.len(), "{rows:?}");
    }
}
