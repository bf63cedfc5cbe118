// One workgroup: 1024 / side rows of one pair of images of one plane, from the lists of bins (params.mode 0),
//
//     f1 = n c^(2 pair + 1),  f2 = n c^(2 pair + 2),      c = g * peak of the plane's kernel * scale,
//
// or from the kernel divided by its peak (params.mode 1), f1 = kernel^(2 pair + 1), f2 = kernel^(2 pair + 2); both
// transformed along the row. Also the sums of their squares, which bound the rounding of all that follows.
//
// bins, starts   as in shared/ts_bins.wgsl      kernel  [plane, ky + 30, kx + 40]      peaks  [plane], of the kernel
// spectra        [slot, row, column]; rows outside the slab are left alone
// squares        [slot, group of rows], f1 and f2; groups that touch the slab only add

const KERNEL_PAD_Y: u32 = 15u;
const KERNEL_PAD_X: u32 = 20u;
const BLOCK_X: u32 = 4u;

struct Bin {
    column: u32,
    g: f32,
    n: f32,
}

@group(0) @binding(2) var<storage, read> bins: array<Bin>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> kernel: array<f32>;
@group(0) @binding(5) var<storage, read> peaks: array<f32>;
@group(0) @binding(6) var<storage, read_write> spectra: array<vec2<f32>>;
@group(0) @binding(7) var<storage, read_write> squares: array<vec2<f32>>;

var<workgroup> partial: array<vec2<f32>, 256>;

// (v^(2 pair + 1), v^(2 pair + 2)) * n
fn powers(v: f32, n: f32, pair: u32) -> vec2<f32> {
    var first = n * v;
    for (var i = 0u; i < pair; i++) {
        first *= v * v;
    }
    return vec2<f32>(first, first * v);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let plane = group.y / PAIRS;
    let pair = group.y % PAIRS;
    let lines = POINTS / params.side;
    let lanes = 256u / lines;
    let line = lane / lanes;
    let row = group.x * lines + line;
    let slot = (params.spectrum_plane0 + plane) * PAIRS + pair;
    for (var i = lane; i < POINTS; i += 256u) {
        points[i] = vec2<f32>(0.0);
    }
    workgroupBarrier();

    let kernel_plane = params.kernel_plane0 + plane;
    let peak = peaks[kernel_plane];
    var sum = vec2<f32>(0.0);
    let y = params.y0 + i32(row) - i32(params.slab_y0);
    let inside = params.mode == 1u || (y >= 0 && y < i32(params.slab_ny));
    if (params.mode == 1u) {
        if (row < params.ky && peak > 0.0) {
            let kernel_row = kernel_plane * (params.ky + 2u * KERNEL_PAD_Y) + row + KERNEL_PAD_Y;
            let first = kernel_row * (params.kx + 2u * KERNEL_PAD_X) + KERNEL_PAD_X;
            for (var v = lane % lanes; v < params.kx; v += lanes) {
                let value = powers(kernel[first + v] / peak, 1.0, pair);
                points[line * params.side + v] = value;
                sum += value * value;
            }
        }
    } else if (inside) {
        let blocks = (params.nx + BLOCK_X - 1u) / BLOCK_X;
        let first_start = ((params.slab_plane0 + plane) * params.slab_ny + u32(y)) * (blocks + 1u);
        let left = min(u32(max(params.x0, 0)) / BLOCK_X, blocks);
        let right = min((u32(max(params.x0 + i32(params.side), 0)) + BLOCK_X - 1u) / BLOCK_X, blocks);
        let end = starts[first_start + right];
        for (var j = starts[first_start + left] + lane % lanes; j < end; j += lanes) {
            let bin = bins[j];
            let x = i32(bin.column) - params.x0;
            if (x >= 0 && x < i32(params.side)) {
                let value = powers(bin.g * peak * params.scale, bin.n, pair);
                points[line * params.side + u32(x)] = value;
                sum += value * value;
            }
        }
    }
    partial[lane] = sum;
    for (var step = 128u; step > 0u; step >>= 1u) {
        workgroupBarrier();
        if (lane < step) {
            partial[lane] += partial[lane + step];
        }
    }
    if (lane == 0u) {
        let groups = params.side / lines;
        squares[slot * groups + group.x] += partial[0];
    }
    workgroupBarrier();
    transform(lane, 1.0);
    if (inside) {
        let first = (slot * params.side + row) * params.side;
        for (var x = lane % lanes; x < params.side; x += lanes) {
            spectra[first + x] = points[line * params.side + x];
        }
    }
}
