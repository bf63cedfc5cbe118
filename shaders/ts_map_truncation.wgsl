// One invocation: what Gammapy's truncation of npred does to the statistic of one pixel left of its bound, at the errn
// that is tried, y = X + d, d = D_ERRN. Over the truncated bins, c = m / b > -1 / y,
//
//     TRUNC = sum of -(b + y m),        TRUNC_SLOPE = -(sum of m).
//
// Where that would cancel against d rho (truncation_is_dense), instead, with m summed over the bins that are left,
//
//     TRUNC = sum of -(b + X m) + d * TRUNC_SLOPE,        TRUNC_SLOPE = sum of m.
//
// Cells come in falling order, so the walk over truncated bins stops as in ts_map_bound.
//
// e, g     [plane of slab, y of slab, x]: scaled exposure, and exposure / background (b = e / g)
// cells, g_max, limits: as in ts_map_bound. With params.add the sums go on from those of earlier planes.

@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> g_max: array<f32>;
@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read> e: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    if (o == OUTSIDE) {
        return;
    }
    let norm = load(X, o) + load(D_ERRN, o);
    if ((load_flags(o) & (FITTED | DONE_ERRN | TO_HOST)) != FITTED || norm * load(C_ALL, o) >= -1.0) {
        store(TRUNC, o, 0.0);
        store(TRUNC_SLOPE, o, 0.0);
        return;
    }
    let limit = -1.0 / norm;
    let dense = truncation_is_dense(o);
    let best = load(X, o);
    let d = load(D_ERRN, o);
    let y = i32(params.band_y0 + o / params.nx) - i32(params.ky / 2u) - i32(params.slab_y0);
    let x = i32(o % params.nx) - i32(params.kx / 2u);
    var sum = 0.0;
    var slope = 0.0;
    if (params.add != 0u) {
        sum = load(TRUNC, o);
        slope = load(TRUNC_SLOPE, o);
    }
    let map_tile = (params.band_y0 / TILE) * params.tiles_x + tile;
    for (var p = 0u; p < params.planes; p++) {
        let first = (params.kernel_plane0 + p) * params.ky * params.kx;
        let around = g_max[(params.kernel_plane0 + p) * params.map_tiles + map_tile];
        for (var k = params.cell0; k < params.cell1; k++) {
            let cell = cells[first + k];
            let value = bitcast<f32>(cell.x);
            if (value == 0.0 || (!dense && value * around <= limit)) {
                break;
            }
            let sy = y + i32(cell.y >> 16u);
            let sx = x + i32(cell.y & 0xffffu);
            if (sy >= 0 && sx >= 0 && sy < i32(params.slab_ny) && sx < i32(params.nx)) {
                let i = ((params.slab_plane0 + p) * params.slab_ny + u32(sy)) * params.nx + u32(sx);
                let c = value * g[i];
                let m = value * e[i];
                if (c > limit) {
                    sum += m / c * (-1.0 - select(norm, best, dense) * c);
                    slope -= select(m, 0.0, dense);
                } else if (dense) {
                    sum += d * m;
                    slope += m;
                }
            }
        }
    }
    store(TRUNC, o, sum);
    store(TRUNC_SLOPE, o, slope);
}
