//! Dates as text.

/// Whole days and fraction of the modified Julian date of a date such as `2020-01-01`, `2020-01-01T12:30:00.5`,
/// `2020-01-01 12:30`; `None` for anything else. A leap second (`23:59:60`) is the next day's begin.
///
/// ```
/// assert_eq!(pevatron::time::mjd_of_date("2020-01-01T12:00:00"), Some((58849, 0.5)));
/// ```
pub fn mjd_of_date(text: &str) -> Option<(i64, f64)> {
    let text = text.trim().trim_end_matches(['Z', 'z']);
    let (date, time) = text.split_once(['T', 't', ' ']).map_or((text, None), |(d, t)| (d, Some(t.trim())));
    let digits = |t: &str, n: usize| -> Option<i64> {
        (t.len() == n && t.bytes().all(|b| b.is_ascii_digit())).then(|| t.parse().ok()).flatten()
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = *lengths.get(usize::try_from(month - 1).ok()?)?;
    if !(1..=length).contains(&day) {
        return None;
    }
    let seconds = match time {
        None => 0.0,
        Some(time) => {
            let mut parts = time.splitn(3, ':');
            let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
            let second = parts.next().unwrap_or("0");
            let plain = second.starts_with(|c: char| c.is_ascii_digit())
                && second.bytes().all(|b| b.is_ascii_digit() || b == b'.');
            let second: f64 = second.parse().ok().filter(|s| plain && *s < 61.0)?;
            if hour > 23 || minute > 59 {
                return None;
            }
            ((hour * 60 + minute) * 60) as f64 + second
        }
    };
    // Days since 0000-03-01 in the Gregorian calendar, then to 1858-11-17.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1;
    Some((days - 678_881, seconds / 86400.0))
}
