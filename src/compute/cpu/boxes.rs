//! Box sums of planes, exact to rounding: no summed-area table, whose differences lose digits.

use rayon::prelude::*;

/// Columns that one task of the vertical pass takes: rows of them stay in cache.
const STRIPE: usize = 256;

/// `out[y, x] = sum of plane over rows y-hy ..= y+hy and columns x-hx ..= x+hx` inside the map.
///
/// Each line is cut into pieces of the window's length; a window is the end of one piece and the start of the next, so
/// two running sums per piece give every window by one addition (van Herk 1992, for sums).
pub fn box_sum(plane: &[f64], (ny, nx): (usize, usize), (hy, hx): (usize, usize)) -> Vec<f64> {
    if ny == 0 || nx == 0 {
        return Vec::new();
    }
    let mut rows = vec![0.0; ny * nx];
    rows.par_chunks_mut(nx).zip(plane.par_chunks(nx)).for_each_init(
        || (Vec::new(), Vec::new()),
        |(starts, ends), (out, line)| line_sums(line, 1, hx, out, starts, ends),
    );
    let stripes: Vec<(usize, Vec<f64>)> = (0..nx)
        .into_par_iter()
        .step_by(STRIPE)
        .map_init(
            || (Vec::new(), Vec::new()),
            |(starts, ends), first| {
                let width = STRIPE.min(nx - first);
                let mut stripe = Vec::with_capacity(ny * width);
                for row in rows.chunks_exact(nx) {
                    stripe.extend_from_slice(&row[first..first + width]);
                }
                let mut out = vec![0.0; ny * width];
                line_sums(&stripe, width, hy, &mut out, starts, ends);
                (first, out)
            },
        )
        .collect();
    for (first, stripe) in stripes {
        let width = stripe.len() / ny;
        for (row, part) in rows.chunks_exact_mut(nx).zip(stripe.chunks_exact(width)) {
            row[first..first + width].copy_from_slice(part);
        }
    }
    rows
}

/// Window sums along a line whose elements are groups of `width` numbers.
fn line_sums(line: &[f64], width: usize, half: usize, out: &mut [f64], starts: &mut Vec<f64>, ends: &mut Vec<f64>) {
    let length = line.len() / width;
    let window = 2 * half + 1;
    if half == 0 {
        out.copy_from_slice(line);
        return;
    }
    // starts[i]: sum from the start of i's piece to i; ends[i]: from i to the end of its piece.
    starts.clear();
    starts.extend_from_slice(line);
    ends.clear();
    ends.extend_from_slice(line);
    for i in 1..length {
        if i % window != 0 {
            let (before, rest) = starts.split_at_mut(i * width);
            add_to(&mut rest[..width], &before[(i - 1) * width..]);
        }
    }
    for i in (0..length.saturating_sub(1)).rev() {
        if (i + 1) % window != 0 {
            let (before, rest) = ends.split_at_mut((i + 1) * width);
            add_to(&mut before[i * width..], &rest[..width]);
        }
    }
    for (i, out) in out.chunks_exact_mut(width).enumerate() {
        let (first, last) = (i.saturating_sub(half), (i + half).min(length - 1));
        let (head, tail) = (&ends[first * width..][..width], &starts[last * width..][..width]);
        if first / window == last / window {
            // Within one piece the window is cut off by the edge of the map, at one of its sides.
            let whole = if first % window == 0 {
                tail
            } else if (last + 1) % window == 0 || last == length - 1 {
                head
            } else {
                out.fill(0.0);
                for group in line[first * width..(last + 1) * width].chunks_exact(width) {
                    add_to(out, group);
                }
                continue;
            };
            out.copy_from_slice(whole);
        } else {
            for ((out, head), tail) in out.iter_mut().zip(head).zip(tail) {
                *out = head + tail;
            }
        }
    }
}

#[inline(always)]
fn add_to(sum: &mut [f64], term: &[f64]) {
    for (sum, term) in sum.iter_mut().zip(term) {
        *sum += term;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_of_all_sizes_sum_exactly() {
        for (ny, nx) in [(1, 1), (1, 7), (5, 3), (9, 600), (13, 4)] {
            let plane: Vec<f64> = (0..ny * nx).map(|i| ((i * 37) % 101) as f64).collect();
            for (hy, hx) in [(0, 0), (1, 2), (2, 1), (6, 5), (20, 30)] {
                let sums = box_sum(&plane, (ny, nx), (hy, hx));
                for y in 0..ny {
                    for x in 0..nx {
                        let mut want = 0.0;
                        for v in y.saturating_sub(hy)..ny.min(y + hy + 1) {
                            for u in x.saturating_sub(hx)..nx.min(x + hx + 1) {
                                want += plane[v * nx + u];
                            }
                        }
                        assert_eq!(sums[y * nx + x], want, "({ny}, {nx}) ({hy}, {hx}) at ({y}, {x})");
                    }
                }
            }
        }
    }
}
