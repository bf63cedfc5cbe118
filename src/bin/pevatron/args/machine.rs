//! Options of the commands that try the machine.

use std::path::PathBuf;

use clap::Args;
use pevatron::bench::{BenchOptions, Workload};
use pevatron::compute::BackendChoice;
use pevatron::{Error, Result};

use super::parse::{memory_bytes, threads};
use super::{CommonArgs, EngineArgs};

pub const BENCH_EXAMPLE: &str = "Example: pevatron bench --quick\n         pevatron bench --json > before.json; pevatron \
     bench --compare before.json --threshold 10\n\nEvery result is compared with the double-precision reference; a wrong \
     one, or with --compare a slower one, ends with exit code 1.";

/// More repetitions than this are a mistake.
const MOST_RUNS: usize = 100_000;

#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Measure what the CPU and each adapter reach: fused multiply-adds and copies
    #[arg(long)]
    pub measure: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Folder to write to
    #[arg(long, short, default_value = "demo", value_name = "DIR")]
    pub output: PathBuf,
    /// Replace files of an earlier demo
    #[arg(long)]
    pub overwrite: bool,
    /// Seed of the simulated counts
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub seed: u64,
    /// Pixel size, e.g. 0.02deg
    #[arg(long, default_value = "0.02deg", value_name = "ANGLE")]
    pub binsz: String,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// all, cpu, gpu, reference (by comma); gpu is every adapter, all is cpu and gpu
    #[arg(long, default_value = "all", value_name = "LIST")]
    pub backend: String,
    /// Name or index of the GPU, as `pevatron devices` lists them [default: all of them]
    #[arg(long, alias = "device", value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Most CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Most memory, e.g. 2GB; what needs more is skipped [default: three quarters of the free memory]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
    /// Workloads by comma; `tsmap` stands for all that begin with it [default: all]
    #[arg(long, value_name = "NAME,NAME")]
    pub workload: Option<String>,
    /// tiny, quick, standard, large or huge; fit: the largest for which there is memory [default: standard; large, too,
    /// on a graphics card, quick on a software adapter]
    #[arg(long, value_name = "SIZE")]
    pub size: Option<String>,
    /// Small maps and few repetitions: about 20 s
    #[arg(long)]
    pub quick: bool,
    /// Least number of timed repetitions [default: 5; with --quick 2]
    #[arg(long, value_name = "N")]
    pub runs: Option<usize>,
    /// Repeat one workload for so long and show its rate over time
    #[arg(long, value_name = "SECONDS")]
    pub sustain: Option<f64>,
    /// Compare with an earlier output of --json; slower is an error
    #[arg(long, value_name = "FILE.json")]
    pub compare: Option<PathBuf>,
    /// Change of the median that --compare counts as slower, in percent
    #[arg(long, default_value_t = 10.0, value_name = "PERCENT")]
    pub threshold: f64,
    /// Table to write, one line per workload and engine
    #[arg(long, value_name = "FILE.csv")]
    pub csv: Option<PathBuf>,
    /// Replace an existing table
    #[arg(long)]
    pub overwrite: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

impl BenchArgs {
    pub fn options(&self) -> Result<BenchOptions> {
        let base = if self.quick { BenchOptions::quick() } else { BenchOptions::standard() };
        let names = |text: &str| -> Vec<String> {
            text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect()
        };
        let backend = |name: &String| match name.as_str() {
            "all" => Ok(BackendChoice::Auto),
            "cpu" => Ok(BackendChoice::Cpu),
            "gpu" => Ok(BackendChoice::Gpu),
            "reference" => Ok(BackendChoice::Reference),
            _ => Err(Error::not_one_of("backend", name, ["all", "cpu", "gpu", "reference"])),
        };
        let mut repeat = base.repeat;
        match self.runs {
            Some(0) => return Err(Error::options("runs", "must be at least 1")),
            Some(runs) if runs > MOST_RUNS => {
                return Err(Error::options("runs", format!("{runs} are more than {MOST_RUNS}, which would never end")));
            }
            Some(runs) => (repeat.least, repeat.least_long, repeat.most) = (runs, runs, repeat.most.max(runs)),
            None => {}
        }
        if !(self.threshold.is_finite() && self.threshold > 0.0) {
            return Err(Error::options("threshold", format!("{} % is not positive", self.threshold)));
        }
        let workloads = names(self.workload.as_deref().unwrap_or(""));
        let memory_bytes = memory_bytes(self.memory.as_deref())?;
        let size = match self.size.as_deref() {
            None => base.size,
            Some("fit") => Some(Workload::largest_size(&workloads, memory_bytes.unwrap_or(0))?),
            Some(name) => Some(name.parse()?),
        };
        Ok(BenchOptions {
            backends: names(&self.backend).iter().map(backend).collect::<Result<_>>()?,
            adapter: self.adapter.clone(),
            threads: threads(self.threads)?,
            memory_bytes,
            workloads,
            size,
            sustain: self.sustain,
            repeat,
            ..base
        })
    }
}
