//! Sums over windows that do not depend on the norm, in `f64` on the host while the device works. What does not depend
//! on the kernel either is kept for the next run.

use std::ops::Range;
use std::sync::{Arc, Mutex};

use ndarray::{Array2, Axis, Zip};
use rayon::prelude::*;

use super::super::device::lock;
use super::super::planes::is_hole;
use crate::kernels::ts_map::TRUNCATION_VALUE;
use crate::kernels::{TsMapData, TsMapInput, TsMapRun};

/// Sums over the planes of a run, pixel by pixel, of one input.
struct Terms {
    background: Array2<f64>,
    stat_null: Array2<f64>,
    counted: Array2<f32>,
    /// `None`: nowhere.
    holes: Option<Array2<f32>>,
}

/// Per pixel, sums over its window, `f64`.
pub(super) struct WindowSums {
    /// Sum of b.
    pub(super) background: Array2<f64>,
    /// `2 sum [t(b) - n ln t(b)]`.
    pub(super) stat_null: Array2<f64>,
    /// Number of bins with counts, whether they have model or not.
    pub(super) counted: Array2<f64>,
    /// Number of bins with exposure but without background; `None`: nowhere.
    holes: Option<Array2<f64>>,
}

/// The planes of each input that a run takes, and half sizes of its kernels.
type Key = (Vec<Range<usize>>, Vec<(usize, usize)>);

/// A value with what it was made for.
type Last<K, V> = Mutex<Option<(K, Arc<V>)>>;

/// What the last run left.
#[derive(Default)]
pub(super) struct WindowSumsCache {
    terms: Last<Vec<Range<usize>>, Vec<Terms>>,
    sums: Last<Key, WindowSums>,
}

impl WindowSumsCache {
    /// The sums of a run.
    pub(super) fn get(&self, data: &TsMapData<'_>, run: &TsMapRun<'_>) -> Arc<WindowSums> {
        let halves = run.kernels.iter().map(|k| (k.dim().1 / 2, k.dim().2 / 2)).collect();
        let key = (run.planes.clone(), halves);
        if let Some((_, sums)) = lock(&self.sums).as_ref().filter(|(known, _)| *known == key) {
            return Arc::clone(sums);
        }
        let terms = self.terms(data, run);
        let sums = Arc::new(WindowSums::new(&terms, &key.1, data.shape()));
        *lock(&self.sums) = Some((key, Arc::clone(&sums)));
        sums
    }

    fn terms(&self, data: &TsMapData<'_>, run: &TsMapRun<'_>) -> Arc<Vec<Terms>> {
        if let Some((_, terms)) = lock(&self.terms).as_ref().filter(|(known, _)| *known == run.planes) {
            return Arc::clone(terms);
        }
        let terms: Vec<_> = data
            .inputs()
            .iter()
            .zip(&run.planes)
            .map(|(input, range)| Terms::new(input, range, data.shape()))
            .collect();
        let terms = Arc::new(terms);
        *lock(&self.terms) = Some((run.planes.clone(), Arc::clone(&terms)));
        terms
    }
}

impl Terms {
    fn new(input: &TsMapInput<'_>, range: &Range<usize>, shape: (usize, usize)) -> Self {
        let mut sums = Self {
            background: Array2::zeros(shape),
            stat_null: Array2::zeros(shape),
            counted: Array2::zeros(shape),
            holes: None,
        };
        let mut holes = Array2::<f32>::zeros(shape);
        for plane in range.clone() {
            let (n, b, e) = (input.counts.plane(plane), input.background.plane(plane), input.exposure.plane(plane));
            Zip::indexed(&mut sums.background)
                .and(&mut sums.stat_null)
                .and(&mut sums.counted)
                .and(&mut holes)
                .par_for_each(|(y, x), b_sum, stat, counted, hole| {
                    let (n, b, e) = (n.at(y, x), b.at(y, x), e.at(y, x));
                    *b_sum += b;
                    *stat += 2.0 * b;
                    if n > 0.0 {
                        *stat -= 2.0 * n * b.max(TRUNCATION_VALUE).ln();
                        *counted += 1.0;
                    }
                    *hole += f32::from(u8::from(is_hole(e, b)));
                });
        }
        sums.holes = holes.iter().any(|h| *h > 0.0).then_some(holes);
        sums
    }
}

impl WindowSums {
    fn new(terms: &[Terms], halves: &[(usize, usize)], shape: (usize, usize)) -> Self {
        let zeros = || Array2::<f64>::zeros(shape);
        let mut sums = Self { background: zeros(), stat_null: zeros(), counted: zeros(), holes: None };
        for (terms, half) in terms.iter().zip(halves) {
            let wide = |map: &Array2<f32>| map.mapv(f64::from);
            for (total, part) in [
                (&mut sums.background, terms.background.clone()),
                (&mut sums.stat_null, terms.stat_null.clone()),
                (&mut sums.counted, wide(&terms.counted)),
            ] {
                if part.iter().any(|v| *v != 0.0) {
                    *total += &box_sum(part, *half);
                }
            }
            if let Some(holes) = &terms.holes {
                *sums.holes.get_or_insert_with(zeros) += &box_sum(wide(holes), *half);
            }
        }
        sums
    }

    pub(super) fn has_hole(&self, y: usize, x: usize) -> bool {
        self.holes.as_ref().is_some_and(|holes| holes[[y, x]] > 0.5)
    }
}

/// Sums over windows of half sizes `(hy, hx)`; parts outside the map are 0.
fn box_sum(mut map: Array2<f64>, (hy, hx): (usize, usize)) -> Array2<f64> {
    for (axis, half) in [(Axis(0), hx), (Axis(1), hy)] {
        map.axis_iter_mut(axis).into_par_iter().for_each(|mut line| {
            let summed = window_sums(line.iter().copied(), half);
            line.iter_mut().zip(summed).for_each(|(to, from)| *to = from);
        });
    }
    map
}

/// Sums of `2 half + 1` neighbours by the method of van Herk and Gil-Werman: blocks of the window's length, a sum from
/// each block's start and one to its end. Three additions per value, and nothing is ever subtracted.
fn window_sums(values: impl ExactSizeIterator<Item = f64>, half: usize) -> Vec<f64> {
    let length = values.len();
    let window = 2 * half + 1;
    let padded_length = (length + 2 * half).next_multiple_of(window);
    let mut padded = vec![0.0; padded_length];
    padded[half..].iter_mut().zip(values).for_each(|(to, from)| *to = from);
    let mut from_start = padded.clone();
    let mut to_end = padded;
    for block in from_start.chunks_mut(window) {
        (1..block.len()).for_each(|i| block[i] += block[i - 1]);
    }
    for block in to_end.chunks_mut(window) {
        (0..block.len() - 1).rev().for_each(|i| block[i] += block[i + 1]);
    }
    (0..length)
        .map(|i| if i % window == 0 { from_start[i + window - 1] } else { to_end[i] + from_start[i + window - 1] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn window_sums_are_plain_sums(values in prop::collection::vec(0u32..1000, 0..40), half in 0usize..25) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let plain: Vec<f64> = (0..values.len())
                .map(|i| values[i.saturating_sub(half)..values.len().min(i + half + 1)].iter().sum())
                .collect();
            prop_assert_eq!(window_sums(values.iter().copied(), half), plain);
        }
    }
}
