// One invocation: the Asimov statistic of one pixel at the norm y = X of state, over all bins of its window, w = y c,
//
//     params.mode 1:  A = sum b [(1 + w) ln(1 + w) - w],   A' = sum m ln(1 + w)
//     params.mode 0:  A = sum m c, twice A's curvature at 0,  A' = 0
//
// TS = 2 A is what counts b + y m would give; it does not depend on the counts. Cells are taken four at a time.
//
// e, g     [plane of slab, y of slab, x]: scaled exposure, and exposure / background (c = cell * g, b = m / c)
// cells    [plane, ky * kx]: (kernel value as bits, u << 16 | v), falling values
// Output: planes 0, 1 of sums, [plane, y of band, x]; with params.add they go on from those of earlier planes.
// Limits: as in ts_map_bound.

@group(0) @binding(1) var<storage, read> g: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read> e: array<f32>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;

// (m, c) under a cell for the window that begins at (y, x) of the slab; 0 outside.
fn bin_under(cell: vec2<u32>, plane_row: u32, y: i32, x: i32) -> vec2<f32> {
    let sy = y + i32(cell.y >> 16u);
    let sx = x + i32(cell.y & 0xffffu);
    if (sy < 0 || sx < 0 || sy >= i32(params.slab_ny) || sx >= i32(params.nx)) {
        return vec2<f32>(0.0);
    }
    let i = (plane_row + u32(sy)) * params.nx + u32(sx);
    return bitcast<f32>(cell.x) * vec2<f32>(e[i], g[i]);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    if (o == OUTSIDE) {
        return;
    }
    let y = i32(params.band_y0 + o / params.nx) - i32(params.ky / 2u) - i32(params.slab_y0);
    let x = i32(o % params.nx) - i32(params.kx / 2u);
    let norm = load(X, o);
    var value = 0.0;
    var slope = 0.0;
    if (params.add != 0u) {
        value = sums[plane_at(0u, o)];
        slope = sums[plane_at(1u, o)];
    }
    for (var p = 0u; p < params.planes; p++) {
        let first = (params.kernel_plane0 + p) * params.ky * params.kx;
        let plane_row = (params.slab_plane0 + p) * params.slab_ny;
        var plane_value = vec4<f32>(0.0);
        var plane_slope = vec4<f32>(0.0);
        for (var k = params.cell0; k < params.cell1; k += 4u) {
            if (cells[first + k].x == 0u) {
                break;
            }
            var m = vec4<f32>(0.0);
            var c = vec4<f32>(0.0);
            for (var j = 0u; j < min(4u, params.cell1 - k); j++) {
                let bin = bin_under(cells[first + k + j], plane_row, y, x);
                m[j] = bin.x;
                c[j] = bin.y;
            }
            if (params.mode == 0u) {
                plane_value += m * c;
            } else {
                let w = norm * c;
                let gain = log_gain(w);
                plane_value += m / max(c, vec4<f32>(1e-37)) * ((1.0 + w) * gain);
                plane_slope += m * (gain + w / (1.0 + w));
            }
        }
        value += dot(plane_value, vec4<f32>(1.0));
        slope += dot(plane_slope, vec4<f32>(1.0));
    }
    sums[plane_at(0u, o)] = value;
    sums[plane_at(1u, o)] = slope;
}
