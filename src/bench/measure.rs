//! One workload on one engine: first run, repetitions, the device's own account, and the check of every result.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::check::{Expected, Verdict};
use super::count::Count;
use super::inputs::{Inputs, Stages};
use super::report::Ceilings;
use super::spread::Spread;
use super::workload::Job;
use crate::compute::{DeviceWork, Engine, Transfer};
use crate::control::Control;
use crate::error::Result;

/// How often a workload is repeated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repeat {
    /// Runs that are not counted, after the first one.
    pub warm_up: usize,
    /// Least number of counted runs.
    pub least: usize,
    /// The same where a single run takes longer than `seconds`.
    pub least_long: usize,
    /// Most counted runs.
    pub most: usize,
    /// No further run begins after this time, once there are enough.
    pub seconds: f64,
}

impl Repeat {
    /// The usual.
    pub const USUAL: Self = Self { warm_up: 1, least: 5, least_long: 3, most: 50, seconds: 2.0 };
    /// For a quick look.
    pub const QUICK: Self = Self { warm_up: 0, least: 2, least_long: 1, most: 5, seconds: 0.1 };
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Work of one run.
    pub count: Count,
    /// Wall time of the very first run on this engine, in seconds.
    pub first_seconds: f64,
    /// Wall time of a run: from arrays in memory to arrays in memory.
    #[serde(rename = "wall_seconds")]
    pub wall: Spread,
    /// The part of it that prepares the data (TS maps).
    #[serde(rename = "prepare_seconds")]
    pub prepare: Spread,
    /// Time in compute passes by the device's clock, of one run; `None` without a device or a clock.
    pub device_seconds: Option<f64>,
    /// Compute passes of one run.
    pub device_passes: u64,
    /// Bytes and wall time to the device, of one run.
    pub bytes_in: u64,
    /// Wall time of it.
    pub seconds_in: f64,
    /// Bytes from the device, of one run.
    pub bytes_out: u64,
    /// Wall time of it.
    pub seconds_out: f64,
    /// Per second of the median run: pixels times kernels (fits).
    pub pixels_per_second: f64,
    /// Per second of the median run: terms of the sums.
    pub bins_per_second: f64,
    /// Counted operations per second of the median run.
    pub flops_per_second: f64,
    /// Counted bytes per second of the median run.
    pub bytes_per_second: f64,
    /// Over the ceiling; above 1 where an engine needs fewer operations than are counted.
    pub share_of_flops: Option<f64>,
    /// Counted bytes over those of a copy.
    pub share_of_copy: Option<f64>,
    /// The result against the `f64` twin.
    pub verdict: Verdict,
    /// True where every run gave the same bits.
    pub same_bits: bool,
    /// The workload with data that stay, against one run from the start.
    pub resident: Option<Resident>,
    /// Throughput over time, where that was asked for.
    pub sustained: Option<super::Sustained>,
}

/// Many kernels over data that are prepared once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resident {
    /// Number of kernels.
    pub kernels: usize,
    /// Median wall time of preparing and running one of them.
    pub one_seconds: f64,
    /// Time for all of them over the time for one: the number of kernels where nothing is gained.
    pub ratio: f64,
}

impl Measured {
    /// True where the result is right, and the same every time.
    pub fn right(&self) -> bool {
        self.verdict.right() && self.same_bits
    }
}

/// Measures `inputs` on an engine. `double`: it computes jobs other than TS maps in double precision.
///
/// # Errors
/// The engine's, [`crate::Error::Cancelled`] included.
pub fn measure(
    engine: &dyn Engine,
    inputs: &Inputs,
    expected: &Expected,
    double: bool,
    repeat: Repeat,
    ceilings: Option<&Ceilings>,
    control: &Control,
) -> Result<Measured> {
    let (first, first_stages) = inputs.timed(engine, control)?;
    let print = first.fingerprint();
    let count = Count::of(inputs, &first);
    let mut verdict = expected.verdict(&first, double);
    drop(first);
    let mut same_bits = true;
    // Every run is checked, outside of the time.
    let mut once = || -> Result<Stages> {
        let (output, stages) = inputs.timed(engine, control)?;
        same_bits &= output.fingerprint() == print;
        let again = expected.verdict(&output, double);
        if again.worst > verdict.worst {
            verdict = again;
        }
        Ok(stages)
    };
    // A run that takes as long as all repetitions may was warm-up enough, and is repeated as often as a median needs.
    let long = first_stages.sum() > repeat.seconds;
    for _ in 0..if long { 0 } else { repeat.warm_up } {
        once()?;
    }
    let least = if long { repeat.least_long } else { repeat.least };
    let mut stages = Vec::new();
    let begun = Instant::now();
    while stages.len() < least || (stages.len() < repeat.most && begun.elapsed().as_secs_f64() < repeat.seconds) {
        stages.push(once()?);
    }
    let work = match engine.instruments() {
        None => DeviceWork::default(),
        Some(instruments) => {
            instruments.start()?;
            let done = once();
            let work = instruments.stop()?;
            done?;
            work
        }
    };
    let spread = |of: fn(&Stages) -> f64| Spread::of(&stages.iter().map(of).collect::<Vec<_>>()).unwrap_or_default();
    let wall = spread(|s| s.sum());
    let resident = match inputs.workload.job {
        Job::Resident => Some(one_of_many(engine, inputs, wall.median, stages.len(), control)?),
        _ => None,
    };
    let rate = |amount: u64| amount as f64 / wall.median.max(1e-9);
    let (flops, bytes) = (rate(count.operations), rate(count.bytes));
    let DeviceWork { device_seconds, passes, into: Transfer { bytes: bytes_in, seconds: seconds_in }, out } = work;
    Ok(Measured {
        count,
        first_seconds: first_stages.sum(),
        wall,
        prepare: spread(|s| s.prepare),
        // A clock that stands still is none.
        device_seconds: device_seconds.filter(|s| *s > 0.0),
        device_passes: passes,
        bytes_in,
        seconds_in,
        bytes_out: out.bytes,
        seconds_out: out.seconds,
        pixels_per_second: rate(count.pixels),
        bins_per_second: rate(count.bins),
        flops_per_second: flops,
        bytes_per_second: bytes,
        share_of_flops: ceilings.map(|c| flops / c.flops_per_second),
        share_of_copy: ceilings.map(|c| bytes / c.copy_bytes_per_second),
        verdict,
        same_bits,
        resident,
        sustained: None,
    })
}

/// The kernel in the middle alone, prepared anew each time, as often as all together were run.
fn one_of_many(engine: &dyn Engine, inputs: &Inputs, all: f64, runs: usize, control: &Control) -> Result<Resident> {
    let middle = inputs.kernels.len() / 2;
    let one = &inputs.kernels[middle..=middle];
    let times: Vec<f64> = (0..runs.max(1))
        .map(|_| inputs.timed_kernels(engine, one, control).map(|(_, stages)| stages.sum()))
        .collect::<Result<_>>()?;
    let one_seconds = Spread::of(&times).unwrap_or_default().median;
    Ok(Resident { kernels: inputs.kernels.len(), one_seconds, ratio: all / one_seconds.max(1e-9) })
}

#[cfg(test)]
mod tests {
    use super::super::workload::{Size, Workload};
    use super::*;
    use crate::compute::Backend;

    #[test]
    fn the_reference_measures_itself_as_right() {
        let control = Control::new();
        let inputs = Inputs::new(&Workload::select(Size::Tiny, &["cash".into()]).unwrap()[0]);
        let expected = Expected::new(&inputs, 5, &control).unwrap();
        let engine = Backend::reference();
        let repeat = Repeat { warm_up: 1, least: 3, least_long: 3, most: 3, seconds: 0.0 };
        let measured = measure(engine.engine(), &inputs, &expected, true, repeat, None, &control).unwrap();
        assert!(measured.right(), "{measured:?}");
        assert_eq!(measured.wall.runs, 3);
        assert_eq!((measured.bytes_in, measured.device_seconds), (0, None));
        let mut wrong = measured.clone();
        wrong.same_bits = false;
        assert!(!wrong.right());
    }
}
