// One workgroup: 1024 / side neighbouring columns of one slot, transformed in place. With params.mode 1 they are then
// multiplied by the spectrum of their kernel and transformed back.
//
// tiles          [slot, row, column]
// kernels        [kernel, row, column], spectra
// kernel_of      [slot]: the kernel of each slot

@group(0) @binding(2) var<storage, read_write> tiles: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> kernels: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> kernel_of: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let area = params.side * params.side;
    let columns = POINTS / params.side;
    let first = group.x * columns;
    for (var i = lane; i < POINTS; i += 256u) {
        let at = first + i / columns * params.side + i % columns;
        points[i % columns * params.side + i / columns] = tiles[group.y * area + at];
    }
    workgroupBarrier();
    transform(lane, 1.0);
    if (params.mode == 1u) {
        let kernel = kernel_of[group.y] * area;
        for (var i = lane; i < POINTS; i += 256u) {
            let at = first + i / columns * params.side + i % columns;
            let to = i % columns * params.side + i / columns;
            points[to] = times(points[to], kernels[kernel + at]);
        }
        workgroupBarrier();
        transform(lane, -1.0);
    }
    for (var i = lane; i < POINTS; i += 256u) {
        let at = first + i / columns * params.side + i % columns;
        tiles[group.y * area + at] = points[i % columns * params.side + i / columns];
    }
}
