//! One run of the TS map on the device: which kernels run in which order, over which slabs, on which tiles.
//!
//! Per band of rows: M by correlation, the bound, moments at norm 0; then passes over the lists of bins until no pixel
//! needs another one, first for the norm, then for its errors. After each pass the host reads how many pixels of each
//! tile are open and makes the next list of tiles from it.

use std::ops::Range;

use super::device::GpuDevice;
use super::dispatch::Binding;
use super::engine::{KERNEL_PAD, convolve_pieces, convolve_planes, padded_kernel};
use super::params;
use super::pipelines::{
    CONVOLVE, Shader, TS_MAP_BOUND, TS_MAP_ERRORS, TS_MAP_FIT, TS_MAP_MOMENTS, TS_MAP_RISE, TS_MAP_SENSITIVITY,
    TS_MAP_START, TS_MAP_STEP, TS_MAP_TRUNCATION,
};
use super::planes::{DeviceSlab, Planes, TILE, exponent_of_two, round_up, tiles_x};
use super::ts_map_host::WindowSums;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::kernels::{TsMapRun, TsMapStatus};

/// Planes of `state` and `sums` in the shaders.
const STATE_PLANES: usize = 21;
const SUM_PLANES: usize = 11;
/// Bytes of state per pixel: what a band is planned by.
pub(super) const STATE_BYTES: usize = 4 * STATE_PLANES;

/// Indices of planes of `state` (`shaders/shared/ts_map.wgsl`).
pub(super) mod plane {
    pub(in super::super) const X: usize = 0;
    pub(in super::super) const C_ALL: usize = 5;
    pub(in super::super) const FLAGS: usize = 6;
    pub(in super::super) const RHO: usize = 7;
    pub(in super::super) const Q: usize = 8;
    pub(in super::super) const D_ERRN: usize = 10;
    pub(in super::super) const D_UL: usize = 12;
    pub(in super::super) const GAIN: usize = 17;
    pub(in super::super) const ITERATIONS: usize = 18;
    pub(in super::super) const GUESS: usize = 19;
}

/// Bits of FLAGS beyond the public status bits.
pub(super) mod flag {
    pub(in super::super) const VALID: u32 = 0x1_0000;
    pub(in super::super) const DONE_ERRN: u32 = 0x4_0000;
    pub(in super::super) const DONE_ERRP: u32 = 0x8_0000;
    pub(in super::super) const DONE_UL: u32 = 0x10_0000;
    pub(in super::super) const TO_HOST: u32 = 0x20_0000;
    /// The public status bits.
    pub(in super::super) const STATUS: u32 = 0x7fff;
}

/// What the shaders of the TS map have as constants, too; `tests/shaders.rs` compares them.
pub(super) fn shared_constants() -> Vec<(&'static str, usize)> {
    let flag = |flag: u32| flag as usize;
    vec![
        ("X", plane::X),
        ("C_ALL", plane::C_ALL),
        ("FLAGS", plane::FLAGS),
        ("RHO", plane::RHO),
        ("Q", plane::Q),
        ("D_ERRN", plane::D_ERRN),
        ("D_UL", plane::D_UL),
        ("GAIN", plane::GAIN),
        ("ITERATIONS", plane::ITERATIONS),
        ("GUESS", plane::GUESS),
        ("P", STATE_PLANES - 1),
        ("VALID", flag(flag::VALID)),
        ("DONE_ERRN", flag(flag::DONE_ERRN)),
        ("DONE_ERRP", flag(flag::DONE_ERRP)),
        ("DONE_UL", flag(flag::DONE_UL)),
        ("TO_HOST", flag(flag::TO_HOST)),
        ("NO_COUNTS", flag(TsMapStatus::NO_COUNTS)),
        ("SINGLE_BIN", flag(TsMapStatus::SINGLE_BIN)),
        ("NO_MODEL", flag(TsMapStatus::NO_MODEL)),
        ("AT_BOUND", flag(TsMapStatus::AT_BOUND)),
        ("BELOW_THRESHOLD", flag(TsMapStatus::BELOW_THRESHOLD)),
        ("TILE", TILE),
        ("KERNEL_PAD_Y", KERNEL_PAD.0),
        ("KERNEL_PAD_X", KERNEL_PAD.1),
    ]
}

/// Passes that a pixel may take before the host fits it.
const MAX_PASSES: u32 = 30;

/// The results of a band as the device left them.
pub(super) struct BandState {
    pub(super) rows: Range<usize>,
    pub(super) x: Vec<f32>,
    pub(super) c_all: Vec<f32>,
    pub(super) flags: Vec<u32>,
    pub(super) rho: Vec<f32>,
    pub(super) q: Vec<f32>,
    /// Displacements to errn, errp and ul.
    pub(super) displacements: [Vec<f32>; 3],
    pub(super) gain: Vec<f32>,
    pub(super) iterations: Vec<f32>,
    /// M as hi, lo.
    pub(super) model: Vec<[f32; 2]>,
    pub(super) sensitivity: Option<Vec<f64>>,
}

/// Consecutive planes of a run in one slab.
struct Segment<'d> {
    slab: &'d DeviceSlab,
    slab_plane0: usize,
    kernel_plane0: usize,
    planes: usize,
}

/// Planes and rows or cells of the kernel that one dispatch takes.
struct Piece<'s, 'd> {
    segment: &'s Segment<'d>,
    plane0: usize,
    planes: usize,
    part: Range<usize>,
}

/// One run: its kernel on the device, and what is the same for all bands.
pub(super) struct RunOnGpu<'d, 'r> {
    pub(super) device: &'d GpuDevice,
    pub(super) run: &'d TsMapRun<'r>,
    segments: Vec<Segment<'d>>,
    /// Kernel rows that a dispatch of the correlation takes.
    model_pieces: Vec<Range<usize>>,
    /// `(ny, nx)` of the map, `(ky, kx)` common to all planes.
    pub(super) shape: (usize, usize),
    kernel_shape: (usize, usize),
    kernel: wgpu::Buffer,
    cells: wgpu::Buffer,
    ratio_max: wgpu::Buffer,
    uniform: wgpu::Buffer,
    /// Norms on the device times this are norms; M on the device divided by this is M.
    pub(super) scale: f64,
    /// Bins in the window of a typical tile, all planes.
    tile_bins: f64,
}

/// Buffers of one band.
pub(super) struct BandBuffers {
    pub(super) rows: Range<usize>,
    pub(super) state: wgpu::Buffer,
    pub(super) sums: wgpu::Buffer,
    model: wgpu::Buffer,
    pub(super) tiles: wgpu::Buffer,
    open: wgpu::Buffer,
}

impl<'d, 'r> RunOnGpu<'d, 'r> {
    pub(super) fn new(device: &'d GpuDevice, planes: &'d Planes, run: &'d TsMapRun<'r>) -> Result<Self> {
        let (ny, nx) = planes.shape;
        let used: Vec<usize> = run
            .planes
            .iter()
            .zip(&planes.first)
            .flat_map(|(range, first)| range.clone().map(move |plane| first + plane))
            .collect();
        let kernel = common_kernel(run, planes.shape);
        let (_, ky, kx) = kernel.dim();
        if ky.max(kx) > 0xffff {
            return Err(Error::unsupported(format!("a kernel of {kx} x {ky} pixels on a GPU")));
        }
        let model_pieces = convolve_pieces(ky, kx, device.max_steps)?;
        // The largest kernel value becomes 1 to 2: c = kernel * ratio then keeps the range of the ratios.
        let peak = kernel.iter().copied().fold(0.0, f64::max);
        let kernel_exponent = if peak > 0.0 { -(peak.log2().floor().clamp(-1000.0, 1000.0) as i32) } else { 0 };
        let kernel_scale = exponent_of_two(kernel_exponent);
        let (cells, peaks) = sorted_cells(kernel.view(), kernel_scale);

        let mut ratio_max = Vec::new();
        for plane in &used {
            ratio_max.extend(dilate(&planes.tile_ratio[*plane], planes.shape, (ky / 2, kx / 2)));
        }
        debug_assert_eq!(peaks.len(), used.len());

        let segments = segments(&planes.slabs, &used);
        let bins: usize = planes.slabs.iter().map(|s| s.bin_count).sum();
        let all_rows: usize = planes.slabs.iter().map(|s| s.place.row_count()).sum();
        let density = bins as f64 / (all_rows * nx).max(1) as f64;
        let window = ((TILE + ky).min(ny + TILE) * (TILE + kx).min(nx + TILE) * used.len()) as f64;
        Ok(Self {
            device,
            run,
            segments,
            model_pieces,
            shape: (ny, nx),
            kernel_shape: (ky, kx),
            kernel: device.upload("pevatron.kernel", &padded_kernel(kernel.view(), kernel_scale))?,
            cells: device.upload("pevatron.cells", &cells)?,
            ratio_max: device.upload("pevatron.ratio_max", &ratio_max)?,
            uniform: device.uniform(size_of::<params::TsMap>())?,
            scale: exponent_of_two(planes.exponent + kernel_exponent),
            tile_bins: density * window + 16.0 * (used.len() * ky.div_ceil(256)) as f64,
        })
    }

    /// Fits the pixels of a band; `report` is told the half of the way, 0 or 1, and how many of them are
    /// open there.
    pub(super) fn fit_band(
        &self,
        rows: Range<usize>,
        windows: &WindowSums,
        control: &Control,
        report: &dyn Fn(u64, u64),
    ) -> Result<BandState> {
        let settings = &self.run.settings;
        let (all_tiles, band) = self.band_buffers(rows, windows)?;
        let report_open = |half: u64, open: &[u32]| report(half, open.iter().map(|n| u64::from(*n)).sum());

        self.device.write(&band.tiles, 0, &all_tiles)?;
        self.model(&band, all_tiles.len(), control)?;
        self.cells_pass(&TS_MAP_BOUND, &band, all_tiles.len(), 0, control)?;
        self.list_pass(&TS_MAP_MOMENTS, &band, all_tiles.len(), 0, control)?;
        let trial = settings.threshold.is_some() && self.run.norm_guess.is_some();
        let mut open = self.update(&TS_MAP_START, &band, all_tiles.len(), (u32::from(trial), 0), control)?;
        let mut tiles = still_open(&all_tiles, &open);
        let mut iteration = 0;
        while !tiles.is_empty() {
            iteration += 1;
            report_open(0, &open);
            self.device.write(&band.tiles, 0, &tiles)?;
            let mode = u32::from(trial && iteration == 1);
            self.list_pass(&TS_MAP_FIT, &band, tiles.len(), mode, control)?;
            open = self.update(&TS_MAP_STEP, &band, tiles.len(), (mode, iteration), control)?;
            tiles = still_open(&tiles, &open);
        }

        self.device.write(&band.tiles, 0, &all_tiles)?;
        open = self.update(&TS_MAP_ERRORS, &band, all_tiles.len(), (0, 0), control)?;
        tiles = still_open(&all_tiles, &open);
        iteration = 0;
        while !tiles.is_empty() {
            iteration += 1;
            report_open(1, &open);
            self.device.write(&band.tiles, 0, &tiles)?;
            self.list_pass(&TS_MAP_RISE, &band, tiles.len(), u32::from(iteration == 1), control)?;
            if settings.errn_errp {
                self.cells_pass(&TS_MAP_TRUNCATION, &band, tiles.len(), 0, control)?;
            }
            open = self.update(&TS_MAP_ERRORS, &band, tiles.len(), (1, iteration), control)?;
            tiles = still_open(&tiles, &open);
        }
        let mut state = self.read_back(&band)?;
        if settings.sensitivity {
            state.sensitivity = Some(self.sensitivity(&band, &all_tiles, control)?);
        }
        Ok(state)
    }

    /// The tiles with pixels to fit, and the buffers of the band with flags and first guesses in them.
    fn band_buffers(&self, rows: Range<usize>, windows: &WindowSums) -> Result<(Vec<u32>, BandBuffers)> {
        let nx = self.shape.1;
        let settings = &self.run.settings;
        let pixels = rows.len() * nx;
        let across = tiles_x(nx);
        let mut needed = vec![false; across * rows.len().div_ceil(TILE)];
        let mut wanted = flag::VALID;
        if !settings.errn_errp {
            wanted |= flag::DONE_ERRN | flag::DONE_ERRP;
        }
        if !settings.ul {
            wanted |= flag::DONE_UL;
        }
        let mut flags = vec![0u32; pixels];
        for (i, y) in rows.clone().enumerate() {
            for x in 0..nx {
                if self.run.fit_mask[[y, x]] {
                    let host = if windows.has_hole(y, x) { flag::TO_HOST } else { 0 };
                    flags[i * nx + x] = wanted | host;
                    needed[i / TILE * across + x / TILE] = true;
                }
            }
        }
        let tiles: Vec<u32> = (0u32..).zip(needed).filter_map(|(tile, needed)| needed.then_some(tile)).collect();
        let device = self.device;
        let state = device.buffer("pevatron.state", (STATE_BYTES * pixels) as u64)?;
        device.write(&state, (4 * plane::FLAGS * pixels) as u64, &flags)?;
        if let (Some(guess), Some(_)) = (self.run.norm_guess, settings.threshold) {
            let guess: Vec<f32> = guess
                .slice(ndarray::s![rows.clone(), ..])
                .iter()
                .map(|g| if g.is_finite() { (g / self.scale) as f32 } else { f32::MAX })
                .collect();
            device.write(&state, (4 * plane::GUESS * pixels) as u64, &guess)?;
        }
        let band = BandBuffers {
            rows,
            state,
            sums: device.buffer("pevatron.sums", (4 * SUM_PLANES * pixels) as u64)?,
            model: device.buffer("pevatron.model", (8 * pixels) as u64)?,
            tiles: device.buffer("pevatron.tiles", 4 * tiles.len() as u64)?,
            open: device.buffer("pevatron.open", 4 * tiles.len() as u64)?,
        };
        Ok((tiles, band))
    }

    fn read_back(&self, band: &BandBuffers) -> Result<BandState> {
        let pixels = band.rows.len() * self.shape.1;
        let floats = |plane: usize| self.device.read::<f32>(&band.state, (4 * plane * pixels) as u64, pixels);
        Ok(BandState {
            x: floats(plane::X)?,
            c_all: floats(plane::C_ALL)?,
            flags: self.device.read::<u32>(&band.state, (4 * plane::FLAGS * pixels) as u64, pixels)?,
            rho: floats(plane::RHO)?,
            q: floats(plane::Q)?,
            displacements: [floats(plane::D_ERRN)?, floats(plane::D_ERRN + 1)?, floats(plane::D_UL)?],
            gain: floats(plane::GAIN)?,
            iterations: floats(plane::ITERATIONS)?,
            model: self.device.read::<[f32; 2]>(&band.model, 0, pixels)?,
            rows: band.rows.clone(),
            sensitivity: None,
        })
    }

    fn params(&self, band: &BandBuffers) -> params::TsMap {
        let settings = &self.run.settings;
        let (ny, nx) = self.shape;
        params::TsMap {
            nx: nx as u32,
            band_y0: band.rows.start as u32,
            band_ny: band.rows.len() as u32,
            tiles_x: tiles_x(nx) as u32,
            map_tiles: (tiles_x(nx) * ny.div_ceil(TILE)) as u32,
            ky: self.kernel_shape.0 as u32,
            kx: self.kernel_shape.1 as u32,
            max_iterations: MAX_PASSES.min(settings.max_niter),
            n_sigma: settings.n_sigma as f32,
            n_sigma_ul: settings.n_sigma_ul as f32,
            threshold: settings.threshold.unwrap_or(0.0) as f32,
            ..Default::default()
        }
    }

    /// M, the correlation of exposure and kernel.
    fn model(&self, band: &BandBuffers, tiles: usize, control: &Control) -> Result<()> {
        let (ky, kx) = self.kernel_shape;
        let common = self.params(band);
        let mut add = 0;
        for piece in self.pieces(convolve_planes(ky, kx, self.device.max_steps), &self.model_pieces) {
            let work = (TILE * TILE * piece.part.len() * kx * piece.planes) as f64;
            let slab = piece.segment.slab;
            let bindings = [(1, &slab.exposure), (2, &self.kernel), (3, &band.tiles), (4, &band.model)];
            self.device.run(&CONVOLVE, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| {
                params::Convolve {
                    nx: common.nx,
                    band_y0: common.band_y0,
                    band_ny: common.band_ny,
                    tiles_x: common.tiles_x,
                    slab_y0: slab.place.rows.start as u32,
                    slab_ny: slab.place.rows.len() as u32,
                    slab_plane0: piece.slab_plane0(),
                    kernel_plane0: piece.kernel_plane0(),
                    planes: piece.planes as u32,
                    ky: common.ky,
                    kx: common.kx,
                    u0: piece.part.start as u32,
                    u1: piece.part.end as u32,
                    tile0,
                    add,
                    zero: 0,
                }
            })?;
            add = 1;
        }
        Ok(())
    }

    /// A pass over the lists of bins: moments, fit or rise.
    fn list_pass(&self, shader: &Shader, band: &BandBuffers, tiles: usize, mode: u32, control: &Control) -> Result<()> {
        let (ky, kx) = self.kernel_shape;
        let rows = ky + TILE - 1;
        // Steps of one plane if every bin had counts: two bins a step, plus staging and rows.
        let steps = |rows: usize| rows * (kx + TILE + 6) / 2 * 5 / 4 + 64;
        let most = self.device.max_steps;
        let (planes, parts) = if steps(rows) <= most {
            (most / steps(rows), cut(rows, rows))
        } else {
            (1, cut(rows, (most * 3 / 2 / (kx + TILE + 6)).max(1)))
        };
        let common = self.params(band);
        let mut add = 0;
        for piece in self.pieces(planes, &parts) {
            let slab = piece.segment.slab;
            let mut bindings: Vec<Binding<'_>> =
                vec![(1, &slab.bins), (2, &slab.starts), (3, &self.kernel), (4, &band.tiles), (6, &band.sums)];
            if shader.name != TS_MAP_MOMENTS.name {
                bindings.push((5, &band.state));
            }
            let share = (piece.planes * piece.part.len()) as f64 / (self.plane_count() * rows) as f64;
            let work = (TILE * TILE) as f64 * self.tile_bins * share;
            self.device.run(shader, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| {
                params::TsMap {
                    u0: piece.part.start as u32,
                    u1: piece.part.end as u32,
                    tile0,
                    add,
                    mode,
                    ..piece.params(common)
                }
            })?;
            add = 1;
        }
        Ok(())
    }

    /// A pass over the kernel's cells in falling order: the bound, the truncation or the sensitivity.
    pub(super) fn cells_pass(
        &self,
        shader: &Shader,
        band: &BandBuffers,
        tiles: usize,
        mode: u32,
        control: &Control,
    ) -> Result<()> {
        let cells = self.kernel_shape.0 * self.kernel_shape.1;
        let most = self.device.max_steps;
        let (planes, parts) = if cells <= most { (most / cells, cut(cells, cells)) } else { (1, cut(cells, most)) };
        let common = self.params(band);
        let mut add = 0;
        for piece in self.pieces(planes, &parts) {
            let slab = piece.segment.slab;
            let mut bindings: Vec<Binding<'_>> =
                vec![(1, &slab.ratio), (2, &self.cells), (4, &band.tiles), (5, &band.state)];
            let dense = shader.name == TS_MAP_SENSITIVITY.name;
            bindings.push(if dense { (7, &band.sums) } else { (3, &self.ratio_max) });
            if shader.name != TS_MAP_BOUND.name {
                bindings.push((6, &slab.exposure));
            }
            // Sorted cells end the walks of the others early.
            let visited = if dense { piece.part.len() } else { piece.part.len().min(200) };
            let work = (TILE * TILE * piece.planes * visited) as f64;
            self.device.run(shader, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| {
                params::TsMap {
                    cell0: piece.part.start as u32,
                    cell1: piece.part.end as u32,
                    tile0,
                    add,
                    mode,
                    ..piece.params(common)
                }
            })?;
            add = 1;
        }
        Ok(())
    }

    /// A pass over the pixels of the listed tiles; returns how many of each tile need another one.
    fn update(
        &self,
        shader: &Shader,
        band: &BandBuffers,
        tiles: usize,
        (mode, iteration): (u32, u32),
        control: &Control,
    ) -> Result<Vec<u32>> {
        let mut bindings: Vec<Binding<'_>> = vec![(4, &band.tiles), (5, &band.state), (6, &band.sums), (8, &band.open)];
        if shader.name != TS_MAP_ERRORS.name {
            bindings.push((7, &band.model));
        }
        let common = self.params(band);
        let work = (TILE * TILE * 64) as f64;
        self.device.run(shader, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| params::TsMap {
            tile0,
            mode,
            iteration,
            ..common
        })?;
        self.device.read(&band.open, 0, tiles)
    }

    fn plane_count(&self) -> usize {
        self.run.planes.iter().map(ExactSizeIterator::len).sum()
    }

    /// All segments cut into at most `planes` planes, each with all `parts`.
    fn pieces<'s>(&'s self, planes: usize, parts: &'s [Range<usize>]) -> impl Iterator<Item = Piece<'s, 'd>> {
        self.segments.iter().flat_map(move |segment| {
            (0..segment.planes).step_by(planes).flat_map(move |plane0| {
                parts.iter().map(move |part| Piece {
                    segment,
                    plane0,
                    planes: planes.min(segment.planes - plane0),
                    part: part.clone(),
                })
            })
        })
    }
}

impl Piece<'_, '_> {
    fn slab_plane0(&self) -> u32 {
        (self.segment.slab_plane0 + self.plane0) as u32
    }

    fn kernel_plane0(&self) -> u32 {
        (self.segment.kernel_plane0 + self.plane0) as u32
    }

    fn params(&self, common: params::TsMap) -> params::TsMap {
        let rows = &self.segment.slab.place.rows;
        params::TsMap {
            slab_y0: rows.start as u32,
            slab_ny: rows.len() as u32,
            slab_plane0: self.slab_plane0(),
            kernel_plane0: self.kernel_plane0(),
            planes: self.planes as u32,
            ..common
        }
    }
}

/// `0..total` in parts of `part`.
fn cut(total: usize, part: usize) -> Vec<Range<usize>> {
    (0..total).step_by(part).map(|first| first..total.min(first + part)).collect()
}

/// The tiles of `tiles` with open pixels.
fn still_open(tiles: &[u32], open: &[u32]) -> Vec<u32> {
    tiles.iter().zip(open).filter(|(_, open)| **open > 0).map(|(tile, _)| *tile).collect()
}

/// The planes `used`, in order, as runs of planes that lie side by side in a slab.
fn segments<'d>(slabs: &'d [DeviceSlab], used: &[usize]) -> Vec<Segment<'d>> {
    let mut segments: Vec<Segment<'d>> = Vec::new();
    for (kernel_plane, plane) in used.iter().enumerate() {
        for slab in slabs.iter().filter(|slab| slab.place.planes.contains(plane)) {
            let slab_plane = plane - slab.place.planes.start;
            match segments.last_mut() {
                Some(last)
                    if std::ptr::eq(last.slab, slab)
                        && last.slab_plane0 + last.planes == slab_plane
                        && last.kernel_plane0 + last.planes == kernel_plane =>
                {
                    last.planes += 1;
                }
                _ => segments.push(Segment { slab, slab_plane0: slab_plane, kernel_plane0: kernel_plane, planes: 1 }),
            }
        }
    }
    segments
}

/// All kernel planes of a run, `[plane, ky, kx]` in the smallest odd shape that holds each, centre on centre, without
/// what reaches farther than from one edge of the map to the other.
fn common_kernel(run: &TsMapRun<'_>, (ny, nx): (usize, usize)) -> ndarray::Array3<f64> {
    let reach = |k: &ndarray::ArrayView3<'_, f64>| {
        ((k.dim().1 / 2).min(ny.saturating_sub(1)), (k.dim().2 / 2).min(nx.saturating_sub(1)))
    };
    let used = || run.kernels.iter().filter(|k| k.dim().0 > 0);
    let (hy, hx) = used().map(reach).fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)));
    let (ky, kx) = (2 * hy + 1, 2 * hx + 1);
    let planes = run.kernels.iter().map(|k| k.dim().0).sum();
    let mut common = ndarray::Array3::zeros((planes, ky, kx));
    let mut first = 0;
    for kernel in used() {
        let (planes, own_ky, own_kx) = kernel.dim();
        let (y, x) = reach(kernel);
        let inner = kernel.slice(ndarray::s![.., own_ky / 2 - y..=own_ky / 2 + y, own_kx / 2 - x..=own_kx / 2 + x]);
        common.slice_mut(ndarray::s![first..first + planes, hy - y..=hy + y, hx - x..=hx + x]).assign(&inner);
        first += planes;
    }
    common
}

/// Per plane: cells as (value times `scale` as bits, row << 16 | column) in falling order, and the largest value.
fn sorted_cells(kernel: ndarray::ArrayView3<'_, f64>, scale: f64) -> (Vec<[u32; 2]>, Vec<f32>) {
    let mut cells = Vec::with_capacity(kernel.len());
    let mut peaks = Vec::new();
    for plane in kernel.outer_iter() {
        let first = cells.len();
        cells.extend(
            plane.indexed_iter().map(|((u, v), k)| [((k * scale) as f32).to_bits(), (u as u32) << 16 | v as u32]),
        );
        // Bits of floats that are not negative are ordered as the floats are.
        cells[first..].sort_unstable_by_key(|cell| (std::cmp::Reverse(cell[0]), cell[1]));
        peaks.push(cells.get(first).map_or(0.0, |cell| f32::from_bits(cell[0])));
    }
    (cells, peaks)
}

/// Largest value in each tile and in the tiles that a window of half sizes `reach` can touch from it.
fn dilate(tiles: &[f32], (ny, nx): (usize, usize), reach: (usize, usize)) -> Vec<f32> {
    let (rows, columns) = (ny.div_ceil(TILE), tiles_x(nx));
    let (up, left) = (reach.0.div_ceil(TILE), reach.1.div_ceil(TILE));
    let mut across = vec![0f32; tiles.len()];
    for y in 0..rows {
        for x in 0..columns {
            let near = x.saturating_sub(left)..columns.min(x + left + 1);
            across[y * columns + x] = tiles[y * columns..][near].iter().copied().fold(0.0, f32::max);
        }
    }
    let mut both = vec![0f32; tiles.len()];
    for y in 0..rows {
        for x in 0..columns {
            let near = y.saturating_sub(up)..rows.min(y + up + 1);
            both[y * columns + x] = round_up(near.map(|row| across[row * columns + x]).fold(0.0, f32::max));
        }
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_fall_and_keep_their_place() {
        let kernel = ndarray::arr3(&[[[0.0, 0.5, 0.25]]]);
        let (cells, peaks) = sorted_cells(kernel.view(), 2.0);
        assert_eq!(cells, [[1f32.to_bits(), 1], [0.5f32.to_bits(), 2], [0, 0]]);
        assert_eq!(peaks, [1.0]);
    }

    #[test]
    fn dilation_reaches_as_far_as_the_kernel() {
        // 3 x 1 tiles, a value in the last.
        let near = dilate(&[0.0, 0.0, 1.0], (10, 48), (3, 3));
        assert!(near[0] == 0.0 && near[1] >= 1.0 && near[2] >= 1.0);
        let far = dilate(&[0.0, 0.0, 1.0], (10, 48), (0, 17));
        assert!(far[0] >= 1.0);
    }
}
