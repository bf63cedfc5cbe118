//! One body of tests for every engine.
#![expect(clippy::unwrap_used, reason = "tests stop at the first surprise")]

mod bodies;
#[cfg(feature = "gpu")]
use crate::support::compare::DEVICE;
use crate::support::compare::{DOUBLE, SINGLE, Tolerance};
use pevatron::compute::{Backend, BackendChoice, BackendOptions};

/// An engine as the tests know it.
pub struct Subject {
    /// For messages.
    pub name: &'static str,
    /// How close to the reference it must be.
    pub tolerance: Tolerance,
    /// Makes the engine with so many threads; `None` where this machine cannot (says why).
    pub make: fn(Option<usize>) -> Option<Backend>,
}

fn cpu(threads: Option<usize>) -> Option<Backend> {
    let options = BackendOptions { choice: BackendChoice::Cpu, threads, ..BackendOptions::default() };
    Some(Backend::new(&options).unwrap())
}

fn reference(_: Option<usize>) -> Option<Backend> {
    Some(Backend::reference())
}

/// Any adapter, a software one included; none at all is a failure where `PEVATRON_REQUIRE_GPU` is set.
#[cfg(feature = "gpu")]
fn gpu(threads: Option<usize>) -> Option<Backend> {
    let options = BackendOptions { choice: BackendChoice::Gpu, threads, ..BackendOptions::default() };
    match Backend::new(&options) {
        Ok(backend) => Some(backend),
        Err(error) => {
            println!("SKIPPED: no adapter: {error}");
            assert!(std::env::var_os("PEVATRON_REQUIRE_GPU").is_none(), "PEVATRON_REQUIRE_GPU is set: {error}");
            None
        }
    }
}

/// One module of tests per engine.
macro_rules! engines {
    ($($engine:ident: $tolerance:expr;)*) => {
        $(mod $engine {
            use super::*;

            const SUBJECT: Subject = Subject { name: stringify!($engine), tolerance: $tolerance, make: super::$engine };

            bodies::tests!(
                surveys, shapes, masks, joint, backgrounds, bright, sparse, thresholds, settings, ranges, threads,
                again, many, cancel, sensitivities, wide, profiles, jobs
            );
        })*
    };
}

#[cfg(feature = "gpu")]
engines! {
    gpu: DEVICE;
}

engines! {
    cpu: SINGLE;
    reference: DOUBLE;
}
