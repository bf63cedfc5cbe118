// One workgroup: 1024 / side rows of one pair, transformed back: real and imaginary parts are two correlations.
//
// products  [pair, row, column]       moments  [k - 1, row, column]: S_k of the pixels of the tile, in units of scale^k

@group(0) @binding(2) var<storage, read> products: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read_write> moments: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let area = params.side * params.side;
    let first = group.x * POINTS;
    for (var i = lane; i < POINTS; i += 256u) {
        points[i] = products[group.y * area + first + i];
    }
    workgroupBarrier();
    transform(lane, -1.0);
    // A power of two: exact.
    let norm = 1.0 / f32(area);
    for (var i = lane; i < POINTS; i += 256u) {
        moments[2u * group.y * area + first + i] = points[i].x * norm;
        moments[(2u * group.y + 1u) * area + first + i] = points[i].y * norm;
    }
}
