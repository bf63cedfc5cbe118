// The list walk of the TS map: bins with counts and model around a tile, staged for its 256 invocations.
//
// A pass calls, for every plane p of the dispatch and every block of 256 window rows from u0 on,
//
//     let total = bins_rows(p, u0);
//     for (var first = 0u; first < total; first += 256u) {
//         let count = bins_stage(first, total);      // a multiple of 4, padded with bins without counts and model
//         for (var j = 0u; j < count; j += 4u) { ... bins_c(j) ... }
//     }
//
// All invocations of the workgroup must call both functions. Bins outside a pixel's own window meet the zeros around
// the kernel. Summation restarts at every plane, so that results do not depend on how planes are spread over dispatches.
//
// bins    per bin: column, g = model scale * exposure / background, n; ordered by plane, row, column
// starts  [plane of slab, y of slab, ceil(nx / 4) + 1]: index of the first bin in each block of 4 columns, then the end
// kernel  [plane, ky + 30, kx + 40]: 15 rows and 20 columns of zeros around

const BLOCK_X: u32 = 4u;

struct Bin {
    column: u32,
    g: f32,
    n: f32,
}

@group(0) @binding(1) var<storage, read> bins: array<Bin>;
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> kernel: array<f32>;

var<workgroup> row_first: array<u32, 256>;
var<workgroup> row_kernel: array<u32, 256>;
var<workgroup> row_end: array<u32, 256>;
// (kernel index, g and n as bits, 0)
var<workgroup> staged: array<vec4<u32>, 256>;

var<private> bins_lane: u32;
var<private> bins_tile_y: i32;
var<private> bins_tile_x: i32;
var<private> bins_stride: u32;
var<private> bins_offset: u32;

fn bins_setup(tile: u32, lane: u32) {
    bins_lane = lane;
    bins_tile_y = i32(params.band_y0 + (tile / params.tiles_x) * TILE);
    bins_tile_x = i32((tile % params.tiles_x) * TILE);
    bins_stride = params.kx + 2u * KERNEL_PAD_X;
    bins_offset = (lane / TILE) * bins_stride + lane % TILE;
}

// Finds the bins of 256 window rows from row u0 on, in plane p; returns their number.
fn bins_rows(p: u32, u0: u32) -> u32 {
    let u = u0 + bins_lane;
    let hy = i32(params.ky / 2u);
    let hx = i32(params.kx / 2u);
    let y = bins_tile_y + i32(u) - hy - i32(params.slab_y0);
    let blocks = (params.nx + BLOCK_X - 1u) / BLOCK_X;
    var count = 0u;
    workgroupBarrier();
    if (u < params.u1 && y >= 0 && y < i32(params.slab_ny)) {
        let row = ((params.slab_plane0 + p) * params.slab_ny + u32(y)) * (blocks + 1u);
        let left = u32(max(bins_tile_x - hx, 0)) / BLOCK_X;
        let right = min((u32(bins_tile_x + hx) + TILE + BLOCK_X - 1u) / BLOCK_X, blocks);
        let first = starts[row + left];
        count = starts[row + right] - first;
        row_first[bins_lane] = first;
        // Kernel index of column 0 in this row, for the tile's first pixel; wraps below 0, the column brings it back.
        let kernel_row = (params.kernel_plane0 + p) * (params.ky + 2u * KERNEL_PAD_Y) + u + KERNEL_PAD_Y;
        row_kernel[bins_lane] = kernel_row * bins_stride + KERNEL_PAD_X + u32(hx - bins_tile_x);
    }
    row_end[bins_lane] = count;
    workgroupBarrier();
    for (var step = 1u; step < 256u; step <<= 1u) {
        var before = 0u;
        if (bins_lane >= step) {
            before = row_end[bins_lane - step];
        }
        workgroupBarrier();
        row_end[bins_lane] += before;
        workgroupBarrier();
    }
    return workgroupUniformLoad(&row_end[255]);
}

// Stages bins first..first + 256 of the rows found; returns their number rounded up to a multiple of 4.
fn bins_stage(first: u32, total: u32) -> u32 {
    workgroupBarrier();
    let k = first + bins_lane;
    if (k < total) {
        // The row is the number of rows that end at or before k.
        var row = 0u;
        for (var half = 128u; half > 0u; half >>= 1u) {
            if (row_end[row + half - 1u] <= k) {
                row += half;
            }
        }
        var before = 0u;
        if (row > 0u) {
            before = row_end[row - 1u];
        }
        let bin = bins[row_first[row] + k - before];
        staged[bins_lane] = vec4<u32>(row_kernel[row] + bin.column, bitcast<u32>(bin.g), bitcast<u32>(bin.n), 0u);
    } else {
        staged[bins_lane] = vec4<u32>(KERNEL_PAD_Y * bins_stride + KERNEL_PAD_X, 0u, 0u, 0u);
    }
    workgroupBarrier();
    return (min(256u, total - first) + 3u) & ~3u;
}

// c = m / b and n of staged bin j in this invocation's window.
fn bins_c(j: u32) -> vec2<f32> {
    let bin = staged[j];
    return vec2<f32>(bitcast<f32>(bin.y) * kernel[bin.x - bins_offset], bitcast<f32>(bin.z));
}
