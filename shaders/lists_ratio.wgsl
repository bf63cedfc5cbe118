// One workgroup: one 16 x 16 tile of the map in one plane of a slab. Scales exposures by a power of two and puts
// exposure over background in the background's place: 0 without exposure, and 0 in a hole, where there is nothing to
// divide by.
//
// g         [row of slab, x]: background, then scaled e / b        e   the same: exposure, then scaled
// tile_max  [plane of all, tile of map]: largest g as bits, which are ordered as the numbers are

@group(0) @binding(1) var<storage, read_write> g: array<f32>;
@group(0) @binding(2) var<storage, read_write> e: array<f32>;
@group(0) @binding(3) var<storage, read_write> tile_max: array<atomic<u32>>;

var<workgroup> top: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    if (lane == 0u) {
        atomicStore(&top, 0u);
    }
    workgroupBarrier();
    let tile = params.first_group + group.x + params.slab_y0 / TILE * params.tiles_x;
    let y = tile / params.tiles_x * TILE + lane / TILE;
    let x = tile % params.tiles_x * TILE + lane % TILE;
    if (y >= params.slab_y0 && y < params.slab_y0 + params.slab_ny && x < params.nx) {
        let i = (group.y * params.slab_ny + y - params.slab_y0) * params.nx + x;
        let background = g[i];
        let exposure = e[i] * params.scale_a * params.scale_b;
        var ratio = 0.0;
        if (exposure > 0.0 && background > TRUNCATION) {
            ratio = exposure / background;
        }
        e[i] = exposure;
        g[i] = ratio;
        atomicMax(&top, bitcast<u32>(ratio));
    }
    workgroupBarrier();
    if (lane == 0u) {
        atomicMax(&tile_max[(params.slab_plane0 + group.y) * params.map_tiles + tile], atomicLoad(&top));
    }
}
