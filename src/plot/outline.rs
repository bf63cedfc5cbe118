//! Curves on a drawing: followed point by point, broken where the sky of a map ends or where it is cut open.

use super::svg::Rect;

/// Equal parts in which a curve is looked at first.
const FIRST_PARTS: usize = 64;

/// How often a part is halved at most: then a piece of a smooth curve is far shorter than a pixel.
const MOST_HALVINGS: usize = 16;

/// Chords further than this from the curve are halved, px.
const BENT_PX: f64 = 0.15;

/// Ends of pieces that are nearer to each other than this are one place, px.
const SAME_PX: f64 = 1e-3;

/// Ends of the smallest piece that are further apart than this are two sides of a cut, px.
const CUT_PX: f64 = 1.0;

/// Places that are looked at for one curve at most: a curve along a cut changes sides at random.
const MOST_PLACES: usize = 20_000;

type Point = (f64, f64);

/// The pieces of a curve that are seen within `bounds`, each with its ends a little outside of it. `at` gives the place of
/// a share (0 to 1) of the curve, `None` where there is none.
pub(super) fn trace(at: &dyn Fn(f64) -> Option<Point>, bounds: Rect) -> Vec<Vec<Point>> {
    let at = |share: f64| at(share).filter(|(x, y)| x.is_finite() && y.is_finite());
    let mut tracer = Tracer { at: &at, bounds, pieces: Vec::new(), piece: Vec::new(), places: 0 };
    let mut last = (0.0, (tracer.at)(0.0));
    for i in 1..=FIRST_PARTS {
        let share = i as f64 / FIRST_PARTS as f64;
        let next = (share, (tracer.at)(share));
        tracer.follow(last, next, 0);
        last = next;
    }
    tracer.finish();
    joined(tracer.pieces)
}

/// Pieces that begin where the one before them ends become one, the first one as the sequel of the last.
pub(super) fn joined(pieces: Vec<Vec<Point>>) -> Vec<Vec<Point>> {
    let meets = |a: &[Point], b: &[Point]| a.last().zip(b.first()).is_some_and(|(a, b)| distance(*a, *b) < SAME_PX);
    let mut out: Vec<Vec<Point>> = Vec::new();
    for piece in pieces {
        match out.last_mut() {
            Some(last) if meets(last, &piece) && !is_ring(last) => last.extend(piece.into_iter().skip(1)),
            _ => out.push(piece),
        }
    }
    if let [first, .., last] = out.as_slice()
        && meets(last, first)
        && !is_ring(first)
        && !is_ring(last)
    {
        let mut last = out.pop().unwrap_or_default();
        last.extend(out[0].iter().skip(1));
        out[0] = last;
    }
    out
}

/// True for a piece that ends where it begins.
pub(super) fn is_ring(piece: &[Point]) -> bool {
    piece.len() > 3 && piece.first().zip(piece.last()).is_some_and(|(a, b)| distance(*a, *b) < SAME_PX)
}

fn distance(a: Point, b: Point) -> f64 {
    (a.0 - b.0).hypot(a.1 - b.1)
}

struct Tracer<'a> {
    at: &'a dyn Fn(f64) -> Option<Point>,
    bounds: Rect,
    pieces: Vec<Vec<Point>>,
    piece: Vec<Point>,
    places: usize,
}

impl Tracer<'_> {
    /// Goes on from one place of the curve to another.
    fn follow(&mut self, (s0, from): (f64, Option<Point>), (s1, to): (f64, Option<Point>), halvings: usize) {
        self.places += 1;
        let halvings = if self.places > MOST_PLACES { MOST_HALVINGS } else { halvings };
        let middle = || {
            let share = 0.5 * (s0 + s1);
            (share, (self.at)(share))
        };
        match (from, to) {
            (Some(a), Some(b)) if self.beside(a, b) => self.finish(),
            (Some(a), Some(b)) => {
                if halvings >= MOST_HALVINGS {
                    return if distance(a, b) > CUT_PX { self.finish() } else { self.join(a, b) };
                }
                let half = middle();
                let chord = (0.5 * (a.0 + b.0), 0.5 * (a.1 + b.1));
                match half.1 {
                    Some(m) if distance(m, chord) < BENT_PX => self.join(a, b),
                    _ => {
                        self.follow((s0, from), half, halvings + 1);
                        self.follow(half, (s1, to), halvings + 1);
                    }
                }
            }
            // Nothing at both ends of a short part: nothing between them.
            (None, None) if halvings >= 2 => self.finish(),
            _ if halvings >= MOST_HALVINGS => self.finish(),
            _ => {
                let half = middle();
                self.follow((s0, from), half, halvings + 1);
                self.follow(half, (s1, to), halvings + 1);
            }
        }
    }

    /// Both places lie beyond the same border, so that a line between them is not seen.
    fn beside(&self, a: Point, b: Point) -> bool {
        let r = &self.bounds;
        a.0 < r.x && b.0 < r.x
            || a.0 > r.right() && b.0 > r.right()
            || a.1 < r.y && b.1 < r.y
            || a.1 > r.bottom() && b.1 > r.bottom()
    }

    fn join(&mut self, a: Point, b: Point) {
        if self.piece.is_empty() {
            self.piece.push(a);
        }
        self.piece.push(b);
    }

    fn finish(&mut self) {
        if self.piece.len() > 1 {
            self.pieces.push(std::mem::take(&mut self.piece));
        }
        self.piece.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLOT: Rect = Rect { x: 0.0, y: 0.0, w: 100.0, h: 50.0 };

    #[test]
    fn a_ring_is_one_piece_and_a_cut_makes_two_without_a_line_between_them() {
        let ring = |radius: f64| {
            move |t: f64| {
                let (sin, cos) = (std::f64::consts::TAU * t).sin_cos();
                (radius * cos, 25.0 + radius * sin)
            }
        };
        let whole = trace(&|t| Some(ring(10.0)(t)).map(|(x, y)| (x + 50.0, y)), PLOT);
        assert!(whole.len() == 1 && is_ring(&whole[0]) && whole[0].len() > 40, "{}", whole.len());
        // The picture goes on at its other side.
        let cut = trace(&|t| Some(ring(10.0)(t)).map(|(x, y)| (x.rem_euclid(100.0), y)), PLOT);
        assert_eq!(cut.len(), 2);
        for piece in &cut {
            assert!(piece.windows(2).all(|p| (p[0].0 - p[1].0).abs() < 5.0));
        }
        // Nothing beyond the border of the sky; the line ends there.
        let half = trace(&|t| Some(ring(20.0)(t)).map(|(x, y)| (x + 50.0, y)).filter(|p| p.1 < 25.0), PLOT);
        assert!(half.len() == 1 && half[0].iter().all(|p| p.1 < 25.0));
        assert!(half[0].iter().any(|p| p.1 > 24.9 && p.0 > 69.0) && half[0].iter().any(|p| p.1 > 24.9 && p.0 < 31.0));
    }

    #[test]
    fn what_is_not_seen_is_left_out() {
        assert!(trace(&|t| Some((200.0 + t, 10.0)), PLOT).is_empty());
        assert!(trace(&|_| None, PLOT).is_empty());
        let through = trace(&|t| Some((-1e6 + 2e6 * t, 10.0)), PLOT);
        assert_eq!(through.len(), 1);
        let (first, last) = (through[0][0], through[0][through[0].len() - 1]);
        assert!(through[0].len() <= 3 && first.0 < 0.0 && last.0 > 100.0, "{through:?}");
        assert!(through[0].iter().all(|p| p.1 == 10.0));
    }
}
