//! From values to the pixels of an embedded PNG.

use ndarray::Array2;

use super::colour::{ColourMap, Rgb};
use super::picture::encode_png;
use super::scale::Scale;
use crate::error::Result;

/// Entries of a table of colours: neighbours differ by less than one step of a byte.
const COLOURS: usize = 2048;

/// Colours over a scale, from its lower to its upper end.
pub(super) fn colour_table(map: ColourMap, scale: &Scale) -> Vec<Rgb> {
    (0..COLOURS)
        .map(|i| {
            let t = i as f64 / (COLOURS - 1) as f64;
            map.colour(match (map.is_diverging(), map.is_centred(scale.lo, scale.hi)) {
                (_, true) => scale.diverging_position(scale.value(t)),
                (true, false) => 2.0 * t - 1.0,
                (false, false) => t,
            })
        })
        .collect()
}

/// The colour of a value from the table.
pub(super) fn colour_of(table: &[Rgb], scale: &Scale, value: f64) -> Rgb {
    let last = table.len() - 1;
    let index = (scale.position(value).clamp(0.0, 1.0) * last as f64).round() as usize;
    table[index.min(last)]
}

/// The value farthest from zero in each of fewer, larger pixels: at most `nx` × `ny`.
pub(super) fn reduce_to_peaks(values: &Array2<f64>, nx: usize, ny: usize) -> Array2<f64> {
    let (rows, columns) = values.dim();
    let (nx, ny) = (nx.clamp(1, columns), ny.clamp(1, rows));
    let mut peaks = Array2::from_elem((ny, nx), f64::NAN);
    for ((y, x), value) in values.indexed_iter() {
        let peak = &mut peaks[[y * ny / rows, x * nx / columns]];
        if peak.is_nan() || value.abs() > peak.abs() {
            *peak = *value;
        }
    }
    peaks
}

/// Mean over fewer, larger pixels (of the finite values, by area), at most `nx` × `ny`.
pub(super) fn reduce(values: &Array2<f64>, nx: usize, ny: usize) -> Array2<f64> {
    let (rows, columns) = values.dim();
    let (nx, ny) = (nx.clamp(1, columns), ny.clamp(1, rows));
    let mut sums = Array2::<f64>::zeros((ny, nx));
    let mut weights = Array2::<f64>::zeros((ny, nx));
    let split = |index: usize, from: usize, to: usize| {
        // The one or two new pixels that an old one lies in, with its share in each.
        let (a, b) = (index as f64 * to as f64 / from as f64, (index + 1) as f64 * to as f64 / from as f64);
        let (first, second) = (a as usize, (b as usize).min(to - 1));
        let border = second as f64;
        if second > first && border < b {
            [(first, border - a), (second, b - border)]
        } else {
            [(first, b - a), (first, 0.0)]
        }
    };
    let shares: Vec<[(usize, f64); 2]> = (0..columns).map(|x| split(x, columns, nx)).collect();
    for (y, row) in values.rows().into_iter().enumerate() {
        for (target, wy) in split(y, rows, ny) {
            if wy <= 0.0 {
                continue;
            }
            for (value, share) in row.iter().zip(&shares) {
                if value.is_finite() {
                    for (x, wx) in share {
                        sums[[target, *x]] += value * wx * wy;
                        weights[[target, *x]] += wx * wy;
                    }
                }
            }
        }
    }
    sums.zip_mut_with(&weights, |s, w| *s = if *w > 0.0 { *s / w } else { f64::NAN });
    sums
}

/// PNG of a map, first row of values at the bottom; what is not finite is transparent (infinities take the end colours).
pub(super) fn map_png(values: &Array2<f64>, map: ColourMap, scale: &Scale) -> Result<Vec<u8>> {
    let table = colour_table(map, scale);
    let (ny, nx) = values.dim();
    let holes = values.iter().any(|v| v.is_nan());
    let mut pixels = Vec::with_capacity(nx * ny * if holes { 4 } else { 3 });
    for row in values.rows().into_iter().rev() {
        for value in row {
            let rgb = if value.is_nan() { [0; 3] } else { colour_of(&table, scale, *value) };
            pixels.extend_from_slice(&rgb);
            if holes {
                pixels.push(if value.is_nan() { 0 } else { 255 });
            }
        }
    }
    let kind = if holes { png::ColorType::Rgba } else { png::ColorType::Rgb };
    encode_png(&pixels, nx as u32, ny as u32, kind, None, 1.0)
}

/// PNG of a colour bar, one pixel thick, upper end first (`upright`) or last.
pub(super) fn bar_png(map: ColourMap, scale: &Scale, upright: bool) -> Result<Vec<u8>> {
    let mut table = colour_table(map, scale);
    let length = table.len() as u32;
    if upright {
        table.reverse();
    }
    let (w, h) = if upright { (1, length) } else { (length, 1) };
    encode_png(&table.concat(), w, h, png::ColorType::Rgb, None, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_by_area_leave_holes_out() {
        let values = ndarray::array![[1.0, 3.0, 5.0], [f64::NAN, 3.0, 5.0]];
        assert_eq!(reduce(&values, 3, 2).row(0), values.row(0));
        let half = reduce(&values, 3, 1);
        assert_eq!(half, ndarray::array![[1.0, 3.0, 5.0]]);
        let two = reduce(&values, 2, 2);
        assert!((two[[0, 0]] - 5.0 / 3.0).abs() < 1e-12 && (two[[0, 1]] - 13.0 / 3.0).abs() < 1e-12);
        assert_eq!(reduce_to_peaks(&ndarray::array![[1.0, -3.0, f64::NAN, 2.0]], 2, 1), ndarray::array![[-3.0, 2.0]]);
        assert!(reduce(&Array2::from_elem((4, 4), f64::NAN), 2, 2).iter().all(|v| v.is_nan()));
    }
}
