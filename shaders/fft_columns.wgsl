// One workgroup: 1024 / side neighbouring columns of one slot, transformed in place; forwards, or backwards with
// params.mode 1.
//
// spectra  [slot, row, column]; the dispatch begins with plane spectrum_plane0

@group(0) @binding(2) var<storage, read_write> spectra: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let columns = POINTS / params.side;
    let slot = params.spectrum_plane0 * PAIRS + group.y;
    let first = slot * params.side * params.side + group.x * columns;
    for (var i = lane; i < POINTS; i += 256u) {
        points[i % columns * params.side + i / columns] = spectra[first + i / columns * params.side + i % columns];
    }
    workgroupBarrier();
    transform(lane, select(1.0, -1.0, params.mode == 1u));
    for (var i = lane; i < POINTS; i += 256u) {
        spectra[first + i / columns * params.side + i % columns] = points[i % columns * params.side + i / columns];
    }
}
