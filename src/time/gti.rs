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

impl TimeReference {
    /// Modified Julian date 0, in a time scale such as `"tt"` or `"utc"`.
    pub fn mjd_zero(timesys: &str) -> Self {
        Self { mjdrefi: 0, mjdreff: 0.0, timesys: timesys.to_string(), timeref: None }
    }

    /// The reference as a modified Julian date in days.
    pub fn mjd(&self) -> f64 {
        self.mjdrefi as f64 + self.mjdreff
    }

    /// Days from this reference to another one; the integer parts are subtracted exactly.
    pub fn days_to(&self, other: &Self) -> f64 {
        (other.mjdrefi - self.mjdrefi) as f64 + (other.mjdreff - self.mjdreff)
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
        // The sum of nothing is -0.
        self.intervals.iter().map(|(a, b)| b - a).sum::<f64>() + 0.0
    }

    /// The parts of the intervals between two modified Julian dates, in the time scale of the reference.
    pub fn select_time(&self, mjd_min: f64, mjd_max: f64) -> Self {
        let seconds = |mjd: f64| (mjd - self.reference.mjdrefi as f64 - self.reference.mjdreff) * 86400.0;
        let (from, to) = (seconds(mjd_min), seconds(mjd_max));
        let parts = self.intervals.iter().map(|(a, b)| (a.max(from), b.min(to)));
        Self { intervals: parts.filter(|(a, b)| a < b).collect(), reference: self.reference.clone() }
    }

    /// Union: intervals of both, in the reference of `self`, sorted, overlapping ones merged.
    pub fn union(&self, other: &Self) -> Self {
        let shift = self.reference.days_to(&other.reference) * 86400.0;
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

    #[test]
    fn a_selection_cuts_intervals() {
        let reference = TimeReference::mjd_zero("tt");
        let gti = Gti { intervals: vec![(0.0, 86400.0), (2.0 * 86400.0, 3.0 * 86400.0)], reference };
        assert_eq!(gti.select_time(0.5, 2.25).intervals, vec![(43200.0, 86400.0), (172_800.0, 194_400.0)]);
        assert!(gti.select_time(1.0, 2.0).intervals.is_empty());
    }
}
