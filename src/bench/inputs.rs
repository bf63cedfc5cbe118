//! The arrays of a workload, drawn from a fixed seed, and what engines make of them.

use std::time::Instant;

use ndarray::{Array2, Array3};

use super::fingerprint::Fingerprint;
use super::workload::{Job, Workload};
use crate::compute::Engine;
use crate::control::Control;
use crate::error::Result;
use crate::kernels::cube::CubeView;
use crate::kernels::{CashSumJob, ConvolveJob, EdispJob, TsMapOutput, TsMapRun};
use crate::simulate::synthetic::{Case, Survey};

/// The arrays of a workload.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// What they are for.
    pub workload: Workload,
    /// Counts, background, exposure and the first kernel.
    pub case: Case,
    /// `[plane, ky, kx]`: one per run.
    pub kernels: Vec<Array3<f64>>,
    /// `[true energy, reconstructed energy]`; empty where it is not needed.
    pub matrix: Array2<f64>,
    /// Tells this work from other work.
    pub fingerprint: u64,
}

/// What an engine made of [`Inputs`].
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// One TS map per kernel.
    TsMaps(Vec<TsMapOutput>),
    /// `[plane, y, x]`.
    Cube(Array3<f64>),
    /// A sum.
    Number(f64),
}

/// Wall times of one run, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stages {
    pub(super) prepare: f64,
    pub(super) run: f64,
}

impl Stages {
    pub(super) fn sum(self) -> f64 {
        self.prepare + self.run
    }
}

impl Inputs {
    /// Draws them.
    pub fn new(workload: &Workload) -> Self {
        let (planes, ny, nx) = workload.size.dim();
        let half = workload.kernel / 2;
        let survey = Survey {
            shape: (ny, nx),
            planes: workload.input_planes(),
            half: (half, half),
            occupancy: workload.occupancy,
            // One source per 5000 pixels.
            sources: (ny * nx / 5000).clamp(2, 400),
            spectrum: 10.0,
            seed: 1,
        };
        let case = survey.case(&workload.name);
        let kernel = case.datasets[0].kernel.clone();
        let kernels = match workload.job {
            Job::Resident => (0..workload.kernels()).map(|k| sharpened(&kernel, k)).collect(),
            _ => vec![kernel],
        };
        let matrix = match workload.job {
            Job::Edisp => response(workload.input_planes(), planes),
            _ => Array2::zeros((0, 0)),
        };
        let mut print = Fingerprint::new();
        // The same arrays may serve two jobs.
        workload.name.bytes().for_each(|byte| print.word(u64::from(byte)));
        let data = &case.datasets[0];
        [&data.counts, &data.background, &data.exposure].into_iter().for_each(|cube| print.single(cube));
        kernels.iter().for_each(|kernel| print.double(kernel));
        print.double(&matrix);
        Self { workload: workload.clone(), case, kernels, matrix, fingerprint: print.finish() }
    }

    pub(super) fn counts(&self) -> CubeView<'_> {
        CubeView::F32(self.case.datasets[0].counts.view())
    }

    pub(super) fn background(&self) -> CubeView<'_> {
        CubeView::F32(self.case.datasets[0].background.view())
    }

    pub(super) fn ts_map_run<'a>(&'a self, kernel: &'a Array3<f64>) -> TsMapRun<'a> {
        TsMapRun { kernels: vec![kernel.view()], ..self.case.run() }
    }

    /// Does the work once.
    ///
    /// # Errors
    /// The engine's.
    pub fn run(&self, engine: &dyn Engine, control: &Control) -> Result<Output> {
        self.timed(engine, control).map(|(output, _)| output)
    }

    /// Does the work once and times it; checking the arrays at the door is not part of it.
    pub(super) fn timed(&self, engine: &dyn Engine, control: &Control) -> Result<(Output, Stages)> {
        self.timed_kernels(engine, &self.kernels, control)
    }

    /// The same for some of the kernels.
    pub(super) fn timed_kernels(
        &self,
        engine: &dyn Engine,
        kernels: &[Array3<f64>],
        control: &Control,
    ) -> Result<(Output, Stages)> {
        if matches!(self.workload.job, Job::TsMap | Job::Resident) {
            let data = self.case.data()?;
            let begun = Instant::now();
            let prepared = engine.prepare(&data, control)?;
            let prepare = begun.elapsed().as_secs_f64();
            let runs: Vec<_> = kernels.iter().map(|kernel| self.ts_map_run(kernel)).collect();
            let maps = prepared.run_many(&runs, control)?;
            let run = begun.elapsed().as_secs_f64() - prepare;
            return Ok((Output::TsMaps(maps), Stages { prepare, run }));
        }
        let begun = Instant::now();
        let output = match self.workload.job {
            Job::Convolve => {
                let job = ConvolveJob { cube: self.background(), kernel: self.kernels[0].view() };
                Output::Cube(engine.convolve(&job, control)?)
            }
            Job::Edisp => {
                let job = EdispJob { cube: self.background(), matrix: self.matrix.view() };
                Output::Cube(engine.apply_edisp(&job, control)?)
            }
            _ => {
                let job = CashSumJob { counts: self.counts(), npred: self.background(), mask: None };
                Output::Number(engine.cash_sum(&job, control)?)
            }
        };
        Ok((output, Stages { prepare: 0.0, run: begun.elapsed().as_secs_f64() }))
    }
}

impl Output {
    /// Tells results apart, bit by bit; all NaN count as one.
    pub fn fingerprint(&self) -> u64 {
        let mut print = Fingerprint::new();
        match self {
            Self::TsMaps(maps) => {
                for m in maps {
                    let always = [&m.norm, &m.norm_err, &m.ts, &m.stat_null, &m.npred_null, &m.npred_reference];
                    let asked = [&m.norm_errn, &m.norm_errp, &m.norm_ul].into_iter().flatten();
                    for v in always.into_iter().chain(asked).flatten() {
                        print.word(if v.is_nan() { u64::MAX } else { v.to_bits() });
                    }
                    m.status.iter().for_each(|bits| print.word(u64::from(*bits)));
                }
            }
            Self::Cube(cube) => print.double(cube),
            Self::Number(number) => print.word(number.to_bits()),
        }
        print.finish()
    }
}

/// A kernel to the power 1, 1.01, 1.02, …: ever narrower ones of sum 1 per plane, that take about as long.
fn sharpened(kernel: &Array3<f64>, step: usize) -> Array3<f64> {
    let mut sharp = kernel.mapv(|v| v.powf(1.0 + 0.01 * step as f64));
    for mut plane in sharp.outer_iter_mut() {
        let sum = plane.sum();
        plane.mapv_inplace(|v| v / sum);
    }
    sharp
}

/// A Gaussian energy response of about one bin's width, rows of sum 1.
fn response(true_energies: usize, energies: usize) -> Array2<f64> {
    let mut matrix = Array2::from_shape_fn((true_energies, energies), |(t, r)| {
        let distance = (t as f64 + 0.5) / true_energies as f64 - (r as f64 + 0.5) / energies as f64;
        (-0.5 * (distance * energies as f64).powi(2)).exp()
    });
    for mut row in matrix.outer_iter_mut() {
        let sum = row.sum();
        row.mapv_inplace(|v| v / sum);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::super::workload::Size;
    use super::*;

    #[test]
    fn inputs_are_the_same_twice_and_differ_between_workloads() {
        let prints: Vec<u64> =
            Workload::standard(Size::Tiny).iter().map(|workload| Inputs::new(workload).fingerprint).collect();
        let again: Vec<u64> =
            Workload::standard(Size::Tiny).iter().map(|workload| Inputs::new(workload).fingerprint).collect();
        assert_eq!(prints, again);
        for (i, print) in prints.iter().enumerate() {
            assert!(prints[i + 1..].iter().all(|other| other != print), "{i}: {prints:x?}");
        }
    }

    #[test]
    fn kernels_keep_their_sum_and_become_narrower() {
        let workload = &Workload::select(Size::Tiny, &["resident".into()]).unwrap()[0];
        let inputs = Inputs::new(workload);
        assert_eq!(inputs.kernels.len(), 20);
        let middle = |k: usize| inputs.kernels[k][[0, 10, 10]];
        assert!(middle(19) > middle(0));
        assert!(inputs.kernels.iter().all(|k| (k.sum() - 2.0).abs() < 1e-9));
    }
}
