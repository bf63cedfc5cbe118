//! One source model through the responses of a dataset.

use std::borrow::Cow;

use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, s};
use rayon::prelude::*;

use super::region::RegionShare;
use super::shape::flux_share;
use crate::compute::Backend;
use crate::control::Control;
use crate::error::{Error, Result, warnings};
use crate::irf::{EDisp, KernelPixels, PsfKernel, PsfMap, diagonal_response, is_distorted};
use crate::kernels::cube::of_columns;
use crate::kernels::{ConvolveJob, CubeView, EdispJob};
use crate::maps::{CutoutOrigin, MapAxis, SkyPosition, SkyRegion, WcsGeom};
use crate::memory;
use crate::models::{SkyModel, SpatialModel, temporal};
use crate::time::Gti;

/// Margin around a model's evaluation radius in degrees (Gammapy's `CUTOUT_MARGIN`).
const CUTOUT_MARGIN_DEG: f64 = 0.1;

/// Images with at most this many non-zero pixels are convolved by adding shifted kernels.
const SPARSE_PIXELS: usize = 16;

/// Models whose responses are taken together.
const MODELS_TOGETHER: usize = 64;
/// Predicted counts that are held at once before they are added, in bytes; those of one model in any case.
const HELD_BYTES: usize = 256 << 20;

/// Exposure that a model is multiplied with, in cm² s.
#[derive(Debug, Clone, Copy)]
pub enum Exposure<'a> {
    /// `[energy_true, y, x]` on the evaluator's geometry, and the factor to cm² s.
    Cube(CubeView<'a>, f64),
    /// One value per true energy, the same in all pixels.
    Spectrum(&'a [f64]),
}

/// Where counts are predicted.
#[derive(Debug, Clone)]
pub enum Domain<'a> {
    /// In the pixels of an image, on which the exposure is given.
    Image(WcsGeom),
    /// In a region, one value per energy; `None`: wherever counts came from.
    Region(Option<&'a SkyRegion>),
}

/// Predicts counts of source models on one geometry.
#[derive(Debug, Clone)]
pub struct Evaluator<'a> {
    /// Image of the exposure and of the result, or region.
    pub domain: Domain<'a>,
    /// Exposure.
    pub exposure: Exposure<'a>,
    /// True-energy axis of the exposure.
    pub energy_true: &'a MapAxis,
    /// Reconstructed-energy axis of the result.
    pub energy: &'a MapAxis,
    /// PSF; `None`: perfect.
    pub psf: Option<&'a PsfMap>,
    /// What the PSF is drawn on. [`KernelPixels::Reference`]: where the pixels at a model's position are not what the header
    /// says, on those; [`KernelPixels::Own`]: on those at the centre, and models are evaluated on all of the image.
    pub kernel_pixels: KernelPixels,
    /// Energy dispersion; `None`: perfect.
    pub edisp: Option<&'a EDisp>,
    /// Good time intervals, over which a source's variation is averaged.
    pub gti: Option<&'a Gti>,
    /// Pixels that count, `[y, x]`: a model whose cutout holds none contributes nothing.
    pub mask: Option<ArrayView2<'a, bool>>,
    /// Convolution and energy dispersion are done here.
    pub backend: &'a Backend,
}

/// Predicted counts on a cutout of the evaluator's geometry.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// Image geometry of the cutout; `None` for a region.
    pub geom: Option<WcsGeom>,
    /// Where it lies in the evaluator's geometry.
    pub origin: CutoutOrigin,
    /// Predicted counts `[energy, y, x]`.
    pub npred: Array3<f64>,
}

/// What does not depend on a model's parameters while it stays where it is.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Where the model's shape is evaluated.
    pub(super) place: Place,
    /// Where it lies in the evaluator's geometry.
    pub origin: CutoutOrigin,
    /// Energy dispersion `[energy_true, energy]`.
    pub matrix: Array2<f64>,
    /// False for a model whose spectrum is one of counts.
    has_exposure: bool,
    /// Of a source outside of the image: rows and columns on each side of the cutout from which the PSF reaches in.
    beyond: Option<(usize, usize)>,
}

/// Where a model's shape is evaluated.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// On a cutout, with a PSF kernel (`None`: perfect).
    Image(WcsGeom, Option<PsfKernel>),
    /// In a region.
    Region(RegionShare),
}

impl Prepared {
    /// Rows and columns of predicted counts; one of each for a region.
    pub fn image_shape(&self) -> (usize, usize) {
        match &self.place {
            Place::Image(geom, _) => (geom.ny(), geom.nx()),
            Place::Region(_) => (1, 1),
        }
    }

    /// The PSF kernel that is applied to pixels.
    fn psf(&self) -> Option<&PsfKernel> {
        match &self.place {
            Place::Image(_, psf) => psf.as_ref(),
            Place::Region(_) => None,
        }
    }
}

fn spatial_of(model: &SkyModel) -> Result<&dyn SpatialModel> {
    let Some(spatial) = model.spatial.as_deref() else {
        return Err(Error::input(&model.name, "a model without a spatial part cannot be put on a map")
            .with_help("add a spatial model, e.g. PointSpatialModel"));
    };
    if spatial.is_norm() {
        let problem = format!("'{}' is a factor without a unit, not the shape of a source", spatial.tag());
        return Err(
            Error::input(&model.name, problem).with_help("it goes with FoVBackgroundModel or TemplateNPredModel")
        );
    }
    Ok(spatial)
}

impl Evaluator<'_> {
    /// Predicted counts of a model; `None` where it lies too far outside to contribute.
    ///
    /// # Errors
    /// [`Error::Input`] for responses that do not fit, or what the backend reports.
    pub fn evaluate(&self, model: &SkyModel, control: &Control) -> Result<Option<Evaluation>> {
        let Some(prepared) = self.prepare(model, self.mask)? else { return Ok(None) };
        self.evaluate_prepared(model, prepared, control).map(Some)
    }

    /// Predicted counts of many models, handed to `take` in their order, so that their sum does not depend on threads;
    /// models are shared among the backend's threads, except on a GPU, which works on one after the other.
    ///
    /// # Errors
    /// Those of [`Evaluator::evaluate`], of the first model that has one.
    pub fn evaluate_many(
        &self,
        models: &[&SkyModel],
        control: &Control,
        mut take: impl FnMut(&[Evaluation]) + Send,
    ) -> Result<()> {
        self.backend.install(|| {
            for models in models.chunks(MODELS_TOGETHER) {
                let prepared: Vec<Option<Prepared>> =
                    models.par_iter().map(|model| self.prepare(model, self.mask)).collect::<Result<_>>()?;
                let mut ready = Vec::new();
                let mut bytes = 0;
                for (model, prepared) in models.iter().zip(prepared) {
                    let Some(prepared) = prepared else { continue };
                    let (ny, nx) = prepared.image_shape();
                    let own = size_of::<f64>() * self.energy.nbin() * ny * nx;
                    if bytes + own > HELD_BYTES && !ready.is_empty() {
                        take(&self.evaluate_ready(std::mem::take(&mut ready), control)?);
                        bytes = 0;
                    }
                    bytes += own;
                    ready.push((*model, prepared));
                }
                take(&self.evaluate_ready(ready, control)?);
            }
            Ok(())
        })
    }

    fn evaluate_ready(&self, ready: Vec<(&SkyModel, Prepared)>, control: &Control) -> Result<Vec<Evaluation>> {
        let evaluate = |(model, prepared): (&SkyModel, Prepared)| {
            control.check()?;
            self.evaluate_prepared(model, prepared, control)
        };
        if self.is_shared_by_threads() {
            ready.into_par_iter().map(evaluate).collect()
        } else {
            ready.into_iter().map(evaluate).collect()
        }
    }

    /// False where one device does the work and has one queue.
    pub(super) fn is_shared_by_threads(&self) -> bool {
        self.backend.info().name != "gpu"
    }

    fn evaluate_prepared(&self, model: &SkyModel, prepared: Prepared, control: &Control) -> Result<Evaluation> {
        let counts_true = self.expose(&self.share(model, &prepared, control)?, &self.flux(model)?, &prepared)?;
        let job = EdispJob { cube: CubeView::F64(counts_true.view()), matrix: prepared.matrix.view() };
        let npred = self.backend.engine().apply_edisp(&job, control)?;
        let npred = self.apply_last_psf(npred, &prepared, false, control)?;
        let geom = match prepared.place {
            Place::Image(geom, _) => Some(geom),
            Place::Region(_) => None,
        };
        Ok(Evaluation { geom, origin: prepared.origin, npred })
    }

    /// The responses at a model's position and the cutout that its flux reaches; `None` where it lies too far outside to
    /// contribute to the pixels of `mask` (`[y, x]`). A fit takes them for all values of the model's parameters, so that the statistic has no jumps.
    ///
    /// # Errors
    /// [`Error::Input`] for a model without a shape or responses that do not fit.
    pub fn prepare(&self, model: &SkyModel, mask: Option<ArrayView2<'_, bool>>) -> Result<Option<Prepared>> {
        model.check_irf()?;
        let has_exposure = model.apply_irf.exposure;
        // A model without a position (a constant) takes each response at the centre of that response's own map, as in
        // Gammapy; the centres of two maps of one dataset need not be the same.
        let position = model.spatial.as_ref().and_then(|s| s.position());
        let matrix = match self.edisp.filter(|_| model.apply_irf.edisp) {
            Some(edisp) => edisp.matrix_at(position, self.energy)?,
            None => diagonal_response(self.energy_true, self.energy)?,
        };
        if matrix.dim().0 != self.energy_true.nbin() {
            return Err(Error::input(
                "edisp",
                format!("{} true energies where the exposure has {}", matrix.dim().0, self.energy_true.nbin()),
            ));
        }
        let image = match &self.domain {
            Domain::Image(geom) => geom,
            Domain::Region(region) => {
                let place = Place::Region(RegionShare::new(self, *region, model)?);
                let origin = CutoutOrigin { y0: 0, x0: 0 };
                return Ok(Some(Prepared { place, origin, matrix, has_exposure, beyond: None }));
            }
        };
        let spatial = spatial_of(model)?;
        let psf = match self.psf {
            Some(psf) => {
                let axis = if self.psf_in_reco() { self.energy } else { self.energy_true };
                let (pixels, image) = self.kernel_pixels_at(image, position);
                Some(psf.kernel_on(pixels, position, &image, axis)?)
            }
            None => None,
        };
        let psf_width = psf.as_ref().map_or(0.0, PsfKernel::width_deg);

        let cut = spatial.evaluation_radius_deg().zip(position).filter(|_| self.kernel_pixels != KernelPixels::Own);
        let (geom, origin) = match cut {
            Some((radius, position)) => {
                let reach = 2.0 * radius + CUTOUT_MARGIN_DEG + psf_width;
                let width = psf_width + 2.0 * (radius + CUTOUT_MARGIN_DEG);
                let Ok((touched, at)) = around(image, position, reach, false) else {
                    return Ok(None);
                };
                if let Some(mask) = mask
                    && !mask.slice(s![at.y0..at.y0 + touched.ny(), at.x0..at.x0 + touched.nx()]).iter().any(|m| *m)
                {
                    return Ok(None);
                }
                around(image, position, width, true)?
            }
            None => (image.clone(), CutoutOrigin { y0: 0, x0: 0 }),
        };
        // Gammapy: a PSF that is switched off leaves the cutout as wide as it would have made it.
        let psf = psf.filter(|_| model.apply_irf.psf);
        let beyond = self.reach_from_outside(model, image, psf.as_ref())?;
        Ok(Some(Prepared { place: Place::Image(geom, psf), origin, matrix, has_exposure, beyond }))
    }

    /// How far beyond the border the flux of a source that lies outside of the image is looked at; `None` for others, whose
    /// flux beyond the border is not seen, as in Gammapy (there also that of sources outside).
    ///
    /// # Errors
    /// Only where warnings are errors.
    fn reach_from_outside(
        &self,
        model: &SkyModel,
        image: &WcsGeom,
        psf: Option<&PsfKernel>,
    ) -> Result<Option<(usize, usize)>> {
        let position = model.spatial.as_ref().and_then(|s| s.position());
        let (Some(kernel), Some((x, y))) = (psf, position.and_then(|p| image.sky_to_pix(p))) else { return Ok(None) };
        let inside = |v: f64, n: usize| v >= -0.5 && v < n as f64 - 0.5;
        // A map around the whole sky has no border in longitude.
        if inside(x, image.nx()) && inside(y, image.ny()) || image.closes_in_longitude().is_some() {
            return Ok(None);
        }
        if self.psf_in_reco() {
            let text = "it lies outside of the map, and what its PSF smears into the map is not predicted: a PSF in \
                        reconstructed energy would need the exposure outside";
            warnings::warn(Error::input(&model.name, text))?;
            return Ok(None);
        }
        let (_, rows, columns) = kernel.data.dim();
        Ok(Some((rows / 2, columns / 2)))
    }

    /// The pixels that the PSF is drawn on, and an image with the model's position at its centre where these are its own.
    fn kernel_pixels_at<'i>(
        &self,
        image: &'i WcsGeom,
        position: Option<SkyPosition>,
    ) -> (KernelPixels, Cow<'i, WcsGeom>) {
        let pixel =
            position.filter(|_| self.kernel_pixels == KernelPixels::Reference).and_then(|p| image.sky_to_pix(p));
        match pixel {
            Some((x, y)) if KernelPixels::at(image, (x, y)) == KernelPixels::Own => {
                let (cx, cy) = ((image.nx() as f64 - 1.0) / 2.0, (image.ny() as f64 - 1.0) / 2.0);
                let wcs = image.wcs().shifted(cx - x, cy - y);
                (KernelPixels::Own, Cow::Owned(WcsGeom::new(wcs, image.nx(), image.ny(), Vec::new())))
            }
            _ => (self.kernel_pixels, Cow::Borrowed(image)),
        }
    }

    /// The flux in each true-energy bin, cm-2 s-1 (counts, where the exposure is switched off): the integral of the spectrum, times the mean of the variation with time
    /// over the good time intervals.
    ///
    /// # Errors
    /// [`Error::Input`] for a variation with time where the dataset has no time intervals.
    pub fn flux(&self, model: &SkyModel) -> Result<Vec<f64>> {
        let mut flux = model.spectral.integral_bins(&self.energy_true.edges_tev()?);
        if let Some(temporal) = &model.temporal {
            let Some(gti) = self.gti else {
                return Err(Error::input(
                    &model.name,
                    "it varies with time, but the dataset has no good time intervals",
                ));
            };
            if temporal.is_energy_dependent() {
                // Gammapy: has no integral for these.
                for (f, energy) in flux.iter_mut().zip(self.energy_true.center_tev()?) {
                    *f *= temporal::mean_at(temporal.as_ref(), gti, energy)?;
                }
            } else {
                let mean = temporal::mean(temporal.as_ref(), gti)?;
                flux.iter_mut().for_each(|f| *f *= mean);
            }
        }
        Ok(flux)
    }

    /// True where the PSF is applied after the energy dispersion.
    pub fn psf_in_reco(&self) -> bool {
        self.psf.is_some_and(PsfMap::is_in_reco_energy)
    }

    /// Counts per unit of flux in each true-energy bin, `[energy_true, y, x]` on the cutout: the model's share of the flux
    /// (after the PSF, unless that is applied last) times the exposure.
    ///
    /// # Errors
    /// As [`Evaluator::evaluate`].
    pub fn exposed_share(&self, model: &SkyModel, prepared: &Prepared, control: &Control) -> Result<Array3<f64>> {
        let share = self.share(model, prepared, control)?;
        self.expose(&share, &vec![1.0; self.energy_true.nbin()], prepared)
    }

    /// Predicted counts `[energy, y, x]` of what [`Evaluator::exposed_share`] gave, for a flux in each true-energy bin in
    /// cm-2 s-1: what a change of the spectrum alone needs.
    ///
    /// # Errors
    /// What the backend reports.
    pub fn fold(
        &self,
        exposed: &Array3<f64>,
        flux: &[f64],
        prepared: &Prepared,
        control: &Control,
    ) -> Result<Array3<f64>> {
        let (_, ny, nx) = exposed.dim();
        let mut out = Array3::zeros((prepared.matrix.ncols(), ny, nx));
        out.axis_iter_mut(Axis(0)).into_par_iter().enumerate().for_each(|(e, mut plane)| {
            for (t, shape) in exposed.outer_iter().enumerate() {
                let weight = prepared.matrix[[t, e]] * flux[t];
                if weight != 0.0 {
                    plane.scaled_add(weight, &shape);
                }
            }
        });
        self.apply_last_psf(out, prepared, false, control)
    }

    /// The model's share of the flux, after the PSF unless that is applied last: `[energy_true or 1, y, x]`.
    fn share(&self, model: &SkyModel, prepared: &Prepared, control: &Control) -> Result<Array3<f64>> {
        let (geom, psf) = match &prepared.place {
            Place::Image(geom, psf) => (geom, psf),
            Place::Region(region) => return region.share(self, model, control),
        };
        if let (Some((y, x)), Some(kernel)) = (prepared.beyond, psf) {
            // As on a map that is larger by what the PSF reaches.
            let share = flux_share(spatial_of(model)?, &geom.pad(y, x), &self.energy_true.center_tev()?)?;
            let seen = self.convolve(share, kernel.data.view(), control)?;
            return Ok(seen.slice(s![.., y..y + geom.ny(), x..x + geom.nx()]).to_owned());
        }
        let share = flux_share(spatial_of(model)?, geom, &self.energy_true.center_tev()?)?;
        match psf {
            Some(kernel) if !self.psf_in_reco() => {
                self.convolve_on(geom.closes_in_longitude(), share, kernel.data.view(), control)
            }
            _ => Ok(share),
        }
    }

    /// Convolves counts in reconstructed energy with the PSF where that is applied last; `transposed` with the PSF turned
    /// by 180 degrees, which takes derivatives back.
    ///
    /// # Errors
    /// What the backend reports.
    pub fn apply_last_psf(
        &self,
        npred: Array3<f64>,
        prepared: &Prepared,
        transposed: bool,
        control: &Control,
    ) -> Result<Array3<f64>> {
        match prepared.psf() {
            Some(kernel) if self.psf_in_reco() => {
                let step = if transposed { -1 } else { 1 };
                let closes = match &prepared.place {
                    Place::Image(geom, _) => geom.closes_in_longitude(),
                    Place::Region(_) => None,
                };
                self.convolve_on(closes, npred, kernel.data.slice(s![.., ..;step, ..;step]), control)
            }
            _ => Ok(npred),
        }
    }

    /// `[energy_true, y, x]`: share × flux × exposure.
    fn expose(&self, share: &Array3<f64>, flux: &[f64], prepared: &Prepared) -> Result<Array3<f64>> {
        let origin = prepared.origin;
        let planes = self.energy_true.nbin();
        let found = match self.exposure {
            Exposure::Cube(cube, _) => cube.dim().0,
            Exposure::Spectrum(values) => values.len(),
        };
        if found != planes || flux.len() != planes {
            return Err(Error::input("exposure", format!("{found} planes where its axis has {planes} bins")));
        }
        let (ny, nx) = prepared.image_shape();
        memory::check::<f64>("predicted counts in true energy", &[planes, ny, nx])?;
        let mut counts = Array3::zeros((planes, ny, nx));
        for (t, mut plane) in counts.outer_iter_mut().enumerate() {
            let share = share.index_axis(Axis(0), if share.dim().0 == 1 { 0 } else { t });
            if !prepared.has_exposure {
                plane.assign(&share);
                plane *= flux[t];
                continue;
            }
            match self.exposure {
                Exposure::Cube(cube, factor) => {
                    let exposure = cube.plane(t);
                    for ((y, x), v) in plane.indexed_iter_mut() {
                        let e = exposure.at(origin.y0 + y, origin.x0 + x) * factor;
                        *v = if e.is_finite() { share[[y, x]] * flux[t] * e } else { 0.0 };
                    }
                }
                Exposure::Spectrum(values) => {
                    plane.assign(&share);
                    plane *= flux[t] * values[t];
                }
            }
        }
        Ok(counts)
    }

    /// As [`Evaluator::convolve`] on an image whose rows may go around the sky, in `closes` columns: what leaves them at one
    /// end then comes in at the other.
    fn convolve_on(
        &self,
        closes: Option<usize>,
        cube: Array3<f64>,
        kernel: ArrayView3<'_, f64>,
        control: &Control,
    ) -> Result<Array3<f64>> {
        let (half, nx) = (kernel.dim().2 / 2, cube.dim().2);
        match closes.filter(|turn| half > 0 && half <= *turn) {
            Some(turn) => {
                let columns: Vec<usize> = (turn - half..turn).chain(0..nx).chain(nx - turn..nx - turn + half).collect();
                let wide = self.convolve(of_columns(cube.view(), &columns), kernel, control)?;
                Ok(wide.slice(s![.., .., half..half + nx]).as_standard_layout().into_owned())
            }
            None => self.convolve(cube, kernel, control),
        }
    }

    /// Convolves each plane (one plane is repeated) with the kernel's planes.
    pub(super) fn convolve(
        &self,
        cube: Array3<f64>,
        kernel: ArrayView3<'_, f64>,
        control: &Control,
    ) -> Result<Array3<f64>> {
        let (planes, ny, nx) = (kernel.dim().0, cube.dim().1, cube.dim().2);
        if cube.dim().0 == 1 && cube.iter().filter(|v| **v != 0.0).count() <= SPARSE_PIXELS {
            return Ok(add_shifted_kernels(&cube, kernel));
        }
        let Some(repeated) = cube.broadcast((planes, ny, nx)) else {
            return Err(Error::input("psf", format!("{planes} PSF planes for {} planes of flux", cube.dim().0)));
        };
        let job = ConvolveJob { cube: CubeView::F64(repeated), kernel };
        self.backend.engine().convolve(&job, control)
    }
}

/// The part of a map around a position that is `width_deg` wide, as [`WcsGeom::cutout`]: wider where pixels are
/// narrower than their header says, and all columns of a map around the sky where it would reach over
/// their ends.
pub(super) fn around(
    image: &WcsGeom,
    position: SkyPosition,
    width_deg: f64,
    odd_npix: bool,
) -> Result<(WcsGeom, CutoutOrigin)> {
    let Some((x, y)) = image.sky_to_pix(position) else {
        return image.cutout(position, (width_deg, width_deg), odd_npix);
    };
    let (wide, high) = match image.pixel_shape(x, y) {
        Some(p) if is_distorted(&p) => {
            (width_deg * (p.height / p.area).max(1.0), width_deg * (p.width / p.area).max(1.0))
        }
        _ => (width_deg, width_deg),
    };
    let (cut, origin) = image.cutout(position, (wide, high), odd_npix)?;
    let half = 0.5 * wide / image.pixel_scales_deg().0 + 1.0;
    let is_over_an_end = x - half < -0.5 || x + half > image.nx() as f64 - 0.5;
    if !is_over_an_end || image.closes_in_longitude().is_none() {
        return Ok((cut, origin));
    }
    let band = image.slice(origin.y0..origin.y0 + cut.ny(), 0..image.nx())?;
    Ok((band, CutoutOrigin { y0: origin.y0, x0: 0 }))
}

/// The same as a convolution, for an image of few non-zero pixels (point sources).
fn add_shifted_kernels(image: &Array3<f64>, kernel: ArrayView3<'_, f64>) -> Array3<f64> {
    let (planes, ky, kx) = kernel.dim();
    let (_, ny, nx) = image.dim();
    let mut out = Array3::zeros((planes, ny, nx));
    for ((_, sy, sx), value) in image.indexed_iter().filter(|(_, v)| **v != 0.0) {
        // Rows and columns of the kernel that fall inside the image.
        let range = |s: usize, k: usize, n: usize| (k / 2).saturating_sub(s)..k.min(n + k / 2 - s);
        for p in 0..planes {
            for u in range(sy, ky, ny) {
                for v in range(sx, kx, nx) {
                    out[[p, sy + u - ky / 2, sx + v - kx / 2]] += value * kernel[[p, u, v]];
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::convolve::convolve;

    #[test]
    fn shifted_kernels_are_a_convolution() {
        let mut image = Array3::zeros((1, 5, 4));
        for (y, x, v) in [(0, 0, 1.0), (4, 3, 2.0), (2, 1, -0.5)] {
            image[[0, y, x]] = v;
        }
        for shape in [(2, 3, 5), (2, 1, 1), (2, 9, 11)] {
            let kernel = Array3::from_shape_fn(shape, |(p, u, v)| (p * 100 + u * 10 + v) as f64);
            let repeated = image.broadcast((2, 5, 4)).unwrap().to_owned();
            let job = ConvolveJob { cube: CubeView::F64(repeated.view()), kernel: kernel.view() };
            assert_eq!(add_shifted_kernels(&image, kernel.view()), convolve(&job));
        }
    }
}
