// One invocation: keeps the moments of one pixel, and what they are worth, for the passes over the rest of its bins.
//
// moments  [k - 1, row, column] and noise, [pair of moments]: as in ts_map_wing
// wing     [k - 1, y of band, x], then the moments' scale and the noise of each pair

@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read> noise: array<f32>;
@group(0) @binding(3) var<storage, read_write> wing: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let y = params.moment_y0 + group.y * TILE + lane / TILE;
    let x = params.moment_x0 + group.x * TILE + lane % TILE;
    if (y < params.band_y0 || y >= params.band_y0 + params.band_ny || x >= params.nx) {
        return;
    }
    let o = (y - params.band_y0) * params.nx + x;
    let place = (y - params.moment_y0) * params.moment_side + x - params.moment_x0;
    let area = params.moment_side * params.moment_side;
    for (var k = 0u; k < 8u; k++) {
        wing[plane_at(k, o)] = moments[k * area + place];
    }
    wing[plane_at(8u, o)] = params.moment_scale;
    for (var pair = 0u; pair < 4u; pair++) {
        wing[plane_at(9u + pair, o)] = sqrt(noise[pair]);
    }
}
