//! A scanned likelihood profile between its norms.

/// Second derivatives of neighbouring parabolas that differ by more than this factor (or in sign) do not belong to one
/// smooth curve: walls, where predicted counts become negative and profiles jump.
const UNLIKE: f64 = 8.0;
/// Weight of a parabola that only lies on one side of its point.
const ONE_SIDED: f64 = 0.1;

/// Values and slopes at ascending norms.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    x: Vec<f64>,
    y: Vec<f64>,
    slopes: Vec<f64>,
}

impl Curve {
    /// From at least three points.
    pub fn new(x: Vec<f64>, y: Vec<f64>) -> Self {
        let slopes = slopes(&x, &y);
        Self { x, y, slopes }
    }

    /// The norms.
    pub fn norms(&self) -> &[f64] {
        &self.x
    }

    /// The value at a norm within the range: parabolas are exact; what is convex stays convex and what is monotone stays
    /// monotone, so that no minimum is deeper than the steepness on both sides of it allows.
    pub fn at(&self, norm: f64) -> f64 {
        let i = self.x.partition_point(|n| *n <= norm).clamp(1, self.x.len() - 1) - 1;
        let step = self.x[i + 1] - self.x[i];
        let t = ((norm - self.x[i]) / step).clamp(0.0, 1.0);
        let secant = (self.y[i + 1] - self.y[i]) / step;
        let (first, last) = (self.slopes[i], self.slopes[i + 1]);
        let (below, above) = (secant - first, last - secant);
        if below * above < 0.0 {
            // A turn: no slope against the secant, none that a monotone cubic cannot have.
            let limited = |slope: f64| {
                if slope * secant > 0.0 { slope.clamp(-3.0 * secant.abs(), 3.0 * secant.abs()) } else { 0.0 }
            };
            return self.y[i] + step * cubic(secant, limited(first), limited(last), t);
        }
        // A cubic bends one way only where neither end takes more than two thirds of the bend.
        if below.abs() <= 2.0 * above.abs() && above.abs() <= 2.0 * below.abs() {
            return self.y[i] + step * cubic(secant, first, last, t);
        }
        self.y[i] + step * two_parabolas(secant, first, last, t)
    }
}

/// Hermite's cubic on 0 to 1 from 0 to `secant`.
fn cubic(secant: f64, first: f64, last: f64, t: f64) -> f64 {
    t * secant + t * (1.0 - t) * ((1.0 - t) * (first - secant) + t * (secant - last))
}

/// Two parabolas with one tangent between them, on 0 to 1 from 0 to `secant` (Schumaker 1983): as convex as its ends.
fn two_parabolas(secant: f64, first: f64, last: f64, t: f64) -> f64 {
    let (below, above) = (secant - first, last - secant);
    let bend = last - first;
    if bend == 0.0 {
        return t * secant;
    }
    // The part with the larger bend is the shorter one.
    let knot = if above.abs() < below.abs() { above / bend } else { 1.0 - below / bend };
    let knot = knot.clamp(1e-12, 1.0 - 1e-12);
    let middle = 2.0 * secant - (first * knot + last * (1.0 - knot));
    if t <= knot {
        return t * first + 0.5 * (middle - first) / knot * t * t;
    }
    let rest = 1.0 - t;
    secant - rest * last + 0.5 * (last - middle) / (1.0 - knot) * rest * rest
}

/// Slopes at the points: each that of the parabola through it and its neighbours, where the parabolas on both sides of it
/// are alike; else mostly that of the smoothest one. Between the secants on both sides in any case.
fn slopes(x: &[f64], y: &[f64]) -> Vec<f64> {
    let n = x.len();
    let step = |i: usize| x[i + 1] - x[i];
    let secant = |i: usize| (y[i + 1] - y[i]) / step(i);
    // The parabola through a point and its neighbours: half its second derivative.
    let bend = |i: usize| (secant(i) - secant(i - 1)) / (step(i - 1) + step(i));
    let inner = |i: usize| {
        let (before, after) = (secant(i - 1), secant(i));
        let central = before + bend(i) * step(i - 1);
        let mut slope = central;
        let mut parabolas = vec![(1.0, central, bend(i))];
        if i > 1 {
            parabolas.push((ONE_SIDED, before + bend(i - 1) * step(i - 1), bend(i - 1)));
        }
        if i + 2 < n {
            parabolas.push((ONE_SIDED, after - bend(i + 1) * step(i), bend(i + 1)));
        }
        let (low, high) =
            parabolas.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p.2), h.max(p.2)));
        let alike = low * high > 0.0 && low.abs().max(high.abs()) <= UNLIKE * low.abs().min(high.abs());
        if !alike {
            let least = 1e-9 * low.abs().max(high.abs()) + f64::MIN_POSITIVE;
            let weight = |p: &(f64, f64, f64)| p.0 / (p.2.abs() + least).powi(2);
            let total: f64 = parabolas.iter().map(weight).sum();
            slope = parabolas.iter().map(|p| weight(p) / total * p.1).sum();
        }
        let slope = slope.clamp(before.min(after), before.max(after));
        match (before * after > 0.0, before > 0.0) {
            // A top has no slope; a bottom has what its parabola says.
            (false, true) => 0.0,
            (false, false) => slope,
            (true, _) if alike => slope,
            (true, _) => {
                let bound = 3.0 * before.abs().min(after.abs());
                slope.clamp(-bound, bound)
            }
        }
    };
    let mut slopes = vec![0.0; n];
    slopes.iter_mut().enumerate().take(n - 1).skip(1).for_each(|(i, slope)| *slope = inner(i));
    let end = |secant: f64, next: f64| {
        let parabola = 2.0 * secant - next;
        if parabola * secant <= 0.0 { 0.0 } else { parabola.clamp(-3.0 * secant.abs(), 3.0 * secant.abs()) }
    };
    slopes[0] = end(secant(0), slopes[1]);
    slopes[n - 1] = end(secant(n - 2), slopes[n - 2]);
    slopes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lowest(curve: &Curve, from: f64, to: f64) -> f64 {
        (0..=4000).map(|i| curve.at(from + (to - from) * f64::from(i) / 4000.0)).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn walls_do_not_ring() {
        // A jump of a thousand beside the minimum, as where predicted counts become negative.
        let f = |x: f64| if x < -0.5 { 1000.0 } else { 3.0 * (x + 0.5) };
        let x: Vec<f64> = (0..41).map(|i| -5.0 + 0.25 * f64::from(i)).collect();
        let y = x.iter().map(|x| f(*x)).collect();
        assert!(lowest(&Curve::new(x, y), -5.0, 5.0) > -1e-9);
    }

    /// Two norms close together beside a wall, whatever its height: the minimum is not deeper than the slopes allow.
    #[test]
    fn norms_close_together_beside_a_wall_do_not_undershoot() {
        for height in [0.1, 1.0, 5.0, 9.0, 40.0, 1e4] {
            for gap in [1e-6, 1e-4, 1e-2, 0.05] {
                let f = |x: f64| {
                    if x < -0.09 { height + 20.0 * (-0.09 - x) } else { 8.0 * (x + 0.09) + 3.0 * (x + 0.09).powi(2) }
                };
                let mut x: Vec<f64> =
                    (0..30).map(|i| -1.0 + 0.1 * f64::from(i)).filter(|x| (x + 0.09).abs() > 0.02).collect();
                x.extend([-0.09 - gap, -0.09]);
                x.sort_by(f64::total_cmp);
                let y = x.iter().map(|x| f(*x)).collect();
                let found = lowest(&Curve::new(x, y), -1.0, 1.9);
                assert!(found > -8.1 * gap, "height {height}, gap {gap}: {found}");
            }
        }
    }

    #[test]
    fn what_is_convex_stays_convex() {
        for power in [0.5, 1.0, 2.0, 5.0] {
            let f = |x: f64| (power * x).exp() - 3.0 * x;
            let x: Vec<f64> = [-3.0, -2.9, -1.0, -0.99, 0.0, 0.2, 0.21, 1.0, 2.0, 2.001].to_vec();
            let y = x.iter().map(|x| f(*x)).collect();
            let curve = Curve::new(x, y);
            let values: Vec<f64> = (0..2000).map(|i| curve.at(-2.95 + 4.9 * f64::from(i) / 2000.0)).collect();
            let scale = values.iter().fold(0.0f64, |a, b| a.max(b.abs()));
            for (i, v) in values.windows(3).enumerate() {
                assert!(v[0] + v[2] - 2.0 * v[1] > -1e-4 * scale, "{power}: {} at {i}", v[0] + v[2] - 2.0 * v[1]);
            }
        }
    }
}
