// One invocation: the rise of the likelihood of one pixel from its best norm x, at three displacements d (errn, errp,
// ul), with u = c / (1 + x c) and t = d u,
//
//     H  = sum n [t - ln(1 + t)],  H' = sum n u t / (1 + t),  H'' = sum n (u / (1 + t))^2   for each d,
//     Q  = sum n u^2,  gain = sum n [ln(1 + x c) - x u]                      (params.mode 1 only).
//
// stat(x + d) - stat(x) = 2 [H - d (P - M)]: every term of H is positive, nothing cancels however bright the source.
//
// Inputs: the list walk's (shared/ts_bins.wgsl), X, Z and D_* of state. Output: planes 0..10 of sums: H, H', H'' (three
// each), Q, gain. With params.add the sums go on from those of earlier planes. Limits: 65535 loop steps, four bins
// each; d is right of the last pole, factors 1 + t below 1e-7 are taken as 1e-7.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

// Sums of one stage of bins.
var<private> h: vec3<f32>;
var<private> h1: vec3<f32>;
var<private> h2: vec3<f32>;
var<private> q: f32;
var<private> gain: f32;

fn add_bin(j: u32, x: f32, factor: Factor, d: vec3<f32>) {
    let bin = bins_c(j);
    let n = bin.y;
    let u = factor_u(factor, bin.x);
    let t = d * u;
    let v = vec3<f32>(u) / max(1.0 + t, vec3<f32>(1e-7));
    h += n * log_rise(t);
    h1 += n * (v * t);
    h2 += n * (v * v);
    if (params.mode == 1u) {
        q += n * u * u;
        gain += n * log_gain(vec3<f32>(x * bin.x)).x;
    }
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    bins_setup(tile, lane);
    var x = 0.0;
    var factor = Factor(0.0, 0.0, 0.0, false);
    var d = vec3<f32>(0.0);
    var total_h = vec3<f32>(0.0);
    var total_h1 = vec3<f32>(0.0);
    var total_h2 = vec3<f32>(0.0);
    var total_q = 0.0;
    var total_gain = 0.0;
    if (o != OUTSIDE) {
        x = load(X, o);
        factor = factor_of(o);
        d = vec3<f32>(load(D_ERRN, o), load(D_ERRP, o), load(D_UL, o));
        if (params.add != 0u) {
            total_h = vec3<f32>(sums[plane_at(0u, o)], sums[plane_at(1u, o)], sums[plane_at(2u, o)]);
            total_h1 = vec3<f32>(sums[plane_at(3u, o)], sums[plane_at(4u, o)], sums[plane_at(5u, o)]);
            total_h2 = vec3<f32>(sums[plane_at(6u, o)], sums[plane_at(7u, o)], sums[plane_at(8u, o)]);
            total_q = sums[plane_at(9u, o)];
            total_gain = sums[plane_at(10u, o)];
        }
    }
    for (var p = 0u; p < params.planes; p++) {
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                h = vec3<f32>(0.0);
                h1 = vec3<f32>(0.0);
                h2 = vec3<f32>(0.0);
                q = 0.0;
                gain = 0.0;
                for (var j = 0u; j < count; j += 4u) {
                    add_bin(j, x, factor, d);
                    add_bin(j + 1u, x, factor, d);
                    add_bin(j + 2u, x, factor, d);
                    add_bin(j + 3u, x, factor, d);
                }
                total_h += h;
                total_h1 += h1;
                total_h2 += h2;
                total_q += q;
                total_gain += gain;
            }
        }
    }
    if (o != OUTSIDE) {
        for (var k = 0u; k < 3u; k++) {
            sums[plane_at(k, o)] = total_h[k];
            sums[plane_at(3u + k, o)] = total_h1[k];
            sums[plane_at(6u + k, o)] = total_h2[k];
        }
        sums[plane_at(9u, o)] = total_q;
        sums[plane_at(10u, o)] = total_gain;
    }
}
