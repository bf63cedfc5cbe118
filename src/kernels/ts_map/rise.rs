//! How stat rises with the distance from a norm: the sums over bins without counts are made once.

use super::TRUNCATION_VALUE;
use super::window::{Sum, Window};

/// The bins with model, told apart: those with counts one by one; those without as sums, since each only adds its
/// (truncated) change of npred. Transforms leave models a little below 0; these bins stay with those with counts.
pub(super) struct RiseBins {
    /// (n, m, mu) of the bins that are summed one by one.
    pub(super) single: Vec<(f64, f64, f64)>,
    /// Shift above which each bin without counts is not truncated, ascending.
    clips: Vec<f64>,
    /// Sums over the first bins of `clips`, one entry more than there are bins: of m, and of mu - t(mu).
    model: Vec<f64>,
    excess: Vec<f64>,
    /// Sums over the rest of `clips`: of the truncation value - t(mu).
    truncated: Vec<f64>,
}

impl RiseBins {
    pub(super) fn new(window: &Window, npred: &[f64]) -> Self {
        let mut single = Vec::new();
        let mut empty = Vec::new();
        for ((n, _, m), &mu) in window.bins().zip(npred).filter(|((_, _, m), _)| *m != 0.0) {
            if n > 0.0 || m < 0.0 {
                single.push((n, m, mu));
            } else {
                empty.push(((TRUNCATION_VALUE - mu) / m, m, mu));
            }
        }
        empty.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let (mut m_sum, mut excess_sum) = (Sum::default(), Sum::default());
        let (mut model, mut excess) = (vec![0.0], vec![0.0]);
        for (_, m, mu) in &empty {
            m_sum.add(*m);
            excess_sum.add(mu - mu.max(TRUNCATION_VALUE));
            model.push(m_sum.value());
            excess.push(excess_sum.value());
        }
        let mut truncated = vec![0.0; empty.len() + 1];
        let mut sum = Sum::default();
        for (i, (_, _, mu)) in empty.iter().enumerate().rev() {
            sum.add(TRUNCATION_VALUE - mu.max(TRUNCATION_VALUE));
            truncated[i] = sum.value();
        }
        Self { single, clips: empty.into_iter().map(|(clip, ..)| clip).collect(), model, excess, truncated }
    }

    /// What the other bins add to half the rise and to half its slope.
    pub(super) fn empty(&self, shift: f64) -> (Sum, Sum) {
        let open = self.clips.partition_point(|clip| *clip < shift);
        let (mut value, mut slope) = (Sum::default(), Sum::default());
        value.add(shift * self.model[open]);
        value.add(self.excess[open]);
        value.add(self.truncated[open]);
        slope.add(self.model[open]);
        (value, slope)
    }
}
