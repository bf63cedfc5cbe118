// One invocation: one row of an image, summed from its left end, in place,
//
//     values[row, x] = sum over x' <= x of  values[row, x']
//
// for the columns x0 to x1, after those before them. Going along the row one by one, zeros leave a sum as it is: the
// difference of two sums with only zeros between them is exactly 0.
//
// values  [row, x], (hi, lo)

struct Params {
    nx: u32,
    rows: u32,
    x0: u32,
    x1: u32,
    first_group: u32,
    zero: u32,
    pad0: u32,
    pad1: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<vec2<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = params.first_group * 64u + id.x;
    if (row >= params.rows) {
        return;
    }
    let first = row * params.nx;
    var sum = vec2<f32>(0.0);
    if (params.x0 > 0u) {
        sum = values[first + params.x0 - 1u];
    }
    for (var x = params.x0; x < params.x1; x++) {
        sum = two_normal(two_add_two(sum, values[first + x]));
        values[first + x] = sum;
    }
}
