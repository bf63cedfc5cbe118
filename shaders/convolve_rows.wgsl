// One workgroup: 1024 / side rows of one slot, transformed in place.
//
// tiles  [slot, row, column]

@group(0) @binding(2) var<storage, read_write> tiles: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = group.y * params.side * params.side + group.x * POINTS;
    for (var i = lane; i < POINTS; i += 256u) {
        points[i] = tiles[first + i];
    }
    workgroupBarrier();
    transform(lane, 1.0);
    for (var i = lane; i < POINTS; i += 256u) {
        tiles[first + i] = points[i];
    }
}
