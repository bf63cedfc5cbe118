//! Charts of fits: profiles of the statistic and contours of two parameters.

use super::chart::{Chart, ChartPoint, Series};
use super::label;
use crate::error::{Error, Result};

/// Most that a profile rises in the chart: 16 is four standard deviations.
const MOST_RISE: f64 = 16.0;

/// A parameter at the minimum: its name, unit, value, and error (0 or NaN: not known).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedParameter<'a> {
    /// Name as it stands at the axis.
    pub name: &'a str,
    /// Unit; may be empty.
    pub unit: &'a str,
    /// Value at the minimum.
    pub value: f64,
    /// Errors below and above.
    pub errors: (f64, f64),
}

impl FittedParameter<'_> {
    /// Ends of the interval of one sigma, where known.
    fn interval(&self) -> Option<(f64, f64)> {
        let (below, above) = self.errors;
        (below > 0.0 && above > 0.0).then_some((self.value - below, self.value + above)).filter(|(a, b)| a < b)
    }

    /// `2.31 ± 0.05`, with as many digits as the error says something about.
    fn text(&self) -> String {
        let Some(_) = self.interval() else { return format!("best fit {}", short_scientific(self.value)) };
        let (below, above) = self.errors;
        let power = power_of(self.value.abs().max(below).max(above));
        let unit = 10f64.powi(power);
        let least = below.min(above) / unit;
        let decimals = (1 - least.log10().floor() as i32).clamp(0, 8) as usize;
        let fixed = |v: f64| label::fixed(v / unit, decimals);
        let errors = if fixed(below) == fixed(above) {
            format!("± {}", fixed(below))
        } else {
            format!("−{} +{}", fixed(below), fixed(above))
        };
        match power {
            0 => format!("{} {errors}", fixed(self.value)),
            _ => format!("({} {errors}) × 10{}", fixed(self.value), label::superscript(power)),
        }
    }
}

/// The power of ten to take out of a number; 0 for handy ones.
fn power_of(size: f64) -> i32 {
    let power = if size > 0.0 && size.is_finite() { size.log10().floor() as i32 } else { 0 };
    if (-3..5).contains(&power) { 0 } else { power }
}

fn short_scientific(value: f64) -> String {
    if power_of(value.abs()) == 0 { label::rounded(value) } else { label::scientific(value) }
}

/// How −2 ln L rises above its minimum along a parameter (of `stat` at `values`, the minimum being `stat_min`), with the
/// best fit, its error (shaded) and the levels of one, two and three sigma.
///
/// ```
/// use pevatron::plot::{FittedParameter, fit_profile_chart};
/// let index = FittedParameter { name: "src.spectral.index", unit: "", value: 2.3, errors: (0.1, 0.1) };
/// let values = [2.1, 2.2, 2.3, 2.4, 2.5];
/// let stat = [1004.0, 1001.0, 1000.0, 1001.0, 1004.0];
/// let picture = fit_profile_chart(&index, &values, &stat, 1000.0)?.draw()?;
/// assert_eq!(&picture.to_png()?[1..4], b"PNG");
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// [`Error::Input`] where values and stat differ in number, or fewer than two are finite.
pub fn fit_profile_chart(
    parameter: &FittedParameter<'_>,
    values: &[f64],
    stat: &[f64],
    stat_min: f64,
) -> Result<Chart> {
    if values.len() != stat.len() {
        let problem = format!("{} values with {} statistics", values.len(), stat.len());
        return Err(Error::input(parameter.name, problem));
    }
    let mut line: Vec<(f64, f64)> = values.iter().zip(stat).map(|(v, s)| (*v, s - stat_min)).collect();
    line.retain(|(v, _)| v.is_finite());
    line.sort_by(|a, b| a.0.total_cmp(&b.0));
    let finite = || line.iter().filter(|(_, s)| s.is_finite());
    if finite().count() < 2 {
        return Err(Error::input(parameter.name, "a profile needs two finite values"));
    }
    let rise = finite().map(|p| p.1).fold(0.0, f64::max);
    let top = (1.08 * rise).clamp(1.3, MOST_RISE);
    let (lo, hi) = (line[0].0, line[line.len() - 1].0);
    // The value stands above the chart: a legend would cover what matters, the curve and its minimum.
    let unit = label::unit_label(parameter.unit);
    let title = if unit.is_empty() { parameter.text() } else { format!("{} {unit}", parameter.text()) };
    let mut chart = Chart::new()
        .title(title)
        .x(parameter.name, parameter.unit)
        .y("rise of −2 ln L", "")
        .x_range(lo, hi)
        .y_range((-0.03 * top).min(finite().map(|p| p.1).fold(0.0, f64::min)), top);
    if let Some(interval) = parameter.interval() {
        chart = chart.series(Series::shaded("", &[interval]));
    }
    for sigma in [1.0, 2.0, 3.0f64].into_iter().filter(|s| s * s < top) {
        chart = chart.series(Series::level("", sigma * sigma));
    }
    let points: Vec<ChartPoint> = finite().map(|(v, s)| ChartPoint::new(*v, *s)).collect();
    chart = chart.series(Series::line("", &smooth(&line)));
    chart = chart.series(Series::points("", &points).like_previous());
    Ok(chart.series(Series::dashed("", &[(parameter.value, -top), (parameter.value, top)]).dark()))
}

/// Through the points by cubics that keep each rise and fall (Fritsch & Carlson 1980); gaps stay gaps.
fn smooth(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STEPS: usize = 16;
    let n = points.len();
    let slope = |i: usize| (points[i + 1].1 - points[i].1) / (points[i + 1].0 - points[i].0);
    // The slope at a point: the harmonic mean of those beside it, 0 where they differ in sign.
    let tangent = |i: usize| -> f64 {
        let (before, after) = (i.checked_sub(1).map(slope), (i + 1 < n).then(|| slope(i)));
        match (before.filter(|v| v.is_finite()), after.filter(|v| v.is_finite())) {
            (Some(a), Some(b)) if a * b > 0.0 => 2.0 * a * b / (a + b),
            (Some(_), Some(_)) | (None, None) => 0.0,
            (Some(a), None) | (None, Some(a)) => a,
        }
    };
    let mut line = Vec::with_capacity(n * STEPS);
    for i in 0..n.saturating_sub(1) {
        let ((x0, y0), (x1, y1)) = (points[i], points[i + 1]);
        let h = x1 - x0;
        let (a, b) = (tangent(i) * h, tangent(i + 1) * h);
        for step in 0..STEPS {
            let t = step as f64 / STEPS as f64;
            let (t2, t3) = (t * t, t * t * t);
            let y =
                (2.0 * t3 - 3.0 * t2 + 1.0) * y0 + (t3 - 2.0 * t2 + t) * a + (3.0 * t2 - 2.0 * t3) * y1 + (t3 - t2) * b;
            line.push((x0 + t * h, y));
        }
    }
    line.extend(points.last());
    line
}

/// Contours of two parameters, each a closed line with a name such as `2σ`, around the best fit with its errors. A point
/// that is not finite (not found) leaves a gap.
///
/// ```
/// use std::f64::consts::TAU;
/// use pevatron::plot::{FittedParameter, contour_chart};
/// let x = FittedParameter { name: "index", unit: "", value: 2.3, errors: (0.1, 0.1) };
/// let y = FittedParameter { name: "amplitude", unit: "cm-2 s-1 TeV-1", value: 3e-12, errors: (2e-13, 2e-13) };
/// let ellipse: Vec<(f64, f64)> =
///     (0..40).map(|i| f64::from(i) * TAU / 40.0).map(|t| (2.3 + 0.15 * t.cos(), 3e-12 + 3e-13 * t.sin())).collect();
/// let chart = contour_chart(&x, &y, &[("1σ", &ellipse)])?;
/// assert!(String::from_utf8_lossy(&chart.draw()?.to_svg()?).contains("<path"));
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// [`Error::Input`] without a contour that has three finite points.
pub fn contour_chart(
    x: &FittedParameter<'_>,
    y: &FittedParameter<'_>,
    contours: &[(&str, &[(f64, f64)])],
) -> Result<Chart> {
    let usable = |points: &[(f64, f64)]| points.iter().filter(|(a, b)| a.is_finite() && b.is_finite()).count() >= 3;
    if !contours.iter().any(|(_, points)| usable(points)) {
        return Err(Error::input(x.name, format!("no contour with {} has three points", y.name)));
    }
    let mut chart = Chart::new().x(x.name, x.unit).y(y.name, y.unit).aspect(0.75);
    for (name, points) in contours {
        chart = chart.series(Series::line(*name, &closed(points)));
    }
    let mut best = ChartPoint::new(x.value, y.value);
    if let Some((lo, hi)) = x.interval() {
        best = best.x_range(lo, hi);
    }
    if y.interval().is_some() {
        best = best.y_error(y.errors.0, y.errors.1);
    }
    Ok(chart.series(Series::points("best fit", &[best]).dark()))
}

/// Once around, in curves through all points (Catmull & Rom 1974) where all are finite, else straight from one to the
/// next.
fn closed(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STEPS: usize = 8;
    let n = points.len();
    if n < 4 || points.iter().any(|(a, b)| !(a.is_finite() && b.is_finite())) {
        return points.iter().chain(points.first()).copied().collect();
    }
    let at = |i: usize| points[i % n];
    let mut line = Vec::with_capacity(n * STEPS + 1);
    for i in 0..n {
        let (a, b, c, d) = (at(i + n - 1), at(i), at(i + 1), at(i + 2));
        for step in 0..STEPS {
            let t = step as f64 / STEPS as f64;
            let curve = |a: f64, b: f64, c: f64, d: f64| {
                b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
            };
            line.push((curve(a.0, b.0, c.0, d.0), curve(a.1, b.1, c.1, d.1)));
        }
    }
    line.push(points[0]);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(chart: Chart) -> String {
        String::from_utf8(chart.draw().unwrap().to_svg_with_text()).unwrap()
    }

    #[test]
    fn values_have_the_digits_of_their_errors() {
        let of = |value: f64, errors: (f64, f64)| FittedParameter { name: "p", unit: "", value, errors }.text();
        assert_eq!(of(2.3456, (0.0512, 0.0512)), "2.346 ± 0.051");
        assert_eq!(of(3.21e-12, (2e-13, 3.1e-13)), "(3.21 −0.20 +0.31) × 10⁻¹²");
        assert_eq!(of(2.5, (f64::NAN, 0.1)), "best fit 2.5");
        assert_eq!(of(-4e-9, (0.0, 0.0)), "best fit −4×10⁻⁹");
    }

    #[test]
    fn smooth_lines_go_through_their_points_and_do_not_overshoot() {
        let points = [(0.0, 4.0), (1.0, 1.0), (2.0, 0.0), (3.0, 1.0), (4.0, 4.0)];
        let line = smooth(&points);
        for p in points {
            assert!(line.iter().any(|q| (q.0 - p.0).abs() < 1e-12 && (q.1 - p.1).abs() < 1e-12), "{p:?}");
        }
        assert!(line.iter().all(|(_, y)| (-1e-12..=4.0).contains(y)));
        // Near the parabola that it stands for.
        assert!(line.iter().all(|(x, y)| (y - (x - 2.0).powi(2)).abs() < 0.15), "{line:?}");
    }

    #[test]
    fn contours_are_round() {
        let circle: Vec<(f64, f64)> =
            (0..24).map(|i| (std::f64::consts::TAU * f64::from(i) / 24.0).sin_cos()).collect();
        let line = closed(&circle);
        assert!(line.len() > 150 && line.first() == line.last());
        assert!(line.iter().all(|(x, y)| (x.hypot(*y) - 1.0).abs() < 1e-3));
    }

    #[test]
    fn profiles_name_parameter_and_interval() {
        let p = FittedParameter {
            name: "src.spectral.amplitude",
            unit: "cm-2 s-1 TeV-1",
            value: 3e-12,
            errors: (2e-13, 2e-13),
        };
        let values: Vec<f64> = (-2..=2).map(|i| 3e-12 + 2e-13 * f64::from(i)).collect();
        let stat: Vec<f64> = (-2..=2).map(|i| 10.0 + f64::from(i * i)).collect();
        let text = svg(fit_profile_chart(&p, &values, &stat, 10.0).unwrap());
        for wanted in
            ["src.spectral.amplitude [10⁻¹² cm⁻² s⁻¹ TeV⁻¹]", "rise of −2 ln L", "(3.00 ± 0.20) × 10⁻¹² cm⁻² s⁻¹ TeV⁻¹"]
        {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        assert!(fit_profile_chart(&p, &values, &stat[1..], 10.0).is_err());
        assert!(fit_profile_chart(&p, &values, &[f64::NAN; 5], 10.0).is_err());
        let gap = [14.0, f64::NAN, 10.0, 11.0, 14.0];
        assert!(!svg(fit_profile_chart(&p, &values, &gap, 10.0).unwrap()).contains("NaN"));
    }

    #[test]
    fn contours_without_points_are_refused() {
        let p = FittedParameter { name: "a", unit: "", value: 0.0, errors: (1.0, 1.0) };
        let q = FittedParameter { name: "b", unit: "deg", ..p };
        assert!(contour_chart(&p, &q, &[]).is_err());
        assert!(contour_chart(&p, &q, &[("1σ", &[(0.0, 0.0), (1.0, f64::NAN), (2.0, 1.0)])]).is_err());
        let triangle = [(-1.0, -1.0), (1.0, -1.0), (0.0, 1.0)];
        let text = svg(contour_chart(&p, &q, &[("1σ", &triangle)]).unwrap());
        assert!(text.contains(">1σ<") && text.contains(">b [deg]<"), "{text}");
    }
}
