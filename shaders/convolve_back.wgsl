// One workgroup: 1024 / side rows of one slot, transformed back; real and imaginary parts are the two tiles. The first
// ky - 1 rows and kx - 1 columns are wrapped around and left out.
//
// tiles  [slot, row, column]
// out    [slot, tile_y, tile_x]: (hi, lo) of the first tile, (hi, lo) of the second

@group(0) @binding(2) var<storage, read> tiles: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> out: array<vec4<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let area = params.side * params.side;
    let first = group.x * POINTS;
    for (var i = lane; i < POINTS; i += 256u) {
        points[i] = tiles[group.y * area + first + i];
    }
    workgroupBarrier();
    transform(lane, -1.0);
    // A power of two: exact.
    let norm = 1.0 / f32(area);
    for (var i = lane; i < POINTS; i += 256u) {
        let row = (first + i) / params.side;
        let column = i % params.side;
        if (row + 1u >= params.ky && column + 1u >= params.kx) {
            let y = row + 1u - params.ky;
            let x = column + 1u - params.kx;
            if (y < params.tile_y && x < params.tile_x) {
                out[(group.y * params.tile_y + y) * params.tile_x + x] = (points[i] * norm).xzyw;
            }
        }
    }
}
