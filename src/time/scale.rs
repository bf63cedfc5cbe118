//! Differences between time scales.

use crate::error::{Error, Result};

/// TT − TAI in seconds.
const TT_TAI_S: f64 = 32.184;

/// TAI − UTC in seconds, from the modified Julian date on (IERS Bulletin C; the last one of 2017-01-01, none announced
/// since: Bulletin C 70 of July 2025 says none for December 2025).
const LEAP_SECONDS: [(f64, f64); 28] = [
    (41317.0, 10.0),
    (41499.0, 11.0),
    (41683.0, 12.0),
    (42048.0, 13.0),
    (42413.0, 14.0),
    (42778.0, 15.0),
    (43144.0, 16.0),
    (43509.0, 17.0),
    (43874.0, 18.0),
    (44239.0, 19.0),
    (44786.0, 20.0),
    (45151.0, 21.0),
    (45516.0, 22.0),
    (46247.0, 23.0),
    (47161.0, 24.0),
    (47892.0, 25.0),
    (48257.0, 26.0),
    (48804.0, 27.0),
    (49169.0, 28.0),
    (49534.0, 29.0),
    (50083.0, 30.0),
    (50630.0, 31.0),
    (51179.0, 32.0),
    (53736.0, 33.0),
    (54832.0, 34.0),
    (56109.0, 35.0),
    (57204.0, 36.0),
    (57754.0, 37.0),
];

/// Seconds by which a scale is ahead of TAI at a modified Julian date of its own (before 1972 UTC counts as in 1972).
pub(super) fn ahead_of_tai(scale: &str, mjd: f64) -> Result<f64> {
    match scale.trim().to_ascii_lowercase().as_str() {
        "tt" | "tdb" | "tdt" | "et" => Ok(TT_TAI_S),
        "tai" | "iat" => Ok(0.0),
        "gps" => Ok(-19.0),
        "utc" | "ut" | "gmt" => {
            let at = LEAP_SECONDS.partition_point(|(from, _)| *from <= mjd).max(1);
            Ok(-LEAP_SECONDS[at - 1].1)
        }
        other => Err(Error::input("scale", format!("the time scale '{other}' is not one of tt, tai, tdb, utc, gps"))),
    }
}

/// A modified Julian date of one time scale in another; tt and tdb (equal to 2 ms; also tdt, et), tai, utc (also ut, gmt),
/// gps. Leap seconds are known to 2017-01-01, the last one that there was by 2025.
///
/// ```
/// let utc = pevatron::time::convert_mjd(55555.0, "tt", "utc")?;
/// assert!(((55555.0 - utc) * 86400.0 - 66.184).abs() < 1e-6);
/// # Ok::<(), pevatron::Error>(())
/// ```
///
/// # Errors
/// [`Error::Input`] for another scale.
pub fn convert_mjd(mjd: f64, from: &str, to: &str) -> Result<f64> {
    if from.trim().eq_ignore_ascii_case(to.trim()) {
        return Ok(mjd);
    }
    let own = ahead_of_tai(from, mjd)?;
    // Leap seconds are a matter of the date in UTC: the second look is at the right one.
    let guess = mjd + (ahead_of_tai(to, mjd)? - own) / 86400.0;
    Ok(mjd + (ahead_of_tai(to, guess)? - own) / 86400.0)
}
