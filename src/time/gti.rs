//! Good time intervals.

/// The reference that START and STOP count from.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeReference {
    /// MJDREFI: integer part of the reference MJD.
    pub mjdrefi: i64,
    /// MJDREFF: fraction of the reference MJD.
    pub mjdreff: f64,
    /// TIMESYS, e.g. `"tt"`.
    pub timesys: String,
    /// TIMEREF, e.g. `"LOCAL"`, if it was given.
    pub timeref: Option<String>,
}

impl Default for TimeReference {
    /// Gammapy's default: MJD 51910.00074287037 (2001-01-01T00:00:00 UTC), TT.
    fn default() -> Self {
        Self { mjdrefi: 51910, mjdreff: 7.428703703703703e-4, timesys: "tt".to_string(), timeref: None }
    }
}

/// Good time intervals in seconds since a reference.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Gti {
    /// Start and stop of each interval in seconds.
    pub intervals: Vec<(f64, f64)>,
    /// What the seconds count from.
    pub reference: TimeReference,
}

impl Gti {
    /// Sum of the intervals in seconds.
    pub fn time_sum_s(&self) -> f64 {
        self.intervals.iter().map(|(a, b)| b - a).sum()
    }

    /// Union: intervals of both, in the reference of `self`, sorted, overlapping ones merged.
    pub fn union(&self, other: &Self) -> Self {
        let shift = ((other.reference.mjdrefi - self.reference.mjdrefi) as f64
            + (other.reference.mjdreff - self.reference.mjdreff))
            * 86400.0;
        let mut all = self.intervals.clone();
        all.extend(other.intervals.iter().map(|(a, b)| (a + shift, b + shift)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut merged: Vec<(f64, f64)> = Vec::with_capacity(all.len());
        for (start, stop) in all {
            match merged.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(stop),
                _ => merged.push((start, stop)),
            }
        }
        Self { intervals: merged, reference: self.reference.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn union_merges_overlaps_and_shifts_references() {
        let a = Gti { intervals: vec![(0.0, 10.0), (20.0, 30.0)], reference: TimeReference::default() };
        let mut b = Gti { intervals: vec![(-86395.0, -86385.0)], ..a.clone() };
        b.reference.mjdrefi += 1;
        let union = a.union(&b);
        assert_eq!(union.intervals, vec![(0.0, 15.0), (20.0, 30.0)]);
        assert_eq!(union.time_sum_s(), 25.0);
    }
}
