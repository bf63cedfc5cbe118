//! Standard workloads, and how fast and how rightly each engine does them: what `pevatron bench` prints.
//!
//! A [`Workload`] is a named job of fixed size; its [`Inputs`] are drawn from a fixed seed and have a fingerprint, so
//! that two reports speak of the same work. [`run`] opens every engine that is wanted, measures each workload on each
//! of them, and checks every result against the `f64` twin. What it finds is a [`Report`], which can be stored and
//! compared with a later one ([`compare`]).
//!
//! ```
//! use pevatron::bench::{BenchOptions, Host, Outcome, Size, run};
//! use pevatron::{Control, compute::BackendChoice};
//!
//! let options = BenchOptions {
//!     backends: vec![BackendChoice::Cpu],
//!     workloads: vec!["cash".into()],
//!     size: Some(Size::Tiny),
//!     ..BenchOptions::quick()
//! };
//! let report = run(&options, Host::default(), &Control::new(), &|_| {})?;
//! assert!(matches!(&report.rows[0].outcome, Outcome::Done(m) if m.right()));
//! # Ok::<(), pevatron::Error>(())
//! ```

mod ceilings;
mod check;
mod compare;
mod count;
mod engines;
mod fingerprint;
mod inputs;
mod measure;
mod multiply_adds;
mod report;
mod run;
mod spread;
mod sustain;
mod workload;

pub use ceilings::cpu_ceilings;
pub use check::{Expected, Verdict};
pub use compare::{Change, Comparison, compare};
pub use count::Count;
pub use engines::{EngineReport, Limits, measured_devices};
pub use inputs::{Inputs, Output};
pub use measure::{Measured, Repeat, Resident, measure};
pub use report::{Ceilings, Host, Outcome, Report, Row};
pub use run::{BenchOptions, run};
pub use spread::Spread;
pub use sustain::{Sustained, Window, sustain};
pub use workload::{Job, Size, Workload};
