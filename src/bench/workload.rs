//! The standard workloads: what is computed, how large, and what they are called.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Kernels that the resident workload runs over data that are prepared once.
pub(super) const RESIDENT_KERNELS: usize = 20;
/// Most memory that the CPU engine keeps for what those kernels share.
const RESIDENT_SHARED_BYTES: u64 = 384 << 20;
/// True energies per reconstructed one in the energy-dispersion product, times two.
const TRUE_ENERGIES_HALVES: usize = 3;

/// How large the maps are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Size {
    /// 48 × 32 pixels, 2 planes: for tests.
    Tiny,
    /// 64 × 48 pixels, 3 planes: a look at every engine in seconds.
    Quick,
    /// 400 × 200 pixels, 10 planes: what a CPU does in about a second.
    Standard,
    /// 2000 × 1000 pixels, 10 planes: fills a graphics card.
    Large,
    /// 4000 × 2000 pixels, 10 planes: a survey.
    Huge,
}

impl Size {
    /// All, smallest first.
    pub const ALL: [Self; 5] = [Self::Tiny, Self::Quick, Self::Standard, Self::Large, Self::Huge];

    /// Its name, as options and reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Large => "large",
            Self::Huge => "huge",
        }
    }

    /// `(planes, ny, nx)`.
    pub fn dim(self) -> (usize, usize, usize) {
        match self {
            Self::Tiny => (2, 32, 48),
            Self::Quick => (3, 48, 64),
            Self::Standard => (10, 200, 400),
            Self::Large => (10, 1000, 2000),
            Self::Huge => (10, 2000, 4000),
        }
    }
}

impl std::str::FromStr for Size {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|size| size.name() == text);
        found.ok_or_else(|| Error::not_one_of("size", text, Self::ALL.map(Self::name).into_iter().chain(["fit"])))
    }
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Job {
    /// A TS map with errors and upper limits: prepared and run.
    TsMap,
    /// 20 TS maps with different kernels over data that are prepared once.
    Resident,
    /// Each plane with a kernel of its own, as a PSF is applied.
    Convolve,
    /// The energy-dispersion product.
    Edisp,
    /// The likelihood: the Cash statistic summed over all bins.
    Cash,
}

/// A named job of fixed size.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// E.g. `"tsmap_15_k51"`.
    pub name: String,
    /// What is computed.
    pub job: Job,
    /// How large.
    pub size: Size,
    /// Side of the square kernel in pixels; 0 where there is none.
    pub kernel: usize,
    /// Share of bins with counts, without sources.
    pub occupancy: f64,
}

impl Workload {
    /// All of one size.
    pub fn standard(size: Size) -> Vec<Self> {
        let new = |name: &str, job, kernel, percent: u32| {
            let occupancy = f64::from(percent) / 100.0;
            Self { name: name.to_string(), job, size, kernel, occupancy }
        };
        let mut list = Vec::new();
        for percent in [3, 15, 60] {
            for kernel in [21, 51, 101] {
                list.push(new(&format!("tsmap_{percent}_k{kernel}"), Job::TsMap, kernel, percent));
            }
        }
        // On small maps the wide kernels are all border, and slow on software adapters.
        let resident: &[(u32, usize)] =
            if matches!(size, Size::Tiny | Size::Quick) { &[(3, 21)] } else { &[(3, 21), (3, 51), (60, 51)] };
        for (percent, kernel) in resident {
            list.push(new(&format!("resident_{percent}_k{kernel}"), Job::Resident, *kernel, *percent));
        }
        list.push(new("convolve_k51", Job::Convolve, 51, 60));
        list.push(new("edisp", Job::Edisp, 0, 60));
        list.push(new("cash", Job::Cash, 0, 60));
        list
    }

    /// Those of one size that the names stand for: `tsmap` means all whose name begins with it. No names: all. Small
    /// sizes may have none of them.
    ///
    /// # Errors
    /// [`Error::Options`] for a name that fits none.
    pub fn select(size: Size, names: &[String]) -> Result<Vec<Self>> {
        // Small sizes have fewer workloads, but no other names.
        let all = Self::standard(Size::Standard);
        let fits =
            |workload: &Self, name: &str| workload.name == name || workload.name.starts_with(&format!("{name}_"));
        if let Some(wrong) = names.iter().find(|name| !all.iter().any(|w| fits(w, name))) {
            let known: Vec<_> = all.iter().map(|w| w.name.as_str()).collect();
            return Err(Error::options("workload", format!("'{wrong}' is not one of {}", known.join(", ")))
                .with_help("the first part of a name stands for all that begin with it, e.g. tsmap"));
        }
        let all = Self::standard(size).into_iter();
        Ok(all.filter(|w| names.is_empty() || names.iter().any(|name| fits(w, name))).collect())
    }

    /// The largest size of which everything that `names` stand for needs at most `bytes`; the smallest where none does.
    ///
    /// # Errors
    /// Those of [`Workload::select`].
    pub fn largest_size(names: &[String], bytes: u64) -> Result<Size> {
        let mut largest = Size::Tiny;
        for size in Size::ALL {
            if Self::select(size, names)?.iter().all(|workload| workload.memory_bytes() <= bytes) {
                largest = size;
            }
        }
        Ok(largest)
    }

    /// `"400x200x10"`: columns, rows, planes.
    pub fn shape(&self) -> String {
        let (planes, ny, nx) = self.size.dim();
        format!("{nx}x{ny}x{planes}")
    }

    /// Planes of the input: true energies for the energy dispersion.
    pub fn input_planes(&self) -> usize {
        let planes = self.size.dim().0;
        if self.job == Job::Edisp { planes * TRUE_ENERGIES_HALVES / 2 } else { planes }
    }

    /// Number of kernels.
    pub fn kernels(&self) -> usize {
        match self.job {
            Job::Resident => RESIDENT_KERNELS,
            Job::TsMap | Job::Convolve => 1,
            Job::Edisp | Job::Cash => 0,
        }
    }

    /// Memory that inputs, engine and outputs take together, in bytes: more than the CPU engine was seen to take.
    pub fn memory_bytes(&self) -> u64 {
        let (planes, ny, nx) = self.size.dim();
        let pixels = (ny * nx) as u64;
        let bins = pixels * planes as u64;
        // Drawing the data holds shape and expectation in double precision beside the three input cubes.
        let drawing = pixels * self.input_planes() as u64 * 28;
        let working = match self.job {
            Job::TsMap => bins * 40 + pixels * 450,
            // Tables and spectra of the kernels that are done together, and spectra of the data: bounded.
            Job::Resident => {
                bins * 40 + pixels * (350 + 120 * self.kernels() as u64) + (bins * 480).min(RESIDENT_SHARED_BYTES)
            }
            Job::Convolve | Job::Edisp => bins * 40,
            Job::Cash => bins * 16,
        };
        drawing + working
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_stand_for_what_begins_with_them() {
        let all = Workload::standard(Size::Tiny);
        let names: std::collections::BTreeSet<_> = all.iter().map(|w| w.name.clone()).collect();
        assert_eq!(names.len(), all.len());
        assert_eq!(Workload::select(Size::Tiny, &[]).unwrap().len(), all.len());
        assert_eq!(Workload::select(Size::Tiny, &["tsmap".into()]).unwrap().len(), 9);
        assert_eq!(Workload::select(Size::Tiny, &["tsmap_3".into(), "cash".into()]).unwrap().len(), 4);
        let error = Workload::select(Size::Tiny, &["ts".into()]).unwrap_err();
        assert!(error.to_string().contains("'ts'") && error.to_string().contains("tsmap_3_k21"), "{error}");
    }

    #[test]
    fn larger_sizes_need_more_memory() {
        for pair in Size::ALL.windows(2) {
            for (small, large) in Workload::standard(pair[0]).iter().zip(Workload::standard(pair[1])) {
                assert!(small.memory_bytes() < large.memory_bytes(), "{}", small.name);
            }
        }
        let largest = |bytes| Workload::largest_size(&["tsmap".into()], bytes).unwrap();
        assert_eq!((largest(0), largest(u64::MAX)), (Size::Tiny, Size::Huge));
        let needed = Workload::select(Size::Standard, &["tsmap".into()]).unwrap()[0].memory_bytes();
        assert_eq!((largest(needed), largest(needed - 1)), (Size::Standard, Size::Quick));
        assert_eq!("large".parse::<Size>().unwrap(), Size::Large);
        assert!("giant".parse::<Size>().is_err());
    }
}
