// The list walk of the TS map: bins with counts and model around a tile, staged for its 64 invocations of 2 x 2
// pixels each.
//
// A pass calls, for every plane p of the dispatch and every block of 256 window rows from u0 on,
//
//     let total = bins_rows(p, u0);
//     for (var first = 0u; first < total; first += 256u) {
//         let count = bins_stage(first, total);      // even, padded with bins without counts and model
//         for (var j = 0u; j < count; j += 2u) { ... bins_c(j), bins_n(j) ... }
//     }
//
// All invocations of the workgroup must call both functions. Bins outside a pixel's own window meet the zeros around
// the kernel. Summation restarts at every plane, so that results do not depend on how planes are spread over
// dispatches.
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
var<workgroup> lane_end: array<u32, 64>;
// (kernel index, g and n as bits, 0)
var<workgroup> staged: array<vec4<u32>, 256>;

var<private> bins_lane: u32;
var<private> bins_tile_y: i32;
var<private> bins_tile_x: i32;
var<private> bins_stride: u32;
var<private> bins_offset: u32;
// The 2 x 2 pixels of the band, or OUTSIDE: (0, 0), (0, 1), (1, 0), (1, 1) in (y, x).
var<private> bins_pixels: vec4<u32>;

fn bins_setup(tile: u32, lane: u32) {
    bins_lane = lane;
    let tile_y = (tile / params.tiles_x) * TILE;
    let tile_x = (tile % params.tiles_x) * TILE;
    bins_tile_y = i32(params.band_y0 + tile_y);
    bins_tile_x = i32(tile_x);
    bins_stride = params.kx + 2u * KERNEL_PAD_X;
    let ly = (lane / 8u) * 2u;
    let lx = (lane % 8u) * 2u;
    bins_offset = ly * bins_stride + lx;
    for (var j = 0u; j < 4u; j++) {
        let y = tile_y + ly + j / 2u;
        let x = tile_x + lx + j % 2u;
        bins_pixels[j] = select(OUTSIDE, y * params.nx + x, y < params.band_ny && x < params.nx);
    }
}

// Number of bins in window row u of plane p; notes where they and their kernel row begin as row `slot`.
fn bins_row(p: u32, u: u32, slot: u32) -> u32 {
    let hx = i32(params.kx / 2u);
    let y = bins_tile_y + i32(u) - i32(params.ky / 2u) - i32(params.slab_y0);
    if (u >= params.u1 || y < 0 || y >= i32(params.slab_ny)) {
        return 0u;
    }
    let blocks = (params.nx + BLOCK_X - 1u) / BLOCK_X;
    let row = ((params.slab_plane0 + p) * params.slab_ny + u32(y)) * (blocks + 1u);
    let left = u32(max(bins_tile_x - hx, 0)) / BLOCK_X;
    let right = min((u32(bins_tile_x + hx) + TILE + BLOCK_X - 1u) / BLOCK_X, blocks);
    let first = starts[row + left];
    row_first[slot] = first;
    // Kernel index of column 0 in this row, for the tile's first pixel; wraps below 0, the column brings it back.
    let kernel_row = (params.kernel_plane0 + p) * (params.ky + 2u * KERNEL_PAD_Y) + u + KERNEL_PAD_Y;
    row_kernel[slot] = kernel_row * bins_stride + KERNEL_PAD_X + u32(hx - bins_tile_x);
    return starts[row + right] - first;
}

// Finds the bins of 256 window rows from row u0 on, in plane p; returns their number.
fn bins_rows(p: u32, u0: u32) -> u32 {
    workgroupBarrier();
    let slot = bins_lane * 4u;
    var ends = vec4<u32>(0u);
    var count = 0u;
    for (var i = 0u; i < 4u; i++) {
        count += bins_row(p, u0 + slot + i, slot + i);
        ends[i] = count;
    }
    lane_end[bins_lane] = count;
    workgroupBarrier();
    for (var step = 1u; step < 64u; step <<= 1u) {
        var before = 0u;
        if (bins_lane >= step) {
            before = lane_end[bins_lane - step];
        }
        workgroupBarrier();
        lane_end[bins_lane] += before;
        workgroupBarrier();
    }
    let before = lane_end[bins_lane] - count;
    for (var i = 0u; i < 4u; i++) {
        row_end[slot + i] = before + ends[i];
    }
    return workgroupUniformLoad(&lane_end[63]);
}

// Stages bins first..first + 256 of the rows found; returns their number rounded up to an even one.
fn bins_stage(first: u32, total: u32) -> u32 {
    workgroupBarrier();
    for (var i = bins_lane; i < 256u; i += 64u) {
        let k = first + i;
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
            staged[i] = vec4<u32>(row_kernel[row] + bin.column, bitcast<u32>(bin.g), bitcast<u32>(bin.n), 0u);
        } else {
            staged[i] = vec4<u32>(KERNEL_PAD_Y * bins_stride + KERNEL_PAD_X, 0u, 0u, 0u);
        }
    }
    workgroupBarrier();
    return (min(256u, total - first) + 1u) & ~1u;
}

// c = m / b of staged bin j in the windows of the 2 x 2 pixels.
fn bins_c(j: u32) -> vec4<f32> {
    let bin = staged[j].xy;
    let i = bin.x - bins_offset;
    let above = i - bins_stride;
    return bitcast<f32>(bin.y) * vec4<f32>(kernel[i], kernel[i - 1u], kernel[above], kernel[above - 1u]);
}

// Counts of staged bin j.
fn bins_n(j: u32) -> f32 {
    return bitcast<f32>(staged[j].z);
}
