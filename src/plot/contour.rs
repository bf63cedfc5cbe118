//! Lines of equal value through pixel centres (marching squares).

use std::collections::HashMap;

use ndarray::Array2;

/// An edge between neighbouring pixels: the lower one `(y, x)` and whether the other lies above it (or right of it).
type Edge = (usize, usize, bool);

/// [`contours`] of a map whose last column is followed by the first one: lines go on to both borders.
pub(super) fn contours_around(values: &Array2<f64>, level: f64) -> Vec<Vec<(f64, f64)>> {
    let (ny, nx) = values.dim();
    if nx == 0 {
        return Vec::new();
    }
    let padded = Array2::from_shape_fn((ny, nx + 2), |(y, x)| values[[y, (x + nx - 1) % nx]]);
    let mut lines = contours(&padded, level);
    lines.iter_mut().flatten().for_each(|p| p.0 -= 1.0);
    lines
}

/// Lines where `values[y, x]` crosses `level`, as points in pixel coordinates; none through pixels that are not finite.
pub(super) fn contours(values: &Array2<f64>, level: f64) -> Vec<Vec<(f64, f64)>> {
    let (ny, nx) = values.dim();
    let mut joints: HashMap<Edge, Vec<Edge>> = HashMap::new();
    let mut order: Vec<Edge> = Vec::new();
    let mut join = |a: Edge, b: Edge| {
        for (from, to) in [(a, b), (b, a)] {
            let ends = joints.entry(from).or_default();
            if ends.is_empty() {
                order.push(from);
            }
            ends.push(to);
        }
    };
    for y in 0..ny.saturating_sub(1) {
        for x in 0..nx.saturating_sub(1) {
            let corners = [values[[y, x]], values[[y, x + 1]], values[[y + 1, x + 1]], values[[y + 1, x]]];
            if !corners.iter().all(|v| v.is_finite()) {
                continue;
            }
            let above = corners.map(|v| v >= level);
            let edges: [Edge; 4] = [(y, x, false), (y, x + 1, true), (y + 1, x, false), (y, x, true)];
            let crossed: Vec<Edge> = (0..4).filter(|i| above[*i] != above[(*i + 1) % 4]).map(|i| edges[i]).collect();
            match crossed.as_slice() {
                [a, b] => join(*a, *b),
                [a, b, c, d] => {
                    // A saddle: its centre says which corners belong together.
                    let centre = corners.iter().sum::<f64>() / 4.0 >= level;
                    if centre == above[0] {
                        join(*a, *b);
                        join(*c, *d);
                    } else {
                        join(*a, *d);
                        join(*b, *c);
                    }
                }
                _ => {}
            }
        }
    }
    let point = |(y, x, up): Edge| {
        let (y1, x1) = if up { (y + 1, x) } else { (y, x + 1) };
        let (a, b) = (values[[y, x]], values[[y1, x1]]);
        let share = ((level - a) / (b - a)).clamp(0.0, 1.0);
        (x as f64 + share * (x1 - x) as f64, y as f64 + share * (y1 - y) as f64)
    };
    let mut lines = Vec::new();
    // Open lines first, from one of their ends; what is left then are rings.
    for ends_only in [true, false] {
        for start in &order {
            if ends_only && joints.get(start).is_none_or(|ends| ends.len() != 1) {
                continue;
            }
            let mut line = Vec::new();
            let mut at = *start;
            while let Some(next) = joints.get_mut(&at).and_then(Vec::pop) {
                line.push(point(at));
                if let Some(back) = joints.get_mut(&next)
                    && let Some(i) = back.iter().position(|e| *e == at)
                {
                    back.swap_remove(i);
                }
                at = next;
            }
            if !line.is_empty() {
                line.push(point(at));
                lines.push(line);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_gives_one_ring() {
        let map = Array2::from_shape_fn((21, 21), |(y, x)| 10.0 - (x as f64 - 10.0).hypot(y as f64 - 10.0));
        let lines = contours(&map, 4.5);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        for (x, y) in &lines[0] {
            assert!(((x - 10.0).hypot(y - 10.0) - 5.5).abs() < 0.1);
        }
    }

    #[test]
    fn around_the_sky_a_peak_at_the_border_gives_lines_that_end_beyond_it() {
        let far = |x: usize| (x as f64).min(20.0 - x as f64);
        let map = Array2::from_shape_fn((11, 20), |(y, x)| 10.0 - far(x).hypot(y as f64 - 5.0));
        let lines = contours_around(&map, 7.5);
        let ends = |lines: &[Vec<(f64, f64)>]| {
            let xs = lines.iter().flatten().map(|p| p.0);
            xs.fold((f64::MAX, f64::MIN), |(lo, hi), x| (lo.min(x), hi.max(x)))
        };
        assert_eq!((lines.len(), ends(&lines)), (2, (-1.0, 20.0)));
        assert_eq!(ends(&contours(&map, 7.5)), (0.0, 19.0));
    }

    #[test]
    fn a_slope_gives_one_open_line_and_holes_cut_it() {
        let mut map = Array2::from_shape_fn((5, 7), |(_, x)| x as f64);
        let lines = contours(&map, 2.5);
        assert_eq!((lines.len(), lines[0].len()), (1, 5));
        map[[2, 2]] = f64::NAN;
        assert_eq!(contours(&map, 2.5).len(), 2);
        assert!(contours(&Array2::from_elem((1, 1), 3.0), 2.0).is_empty());
        assert!(contours(&Array2::zeros((0, 0)), 2.0).is_empty());
    }
}
