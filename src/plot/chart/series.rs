//! What is drawn in a chart: lines, points, bands.

use super::super::marker::MarkerShape;

/// A point with its errors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChartPoint {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) x_range: Option<(f64, f64)>,
    pub(super) y_range: Option<(f64, f64)>,
    pub(super) upper_limit: bool,
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
pub(super) enum Content {
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
    pub(super) name: String,
    pub(super) content: Content,
    pub(super) like_previous: bool,
    pub(super) white: bool,
    pub(super) dark: bool,
}

impl Series {
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
    pub(super) fn extent(&self) -> Vec<(f64, f64)> {
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
