//! Memory that is asked for before it is taken.
//!
//! Sizes that come from a header or an option (kernels, padded and upsampled maps, profiles) are checked here: that they
//! can be multiplied at all, and that the machine has that much. Linux promises more memory than there is and kills the
//! process that uses it, so a successful allocation proves nothing; what is free is looked up first.
//!
//! ```
//! use pevatron::memory;
//! assert!(memory::check::<f64>("a map", &[100, 200]).is_ok());
//! assert!(memory::check::<f64>("a map", &[1 << 40, 1 << 40]).is_err());
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, Result};

/// Below this, nothing is looked up: such sizes are found on any machine.
const SMALL_BYTES: u64 = 64 << 20;

/// Set by [`set_limit`]; 0: none.
static LIMIT: AtomicU64 = AtomicU64::new(0);

/// Bounds what [`check`] allows, beside what is free; `None` takes the bound away. For programs that share a machine.
pub fn set_limit(bytes: Option<u64>) {
    LIMIT.store(bytes.unwrap_or(0), Ordering::Relaxed);
}

/// Bytes that can be taken now: free memory and swap of the machine, or of the control group that this process is in, at
/// most the limit. [`u64::MAX`] where the system does not tell.
pub fn available_bytes() -> u64 {
    let limit = match LIMIT.load(Ordering::Relaxed) {
        0 => u64::MAX,
        limit => limit,
    };
    system_bytes().unwrap_or(u64::MAX).min(limit)
}

/// The bytes of an array of `T` with these sides.
///
/// # Errors
/// [`Error::Memory`] where their number is beyond all memory.
pub fn bytes_of<T>(what: &str, sides: &[usize]) -> Result<u64> {
    let all = sides.iter().try_fold(size_of::<T>().max(1), |product, side| product.checked_mul(*side));
    match all {
        Some(bytes) if bytes <= isize::MAX as usize => Ok(bytes as u64),
        _ => Err(Error::Memory { what: what.into(), needed_bytes: u64::MAX, available_bytes: available_bytes() }),
    }
}

/// Checks that there is room for an array of `T` with these sides.
///
/// # Errors
/// [`Error::Memory`] with what is needed and what is there.
pub fn check<T>(what: &str, sides: &[usize]) -> Result<()> {
    check_bytes(what, bytes_of::<T>(what, sides)?)
}

/// The same for a number of bytes.
///
/// # Errors
/// As [`check`].
pub fn check_bytes(what: &str, needed_bytes: u64) -> Result<()> {
    if needed_bytes < SMALL_BYTES {
        return Ok(());
    }
    let available_bytes = available_bytes();
    if needed_bytes <= available_bytes {
        return Ok(());
    }
    Err(Error::Memory { what: what.into(), needed_bytes, available_bytes })
}

/// The same where an option made the array so large: the error names it.
///
/// # Errors
/// [`Error::Options`] with what is needed and what is there.
pub fn check_option<T>(option: &str, what: &str, sides: &[usize]) -> Result<()> {
    check::<T>(what, sides).map_err(|error| match error {
        Error::Memory { needed_bytes, available_bytes, .. } => {
            let needed = match needed_bytes {
                u64::MAX => "more memory than any machine has".to_string(),
                bytes => format!("{}, {} are free", readable(bytes), readable(available_bytes)),
            };
            Error::options(option, format!("{what} would need {needed}"))
        }
        other => other,
    })
}

/// A number of values of `T` that can be pushed without the process being ended where there is no room.
///
/// # Errors
/// [`Error::Memory`].
pub fn vec_for<T>(what: &str, len: usize) -> Result<Vec<T>> {
    check::<T>(what, &[len])?;
    let mut out = Vec::new();
    out.try_reserve_exact(len).map_err(|_| Error::Memory {
        what: what.into(),
        needed_bytes: (len as u64).saturating_mul(size_of::<T>() as u64),
        available_bytes: available_bytes(),
    })?;
    Ok(out)
}

/// Bytes for people.
pub fn readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let mut value = bytes as f64 / 1e3;
    let mut unit = 0;
    while value >= 1e3 && unit + 1 < UNITS.len() {
        value /= 1e3;
        unit += 1;
    }
    if bytes < 1000 { format!("{bytes} bytes") } else { format!("{value:.3} {}", UNITS[unit]) }
}

#[cfg(target_os = "linux")]
fn system_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |key: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(key))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let free = kib("MemAvailable:")?.saturating_add(kib("SwapFree:").unwrap_or(0)).saturating_mul(1024);
    Some(group_bytes().map_or(free, |group| free.min(group)))
}

#[cfg(not(target_os = "linux"))]
fn system_bytes() -> Option<u64> {
    None
}

/// What the control group of this process leaves (containers, batch systems).
#[cfg(target_os = "linux")]
fn group_bytes() -> Option<u64> {
    let number = |path: String| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut least = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let (root, limit, used) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max", "memory.current"),
            c if c.split(',').any(|c| c == "memory") => {
                ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            _ => continue,
        };
        // Each group lies in others that have limits of their own; inside of a container only the root is seen.
        let mut group = Some(std::path::Path::new(path));
        while let Some(at) = group {
            let folder = format!("{root}{}", at.display());
            if let (Some(limit), Some(used)) = (number(format!("{folder}/{limit}")), number(format!("{folder}/{used}")))
            {
                // Used is with the cache of files, which is given back: half of the limit is left in any case.
                let left = limit.saturating_sub(used).max(limit / 2);
                least = Some(least.map_or(left, |l: u64| l.min(left)));
            }
            group = at.parent();
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn sizes_are_checked_before_they_are_taken() {
        assert_eq!(bytes_of::<f64>("map", &[2, 3, 4]).unwrap(), 192);
        assert_eq!(bytes_of::<f64>("map", &[usize::MAX, 2]).unwrap_err().kind(), ErrorKind::Memory);
        assert_eq!(check::<u8>("map", &[isize::MAX as usize]).unwrap_err().kind(), ErrorKind::Memory);
        let error = check_option::<f64>("norm_scan", "the scan", &[1 << 30, 1 << 30]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Options);
        assert!(error.to_string().starts_with("norm_scan: the scan would need"), "{error}");
        assert!(vec_for::<u64>("list", 1 << 50).is_err());
        assert_eq!(vec_for::<u64>("list", 7).unwrap().capacity(), 7);
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(readable(999), "999 bytes");
        assert_eq!(readable(2_500_000_000), "2.500 GB");
    }
}
