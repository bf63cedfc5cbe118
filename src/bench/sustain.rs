//! One workload again and again: does the rate hold?

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::inputs::Inputs;
use crate::compute::Engine;
use crate::control::Control;
use crate::error::Result;

/// Windows that the time is cut into.
const WINDOWS: f64 = 10.0;
/// A last window slower than this share of the first is called throttling.
const THROTTLED: f64 = 0.95;

/// Throughput over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sustained {
    /// In order.
    pub windows: Vec<Window>,
    /// Rate of the last window over that of the first.
    pub last_over_first: f64,
    /// True where the rate fell by more than 5 %.
    pub throttled: bool,
    /// True where every run gave the same bits.
    pub same_bits: bool,
}

/// A stretch of whole runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// When it began, since the first one did.
    pub begin_seconds: f64,
    /// How long it took.
    pub seconds: f64,
    /// Runs in it.
    pub runs: usize,
    /// Pixels times kernels per second.
    pub pixels_per_second: f64,
}

impl Sustained {
    fn of(windows: Vec<Window>, same_bits: bool) -> Self {
        let rate = |window: Option<&Window>| window.map_or(0.0, |w| w.pixels_per_second);
        let (first, last) = (rate(windows.first()), rate(windows.last()));
        let last_over_first = if first > 0.0 { last / first } else { 1.0 };
        Self { windows, last_over_first, throttled: last_over_first < THROTTLED, same_bits }
    }
}

/// Repeats `inputs` for `seconds`, in ten windows of at least one run each.
///
/// # Errors
/// The engine's, [`crate::Error::Cancelled`] included.
pub fn sustain(engine: &dyn Engine, inputs: &Inputs, seconds: f64, control: &Control) -> Result<Sustained> {
    let pixels = (inputs.case.fit_mask.len() * inputs.kernels.len().max(1)) as f64;
    let (mut windows, mut print, mut same_bits) = (Vec::new(), None, true);
    let begun = Instant::now();
    while begun.elapsed().as_secs_f64() < seconds {
        let begin_seconds = begun.elapsed().as_secs_f64();
        let (mut busy, mut runs) = (0.0, 0);
        while runs == 0 || begun.elapsed().as_secs_f64() - begin_seconds < seconds / WINDOWS {
            // The comparison of bits is not the engine's time.
            let (output, stages) = inputs.timed(engine, control)?;
            busy += stages.sum();
            runs += 1;
            let found = output.fingerprint();
            same_bits &= *print.get_or_insert(found) == found;
        }
        let rate = runs as f64 * pixels / f64::max(busy, 1e-9);
        windows.push(Window { begin_seconds, seconds: busy, runs, pixels_per_second: rate });
    }
    Ok(Sustained::of(windows, same_bits))
}

#[cfg(test)]
mod tests {
    use super::super::workload::{Size, Workload};
    use super::*;
    use crate::compute::Backend;

    #[test]
    fn a_falling_rate_is_told() {
        let window = |rate| Window { begin_seconds: 0.0, seconds: 1.0, runs: 1, pixels_per_second: rate };
        assert!(Sustained::of(vec![window(10.0), window(12.0), window(8.0)], true).throttled);
        assert!(!Sustained::of(vec![window(10.0), window(2.0), window(9.9)], true).throttled);
        assert!(!Sustained::of(Vec::new(), true).throttled);
    }

    #[test]
    fn windows_follow_each_other() {
        let inputs = Inputs::new(&Workload::select(Size::Tiny, &["cash".into()]).unwrap()[0]);
        let found = sustain(Backend::reference().engine(), &inputs, 0.05, &Control::new()).unwrap();
        assert!(found.same_bits && !found.windows.is_empty());
        assert!(found.windows.iter().all(|w| w.runs > 0 && w.pixels_per_second > 0.0));
        assert!(found.windows.windows(2).all(|w| w[0].begin_seconds < w[1].begin_seconds));
    }
}
