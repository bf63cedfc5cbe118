// What the passes share that make lists of bins from a slab's dense planes: uniforms and the place of a row.
//
// Rows of a slab are counted through its planes: row = plane of slab * slab_ny + y of slab.

struct Params {
    nx: u32,
    slab_y0: u32,
    slab_ny: u32,
    // First plane of the slab among all planes, and the slab's rows in all planes together.
    slab_plane0: u32,
    rows: u32,
    // Tiles of 16 x 16 pixels: in a row of the map, in the map.
    tiles_x: u32,
    map_tiles: u32,
    first_group: u32,
    // Powers of two that bring exposures and ratios into range; the product of both is what counts.
    scale_a: f32,
    scale_b: f32,
    zero: u32,
    pad0: u32,
}

const BLOCK_X: u32 = 4u;
const TILE: u32 = 16u;
// Background at or below this is none (TRUNCATION_VALUE of the host).
const TRUNCATION: f32 = 1e-25;

@group(0) @binding(0) var<uniform> params: Params;

// Blocks of 4 columns in a row of bins; `starts` has one more entry per row.
fn blocks_per_row() -> u32 {
    return (params.nx + BLOCK_X - 1u) / BLOCK_X;
}
