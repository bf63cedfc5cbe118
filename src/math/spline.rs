//! Interpolation by parabolas.

/// A curve of parabolas through points, with a continuous slope: they meet half-way between points, and the first and the
/// last of them hold two points each (de Boor's spline of order 3 with averaged knots, SciPy's `kind="quadratic"`).
///
/// ```
/// use pevatron::math::QuadraticSpline;
/// let x: Vec<f64> = (0..6).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|x| 3.0 - 2.0 * x + 0.5 * x * x).collect();
/// let spline = QuadraticSpline::new(&x, &y).unwrap();
/// // A parabola comes back, beyond the points as well.
/// let (value, slope, curvature) = spline.at(7.0);
/// assert!((value - 13.5).abs() < 1e-12 && (slope - 5.0).abs() < 1e-12 && (curvature - 1.0).abs() < 1e-12);
/// assert!(QuadraticSpline::new(&[0.0, 1.0], &[0.0, 1.0]).is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct QuadraticSpline {
    /// Where each parabola begins, with its value, slope and second derivative there.
    pieces: Vec<(f64, f64, f64, f64)>,
}

impl QuadraticSpline {
    /// Through points with increasing `x`; `None` for fewer than three, unlike lengths, or numbers that are not finite or
    /// do not increase.
    pub fn new(x: &[f64], y: &[f64]) -> Option<Self> {
        let n = x.len();
        let increase = x.windows(2).all(|w| w[0] < w[1]);
        if n < 3 || y.len() != n || !increase || x.iter().chain(y).any(|v| !v.is_finite()) {
            return None;
        }
        let inner = (1..n - 2).map(|i| 0.5 * (x[i] + x[i + 1]));
        let ends = |v: f64| std::iter::repeat_n(v, 3);
        let knots: Vec<f64> = ends(x[0]).chain(inner).chain(ends(x[n - 1])).collect();
        let c = coefficients(&knots, x, y);
        let pieces = (2..n)
            .map(|s| {
                let t = |i: usize| knots[s + i - 2];
                // Slopes between coefficients: those of the spline at both ends of the piece.
                let slope = |i: usize| 2.0 * (c[i] - c[i - 1]) / (knots[i + 2] - knots[i]);
                let share = (t(2) - t(1)) / (t(3) - t(1));
                let value = c[s - 2] + (c[s - 1] - c[s - 2]) * share;
                (t(2), value, slope(s - 1), (slope(s) - slope(s - 1)) / (t(3) - t(2)))
            })
            .collect();
        Some(Self { pieces })
    }

    /// Value, slope and second derivative; beyond the points those of the first or last parabola.
    pub fn at(&self, x: f64) -> (f64, f64, f64) {
        let piece = self.pieces.partition_point(|p| p.0 <= x).saturating_sub(1);
        let (start, value, slope, curvature) = self.pieces[piece];
        let d = x - start;
        (value + d * (slope + 0.5 * d * curvature), slope + d * curvature, curvature)
    }
}

/// Coefficients of the basis splines: each point is reached by its own one and the two beside it.
fn coefficients(knots: &[f64], x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    // Below, on and above the diagonal.
    let rows: Vec<[f64; 3]> = (0..n)
        .map(|j| {
            if j == 0 || j == n - 1 {
                return [0.0, 1.0, 0.0];
            }
            let [a, b, c, d] = [knots[j], knots[j + 1], knots[j + 2], knots[j + 3]];
            let below = (c - x[j]) / (c - b);
            let above = (x[j] - b) / (c - b);
            let (first, last) = (below * (c - x[j]) / (c - a), above * (x[j] - b) / (d - b));
            [first, 1.0 - first - last, last]
        })
        .collect();
    // Gaussian elimination without pivots: such matrices are totally positive (de Boor & Pinkus 1977).
    let (mut upper, mut right) = (vec![0.0; n], vec![0.0; n]);
    for j in 0..n {
        let (before_upper, before_right) = if j == 0 { (0.0, 0.0) } else { (upper[j - 1], right[j - 1]) };
        let [below, on, above] = rows[j];
        let pivot = on - below * before_upper;
        upper[j] = above / pivot;
        right[j] = (y[j] - below * before_right) / pivot;
    }
    for j in (0..n - 1).rev() {
        right[j] -= upper[j] * right[j + 1];
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_through_its_points_smoothly() {
        let x = [-1.0, 0.2, 0.5, 1.7, 4.0, 4.5, 9.0];
        let y = [3.0, -1.0, 0.5, 0.25, 7.0, 7.1, -2.0];
        for n in 3..=x.len() {
            let spline = QuadraticSpline::new(&x[..n], &y[..n]).unwrap();
            for (x, y) in x[..n].iter().zip(&y) {
                assert!((spline.at(*x).0 - y).abs() < 1e-12, "{n}: {:?} at {x}, not {y}", spline.at(*x));
            }
            for pair in spline.pieces.windows(2) {
                let (before, after) = (spline.at(pair[1].0 - 1e-9), spline.at(pair[1].0));
                assert!((before.0 - after.0).abs() < 1e-6 && (before.1 - after.1).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn numbers_of_scipy() {
        // scipy.interpolate.interp1d(x, y, kind="quadratic", fill_value="extrapolate")
        let spline = QuadraticSpline::new(&[0.0, 1.0, 2.0, 4.0, 5.0], &[1.0, 0.0, 2.0, 3.0, 8.0]).unwrap();
        for (x, wanted) in SCIPY {
            assert!((spline.at(x).0 - wanted).abs() < 1e-12, "{x}: {} instead of {wanted}", spline.at(x).0);
        }
        assert!(QuadraticSpline::new(&[0.0, 1.0, 1.0], &[0.0; 3]).is_none());
        assert!(QuadraticSpline::new(&[0.0, 1.0, 2.0], &[0.0, f64::NAN, 1.0]).is_none());
    }

    const SCIPY: [(f64, f64); 5] = [
        (-1.0, 5.8108108108108105),
        (0.5, 0.0236486486486486),
        (1.6, 1.1967567567567572),
        (3.5, 2.0506756756756763),
        (7.0, 30.405405405405403),
    ];
}
