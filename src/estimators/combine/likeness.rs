//! The likelihood of one pixel as its errors tell it.
//!
//! With d the distance from the best fit, the statistic of a Poisson bin with N counts rises by `2 N [u d - ln(1 + u d)]`,
//! `q = N u²` being its curvature. A pixel adds up many bins, so u changes slowly with d: at every distance where the rise
//! is known (lower and upper error, limit, norm 0) the u is found that gives it, and in between u is interpolated. Far up
//! the rise is that of the predicted counts alone, which sets the u that it tends to. At the bound of predicted counts
//! the best fit is not a minimum but a wall with a slope above it, and nothing is known below.

/// Least distance of norm 0 from the best fit, in errors, from which on its ts says something about the shape.
const LEAST_DISTANCE: f64 = 0.1;
/// Largest upper error, in errors of the curvature, that a best fit below 0 without a status can have at a bound: a minimum
/// of counts has larger ones.
const STEEP: f64 = 0.97;
/// Part of the way to a pole, and counts, from which on a likelihood is that of single bins.
const NEAR_POLE: f64 = -0.75;
const FEW_COUNTS: f64 = 10.0;
/// Steps of the search for a parameter.
const STEPS: usize = 60;

/// What flux maps say of a pixel, in norms of the combination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Best fit.
    pub norm: f64,
    /// Error of the curvature, to 1 sigma.
    pub err: Option<f64>,
    /// Lower and upper error, of `n_sigma`.
    pub errn: Option<f64>,
    pub errp: Option<f64>,
    pub n_sigma: f64,
    /// Limit of `n_sigma_ul`.
    pub ul: Option<f64>,
    pub n_sigma_ul: f64,
    pub ts: Option<f64>,
    /// Predicted counts per norm.
    pub model: Option<f64>,
    /// Whether the best fit lies at the bound of predicted counts, where there is a status.
    pub at_bound: Option<bool>,
}

/// The rise of the statistic over its value at the best fit.
#[derive(Debug, Clone)]
pub(super) struct Likeness {
    pub norm: f64,
    /// The value at the best fit, relative to norm 0.
    minimum: f64,
    /// Half the slope at the best fit: 0 but at a bound.
    slope: f64,
    /// Half the second derivative there.
    curvature: f64,
    /// Distances with their u, ascending.
    knots: Vec<(f64, f64)>,
    /// The u that is tended to far up.
    far: Option<f64>,
    /// Nothing is known below the best fit, and norms there predict negative counts.
    pub wall: bool,
    /// Lengths of the fall to both sides, for steps.
    pub down: f64,
    pub up: f64,
}

/// How the part that is not known is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guess {
    /// As it is most likely.
    Best,
    /// As it may be, too: where both give different results, the errors do not tell the likelihood.
    Other,
}

impl Likeness {
    /// `None` where nothing tells how the likelihood falls.
    pub fn new(known: &Known) -> Option<Self> {
        let good = |e: Option<f64>| e.filter(|e| e.is_finite() && *e > 0.0);
        let (errn, errp) = (good(known.errn), good(known.errp));
        let ts = known.ts.filter(|t| t.is_finite() && *t >= 0.0);
        let limit = good(known.ul.map(|ul| ul - known.norm));
        if !known.norm.is_finite() {
            return None;
        }
        let level = known.n_sigma * known.n_sigma;
        let both = errn.zip(errp).map(|(a, b)| (a * b).sqrt() / known.n_sigma);
        let one = errp.or(errn).map(|e| e / known.n_sigma);
        let err = good(known.err).or(both).or(one);
        let model = good(known.model);
        let wall = known.at_bound.unwrap_or_else(|| is_steep(known, err, errp, ts));
        let zero = (-known.norm, ts);
        let mut likeness = Self {
            norm: known.norm,
            minimum: 0.0,
            slope: 0.0,
            curvature: 0.0,
            knots: Vec::new(),
            far: None,
            wall,
            down: errn.or(err.map(|e| e * known.n_sigma)).or(errp)? / known.n_sigma,
            up: errp.or(err.map(|e| e * known.n_sigma)).or(errn)? / known.n_sigma,
        };
        let mut points = Vec::with_capacity(4);
        if wall {
            // Without counts there is no curvature at all.
            likeness.curvature = good(known.err).map_or(0.0, |e| 1.0 / (e * e));
            let (distance, rise) = match (errp, limit, zero) {
                (Some(errp), ..) => (errp, level),
                (None, Some(limit), _) => (limit, known.n_sigma_ul * known.n_sigma_ul),
                (None, None, (distance, Some(ts))) if distance > 0.0 => (distance, ts),
                _ => return None,
            };
            likeness.slope = slope_at_bound(likeness.curvature, model, distance, rise);
            likeness.far = match model.map(|m| m - likeness.slope) {
                Some(rest) if rest > 0.0 => Some(likeness.curvature / rest),
                _ => None,
            };
            points
                .extend([errp.map(|e| (e, level)), limit.map(|l| (l, known.n_sigma_ul.powi(2)))].into_iter().flatten());
            points.extend(ts.filter(|_| zero.0 > 0.0).map(|ts| (zero.0, ts)));
        } else {
            let err = err?;
            likeness.curvature = 1.0 / (err * err);
            likeness.far = model.map(|m| likeness.curvature / m);
            points.extend(
                [
                    errn.map(|e| (-e, level)),
                    errp.map(|e| (e, level)),
                    limit.map(|l| (l, known.n_sigma_ul.powi(2))),
                    ts.filter(|_| zero.0.abs() > LEAST_DISTANCE * err).map(|ts| (zero.0, ts)),
                ]
                .into_iter()
                .flatten(),
            );
        }
        for (distance, rise) in points {
            let curved = rise - 2.0 * likeness.slope * distance;
            if curved > 0.0
                && likeness.curvature > 0.0
                && let Some(u) = bend(likeness.curvature, distance, curved)
            {
                likeness.knots.push((distance, u));
            }
        }
        likeness.knots.sort_by(|a, b| a.0.total_cmp(&b.0));
        likeness.knots.dedup_by(|b, a| b.0 - a.0 <= 1e-3 * likeness.up.min(likeness.down));
        // Unknown heights follow from the shape.
        likeness.minimum = -ts.unwrap_or_else(|| likeness.rise(-known.norm, Guess::Best).min(f64::MAX));
        Some(likeness)
    }

    /// stat - stat_null at a norm; infinite where it is not possible.
    pub fn at(&self, norm: f64, guess: Guess) -> f64 {
        self.minimum + self.rise(norm - self.norm, guess)
    }

    fn rise(&self, distance: f64, guess: Guess) -> f64 {
        if self.wall && distance < 0.0 {
            return f64::INFINITY;
        }
        2.0 * self.slope * distance + curved(self.curvature, self.bend_at(distance, guess), distance)
    }

    /// u at a distance.
    fn bend_at(&self, distance: f64, guess: Guess) -> f64 {
        let (Some(first), Some(last)) = (self.knots.first(), self.knots.last()) else {
            // As one bin, or as a parabola.
            return match (guess, self.far) {
                (Guess::Best, far) => far.unwrap_or(0.0),
                (Guess::Other, Some(_)) => 0.0,
                (Guess::Other, None) => self.curvature.sqrt() / 3.0,
            };
        };
        if distance <= first.0 {
            // The pole below is that of the bin with the largest u, which is known least.
            let beyond = match guess {
                Guess::Best => first.1,
                Guess::Other => {
                    first.1 * (1.0 - 0.5 * (1.0 - first.0 / distance.min(-f64::MIN_POSITIVE)).clamp(0.0, 1.0))
                }
            };
            return if first.0 < 0.0 { beyond } else { first.1 };
        }
        if distance >= last.0 {
            let part = if last.0 > 0.0 { 1.0 - last.0 / distance } else { 1.0 };
            return match (guess, self.far) {
                (Guess::Best, Some(far)) => last.1 + (far - last.1) * part,
                (Guess::Best, None) => last.1,
                (Guess::Other, Some(_)) => last.1,
                (Guess::Other, None) => last.1 * (1.0 - 0.5 * part),
            };
        }
        let i = self.knots.partition_point(|knot| knot.0 <= distance).clamp(1, self.knots.len() - 1);
        let (a, b) = (self.knots[i - 1], self.knots[i]);
        let part = (distance - a.0) / (b.0 - a.0);
        // The other is the same but where u changes by much: next to a pole.
        a.1 + (b.1 - a.1) * if guess == Guess::Other { part * part } else { part }
    }

    /// Whether a norm lies so close to the pole of few counts below the best fit that it hangs on single bins.
    pub fn is_delicate(&self, norm: f64) -> bool {
        let distance = norm - self.norm;
        let u = self.bend_at(distance, Guess::Best);
        u * distance < NEAR_POLE && self.curvature < FEW_COUNTS * u * u
    }

    /// Norms between which nothing unexpected happens.
    pub fn marks(&self, out: &mut Vec<f64>) {
        let steps = [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0, 200.0, 1000.0];
        out.push(self.norm);
        out.extend(steps.iter().map(|s| self.norm + s * self.up));
        if !self.wall {
            out.extend(steps.iter().map(|s| self.norm - s * self.down));
        }
        out.extend(self.knots.iter().map(|knot| self.norm + knot.0));
    }
}

/// Whether a best fit below 0 lies at a bound, told by its errors alone.
fn is_steep(known: &Known, err: Option<f64>, errp: Option<f64>, ts: Option<f64>) -> bool {
    if known.norm >= 0.0 {
        return false;
    }
    match (known.err, errp) {
        // Without counts in a window the curvature is 0.
        (Some(err), _) if err == f64::INFINITY => true,
        (Some(err), Some(errp)) => errp / known.n_sigma < STEEP * err,
        _ => err.zip(ts).is_some_and(|(err, ts)| ts > 1.1 * (known.norm / err).powi(2)),
    }
}

/// Half the slope at a bound that makes the statistic rise by so much at a distance.
fn slope_at_bound(curvature: f64, model: Option<f64>, distance: f64, rise: f64) -> f64 {
    let straight = rise / (2.0 * distance);
    let Some(model) = model.filter(|_| curvature > 0.0) else {
        return if curvature > 0.0 { (straight - 0.5 * curvature * distance).max(0.0) } else { straight };
    };
    // As one bin whose rise far up is that of the predicted counts: the steeper here, the straighter there.
    let (mut low, mut high) = (0.0, model);
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        let found = 2.0 * middle * distance + curved(curvature, curvature / (model - middle), distance);
        if found > rise { high = middle } else { low = middle }
    }
    0.5 * (low + high)
}

/// `2 q / u² [z - ln(1 + z)]`, z = u d: q d² for small z, infinite beyond the pole. Where the rise is steeper than a parabola
/// away from the pole (no bin of counts does that), it goes on as a cubic.
fn curved(curvature: f64, u: f64, distance: f64) -> f64 {
    curvature * distance * distance * relative(u * distance, u)
}

/// The same over `q d²`.
fn relative(z: f64, u: f64) -> f64 {
    if z < 0.0 && u < 0.0 {
        return 1.0 - 2.0 / 3.0 * z;
    }
    if z <= -1.0 {
        return f64::INFINITY;
    }
    if z.abs() < 1e-3 { 1.0 - z * (2.0 / 3.0 - 0.5 * z) } else { 2.0 * (z - z.ln_1p()) / (z * z) }
}

/// The u with which the statistic has risen by `rise` at a distance.
fn bend(curvature: f64, distance: f64, rise: f64) -> Option<f64> {
    let wanted = rise / (curvature * distance * distance);
    if !(wanted.is_finite() && wanted > 0.0) {
        return None;
    }
    if distance > 0.0 && wanted > 1.0 {
        return Some(-1.5 * (wanted - 1.0) / distance);
    }
    // It falls with z all the way from the pole.
    let (mut low, mut high) = if wanted > 1.0 { (-1.0, 0.0) } else { (0.0, 1.0) };
    while wanted < 1.0 && relative(high, 1.0) > wanted {
        high *= 4.0;
        if high > 1e12 {
            return None;
        }
    }
    for _ in 0..STEPS {
        let middle = 0.5 * (low + high);
        if relative(middle, 1.0) > wanted { low = middle } else { high = middle }
    }
    Some(0.5 * (low + high) / distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Known = Known {
        norm: 2.0,
        err: Some(0.62),
        errn: Some(0.5),
        errp: Some(0.8),
        n_sigma: 1.0,
        ul: Some(4.0),
        n_sigma_ul: 2.0,
        ts: Some(9.0),
        model: None,
        at_bound: Some(false),
    };

    #[test]
    fn what_is_known_is_met() {
        let likeness = Likeness::new(&KNOWN).unwrap();
        for (norm, value) in [(2.0, -9.0), (1.5, -8.0), (2.8, -8.0), (4.0, -5.0), (0.0, 0.0)] {
            let found = likeness.at(norm, Guess::Best);
            assert!((found - value).abs() < 1e-9, "{norm}: {found} for {value}");
        }
        // Symmetric errors alone: a parabola.
        let plain = Known { errn: None, errp: None, ul: None, ts: None, err: Some(0.5), ..KNOWN };
        let likeness = Likeness::new(&plain).unwrap();
        assert!((likeness.at(0.0, Guess::Best)).abs() < 1e-9);
        assert!((likeness.at(3.0, Guess::Best) + 12.0).abs() < 1e-9);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Likeness::new(&Known { err: Some(bad), ..plain }).is_none(), "{bad}");
        }
        assert!(Likeness::new(&Known { norm: f64::NAN, ..KNOWN }).is_none());
    }

    /// One bin of n counts over b, with s counts per norm: its own errors give it back everywhere.
    #[test]
    fn a_single_bin_is_exact() {
        let (n, b, s) = (7.0, 3.0, 2.0);
        let stat = |x: f64| 2.0 * (x * s - n * ((b + x * s) / b).ln());
        let best = (n - b) / s;
        let cross = |mut inside: f64, mut outside: f64, rise: f64| {
            for _ in 0..80 {
                let middle = 0.5 * (inside + outside);
                if stat(middle) - stat(best) < rise { inside = middle } else { outside = middle }
            }
            inside
        };
        let known = Known {
            norm: best,
            err: Some(n.sqrt() / s),
            errn: Some(best - cross(best, -b / s, 1.0)),
            errp: Some(cross(best, 50.0, 1.0) - best),
            ul: Some(cross(best, 50.0, 4.0)),
            ts: Some(-stat(best)),
            model: Some(s),
            ..KNOWN
        };
        let likeness = Likeness::new(&known).unwrap();
        for x in [-1.4, -1.0, 0.5, 1.9, 3.0, 9.0, 60.0] {
            for guess in [Guess::Best, Guess::Other] {
                let found = likeness.at(x, guess);
                if guess == Guess::Best || x > 0.0 {
                    assert!((found - stat(x)).abs() < 1e-6 * stat(x).abs().max(1.0), "{x}: {found} for {}", stat(x));
                }
            }
        }
        assert!(likeness.at(-1.5 - 1e-9, Guess::Best) == f64::INFINITY);
    }

    /// At the bound of predicted counts: a slope above it, a wall below.
    #[test]
    fn bounds_are_walls_with_a_slope() {
        // No counts: a straight line of slope 2 s.
        let line = Known {
            norm: -0.5,
            err: Some(f64::INFINITY),
            errn: None,
            errp: Some(0.25),
            ul: Some(0.5),
            ts: Some(2.0),
            model: Some(2.0),
            at_bound: Some(true),
            ..KNOWN
        };
        for known in [line, Known { at_bound: None, ..line }, Known { model: None, ..line }] {
            let likeness = Likeness::new(&known).unwrap();
            for x in [-0.5, -0.2, 0.0, 0.7, 30.0] {
                assert!((likeness.at(x, Guess::Best) - 4.0 * x).abs() < 1e-9, "{x}: {}", likeness.at(x, Guess::Best));
            }
            assert_eq!(likeness.at(-0.51, Guess::Best), f64::INFINITY);
        }
        // One count whose own fit would be lower still.
        let stat = |x: f64| 2.0 * (x * 4.0 - (1.0 + 0.4 * x).ln());
        let bound = -1.0;
        let cross = |rise: f64| {
            let (mut inside, mut outside) = (bound, 20.0);
            for _ in 0..80 {
                let middle = 0.5 * (inside + outside);
                if stat(middle) - stat(bound) < rise { inside = middle } else { outside = middle }
            }
            inside
        };
        let u = 0.4 / (1.0 + 0.4 * bound);
        let known = Known {
            norm: bound,
            err: Some(1.0 / u),
            errn: Some(3.0),
            errp: Some(cross(1.0) - bound),
            ul: Some(cross(4.0)),
            ts: Some(-stat(bound)),
            model: Some(4.0),
            at_bound: Some(true),
            ..KNOWN
        };
        let likeness = Likeness::new(&known).unwrap();
        for x in [-0.99, -0.5, 0.0, 1.0, 10.0] {
            let found = likeness.at(x, Guess::Best);
            assert!((found - stat(x)).abs() < 1e-3 * stat(x).abs().max(1.0), "{x}: {found} for {}", stat(x));
        }
    }
}
