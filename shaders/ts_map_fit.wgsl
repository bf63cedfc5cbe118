// One invocation: the derivative of the likelihood of one pixel at its norm x, with u = c / (1 + x c),
//
//     P = sum n u (two floats),  Q = sum n u^2,  R = sum n u^3,
//     gain = sum n [ln(1 + x c) - x u]    (params.mode 1 only),
//
// so that P = M at the best norm and TS = 2 [gain + x (P - M)], a sum of terms that do not cancel.
//
// Inputs: the list walk's (shared/ts_bins.wgsl), X and Z of state. Output: planes 0..4 of sums (P hi, P lo, Q, R, gain). With
// params.add the sums go on from those of earlier planes. Limits: 65535 loop steps, four bins each; x is right of the
// last pole.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

// Sums of one stage of bins.
var<private> p_part: f32;
var<private> q_part: f32;
var<private> r_part: f32;
var<private> gain_part: f32;

fn add_bin(j: u32, x: f32, factor: Factor) {
    let bin = bins_c(j);
    let u = factor_u(factor, bin.x);
    let nu = bin.y * u;
    p_part += nu;
    q_part += nu * u;
    r_part += nu * u * u;
    if (params.mode == 1u) {
        gain_part += bin.y * log_gain(vec3<f32>(x * bin.x)).x;
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    bins_setup(tile, lane);
    var x = 0.0;
    var factor = Factor(0.0, 0.0, 0.0, false);
    var p_sum = vec2<f32>(0.0);
    var q_sum = 0.0;
    var r_sum = 0.0;
    var gain = 0.0;
    if (o != OUTSIDE) {
        x = load(X, o);
        factor = factor_of(o);
        if (params.add != 0u) {
            p_sum = vec2<f32>(sums[plane_at(0u, o)], sums[plane_at(1u, o)]);
            q_sum = sums[plane_at(2u, o)];
            r_sum = sums[plane_at(3u, o)];
            gain = sums[plane_at(4u, o)];
        }
    }
    for (var p = 0u; p < params.planes; p++) {
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                p_part = 0.0;
                q_part = 0.0;
                r_part = 0.0;
                gain_part = 0.0;
                for (var j = 0u; j < count; j += 4u) {
                    add_bin(j, x, factor);
                    add_bin(j + 1u, x, factor);
                    add_bin(j + 2u, x, factor);
                    add_bin(j + 3u, x, factor);
                }
                p_sum = two_add(p_sum, p_part);
                q_sum += q_part;
                r_sum += r_part;
                gain += gain_part;
            }
        }
    }
    if (o != OUTSIDE) {
        sums[plane_at(0u, o)] = p_sum.x;
        sums[plane_at(1u, o)] = p_sum.y;
        sums[plane_at(2u, o)] = q_sum;
        sums[plane_at(3u, o)] = r_sum;
        sums[plane_at(4u, o)] = gain;
    }
}
