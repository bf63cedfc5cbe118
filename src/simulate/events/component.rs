//! What events are drawn from: sources and the background, as cells of energy and pixel.

use std::sync::Arc;

use ndarray::{Array2, Array3};
use rand::Rng;
use rayon::prelude::*;

use super::alias::Alias;
use super::energy::EnergyLaw;
use super::sky::{Part, Pixels, Vector, vector_of};
use crate::datasets::MapDataset;
use crate::error::{Error, Result};
use crate::kernels::CubeView;
use crate::maps::{SkyPosition, WcsGeom};
use crate::models::{ApplyIrf, SkyModel, SpatialModel, SpectralModel, TemporalModel};
use crate::time::Gti;

/// Margin around a model's evaluation radius in degrees, that of predicted counts.
const MARGIN_DEG: f64 = 0.1;

/// Most subdivisions of a pixel per side, that of predicted counts.
const MAX_OVERSAMPLING: usize = 200;

/// Most parts of pixels that a shape is divided into; shapes far finer than that are drawn with coarser ones.
const MAX_PARTS: usize = 1 << 24;

/// A component of a dataset.
pub(super) struct Component {
    pub name: String,
    /// 0 for the background, else the number of the source among those of the dataset, from 1 on.
    pub mc_id: i64,
    pub temporal: Option<Arc<dyn TemporalModel>>,
    /// Predicted events over all good time, by energy and pixel: `bin · pixels + pixel`.
    cells: Alias,
    energy: EnergyLaw,
    place: Place,
}

/// Where events come from.
enum Place {
    /// One direction; cells are energies.
    Point(Vector),
    /// Pixels, of which a source may be finer.
    Pixels { pixels: Arc<Pixels>, nx: usize, per_plane: usize, parts: Option<Parts> },
    /// Pixels, in which the spectrum is that of the place.
    Local {
        pixels: Arc<Pixels>,
        nx: usize,
        per_plane: usize,
        spectral: Arc<dyn SpectralModel>,
        spatial: Arc<dyn SpatialModel>,
    },
}

/// How a source is distributed within pixels.
struct Parts {
    factor: usize,
    /// First row and column of the pixels that are divided, and columns of them.
    y0: usize,
    x0: usize,
    columns: usize,
    /// For each of these pixels, the sums over its parts.
    cumulative: Vec<f64>,
}

impl Parts {
    fn draw(&self, (y, x): (usize, usize), rng: &mut impl Rng) -> Part {
        let n = self.factor * self.factor;
        let pixel = (y - self.y0) * self.columns + (x - self.x0);
        let cumulative = &self.cumulative[pixel * n..(pixel + 1) * n];
        let place = rand::RngExt::random::<f64>(rng) * cumulative[n - 1];
        let part = cumulative.partition_point(|c| *c <= place).min(n - 1);
        Part { factor: self.factor, row: part / self.factor, column: part % self.factor }
    }
}

/// An event before it meets the instrument.
pub(super) struct Origin {
    pub bin: usize,
    pub energy_tev: f64,
    pub direction: Vector,
}

impl Component {
    /// Predicted events over all good time.
    pub fn expected(&self) -> f64 {
        self.cells.total()
    }

    pub fn is_background(&self) -> bool {
        self.mc_id == 0
    }

    /// An event; `None` where the pixel that was drawn is not on the sky.
    pub fn draw(&self, rng: &mut impl Rng) -> Option<Origin> {
        let cell = self.cells.draw(rng)? as usize;
        match &self.place {
            Place::Point(direction) => {
                Some(Origin { bin: cell, energy_tev: self.energy.draw(cell, rng), direction: *direction })
            }
            Place::Pixels { pixels, nx, per_plane, parts } => {
                let (bin, pixel) = (cell / per_plane, cell % per_plane);
                let at = (pixel / nx, pixel % nx);
                let part = parts.as_ref().map_or(Part::WHOLE, |parts| parts.draw(at, rng));
                let position = pixels.draw(at, part, rng)?;
                Some(Origin { bin, energy_tev: self.energy.draw(bin, rng), direction: vector_of(position) })
            }
            Place::Local { pixels, nx, per_plane, spectral, spatial } => {
                let (bin, pixel) = (cell / per_plane, cell % per_plane);
                let position = pixels.draw((pixel / nx, pixel % nx), Part::WHOLE, rng)?;
                let p = position.to_frame(spatial.frame());
                let models = (spectral.as_ref(), spatial.as_ref());
                let energy_tev = self.energy.draw_at(bin, models, (p.lon_deg, p.lat_deg), rng);
                Some(Origin { bin, energy_tev, direction: vector_of(position) })
            }
        }
    }
}

/// Cells are counted in 32 bits.
fn check_cells(planes: usize, pixels: usize) -> Result<()> {
    match planes.checked_mul(pixels) {
        Some(n) if n <= u32::MAX as usize => Ok(()),
        _ => Err(Error::unsupported(format!("events of {planes} energies × {pixels} pixels: more than 2^32 cells"))),
    }
}

/// What all components of a dataset share.
pub(super) struct Scene<'a> {
    dataset: &'a MapDataset,
    image: WcsGeom,
    solid_angle: Array2<f64>,
    pixels: Arc<Pixels>,
    gti: &'a Gti,
}

impl<'a> Scene<'a> {
    /// The pixels of a dataset.
    ///
    /// # Errors
    /// [`Error::Input`] for a dataset without a geometry.
    pub fn new(dataset: &'a MapDataset, gti: &'a Gti) -> Result<Self> {
        let image = dataset.wcs_geom()?.to_image();
        let solid_angle = image.solid_angle_sr();
        let pixels = Arc::new(Pixels::new(&image, &solid_angle));
        Ok(Self { dataset, image, solid_angle, pixels, gti })
    }

    /// The background, with its model.
    ///
    /// # Errors
    /// [`Error::Input`] for a background that is negative or infinite; NaN counts as 0.
    pub fn background(&self, name: &str) -> Result<Component> {
        let npred = self.dataset.npred_background()?;
        let cube = npred.into_cube_f64();
        let (planes, ny, nx) = cube.dim();
        check_cells(planes, ny * nx)?;
        let per_plane: Vec<f64> = cube.outer_iter().map(|p| p.iter().filter(|v| v.is_finite()).sum::<f64>()).collect();
        let weights = cube.iter().enumerate().map(|(i, v)| (i as u32, if v.is_nan() { 0.0 } else { *v }));
        Ok(Component {
            name: name.to_string(),
            mc_id: 0,
            temporal: None,
            cells: Alias::new("background", weights)?,
            energy: EnergyLaw::of_counts(&per_plane, &self.dataset.energy_axis()?.edges_tev()?),
            place: Place::Pixels { pixels: Arc::clone(&self.pixels), nx, per_plane: ny * nx, parts: None },
        })
    }

    /// A source: flux times exposure, without PSF and energy dispersion.
    ///
    /// # Errors
    /// [`Error::Input`] for a missing exposure, one on other pixels, a model without a shape, or negative fluxes.
    pub fn source(&self, model: &SkyModel, mc_id: i64) -> Result<Component> {
        let spatial = model.spatial.as_ref().ok_or_else(|| {
            Error::input(&model.name, "a model without a spatial part cannot be put on a map")
                .with_help("add a spatial model, e.g. PointSpatialModel")
        })?;
        if model.apply_irf != ApplyIrf::default() {
            let what = format!("events of '{}', whose apply_irf leaves a response out", model.name);
            return Err(Error::unsupported(what).with_help("leave it away, or simulate counts in place of events"));
        }
        model.check_irf()?;
        let exposure = self.dataset.require_exposure()?;
        if !exposure.wcs_geom()?.to_image().same_image(&self.image) {
            return Err(Error::input("exposure", "its pixels are not those of the counts"));
        }
        let axis = exposure.geom().axis("energy_true")?;
        let edges = axis.edges_tev()?;
        let (planes, ny, nx) = exposure.cube().dim();
        if planes != axis.nbin() {
            return Err(Error::input("exposure", format!("{planes} planes where its axis has {} bins", axis.nbin())));
        }
        check_cells(planes, ny * nx)?;
        let mut flux = model.spectral.integral_bins(&edges);
        if let Some(temporal) = &model.temporal {
            let mean = crate::models::temporal::mean(temporal.as_ref(), self.gti)?;
            flux.iter_mut().for_each(|f| *f *= mean);
        }
        let factor = exposure.unit().factor_to_text("cm2 s")?;
        let light = Light { cube: exposure.cube(), flux: &flux, factor };
        let (cells, place) = if spatial.is_point() {
            self.point(model, spatial.as_ref(), &light)?
        } else {
            self.extended(model, spatial, &axis.center_tev()?, &light)?
        };
        Ok(Component {
            name: model.name.clone(),
            mc_id,
            temporal: model.temporal.clone(),
            cells,
            energy: EnergyLaw::of_spectrum(model.spectral.as_ref(), &edges),
            place,
        })
    }

    /// A point source meets the exposure between the four pixels around it, as predicted counts have it.
    fn point(&self, model: &SkyModel, spatial: &dyn SpatialModel, light: &Light<'_>) -> Result<(Alias, Place)> {
        let position = spatial.position().unwrap_or(SkyPosition::icrs(0.0, 0.0));
        let mut around = Vec::new();
        if let Some((x0, y0)) = self.image.sky_to_pix(position) {
            for y in [y0.floor(), y0.floor() + 1.0] {
                for x in [x0.floor(), x0.floor() + 1.0] {
                    let weight = (1.0 - (x - x0).abs()).max(0.0) * (1.0 - (y - y0).abs()).max(0.0);
                    let inside = x >= 0.0 && y >= 0.0 && x < self.image.nx() as f64 && y < self.image.ny() as f64;
                    if weight > 0.0 && inside {
                        around.push((y as usize, x as usize, weight));
                    }
                }
            }
        }
        let weights = (0..light.flux.len()).map(|t| {
            let sum: f64 = around.iter().map(|(y, x, w)| w * light.at(t, *y, *x)).sum();
            (t as u32, sum)
        });
        Ok((Alias::new(&model.name, weights)?, Place::Point(vector_of(position))))
    }

    /// The brightness of each pixel, or of its parts where the shape is finer than pixels.
    fn extended(
        &self,
        model: &SkyModel,
        spatial: &Arc<dyn SpatialModel>,
        energies_tev: &[f64],
        light: &Light<'_>,
    ) -> Result<(Alias, Place)> {
        let (pixels, nx, per_plane) = (Arc::clone(&self.pixels), self.image.nx(), self.image.nx() * self.image.ny());
        let local = spatial.is_energy_dependent();
        let place = |parts| {
            if local {
                let (spectral, spatial) = (Arc::clone(&model.spectral), Arc::clone(spatial));
                Place::Local { pixels: Arc::clone(&pixels), nx, per_plane, spectral, spatial }
            } else {
                Place::Pixels { pixels: Arc::clone(&pixels), nx, per_plane, parts }
            }
        };
        let Some((rows, columns, factor)) = self.window(spatial.as_ref()) else {
            return Ok((Alias::default(), place(None)));
        };
        let energies = if local { energies_tev } else { &[1.0] };
        crate::memory::check::<f64>("a simulated source", &[energies.len(), rows.len(), columns.len()])?;
        let mut share = Array3::zeros((energies.len(), rows.len(), columns.len()));
        let mut cumulative = Vec::new();
        for (mut plane, energy) in share.outer_iter_mut().zip(energies) {
            let lines: Vec<Vec<f64>> = rows
                .clone()
                .into_par_iter()
                .map(|y| self.brightness(spatial.as_ref(), y, columns.clone(), factor, *energy))
                .collect();
            for ((y, mut row), line) in plane.outer_iter_mut().enumerate().zip(&lines) {
                for (x, value) in row.iter_mut().enumerate() {
                    let sum = line[(x + 1) * factor * factor - 1] / (factor * factor) as f64;
                    let value_here = sum * self.solid_angle[[rows.start + y, columns.start + x]];
                    *value = if value_here.is_finite() { value_here } else { 0.0 };
                }
            }
            if factor > 1 {
                cumulative = lines.concat();
            }
        }
        let weights = (0..light.flux.len()).flat_map(|t| {
            let plane = if energies.len() == 1 { 0 } else { t };
            let (share, rows, columns) = (&share, rows.clone(), columns.clone());
            rows.clone().flat_map(move |y| {
                let (first_row, columns) = (rows.start, columns.clone());
                columns.clone().map(move |x| {
                    let weight = share[[plane, y - first_row, x - columns.start]] * light.at(t, y, x);
                    ((t * per_plane + y * nx + x) as u32, weight)
                })
            })
        });
        let cells = Alias::new(&model.name, weights)?;
        let parts = Parts { factor, y0: rows.start, x0: columns.start, columns: columns.len(), cumulative };
        Ok((cells, place((factor > 1).then_some(parts))))
    }

    /// Rows and columns that a shape reaches, and into how many parts a pixel is divided per side, as predicted counts
    /// have it; `None` where it lies outside.
    fn window(&self, spatial: &dyn SpatialModel) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>, usize)> {
        let (sx, sy) = self.image.pixel_scales_deg();
        let pixel_deg = sx.max(sy);
        let mut factor = match spatial.evaluation_bin_size_min_deg() {
            Some(size) if size > 0.0 => ((pixel_deg / size).ceil() as usize).clamp(1, MAX_OVERSAMPLING),
            Some(_) => MAX_OVERSAMPLING,
            None => 1,
        };
        let (mut rows, mut columns) = (0..self.image.ny(), 0..self.image.nx());
        if let Some((radius, center)) = spatial.evaluation_radius_deg().zip(spatial.position()) {
            let width = if factor > 1 { 2.0 * radius.max(pixel_deg) } else { 2.0 * (radius + MARGIN_DEG) };
            let (cut, origin) = self.image.cutout(center, (width, width), false).ok()?;
            rows = origin.y0..origin.y0 + cut.ny();
            columns = origin.x0..origin.x0 + cut.nx();
        }
        while factor > 1 && rows.len() * columns.len() * factor * factor > MAX_PARTS {
            factor /= 2;
        }
        Some((rows, columns, factor))
    }

    /// The brightness in sr-1 of the parts of the pixels of a row, added up within each pixel.
    fn brightness(
        &self,
        spatial: &dyn SpatialModel,
        y: usize,
        columns: std::ops::Range<usize>,
        factor: usize,
        energy_tev: f64,
    ) -> Vec<f64> {
        let frame = spatial.frame();
        let center = |index: usize, part: usize| index as f64 + (part as f64 + 0.5) / factor as f64 - 0.5;
        let mut line = Vec::with_capacity(columns.len() * factor * factor);
        for x in columns {
            let mut sum = 0.0;
            for row in 0..factor {
                for column in 0..factor {
                    if let Some(p) = self.image.pix_to_sky(center(x, column), center(y, row)) {
                        let p = if p.frame == frame { p } else { p.to_frame(frame) };
                        let value = spatial.evaluate(p.lon_deg, p.lat_deg, energy_tev);
                        sum += if value.is_finite() { value } else { 0.0 };
                    }
                    line.push(sum);
                }
            }
        }
        line
    }
}

/// Exposure times flux.
struct Light<'a> {
    cube: CubeView<'a>,
    /// cm-2 s-1 in each true-energy bin.
    flux: &'a [f64],
    /// To cm² s.
    factor: f64,
}

impl Light<'_> {
    /// Events of a source that is all in one pixel; 0 where the exposure is not defined.
    fn at(&self, t: usize, y: usize, x: usize) -> f64 {
        let exposure = self.cube.at(t, y, x) * self.factor;
        if exposure.is_finite() { exposure * self.flux[t] } else { 0.0 }
    }
}
