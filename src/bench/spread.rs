//! Times of repeated runs: least, median and most.

use serde::{Deserialize, Serialize};

/// What repeated runs took, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Shortest.
    pub min: f64,
    /// Half of the runs took no longer; of an even number, the mean of the two in the middle.
    pub median: f64,
    /// Longest.
    pub max: f64,
    /// Number of runs.
    pub runs: usize,
}

impl Spread {
    /// Of times in any order; `None` without any.
    pub fn of(seconds: &[f64]) -> Option<Self> {
        let mut sorted = seconds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { 0.5 * (sorted[half - 1] + sorted[half]) };
        Some(Self { min, median, max, runs: sorted.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_even_and_none() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[2.0]), Some(Spread { min: 2.0, median: 2.0, max: 2.0, runs: 1 }));
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { min: 1.0, median: 2.0, max: 3.0, runs: 3 }));
        assert_eq!(Spread::of(&[4.0, 1.0, 2.0, 3.0]), Some(Spread { min: 1.0, median: 2.5, max: 4.0, runs: 4 }));
    }
}
