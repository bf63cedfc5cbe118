//! Histograms of significances.

use super::chart::{Chart, Series};
use super::label::fixed;
use crate::error::{Error, Result};

/// Width of the bins of what lies beyond the chart, and their distance from the others, in standard deviations.
const OVERFLOW: f64 = 0.6;
const OVERFLOW_GAP: f64 = 0.4;

/// Mean and standard deviation of values, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalFit {
    /// Number of finite values.
    pub n: usize,
    /// Mean.
    pub mean: f64,
    /// Standard deviation (with n, the maximum of the likelihood).
    pub sigma: f64,
}

impl NormalFit {
    /// Of the finite values; `None` for fewer than two.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let finite: Vec<f64> = values.filter(|v| v.is_finite()).collect();
        let n = finite.len();
        if n < 2 {
            return None;
        }
        let mean = finite.iter().sum::<f64>() / n as f64;
        let variance = finite.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        Some(Self { n, mean, sigma: variance.sqrt() })
    }

    fn density(&self, x: f64) -> f64 {
        let t = (x - self.mean) / self.sigma;
        (-0.5 * t * t).exp() / (self.sigma * (2.0 * std::f64::consts::PI).sqrt())
    }
}

/// The histogram of significances that shows whether the background is right: all pixels, those outside of sources
/// (`off`, where given) with the normal distribution fitted to them, and the standard normal one that is expected.
///
/// Values beyond -10 and 20 are counted in a bin of their own at either end, which the legend names.
///
/// The fit is to the values below 3 in `off`, else to those between -3 and 2 by their median and lower half, which
/// sources do not touch.
///
/// # Errors
/// Where there are not two finite values, or `off` has another length.
pub fn significance_histogram(values: &[f64], off: Option<&[bool]>) -> Result<Chart> {
    if off.is_some_and(|m| m.len() != values.len()) {
        return Err(Error::input("mask", "has another number of pixels than the significances"));
    }
    let outside: Vec<f64> = match off {
        Some(mask) => values.iter().zip(mask).filter(|(_, m)| **m).map(|(v, _)| *v).collect(),
        None => values.to_vec(),
    };
    let fit = match off {
        Some(_) => NormalFit::of(outside.iter().copied()),
        None => lower_half(&outside),
    };
    let fit = fit
        .filter(|f| f.sigma > 0.0)
        .ok_or_else(|| Error::input("sqrt_ts", "there are not enough different finite values for a histogram"))?;
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (least, most) = (finite().fold(-4.0, f64::min), finite().fold(5.0, f64::max));
    let (lo, hi) = (least.floor().max(-10.0), most.ceil().min(20.0));
    let width = 0.2;
    let n = ((hi - lo) / width).round() as usize;
    let count = |list: &[f64]| -> Vec<f64> {
        let mut bins = vec![0.0; n];
        for v in list.iter().filter(|v| **v >= lo && **v <= hi) {
            bins[(((v - lo) / width) as usize).min(n - 1)] += 1.0;
        }
        bins
    };
    // What lies beyond the chart has a bin of its own at either end, apart from the others.
    let beyond = |outside: &dyn Fn(f64) -> bool| finite().filter(|v| outside(*v)).count();
    let (below, above) = (beyond(&|v| v < lo), beyond(&|v| v > hi));
    let steps = |bins: &[f64]| -> Vec<(f64, f64, f64)> {
        let edge = |i: usize| lo + i as f64 * width;
        bins.iter()
            .enumerate()
            .flat_map(|(i, v)| [(edge(i), 0.3, v.max(0.3)), (edge(i + 1), 0.3, v.max(0.3))])
            .collect()
    };
    let outline = |bins: &[f64]| -> Vec<(f64, f64)> {
        let edge = |i: usize| lo + i as f64 * width;
        bins.iter().enumerate().flat_map(|(i, v)| [(edge(i), v.max(0.3)), (edge(i + 1), v.max(0.3))]).collect()
    };
    let (all, rest) = (count(values), count(&outside));
    let curve = |f: &NormalFit, n: f64| -> Vec<(f64, f64)> {
        let at = |i: usize| lo + (hi - lo) * i as f64 / 400.0;
        (0..=400).map(|i| (at(i), n * width * f.density(at(i)))).filter(|(_, v)| *v > 0.2).collect()
    };
    let expected = NormalFit { n: fit.n, mean: 0.0, sigma: 1.0 };
    // Sources add pixels: the curves have the area of what is outside of them.
    let area = match off {
        Some(_) => fit.n as f64,
        None => 2.0 * outside.iter().filter(|v| **v < fit.mean).count() as f64,
    };
    let highest = all.iter().copied().fold(below.max(above).max(1) as f64, f64::max);
    let end = |count: usize| if count > 0 { OVERFLOW_GAP + OVERFLOW } else { 0.0 };
    let mut chart = Chart::new()
        .x("significance", "σ")
        .y("pixels", "")
        .log_y()
        .x_range(lo - end(below), hi + end(above))
        .y_range(0.5, 2.5 * highest)
        .series(Series::band("", &steps(&all)))
        .series(Series::line("all pixels", &outline(&all)).like_previous());
    if off.is_some() {
        chart = chart.series(Series::line("outside of sources", &outline(&rest)));
    }
    for (count, sign, edge, from) in [(below, "below −", lo, lo - end(below)), (above, "above ", hi, hi + OVERFLOW_GAP)]
    {
        if count > 0 {
            let pixels = if count == 1 { "pixel" } else { "pixels" };
            let name = format!("{sign}{}σ: {count} {pixels}", edge.abs());
            let corners = [(from, 0.3, count as f64), (from + OVERFLOW, 0.3, count as f64)];
            chart = chart.series(Series::band(name, &corners).dark());
        }
    }
    Ok(chart
        .series(Series::line(format!("fit: mean {}, σ {:.2}", fixed(fit.mean, 2), fit.sigma), &curve(&fit, area)))
        .series(Series::dashed("expected: mean 0, σ 1", &curve(&expected, area))))
}

/// Median, and the standard deviation of what is below it: what sources do not touch.
fn lower_half(values: &[f64]) -> Option<NormalFit> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    finite.sort_by(f64::total_cmp);
    let n = finite.len();
    if n < 4 {
        return None;
    }
    let median = finite[n / 2];
    // The 16th percentile is one standard deviation below the median.
    let sigma = median - finite[(0.158_655 * n as f64) as usize];
    Some(NormalFit { n, mean: median, sigma })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn svg(chart: Chart) -> String {
        String::from_utf8(chart.draw().unwrap().to_svg_with_text()).unwrap()
    }

    #[test]
    fn histograms_fit_what_is_no_source() {
        // Quantiles of a normal distribution of mean 0.1 and sigma 1.1, and a source.
        let mut values: Vec<f64> = (1..4000)
            .map(|i| {
                let p = f64::from(i) / 4000.0;
                let sigma = crate::math::sigma_of_confidence((2.0 * p - 1.0).abs());
                0.1 + 1.1 * if p < 0.5 { -sigma } else { sigma }
            })
            .collect();
        values.extend([f64::NAN, 12.0, 15.0, 30.0]);
        let text = svg(significance_histogram(&values, None).unwrap());
        assert!(text.contains("fit: mean 0.10, σ 1.10"), "{text}");
        assert!(text.contains(">above 20σ: 1 pixel<") && !text.contains("below −"), "{text}");
        let mask: Vec<bool> = values.iter().map(|v| *v < 10.0).collect();
        let text = svg(significance_histogram(&values, Some(&mask)).unwrap());
        assert!(text.contains("outside of sources") && text.contains("fit: mean 0.10, σ 1.1"), "{text}");
        assert!(significance_histogram(&[1.0; 10], None).is_err());
        assert!(significance_histogram(&[f64::NAN; 10], None).is_err());
        assert!(significance_histogram(&values, Some(&[true])).is_err());
    }

    #[test]
    fn what_lies_beyond_is_counted_apart() {
        let mut values: Vec<f64> = (0..1000).map(|i| f64::from(i % 100) / 20.0 - 2.5).collect();
        let text = svg(significance_histogram(&values, None).unwrap());
        assert!(!text.contains("above") && !text.contains("below"), "{text}");
        values.extend([-10.0, 20.0]);
        let text = svg(significance_histogram(&values, None).unwrap());
        assert!(!text.contains("above") && !text.contains("below"), "the ends belong to the chart: {text}");
        values.extend([-11.0, -12.0, 20.5, 300.0, 1e5]);
        let text = svg(significance_histogram(&values, None).unwrap());
        assert!(text.contains(">above 20σ: 3 pixels<") && text.contains(">below −10σ: 2 pixels<"), "{text}");
    }
}
