// One invocation: the largest c = m / b over all bins of one pixel's window, C_ALL of state: norms below -1 / C_ALL
// predict negative counts somewhere.
//
// Kernel cells come in falling order of their value, so the walk over a plane stops at the first cell that cannot beat
// what was found: cell * (largest g around the tile) <= best.
//
// g        [plane of slab, y of slab, x], model scale * exposure / background; 0 where there is no exposure
// cells    [plane, ky * kx]: (kernel value as bits, u << 16 | v), falling values
// g_max    [plane of run, tile of map]: largest g in the tile and around it as far as the kernel reaches
// Limits: the host gives planes and cells such that an invocation stays below 65535 loop steps.

@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> g_max: array<f32>;
@group(0) @binding(4) var<storage, read> tiles: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    if (o == OUTSIDE) {
        return;
    }
    let y = i32(params.band_y0 + o / params.nx) - i32(params.ky / 2u) - i32(params.slab_y0);
    let x = i32(o % params.nx) - i32(params.kx / 2u);
    var best = load(C_ALL, o);
    let map_tile = (params.band_y0 / TILE) * params.tiles_x + tile;
    for (var p = 0u; p < params.planes; p++) {
        let first = (params.kernel_plane0 + p) * params.ky * params.kx;
        let around = g_max[(params.kernel_plane0 + p) * params.map_tiles + map_tile];
        for (var k = params.cell0; k < params.cell1; k++) {
            let cell = cells[first + k];
            let value = bitcast<f32>(cell.x);
            if (value * around <= best) {
                break;
            }
            let sy = y + i32(cell.y >> 16u);
            let sx = x + i32(cell.y & 0xffffu);
            if (sy >= 0 && sx >= 0 && sy < i32(params.slab_ny) && sx < i32(params.nx)) {
                let row = (params.slab_plane0 + p) * params.slab_ny + u32(sy);
                best = max(best, value * g[row * params.nx + u32(sx)]);
            }
        }
    }
    store(C_ALL, o, best);
}
