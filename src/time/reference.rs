//! What times count from.

use super::date::mjd_of_date;
use super::scale::ahead_of_tai;
use crate::error::{Error, Result};

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

/// Modified Julian date 0 as a Julian date.
const JD_MJD: f64 = 2_400_000.5;

impl TimeReference {
    /// Modified Julian date 0, in a time scale such as `"tt"` or `"utc"`.
    pub fn mjd_zero(timesys: &str) -> Self {
        Self { mjdrefi: 0, mjdreff: 0.0, timesys: timesys.to_string(), timeref: None }
    }

    /// The reference that keywords give: MJDREFI and MJDREFF, or MJDREF, JDREFI and JDREFF, JDREF, DATEREF; TIMESYS (else
    /// `timesys`) and TIMEREF. Numbers may stand in quotes. `None` without a reference.
    pub fn from_keywords(get: impl Fn(&str) -> Option<String>, timesys: &str) -> Option<Self> {
        let number = |key: &str| get(key).and_then(|t| t.trim().parse::<f64>().ok()).filter(|v| v.is_finite());
        let split = |whole: f64, more: f64| (whole.trunc() as i64, whole.fract() + more);
        let pair = |whole: &str, fraction: &str| number(whole).map(|w| split(w, number(fraction).unwrap_or(0.0)));
        let julian = |(days, part): (i64, f64)| (days - 2_400_001, part + 0.5);
        let reference = pair("MJDREFI", "MJDREFF")
            .or_else(|| number("MJDREF").map(|v| split(v, 0.0)))
            .or_else(|| pair("JDREFI", "JDREFF").map(julian))
            .or_else(|| number("JDREF").map(|v| split(v - JD_MJD, 0.0)))
            .or_else(|| get("DATEREF").and_then(|t| mjd_of_date(&t)));
        let text = |key: &str| get(key).map(|t| t.trim().to_string()).filter(|t| !t.is_empty());
        let (mjdrefi, mjdreff) = reference?;
        let timesys = text("TIMESYS").unwrap_or_else(|| timesys.to_string());
        Some(Self { mjdrefi, mjdreff, timesys, timeref: text("TIMEREF") })
    }

    /// The reference as a modified Julian date in days.
    pub fn mjd(&self) -> f64 {
        self.mjdrefi as f64 + self.mjdreff
    }

    /// Days from this reference to another one, both taken as dates of one time scale; the integer parts are subtracted
    /// exactly.
    pub fn days_to(&self, other: &Self) -> f64 {
        (other.mjdrefi - self.mjdrefi) as f64 + (other.mjdreff - self.mjdreff)
    }

    /// Seconds that pass from this reference to another one, whatever their time scales. Times count seconds that pass:
    /// this is what is added to those of the other reference.
    ///
    /// ```
    /// use pevatron::time::TimeReference;
    /// let reference = |scale| TimeReference { mjdrefi: 58849, ..TimeReference::mjd_zero(scale) };
    /// assert_eq!(reference("tt").seconds_to(&reference("utc"))?, 69.184);
    /// # Ok::<(), pevatron::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Input`] where the scales differ and one of them is not known, and where one reference is the Sun's or the
    /// barycentre's and the other is not.
    pub fn seconds_to(&self, other: &Self) -> Result<f64> {
        let apart = self.days_to(other) * 86400.0;
        let at_sun = |r: &Self| {
            let place = r.timeref.as_deref().unwrap_or("").to_ascii_uppercase();
            ["SOLARSYSTEM", "BARYCENT", "HELIOC", "EMBARYC"].iter().any(|name| place.starts_with(name))
        };
        if at_sun(self) != at_sun(other) {
            let of = |r: &Self| r.timeref.clone().unwrap_or_else(|| "missing".to_string());
            let problem = format!("'{}' and '{}': times at these places differ by light travel", of(self), of(other));
            return Err(Error::input("TIMEREF", problem));
        }
        let same = self.timesys.trim().eq_ignore_ascii_case(other.timesys.trim());
        match (ahead_of_tai(&self.timesys, self.mjd()), ahead_of_tai(&other.timesys, other.mjd())) {
            (Ok(own), Ok(its)) => Ok(apart + (own - its)),
            _ if same => Ok(apart),
            (Err(error), _) | (_, Err(error)) => Err(Error::input("TIMESYS", error.to_string())),
        }
    }
}
