// One invocation: the sum over a disk around one pixel,
//
//     out[y, x] = sum over dy of  (sums[y + dy, x + w] - sums[y + dy, x - w - 1]),  w = widths[|dy|],
//
// from sums along the rows (disk_rows.wgsl), in two-float arithmetic: one difference per row of the disk, exact for
// whole numbers. The rows in `sums` are those that a band of the image reaches and that are in the image.
//
// sums    [row, x], (hi, lo)     widths  [|dy|]
// out     [row of band, x], (hi, lo)

struct Params {
    nx: u32,
    // Rows in `sums`, and the place of the band's first row among them.
    rows: u32,
    band_y0: u32,
    band_ny: u32,
    // Largest |dy|.
    reach: u32,
    first_group: u32,
    zero: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<vec2<f32>>;
@group(0) @binding(2) var<storage, read> widths: array<u32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = params.first_group * 256u + id.x;
    if (i >= params.band_ny * params.nx) {
        return;
    }
    let x = i % params.nx;
    let y = params.band_y0 + i / params.nx;
    let first = y - min(y, params.reach);
    let last = min(y + params.reach, params.rows - 1u);
    var total = vec2<f32>(0.0);
    for (var row = first; row <= last; row++) {
        let w = widths[max(row, y) - min(row, y)];
        var part = sums[row * params.nx + min(x + w, params.nx - 1u)];
        if (x > w) {
            part = two_normal(two_add_two(part, -sums[row * params.nx + x - w - 1u]));
        }
        total = two_normal(two_add_two(total, part));
    }
    out[i] = total;
}
