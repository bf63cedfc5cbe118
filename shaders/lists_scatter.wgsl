// One workgroup: one row of a slab. Writes its bins, ordered by column, and turns the starts of its blocks into places in
// the whole list.
//
// n, g     [row of slab, x]: counts, scaled exposure over background
// offsets  [row of slab]: from lists_offsets
// starts   [row of slab, ceil(nx / 4) + 1]: from lists_count, then final
// bins     [bin]: column, g, n

struct Bin {
    column: u32,
    g: f32,
    n: f32,
}

@group(0) @binding(1) var<storage, read> n: array<f32>;
@group(0) @binding(2) var<storage, read> g: array<f32>;
@group(0) @binding(3) var<storage, read> offsets: array<u32>;
@group(0) @binding(4) var<storage, read_write> starts: array<u32>;
@group(0) @binding(5) var<storage, read_write> bins: array<Bin>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = params.first_group + group.x;
    let blocks = blocks_per_row();
    let first_start = row * (blocks + 1u);
    for (var block = lane; block < blocks; block += 256u) {
        var place = starts[first_start + block] + offsets[row];
        starts[first_start + block] = place;
        for (var x = block * BLOCK_X; x < min((block + 1u) * BLOCK_X, params.nx); x++) {
            let i = row * params.nx + x;
            if (n[i] > 0.0 && g[i] > 0.0) {
                bins[place] = Bin(x, g[i], n[i]);
                place += 1u;
            }
        }
    }
    if (lane == 0u) {
        starts[first_start + blocks] += offsets[row];
    }
}
