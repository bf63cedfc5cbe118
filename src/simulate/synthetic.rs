//! Surveys as plain arrays, drawn from a fixed seed: King-like kernels, smooth background, exposure and some sources.
//! What tests and benchmarks give to engines; no sky and no units.

use ndarray::{Array2, Array3, Axis, s};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use crate::error::Result;
use crate::kernels::cube::CubeView;
use crate::kernels::{TsMapData, TsMapInput, TsMapRun, TsMapSettings};

/// Bins that the search for the wanted occupancy looks at; larger surveys are thinned to about as many.
const SEARCH_BINS: usize = 1 << 20;

/// One data set, as arrays `[plane, y, x]`, with its kernel.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Poisson counts.
    pub counts: Array3<f32>,
    /// Predicted counts without sources.
    pub background: Array3<f32>,
    /// Counts of a source of norm 1 if all of them fell into the pixel.
    pub exposure: Array3<f32>,
    /// `[plane, ky, kx]`, each plane of sum 1.
    pub kernel: Array3<f64>,
}

/// Input and settings of one run.
#[derive(Debug, Clone)]
pub struct Case {
    /// For messages.
    pub name: String,
    /// Fitted together.
    pub datasets: Vec<Dataset>,
    /// `[y, x]`: pixels to fit.
    pub fit_mask: Array2<bool>,
    /// `[y, x]`: first guess of the norm.
    pub guess: Option<Array2<f64>>,
    /// What to compute.
    pub settings: TsMapSettings,
}

/// What a survey looks like.
#[derive(Debug, Clone, Copy)]
pub struct Survey {
    /// `(ny, nx)`.
    pub shape: (usize, usize),
    /// Number of energy planes.
    pub planes: usize,
    /// Half sides of the kernel.
    pub half: (usize, usize),
    /// Share of bins with counts, without sources.
    pub occupancy: f64,
    /// Number of sources at random places, of 4 to 160 sigma.
    pub sources: usize,
    /// Background counts of the first plane over those of the last.
    pub spectrum: f64,
    /// Seed of sources and counts.
    pub seed: u64,
}

impl Default for Survey {
    fn default() -> Self {
        Self { shape: (24, 31), planes: 3, half: (4, 4), occupancy: 0.15, sources: 2, spectrum: 10.0, seed: 1 }
    }
}

impl Survey {
    /// Draws the data.
    pub fn dataset(&self) -> Dataset {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let (ny, nx) = self.shape;
        let dim = (self.planes, ny, nx);
        let last = (self.planes.max(2) - 1) as f64;
        let weight = |e: usize| self.spectrum.powf(-(e as f64) / last);
        let mut kernel = Array3::zeros((self.planes, 2 * self.half.0 + 1, 2 * self.half.1 + 1));
        for (e, plane) in kernel.outer_iter_mut().enumerate() {
            let width = 0.32 * self.half.0.max(self.half.1).max(1) as f64 * 0.375f64.powf(e as f64 / last);
            king(plane, width, 3.5);
        }
        let exposure = Array3::from_shape_fn(dim, |(e, y, x)| {
            let wave = 1.0 + 0.3 * (x as f64 / 211.0 + 1.0).sin() * (y as f64 / 173.0).cos();
            (1000.0 * weight(e) * wave) as f32
        });
        let shape = Array3::from_shape_fn(dim, |(e, y, x)| {
            let latitude = (y as f64 - ny as f64 / 2.0) / (ny as f64 / 2.0);
            let wave = 0.3 * (x as f64 / 137.0).sin() * (y as f64 / 91.0).cos();
            (0.4 + 1.2 * (-latitude * latitude / 0.1).exp() + wave) * f64::from(exposure[[e, y, x]]) / 1000.0
        });
        let sample: Vec<f64> = shape.iter().copied().step_by(shape.len().div_ceil(SEARCH_BINS).max(1)).collect();
        let (mut low, mut high) = (1e-6f64, 1e4f64);
        for _ in 0..60 {
            let middle = (low * high).sqrt();
            let filled = sample.iter().map(|v| 1.0 - (-middle * v).exp()).sum::<f64>() / sample.len() as f64;
            if filled < self.occupancy {
                low = middle;
            } else {
                high = middle;
            }
        }
        let background = shape.mapv(|v| (low * v) as f32);
        let mut expected = background.mapv(f64::from);
        for _ in 0..self.sources {
            let (y, x) = (random.random_range(0..ny), random.random_range(0..nx));
            let sigma = 10f64.powf(random.random_range(0.6..2.2));
            let mut information = 0.0;
            for e in 0..self.planes {
                let squares = kernel.index_axis(Axis(0), e).iter().map(|k| k * k).sum::<f64>();
                information += squares * f64::from(exposure[[e, y, x]]).powi(2) / f64::from(background[[e, y, x]]);
            }
            add_source(&mut expected, &exposure, &kernel, (y, x), sigma / information.sqrt());
        }
        // Every mean is positive and finite, so the distribution is always there.
        let counts = expected.mapv(|mu| Poisson::new(mu.max(1e-12)).map_or(0.0, |p| p.sample(&mut random) as f32));
        Dataset { counts, background, exposure, kernel }
    }

    /// A run over all of it with default settings.
    pub fn case(&self, name: &str) -> Case {
        Case::new(name, vec![self.dataset()])
    }
}

/// Adds a source of the given norm at a pixel.
pub fn add_source(
    expected: &mut Array3<f64>,
    exposure: &Array3<f32>,
    kernel: &Array3<f64>,
    (y, x): (usize, usize),
    norm: f64,
) {
    let (planes, ny, nx) = expected.dim();
    let (_, ky, kx) = kernel.dim();
    for e in 0..planes {
        for u in 0..ky {
            for v in 0..kx {
                if let (Some(row), Some(column)) = ((y + u).checked_sub(ky / 2), (x + v).checked_sub(kx / 2))
                    && row < ny
                    && column < nx
                {
                    expected[[e, row, column]] += norm * kernel[[e, u, v]] * f64::from(exposure[[e, row, column]]);
                }
            }
        }
    }
}

fn king(mut plane: ndarray::ArrayViewMut2<'_, f64>, width: f64, tail: f64) {
    let (ky, kx) = plane.dim();
    for ((u, v), value) in plane.indexed_iter_mut() {
        let (dy, dx) = (u as f64 - (ky / 2) as f64, v as f64 - (kx / 2) as f64);
        *value = (1.0 + (dy * dy + dx * dx) / (2.0 * tail * width * width)).powf(-tail);
    }
    let sum = plane.sum();
    plane.mapv_inplace(|v| v / sum);
}

impl Case {
    /// All pixels, default settings, no guess. Without datasets: a map of no pixels.
    pub fn new(name: &str, datasets: Vec<Dataset>) -> Self {
        let (_, ny, nx) = datasets.first().map_or((0, 0, 0), |d| d.counts.dim());
        Self {
            name: name.to_string(),
            datasets,
            fit_mask: Array2::from_elem((ny, nx), true),
            guess: None,
            settings: TsMapSettings::default(),
        }
    }

    /// Views of the data.
    ///
    /// # Errors
    /// Those of [`TsMapData::new`], for arrays that were changed.
    pub fn data(&self) -> Result<TsMapData<'_>> {
        let inputs = self.datasets.iter().map(|d| TsMapInput {
            counts: CubeView::F32(d.counts.view()),
            background: CubeView::F32(d.background.view()),
            exposure: CubeView::F32(d.exposure.view()),
        });
        TsMapData::new(inputs.collect())
    }

    /// A run over all planes.
    pub fn run(&self) -> TsMapRun<'_> {
        TsMapRun {
            planes: self.datasets.iter().map(|d| 0..d.counts.dim().0).collect(),
            kernels: self.datasets.iter().map(|d| d.kernel.view()).collect(),
            fit_mask: self.fit_mask.view(),
            norm_guess: self.guess.as_ref().map(|guess| guess.view()),
            settings: self.settings.clone(),
        }
    }

    /// A run over some planes of the first dataset.
    pub fn run_over(&self, planes: std::ops::Range<usize>) -> TsMapRun<'_> {
        TsMapRun {
            kernels: vec![self.datasets[0].kernel.slice(s![planes.clone(), .., ..])],
            planes: vec![planes],
            ..self.run()
        }
    }

    /// Changes the case.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}
