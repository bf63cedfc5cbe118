//! Box sums of planes, exact to rounding: no summed-area table, whose differences lose digits.

use rayon::prelude::*;

/// `sum[y, x] += sum of plane over rows y-hy ..= y+hy and columns x-hx ..= x+hx` inside the map.
///
/// Each line is cut into pieces of the window's length; a window is the end of one piece and the start of the next, so
/// two running sums per piece give every window by one addition (van Herk 1992, for sums).
pub fn add_box_sums(sum: &mut [f64], plane: &[f64], (ny, nx): (usize, usize), (hy, hx): (usize, usize)) {
    if ny == 0 || nx == 0 {
        return;
    }
    let mut rows = vec![0.0; ny * nx];
    rows.par_chunks_mut(nx).zip(plane.par_chunks(nx)).for_each_init(
        || (Vec::new(), Vec::new()),
        |(starts, ends), (out, line)| row_sums(line, hx, out, starts, ends),
    );
    add_column_sums(sum, &rows, (ny, nx), hy);
}

/// `sum[y, x] += sum of plane over rows y-hy ..= y+hy` inside the map. The rows whose windows start in one piece are one
/// task: it needs the ends of that piece and the starts of the next.
pub fn add_column_sums(sum: &mut [f64], plane: &[f64], (ny, nx): (usize, usize), hy: usize) {
    let window = 2 * hy + 1;
    // The windows of the first hy rows start before the map.
    let (first, rest) = sum.split_at_mut(hy.min(ny) * nx);
    let tasks = std::iter::once((0, 0..0, first)).chain(
        rest.chunks_mut(window * nx).enumerate().map(|(k, out)| (hy + k * window, k * window..(k + 1) * window, out)),
    );
    let tasks: Vec<_> = tasks.collect();
    tasks.into_par_iter().for_each_init(
        || (Vec::new(), Vec::new()),
        |(ends, start), (y0, piece, out)| {
            let rows = out.len() / nx;
            let piece = piece.start.min(ny)..piece.end.min(ny);
            // ends[i]: from row i of the piece to its last.
            ends.clear();
            ends.extend_from_slice(&plane[piece.start * nx..piece.end * nx]);
            for i in (0..piece.len().saturating_sub(1)).rev() {
                let (before, after) = ends.split_at_mut((i + 1) * nx);
                add_to(&mut before[i * nx..], &after[..nx]);
            }
            start.clear();
            start.resize(nx, 0.0);
            let mut next = piece.end;
            for (i, out) in out.chunks_exact_mut(nx).enumerate().take(rows) {
                let y = y0 + i;
                while next <= (y + hy).min(ny - 1) {
                    add_to(start, &plane[next * nx..(next + 1) * nx]);
                    next += 1;
                }
                if y >= hy && y - hy < piece.end {
                    add_to(out, &ends[(y - hy - piece.start) * nx..][..nx]);
                }
                add_to(out, start);
            }
        },
    );
}

/// Window sums along a row.
pub fn row_sums(line: &[f64], half: usize, out: &mut [f64], starts: &mut Vec<f64>, ends: &mut Vec<f64>) {
    let length = line.len();
    let window = 2 * half + 1;
    // starts[i]: sum from the start of i's piece to i; ends[i]: from i to the end of its piece.
    starts.clear();
    starts.extend_from_slice(line);
    ends.clear();
    ends.extend_from_slice(line);
    for piece in starts.chunks_mut(window) {
        let mut sum = 0.0;
        for value in piece {
            sum += *value;
            *value = sum;
        }
    }
    for piece in ends.chunks_mut(window) {
        let mut sum = 0.0;
        for value in piece.iter_mut().rev() {
            sum += *value;
            *value = sum;
        }
    }
    // Windows that lie inside the line: from i - half to i + half.
    if length >= window {
        let inner = &mut out[half..length - half];
        for ((out, head), tail) in inner.iter_mut().zip(&*ends).zip(&starts[2 * half..]) {
            *out = head + tail;
        }
        // The first of a piece is all of it, which stands at both ends.
        for (out, tail) in inner.iter_mut().zip(&starts[2 * half..]).step_by(window) {
            *out = *tail;
        }
    }
    let borders = if length >= window { [0..half, length - half..length] } else { [0..length, 0..0] };
    for i in borders.into_iter().flatten() {
        let (first, last) = (i.saturating_sub(half), (i + half).min(length - 1));
        out[i] = if first / window != last / window {
            ends[first] + starts[last]
        } else if first % window == 0 {
            starts[last]
        } else if (last + 1) % window == 0 || last == length - 1 {
            ends[first]
        } else {
            line[first..=last].iter().sum()
        };
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
        for (ny, nx) in [(1, 1), (1, 7), (5, 3), (9, 600), (13, 4), (64, 9)] {
            let plane: Vec<f64> = (0..ny * nx).map(|i| ((i * 37) % 101) as f64).collect();
            for (hy, hx) in [(0, 0), (1, 2), (2, 1), (6, 5), (20, 30)] {
                let mut sums = vec![0.0; ny * nx];
                add_box_sums(&mut sums, &plane, (ny, nx), (hy, hx));
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
