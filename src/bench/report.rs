//! What a benchmark found, as it is stored and compared.

use serde::{Deserialize, Serialize};

use super::engines::EngineReport;
use super::measure::Measured;

/// All that was found, and on what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this crate.
    pub version: String,
    /// Commit that the program was built from, where it is known.
    pub commit: Option<String>,
    /// True where a short measurement was asked for.
    pub quick: bool,
    /// The machine.
    pub host: Host,
    /// The engines, those included that could not be opened.
    pub engines: Vec<EngineReport>,
    /// One workload on one engine each.
    pub rows: Vec<Row>,
    /// Wall time of everything.
    pub seconds: f64,
}

impl Report {
    /// Rows whose result is wrong or not the same twice, or that failed: what a benchmark must not be silent about.
    pub fn wrong(&self) -> Vec<&Row> {
        let is_wrong = |row: &&Row| match &row.outcome {
            Outcome::Done(measured) => !measured.right(),
            Outcome::Failed { .. } => true,
            Outcome::Skipped { .. } => false,
        };
        self.rows.iter().filter(is_wrong).collect()
    }
}

/// The machine, as far as the caller knows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Model of the CPU.
    pub cpu: Option<String>,
    /// Number of logical cores.
    pub cores: usize,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// Operating system and architecture.
    pub system: String,
}

/// One workload on one engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the workload.
    pub workload: String,
    /// Its size.
    pub size: super::Size,
    /// Columns, rows, planes: `"400x200x10"`.
    pub shape: String,
    /// Side of the kernel in pixels; 0 where there is none.
    pub kernel: usize,
    /// Share of bins with counts, without sources.
    pub occupancy: f64,
    /// Fingerprint of the inputs, in hexadecimal; `None` where they were not made.
    pub inputs: Option<String>,
    /// Id of the engine: `"cpu"`, `"gpu:0"`, `"reference"`.
    pub engine: String,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "there are a few dozen of them")]
pub enum Outcome {
    /// It was measured and checked.
    Done(Measured),
    /// It was not tried, or there was no room for it.
    Skipped {
        /// Why.
        reason: String,
        /// Memory that it takes, where that is the reason.
        needed_bytes: Option<u64>,
    },
    /// The engine failed.
    Failed {
        /// Its error.
        reason: String,
    },
}

impl Outcome {
    /// The measurement, where there is one.
    pub fn measured(&self) -> Option<&Measured> {
        match self {
            Self::Done(measured) => Some(measured),
            _ => None,
        }
    }

    /// Not enough memory.
    pub fn no_room(needed_bytes: u64) -> Self {
        let needed = needed_bytes as f64;
        let reason = if needed < 1e8 {
            format!("needs {:.1} MB", needed * 1e-6)
        } else {
            format!("needs {:.1} GB", needed * 1e-9)
        };
        Self::Skipped { reason, needed_bytes: Some(needed_bytes) }
    }
}

/// What an engine's hardware reaches at best, measured by this program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ceilings {
    /// Single-precision operations per second; a fused multiply-add counts as two.
    pub flops_per_second: f64,
    /// Bytes per second of a copy, read and written.
    pub copy_bytes_per_second: f64,
    /// Bytes per second to the device.
    pub in_bytes_per_second: Option<f64>,
    /// Bytes per second from the device.
    pub out_bytes_per_second: Option<f64>,
    /// Whose clock was used: `"device"` or `"host"`.
    pub clock: String,
}
