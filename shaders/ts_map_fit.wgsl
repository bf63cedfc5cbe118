// One invocation: the derivative of the likelihood of 2 x 2 pixels at their norms x, with u = c / (1 + x c),
//
//     P = sum n u (two floats),  Q = sum n u^2,  R = sum n u^3,
//     gain = sum n [ln(1 + x c) - x u]    (params.mode 1 only),
//
// so that P = M at the best norm and TS = 2 [gain + x (P - M)], a sum of terms that do not cancel.
//
// Inputs: the list walk's (shared/ts_bins.wgsl), X and Z of state. Output: planes 0..4 of sums: P (hi, lo), Q, R, gain.
// With params.add the sums go on from those of earlier planes. Limits: 65535 loop steps, two bins each; x is right of
// the last pole.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;

// Bins whose terms of P are summed in single precision: every addition after a bright bin rounds to its last bit.
const SUM_PLAINLY: u32 = 32u;

// Sums of one stage of bins, of P of a part of it.
var<private> p_part: vec4<f32>;
var<private> q_part: vec4<f32>;
var<private> r_part: vec4<f32>;
var<private> gain_part: vec4<f32>;

fn add_bin(j: u32, x: vec4<f32>, factor: Factor) {
    let c = bins_c(j);
    let n = bins_n(j);
    let u = factor_u(factor, c);
    let nu = n * u;
    let nu2 = nu * u;
    p_part += nu;
    q_part += nu2;
    r_part += nu2 * u;
    if (params.mode == 1u) {
        gain_part += n * log_gain(x * c);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    bins_setup(tiles[params.tile0 + group.x], lane);
    let x = pixels_load(X);
    let factor = pixels_factor();
    var p_sum = TwoFour(pixels_sum(0u), pixels_sum(1u));
    var q_sum = pixels_sum(2u);
    var r_sum = pixels_sum(3u);
    var gain = pixels_sum(4u);
    for (var p = 0u; p < params.planes; p++) {
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                q_part = vec4<f32>(0.0);
                r_part = vec4<f32>(0.0);
                gain_part = vec4<f32>(0.0);
                for (var chunk = 0u; chunk < count; chunk += SUM_PLAINLY) {
                    p_part = vec4<f32>(0.0);
                    for (var j = chunk; j < min(chunk + SUM_PLAINLY, count); j += 2u) {
                        add_bin(j, x, factor);
                        add_bin(j + 1u, x, factor);
                    }
                    p_sum = two_add4(p_sum, p_part);
                }
                q_sum += q_part;
                r_sum += r_part;
                gain += gain_part;
            }
        }
    }
    pixels_store(0u, p_sum.hi);
    pixels_store(1u, p_sum.lo);
    pixels_store(2u, q_sum);
    pixels_store(3u, r_sum);
    pixels_store(4u, gain);
}
