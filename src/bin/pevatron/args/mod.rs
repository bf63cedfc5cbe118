//! Every option of every command, in Gammapy's words.

mod datasets;
mod files;
mod machine;
mod maps;
mod models;
mod parse;
mod picture;

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use pevatron::Result;
use pevatron::compute::{BackendChoice, BackendOptions};

pub use datasets::*;
pub use files::*;
pub use machine::*;
pub use maps::*;
pub use models::*;
use parse::{memory_bytes, threads};
pub use parse::{named, parse_frame, parse_position};
pub use picture::{ChartArgs, PictureArgs};

/// Test-statistic maps and flux maps of gamma-ray surveys, on GPUs and CPUs.
#[derive(Debug, Parser)]
#[command(name = "pevatron", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// TS map of one or several datasets (TSMapEstimator)
    #[command(args_override_self = true, after_help = TSMAP_EXAMPLE)]
    Tsmap(TsmapArgs),
    /// Excess, significance and flux in a disk around each pixel (ExcessMapEstimator)
    #[command(args_override_self = true, after_help = EXCESS_EXAMPLE)]
    Excess(ExcessArgs),
    /// Peaks of flux maps, or sources one after the other: positions, fluxes, names
    #[command(args_override_self = true, after_help = PEAKS_EXAMPLE)]
    Peaks(Box<PeaksArgs>),
    /// Flux maps of several data sets or epochs combined through their likelihoods
    #[command(args_override_self = true, after_help = COMBINE_EXAMPLE)]
    Combine(CombineArgs),
    /// Adaptive smoothing (ASmoothMapEstimator)
    #[command(args_override_self = true, after_help = ASMOOTH_EXAMPLE)]
    Asmooth(AsmoothArgs),
    /// Predicted counts of models
    #[command(args_override_self = true, after_help = NPRED_EXAMPLE)]
    Npred(NpredArgs),
    /// Fits models to datasets
    #[command(args_override_self = true, after_help = FIT_EXAMPLE)]
    Fit(FitArgs),
    /// What a file is and holds
    #[command(args_override_self = true, after_help = "Example: pevatron info dataset.fits.gz flux.fits")]
    Info(InfoArgs),
    /// Picture of a file
    #[command(args_override_self = true, after_help = PLOT_EXAMPLE)]
    Plot(PlotArgs),
    /// Flux points of positions in flux maps
    #[command(args_override_self = true, after_help = FLUX_POINTS_EXAMPLE)]
    FluxPoints(FluxPointsArgs),
    /// Flux maps and tables of flux points between SED types and layouts; other files written anew
    #[command(args_override_self = true, after_help = CONVERT_EXAMPLE)]
    Convert(ConvertArgs),
    /// Several datasets added up into one
    #[command(args_override_self = true, after_help = STACK_EXAMPLE)]
    Stack(StackArgs),
    /// The part of a dataset around a position
    #[command(args_override_self = true, after_help = CUTOUT_EXAMPLE)]
    Cutout(CutoutArgs),
    /// Counts compared with what models predict, as a map and picture
    #[command(args_override_self = true, after_help = RESIDUALS_EXAMPLE)]
    Residuals(ResidualsArgs),
    /// A dataset with simulated counts of models
    #[command(args_override_self = true, after_help = SIMULATE_EXAMPLE)]
    Simulate(SimulateArgs),
    /// Graphics adapters and what they can do
    #[command(args_override_self = true, after_help = "Example: pevatron devices --measure")]
    Devices(DevicesArgs),
    /// Simulates a survey with known sources, makes its TS map and compares
    #[command(args_override_self = true, after_help = "Example: pevatron demo -o demo")]
    Demo(DemoArgs),
    /// Standard workloads on every engine: how fast, and whether right
    #[command(args_override_self = true, after_help = BENCH_EXAMPLE)]
    Bench(BenchArgs),
    /// Completions for a shell, on stdout
    Completions {
        /// bash, zsh, fish, elvish or powershell
        shell: clap_complete::Shell,
    },
    /// The manual page, on stdout
    Man,
}

/// Where the work is done and what is said about it.
#[derive(Debug, Args)]
pub struct EngineArgs {
    /// auto, cpu, gpu or reference; auto takes a hardware GPU where there is one, else the CPU
    #[arg(long, default_value = "auto", value_name = "NAME")]
    pub backend: String,
    /// Name or index of the GPU, as `pevatron devices` lists them
    #[arg(long, value_name = "NAME|INDEX")]
    pub adapter: Option<String>,
    /// Most CPU threads [default: all cores]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
    /// Most memory, e.g. 2GB [default: three quarters of the free memory]
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<String>,
}

impl EngineArgs {
    pub fn options(&self) -> Result<BackendOptions> {
        Ok(BackendOptions {
            choice: self.backend.parse::<BackendChoice>()?,
            adapter: self.adapter.clone(),
            threads: threads(self.threads)?,
            memory_bytes: memory_bytes(self.memory.as_deref())?,
        })
    }
}

/// What OGIP spectra are read with.
#[derive(Debug, Args)]
pub struct SpectrumArgs {
    /// OGIP spectra: effective area in place of the ANCRFILE that they name, 'none': without; of several spectra one for
    /// all, or given once for each
    #[arg(long, value_name = "FILE")]
    pub arf: Vec<PathBuf>,
    /// OGIP spectra: energy dispersion in place of RESPFILE, likewise
    #[arg(long, value_name = "FILE")]
    pub rmf: Vec<PathBuf>,
    /// OGIP spectra: background in place of BACKFILE, likewise, one for each spectrum
    #[arg(long, value_name = "FILE")]
    pub bkg: Vec<PathBuf>,
    /// OGIP spectra: channels are merged as their GROUPING says
    #[arg(long)]
    pub group: bool,
}

/// What every command has.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// One JSON document on stdout, nothing else there
    #[arg(long)]
    pub json: bool,
    /// No progress
    #[arg(long, short)]
    pub quiet: bool,
    /// What was decided and why; twice: timings by stage
    #[arg(long, short, action = ArgAction::Count)]
    pub verbose: u8,
    /// Input that can only be read with a warning, as one whose checksum is another, is an error
    #[arg(long)]
    pub strict: bool,
    /// TOML file with the options of this command (underscores for dashes); the command line wins
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Prints the effective options as TOML and ends
    #[arg(long)]
    pub dump_config: bool,
}

impl Cli {
    fn common(&self) -> Option<&CommonArgs> {
        match &self.command {
            Command::Tsmap(a) => Some(&a.common),
            Command::Excess(a) => Some(&a.common),
            Command::Peaks(a) => Some(&a.common),
            Command::Combine(a) => Some(&a.common),
            Command::Asmooth(a) => Some(&a.common),
            Command::Npred(a) => Some(&a.common),
            Command::Fit(a) => Some(&a.common),
            Command::Info(a) => Some(&a.common),
            Command::Plot(a) => Some(&a.common),
            Command::FluxPoints(a) => Some(&a.common),
            Command::Convert(a) => Some(&a.common),
            Command::Stack(a) => Some(&a.common),
            Command::Cutout(a) => Some(&a.common),
            Command::Residuals(a) => Some(&a.common),
            Command::Simulate(a) => Some(&a.common),
            Command::Devices(a) => Some(&a.common),
            Command::Demo(a) => Some(&a.common),
            Command::Bench(a) => Some(&a.common),
            Command::Completions { .. } | Command::Man => None,
        }
    }

    pub fn is_strict(&self) -> bool {
        self.common().is_some_and(|c| c.strict)
    }

    pub fn dumps_config(&self) -> bool {
        self.common().is_some_and(|c| c.dump_config)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    /// Also that no option is there twice, which programs built for release would not say.
    #[test]
    fn options_are_consistent() {
        Cli::command().debug_assert();
        for command in Cli::command().get_subcommands() {
            let mut names: Vec<String> = command.get_arguments().map(|a| a.get_id().to_string()).collect();
            let number = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), number, "{}", command.get_name());
        }
    }
}
