// One workgroup: one row of a slab. Counts its bins with counts and exposure, and notes where each block of 4 columns
// begins within the row's part of the list.
//
// n, g     [row of slab, x]: counts, scaled exposure over background
// starts   [row of slab, ceil(nx / 4) + 1]: bins of the row before each block, then all of the row

@group(0) @binding(1) var<storage, read> n: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read_write> starts: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = params.first_group + group.x;
    let blocks = blocks_per_row();
    let first_start = row * (blocks + 1u);
    var carry = 0u;
    for (var first = 0u; first < blocks; first += 256u) {
        let block = first + lane;
        var count = 0u;
        for (var x = block * BLOCK_X; x < min((block + 1u) * BLOCK_X, params.nx); x++) {
            let i = row * params.nx + x;
            if (n[i] > 0.0 && g[i] > 0.0) {
                count += 1u;
            }
        }
        let end = scan_inclusive(lane, count);
        if (block < blocks) {
            starts[first_start + block] = carry + end - count;
        }
        carry += scan_total();
    }
    if (lane == 0u) {
        starts[first_start + blocks] = carry;
    }
}
