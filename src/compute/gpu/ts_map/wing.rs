//! What becomes of moments: fits of whole windows, or sums over the wing of a kernel whose core is summed from lists.

use super::super::batch::Kernel;
use super::super::params;
use super::super::pipelines::{Shader, TS_MAP_ADD, TS_MAP_FIT, TS_MAP_KEEP, TS_MAP_MOMENTS, TS_MAP_RISE, TS_MAP_WING};
use super::super::planes::TILE;
use super::band::BandBuffers;
use super::moments::{Moments, PAIRS, TERMS};
use super::run::RunOnGpu;
use crate::control::Control;
use crate::error::Result;

impl RunOnGpu<'_, '_> {
    /// What becomes of a tile's moments: fits, or where there is a core, sums to add to those over it.
    pub(super) fn wing<'a>(
        &self,
        moments: &'a Moments,
        band: &'a BandBuffers,
        (y, x): (usize, usize),
        scale: f32,
    ) -> Kernel<'a> {
        let params = params::TsMap {
            moment_side: moments.tiling.side as u32,
            moment_y0: y as u32,
            moment_x0: x as u32,
            moment_scale: scale,
            ..self.params(band)
        };
        let mut bindings = vec![(1, &moments.moments), (2, &moments.noise)];
        let (tile_y, tile_x) = moments.tiling.tile;
        let groups = (tile_x / TILE, tile_y / TILE);
        let work = (tile_y * tile_x * 16) as f64;
        if let (Some(_), Some(wing)) = (&moments.core, &band.wing) {
            bindings.push((3, wing));
            return Kernel::new(TS_MAP_KEEP, params, bindings, groups, work);
        }
        bindings.extend([(5, &band.state), (7, &band.model), (8, &band.open)]);
        Kernel::new(TS_MAP_WING, params, bindings, groups, work)
    }

    /// Bytes of a pixel that keep its wing.
    pub(super) fn wing_bytes(&self) -> usize {
        let core = self.moments.as_ref().and_then(|moments| moments.core.as_ref());
        core.map_or(0, |_| 4 * (TERMS + 1 + PAIRS))
    }

    /// Adds the wing to the sums over the core that `shader` has left.
    pub(super) fn add_wing(
        &self,
        shader: &Shader,
        moments: &Moments,
        band: &BandBuffers,
        tiles: usize,
        control: &Control,
    ) -> Result<()> {
        let mode = [TS_MAP_MOMENTS, TS_MAP_FIT, TS_MAP_RISE].iter().position(|known| known.name == shader.name);
        self.wing_pass(moments, band, tiles, (mode.unwrap_or(0) as u32, 0), control)
    }

    /// Opens the pixels again whose wing did not hold, and closes all others; returns how many of each tile are open.
    pub(super) fn reopen(
        &self,
        moments: &Moments,
        band: &BandBuffers,
        tiles: usize,
        control: &Control,
    ) -> Result<Vec<u32>> {
        self.wing_pass(moments, band, tiles, (3, self.unwanted()), control)?;
        self.device.read(&band.open, 0, tiles)
    }

    fn wing_pass(
        &self,
        moments: &Moments,
        band: &BandBuffers,
        tiles: usize,
        (mode, iteration): (u32, u32),
        control: &Control,
    ) -> Result<()> {
        let Some(wing) = &band.wing else { return Ok(()) };
        let bindings =
            [(1, wing), (2, &moments.wing_c), (4, &band.tiles), (5, &band.state), (6, &band.sums), (8, &band.open)];
        let common = self.params(band);
        let work = (TILE * TILE * 64) as f64;
        self.device.run(&TS_MAP_ADD, &self.uniform, &bindings, tiles as u32, 1, work, control, |tile0| params::TsMap {
            tile0,
            mode,
            iteration,
            ..common
        })
    }
}
