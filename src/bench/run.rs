//! All workloads on all engines.

use std::time::{Duration, Instant};

use super::check::Expected;
use super::engines::{Opened, open_all};
use super::inputs::Inputs;
use super::measure::{Repeat, measure};
use super::report::{Host, Outcome, Report, Row};
use super::sustain::sustain;
use super::workload::{Size, Workload};
use crate::compute::{BackendChoice, BackendOptions};
use crate::control::Control;
use crate::error::{Error, ErrorKind, Result};

/// Pixels of a map that are checked.
const CHECKED_PIXELS: usize = 64;
const CHECKED_PIXELS_QUICK: usize = 24;
/// Bytes of the buffers that are copied to find the ceiling of the memory: beyond the caches.
const CEILING_BYTES: u64 = 256 << 20;
const CEILING_BYTES_QUICK: u64 = 64 << 20;
/// What a quick look takes with adapters in software, which would take minutes otherwise.
const QUICK: Duration = Duration::from_secs(20);
/// So many times its even share of what is left may a run take.
const SHARES: f64 = 1.5;
/// Shorter runs are not begun.
const LEAST_SHARE: Duration = Duration::from_millis(50);
/// The workload that is sustained where none is named.
const SUSTAINED: &str = "tsmap_15_k51";

/// What to measure, on what.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    /// Engines; [`BackendChoice::Gpu`] stands for every adapter, [`BackendChoice::Auto`] for the CPU and every adapter.
    pub backends: Vec<BackendChoice>,
    /// The adapter, where not all of them.
    pub adapter: Option<String>,
    /// Threads of the CPU.
    pub threads: Option<usize>,
    /// Memory that workloads may take.
    pub memory_bytes: Option<u64>,
    /// Names, or first parts of names; none: all.
    pub workloads: Vec<String>,
    /// How large; `None`: what suits the engine. A CPU does [`Size::Standard`], a graphics card [`Size::Large`], too, a
    /// software adapter [`Size::Quick`], the reference [`Size::Tiny`].
    pub size: Option<Size>,
    /// Short measurements.
    pub quick: bool,
    /// How often each is repeated.
    pub repeat: Repeat,
    /// Seconds to repeat one workload for, in place of all others.
    pub sustain: Option<f64>,
    /// Measure ceilings.
    pub ceilings: bool,
}

impl BenchOptions {
    /// All workloads of the standard size on all engines.
    pub fn standard() -> Self {
        Self {
            backends: vec![BackendChoice::Auto],
            adapter: None,
            threads: None,
            memory_bytes: None,
            workloads: Vec::new(),
            size: None,
            quick: false,
            repeat: Repeat::USUAL,
            sustain: None,
            ceilings: true,
        }
    }

    /// All workloads of a small size, few repetitions.
    pub fn quick() -> Self {
        Self { size: Some(Size::Quick), quick: true, repeat: Repeat::QUICK, ..Self::standard() }
    }
}

/// Measures. `tell` hears what is done next, in a few words.
///
/// # Errors
/// Options that fit nothing, no engine at all, [`Error::Cancelled`]; what goes wrong with one workload is in the
/// report.
pub fn run(options: &BenchOptions, host: Host, control: &Control, tell: &dyn Fn(&str)) -> Result<Report> {
    let begun = Instant::now();
    // Wrong names are told before anything is done.
    let workloads = |size| workloads(size, options);
    let size = options.size.unwrap_or(Size::Standard);
    if workloads(size)?.is_empty() {
        let names = options.workloads.join(", ");
        return Err(Error::options("workload", format!("{names} is not there in the size {}", size.name()))
            .with_help("choose the size standard or a larger one"));
    }
    let mut choices = Vec::new();
    for wanted in &options.backends {
        let meant = match wanted {
            BackendChoice::Auto => vec![BackendChoice::Cpu, BackendChoice::Gpu],
            other => vec![*other],
        };
        choices.extend(meant.into_iter().filter(|choice| !choices.contains(choice)).collect::<Vec<_>>());
    }
    if let (true, Some(size)) = (choices.contains(&BackendChoice::Reference), options.size.filter(|s| *s > Size::Quick))
    {
        return Err(Error::options("backend", format!("the reference is too slow for the size {}", size.name()))
            .with_help("choose the size tiny or quick; every result is checked against the reference anyway"));
    }
    let engine_options = BackendOptions {
        choice: BackendChoice::Auto,
        adapter: options.adapter.clone(),
        threads: options.threads,
        memory_bytes: options.memory_bytes,
    };
    tell("opening engines");
    // A buffer takes no more than an eighth of what may be used: there are two, and what is uploaded is there twice.
    let most = if options.quick { CEILING_BYTES_QUICK } else { CEILING_BYTES };
    let bytes = options.memory_bytes.map_or(most, |allowed| most.min(allowed / 8));
    let (engines, opened) = open_all(&choices, &engine_options, true, options.ceilings.then_some(bytes), control)?;
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").to_string(),
        commit: None,
        quick: options.quick,
        host,
        engines,
        rows: Vec::new(),
        seconds: 0.0,
    };
    let mut budget = options.quick.then(|| Budget { end: begun + QUICK, left: 0, slow: Vec::new() });
    let wants = |engine: &Opened, size| match options.size {
        Some(wanted) => wanted == size,
        None => engine.kind.sizes().contains(&size),
    };
    let all = Size::ALL.into_iter().map(workloads).collect::<Result<Vec<_>>>()?.concat();
    if let Some(budget) = &mut budget {
        let runs = all.iter().flat_map(|w| opened.iter().filter(|e| e.is_slow() && wants(e, w.size)));
        budget.left = runs.count();
    }
    for workload in &all {
        let engines: Vec<_> = opened.iter().filter(|engine| wants(engine, workload.size)).collect();
        if engines.is_empty() {
            continue;
        }
        let needed = workload.memory_bytes();
        if options.memory_bytes.is_some_and(|allowed| needed > allowed) {
            report.rows.extend(engines.iter().map(|engine| row(workload, engine, None, Outcome::no_room(needed))));
            continue;
        }
        tell(&format!("{}: drawing the data", workload.name));
        control.check()?;
        let inputs = Inputs::new(workload);
        let pixels = if options.quick { CHECKED_PIXELS_QUICK } else { CHECKED_PIXELS };
        let expected = Expected::new(&inputs, pixels, control)?;
        for engine in engines {
            tell(&format!("{} on {}", workload.name, engine.id));
            let ceilings = report.engines.iter().find(|e| e.id == engine.id).and_then(|e| e.ceilings.as_ref());
            let outcome = match budget.as_mut().filter(|_| engine.is_slow()) {
                Some(budget) => budget.run((&engine.id, &workload.name), control, |control| {
                    one(engine, &inputs, &expected, options, ceilings, control)
                }),
                None => one(engine, &inputs, &expected, options, ceilings, control),
            }?;
            report.rows.push(row(workload, engine, Some(inputs.fingerprint), outcome));
        }
    }
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}

/// The time that a quick look takes, which adapters in software may not exceed.
struct Budget {
    end: Instant,
    /// Runs on such adapters that are still to come.
    left: usize,
    /// Kinds of maps that took too long, by engine; larger kernels take longer still.
    slow: Vec<(String, String)>,
}

impl Budget {
    /// A run within its share of what is left; one that takes longer is skipped.
    fn run(
        &mut self,
        (engine, workload): (&str, &str),
        control: &Control,
        run: impl FnOnce(&Control) -> Result<Outcome>,
    ) -> Result<Outcome> {
        let kind = workload.rsplit_once("_k").map_or(workload, |(kind, _)| kind);
        if self.slow.iter().any(|(e, k)| e == engine && k == kind) {
            self.left = self.left.saturating_sub(1);
            let reason = "a smaller kernel was too slow for --quick on this adapter in software".to_string();
            return Ok(Outcome::Skipped { reason, needed_bytes: None });
        }
        let now = Instant::now();
        let rest = self.end.saturating_duration_since(now);
        // Some are far quicker than others.
        let share = rest.mul_f64((SHARES / self.left.max(1) as f64).min(1.0));
        self.left = self.left.saturating_sub(1);
        let skipped = || Outcome::Skipped {
            reason: format!("more than {:.1} s on an adapter in software: too slow for --quick", share.as_secs_f64()),
            needed_bytes: None,
        };
        if share < LEAST_SHARE {
            let reason = format!("the {} s of --quick are over", QUICK.as_secs());
            return Ok(Outcome::Skipped { reason, needed_bytes: None });
        }
        match run(&control.clone().with_deadline(now + share)) {
            Err(error) if error.kind() == ErrorKind::Cancelled && !control.is_cancelled() => {
                self.slow.push((engine.to_string(), kind.to_string()));
                Ok(skipped())
            }
            other => other,
        }
    }
}

fn workloads(size: Size, options: &BenchOptions) -> Result<Vec<Workload>> {
    let Some(seconds) = options.sustain else {
        return Workload::select(size, &options.workloads);
    };
    if !(seconds.is_finite() && seconds > 0.0) {
        return Err(Error::options("sustain", format!("{seconds} seconds are not positive")));
    }
    let names = if options.workloads.is_empty() { vec![SUSTAINED.to_string()] } else { options.workloads.clone() };
    let found = Workload::select(size, &names)?;
    if found.len() > 1 {
        let names: Vec<_> = found.iter().map(|w| w.name.as_str()).collect();
        return Err(Error::options("workload", format!("sustain repeats one, not {}", names.join(", "))));
    }
    Ok(found)
}

/// One workload on one engine: only being cancelled ends everything.
fn one(
    engine: &Opened,
    inputs: &Inputs,
    expected: &Expected,
    options: &BenchOptions,
    ceilings: Option<&super::Ceilings>,
    control: &Control,
) -> Result<Outcome> {
    let run = || {
        let handle = engine.backend.engine();
        let mut measured = measure(handle, inputs, expected, engine.double, options.repeat, ceilings, control)?;
        if let Some(seconds) = options.sustain {
            let sustained = sustain(handle, inputs, seconds, control)?;
            measured.same_bits &= sustained.same_bits;
            measured.sustained = Some(sustained);
        }
        Ok(measured)
    };
    outcome_of(run())
}

/// Errors of an engine as outcomes.
fn outcome_of(result: Result<super::Measured>) -> Result<Outcome> {
    match result {
        Ok(measured) => Ok(Outcome::Done(measured)),
        Err(error) if error.kind() == ErrorKind::Cancelled => Err(error),
        Err(Error::Memory { needed_bytes, .. }) => Ok(Outcome::no_room(needed_bytes)),
        Err(error) => Ok(Outcome::Failed { reason: error.to_string() }),
    }
}

fn row(workload: &Workload, engine: &Opened, print: Option<u64>, outcome: Outcome) -> Row {
    Row {
        workload: workload.name.clone(),
        size: workload.size,
        shape: workload.shape(),
        kernel: workload.kernel,
        occupancy: workload.occupancy,
        inputs: print.map(|p| format!("{p:016x}")),
        engine: engine.id.clone(),
        outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(names: &[&str]) -> BenchOptions {
        BenchOptions {
            backends: vec![BackendChoice::Reference],
            workloads: names.iter().map(|n| n.to_string()).collect(),
            size: Some(Size::Tiny),
            ceilings: false,
            ..BenchOptions::quick()
        }
    }

    fn report(options: &BenchOptions) -> Report {
        run(options, Host::default(), &Control::new(), &|_| {}).unwrap()
    }

    #[test]
    fn what_does_not_fit_is_skipped_and_says_what_it_needs() {
        let found = report(&BenchOptions { memory_bytes: Some(1000), ..tiny(&["cash", "edisp"]) });
        assert_eq!(found.rows.len(), 2);
        for row in &found.rows {
            let Outcome::Skipped { reason, needed_bytes: Some(needed) } = &row.outcome else { panic!("{row:?}") };
            assert!(reason.starts_with("needs ") && *needed > 1000, "{reason}");
        }
        assert!(found.wrong().is_empty());
    }

    #[test]
    fn a_full_device_skips_and_a_lost_one_fails() {
        let memory = Error::Memory { what: "x".into(), needed_bytes: 3_000_000_000, available_bytes: 1 };
        assert!(matches!(outcome_of(Err(memory)), Ok(Outcome::Skipped { reason, .. }) if reason == "needs 3.0 GB"));
        let lost = Error::Device { adapter: "a".into(), problem: "lost".into() };
        assert!(matches!(outcome_of(Err(lost)), Ok(Outcome::Failed { .. })));
        assert!(outcome_of(Err(Error::Cancelled)).is_err());
    }

    /// Work that goes on until it is cancelled.
    fn endless(control: &Control) -> Result<Outcome> {
        loop {
            control.check()?;
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_quick_look_ends_and_says_what_it_skipped() {
        let begun = Instant::now();
        let mut budget = Budget { end: begun + Duration::from_millis(600), left: 4, slow: Vec::new() };
        let control = Control::new();
        let reason = |outcome: Result<Outcome>| match outcome {
            Ok(Outcome::Skipped { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        let said = reason(budget.run(("gpu:0", "tsmap_3_k21"), &control, endless));
        assert!(said.contains("too slow for --quick"), "{said}");
        let said = reason(budget.run(("gpu:0", "tsmap_3_k51"), &control, |_| panic!("is not tried")));
        assert!(said.contains("smaller kernel"), "{said}");
        let lost = || Ok(Outcome::Failed { reason: "lost".into() });
        assert!(matches!(budget.run(("gpu:1", "tsmap_3_k51"), &control, |_| lost()), Ok(Outcome::Failed { .. })));
        reason(budget.run(("gpu:0", "cash"), &control, endless));
        assert!(begun.elapsed() < Duration::from_secs(3));
        budget.end = begun;
        assert!(reason(budget.run(("gpu:0", "edisp"), &control, |_| lost())).contains("are over"));
        control.cancel();
        budget.end = Instant::now() + QUICK;
        assert!(budget.run(("gpu:0", "edisp"), &control, endless).is_err());
    }

    #[test]
    fn wrong_results_and_failures_are_found_in_a_report() {
        let mut found = report(&tiny(&["cash"]));
        assert!(found.wrong().is_empty(), "{found:?}");
        let Outcome::Done(measured) = &mut found.rows[0].outcome else { panic!() };
        measured.verdict.worst = 1.5;
        assert_eq!(found.wrong().len(), 1);
        found.rows[0].outcome = Outcome::Failed { reason: "lost".into() };
        assert_eq!(found.wrong().len(), 1);
    }

    #[test]
    fn sustain_repeats_one_workload() {
        let found = report(&BenchOptions { sustain: Some(0.01), ..tiny(&["edisp"]) });
        assert!(found.rows[0].outcome.measured().unwrap().sustained.is_some());
        let wrong = BenchOptions { sustain: Some(0.01), ..tiny(&["tsmap"]) };
        assert!(run(&wrong, Host::default(), &Control::new(), &|_| {}).is_err());
    }
}
