//! Good time intervals.

use super::reference::TimeReference;
use crate::error::Result;

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

    /// Union: intervals of both, in the reference and the time scale of `self`, sorted, overlapping ones merged,
    /// those of no length left out.
    ///
    /// # Errors
    /// As [`TimeReference::seconds_to`].
    pub fn union(&self, other: &Self) -> Result<Self> {
        let shift = self.reference.seconds_to(&other.reference)?;
        Ok(self.joined(other, shift))
    }

    /// The union of several, in the reference of the first ones; `None` without any.
    ///
    /// # Errors
    /// As [`TimeReference::seconds_to`].
    pub fn union_of<'a>(all: impl IntoIterator<Item = &'a Self>) -> Result<Option<Self>> {
        let mut all = all.into_iter();
        let Some(first) = all.next() else { return Ok(None) };
        all.try_fold(first.clone(), |union, gti| union.union(gti)).map(Some)
    }

    /// The same intervals, sorted, overlapping ones merged, those of no length left out.
    pub fn merged(&self) -> Self {
        self.joined(&Self { intervals: Vec::new(), reference: self.reference.clone() }, 0.0)
    }

    fn joined(&self, other: &Self, shift: f64) -> Self {
        let mut all = self.intervals.clone();
        all.extend(other.intervals.iter().map(|(a, b)| (a + shift, b + shift)));
        all.retain(|(a, b)| a < b);
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
        let union = a.union(&b).unwrap();
        assert_eq!(union.intervals, vec![(0.0, 15.0), (20.0, 30.0)]);
        assert_eq!(union.time_sum_s(), 25.0);
    }

    #[test]
    fn time_scales_are_converted() {
        let reference = |scale: &str, mjd| TimeReference { mjdrefi: mjd, ..TimeReference::mjd_zero(scale) };
        for (a, b, seconds) in [
            (reference("tt", 58849), reference("UTC", 58849), 69.184),
            (reference("utc", 58849), reference("tt", 58849), -69.184),
            (reference("tai", 58849), reference("TT", 58849), -32.184),
            (reference("gps", 58849), reference("utc", 58849), 18.0),
            (reference("TDB", 51910), reference("utc", 51910), 64.184),
            // Five leap seconds between 2001 and 2017: seconds that pass.
            (reference("utc", 51910), reference("utc", 57754), 5844.0 * 86400.0 + 5.0),
            (reference("local", 5), reference("LOCAL", 6), 86400.0),
        ] {
            assert!((a.seconds_to(&b).unwrap() - seconds).abs() < 1e-9, "{a:?} {b:?}");
        }
        assert!(reference("local", 5).seconds_to(&reference("tt", 5)).unwrap_err().to_string().contains("local"));
        let sun = TimeReference { timeref: Some("SOLARSYSTEM".into()), ..reference("tdb", 5) };
        assert!(sun.seconds_to(&reference("tt", 5)).is_err() && sun.seconds_to(&sun).is_ok());
    }

    #[test]
    fn keywords_of_all_kinds_give_a_reference() {
        let from = |cards: &[(&str, &str)]| {
            let get = |key: &str| cards.iter().find(|(k, _)| *k == key).map(|(_, v)| v.to_string());
            TimeReference::from_keywords(get, "tt")
        };
        for cards in [
            &[("MJDREFI", "58849"), ("MJDREFF", "0.25")][..],
            &[("MJDREF", "58849.25")],
            &[("MJDREFI", " 58849 "), ("MJDREFF", "2.5E-1")],
            &[("JDREF", "2458849.75")],
            &[("JDREFI", "2458849"), ("JDREFF", "0.75")],
            &[("DATEREF", "2020-01-01T06:00:00")],
        ] {
            let found = from(cards).unwrap();
            assert!((found.mjd() - 58849.25).abs() < 1e-9 && found.timesys == "tt", "{cards:?} {found:?}");
        }
        assert!(from(&[("MJDREFF", "0.5")]).is_none() && from(&[("MJDREF", "soon")]).is_none());
        for bad in ["2020-02-30", "2020-1-1", "20-01-01", "2020-01-01T25:00", "2020-01-01T10:00:-1", "MJD 5"] {
            assert!(crate::time::mjd_of_date(bad).is_none(), "{bad}");
        }
        assert_eq!(crate::time::mjd_of_date("2000-02-29 18:00:00Z"), Some((51603, 0.75)));
        assert_eq!(crate::time::mjd_of_date("1858-11-17"), Some((0, 0.0)));
    }

    #[test]
    fn a_selection_cuts_intervals() {
        let reference = TimeReference::mjd_zero("tt");
        let gti = Gti { intervals: vec![(0.0, 86400.0), (2.0 * 86400.0, 3.0 * 86400.0)], reference };
        assert_eq!(gti.select_time(0.5, 2.25).intervals, vec![(43200.0, 86400.0), (172_800.0, 194_400.0)]);
        assert!(gti.select_time(1.0, 2.0).intervals.is_empty());
    }
}
