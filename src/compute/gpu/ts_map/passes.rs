//! The passes of a band: which buffers and which part of the work each dispatch takes.

use super::super::convolve::convolve_planes;
use super::super::dispatch::Binding;
use super::super::params;
use super::super::pipelines::{CONVOLVE, Shader, TS_MAP_BOUND, TS_MAP_ERRORS, TS_MAP_MOMENTS, TS_MAP_SENSITIVITY};
use super::super::planes::TILE;
use super::band::BandBuffers;
use super::pieces::{Piece, cut};
use super::run::{KernelPart, RunOnGpu};
use crate::control::Control;
use crate::error::Result;
use std::ops::Range;

impl<'d> RunOnGpu<'d, '_> {
    /// M, the correlation of exposure and kernel.
    pub(super) fn model(&self, band: &BandBuffers, tiles: usize, control: &Control) -> Result<()> {
        let (ky, kx) = self.kernel_shape;
        let common = self.params(band);
        let mut add = 0;
        for piece in self.pieces(convolve_planes(ky, kx, self.device.max_steps), &self.model_pieces) {
            let work = (TILE * TILE * piece.part.len() * kx * piece.planes) as f64;
            let slab = piece.segment.slab;
            let bindings = [(1, &slab.exposure), (2, &self.kernel.buffer), (3, &band.tiles), (4, &band.model)];
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
    pub(super) fn list_pass(
        &self,
        shader: &Shader,
        band: &BandBuffers,
        tiles: usize,
        (mode, part): (u32, KernelPart),
        control: &Control,
    ) -> Result<()> {
        let kernel = match (part, self.moments.as_ref().and_then(|moments| moments.core.as_ref())) {
            (KernelPart::Core, Some(core)) => core,
            _ => &self.kernel,
        };
        let (ky, kx) = kernel.shape;
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
                vec![(1, &slab.bins), (2, &slab.starts), (3, &kernel.buffer), (4, &band.tiles), (6, &band.sums)];
            if shader.name != TS_MAP_MOMENTS.name {
                bindings.push((5, &band.state));
            }
            let share = (piece.planes * piece.part.len()) as f64 / (self.plane_count() * rows) as f64;
            let work = (TILE * TILE) as f64 * kernel.tile_bins * share;
            self.device.run(shader, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| {
                params::TsMap {
                    u0: piece.part.start as u32,
                    u1: piece.part.end as u32,
                    tile0,
                    add,
                    mode,
                    ky: ky as u32,
                    kx: kx as u32,
                    ..piece.params(common)
                }
            })?;
            add = 1;
        }
        if let (KernelPart::Core, Some(moments)) = (part, &self.moments) {
            self.add_wing(shader, moments, band, tiles, control)?;
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
    pub(super) fn update(
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

    pub(super) fn plane_count(&self) -> usize {
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
