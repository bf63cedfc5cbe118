// One invocation: the rise of the likelihood of 2 x 2 pixels from their best norms x, at three displacements d (errn,
// errp, ul), with u = c / (1 + x c) and t = d u,
//
//     H  = sum n [t - ln(1 + t)],  H' = sum n u t / (1 + t),  H'' = sum n (u / (1 + t))^2   for each d,
//     Q  = sum n u^2,  gain = sum n [ln(1 + x c) - x u]                      (params.mode 1 only).
//
// Displacements that none of the 2 x 2 pixels needs any more are left out.
// stat(x + d) - stat(x) = 2 [H - d (P - M)]: every term of H is positive, nothing cancels however bright the source.
//
// Inputs: the list walk's (shared/ts_bins.wgsl), X, Z and D_* of state. Output: planes 0..10 of sums: H, H', H'' (three
// each), Q, gain. With params.add the sums go on from those of earlier planes. Limits: 65535 loop steps, two bins
// each; d is right of the last pole, factors 1 + t below 1e-7 are taken as 1e-7.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;

// H, H' and H'' of 2 x 2 pixels at one displacement.
struct Rise {
    h: vec4<f32>,
    h1: vec4<f32>,
    h2: vec4<f32>,
}

// Bins whose gains are summed in single precision, as in ts_map_fit.
const SUM_PLAINLY: u32 = 32u;

// Sums of one stage of bins, of the gain of a part of it.
var<private> errn: Rise;
var<private> errp: Rise;
var<private> ul: Rise;
var<private> q: vec4<f32>;
var<private> gain: vec4<f32>;

fn rise_add(sum: Rise, n: f32, u: vec4<f32>, d: vec4<f32>) -> Rise {
    let t = d * u;
    let v = u / max(1.0 + t, vec4<f32>(1e-7));
    return Rise(sum.h + n * log_rise(t), sum.h1 + n * (v * t), sum.h2 + n * (v * v));
}

fn rise_sum(a: Rise, b: Rise) -> Rise {
    return Rise(a.h + b.h, a.h1 + b.h1, a.h2 + b.h2);
}

fn rise_load(k: u32) -> Rise {
    return Rise(pixels_sum(k), pixels_sum(3u + k), pixels_sum(6u + k));
}

fn rise_store(k: u32, sum: Rise) {
    pixels_store(k, sum.h);
    pixels_store(3u + k, sum.h1);
    pixels_store(6u + k, sum.h2);
}

// Norms and displacements of the pixels.
var<private> x: vec4<f32>;
var<private> factor: Factor;
var<private> d_errn: vec4<f32>;
var<private> d_errp: vec4<f32>;
var<private> d_ul: vec4<f32>;
// Does one of the pixels still need them?
var<private> errn_open: bool;
var<private> upper_open: bool;

fn find_open() {
    errn_open = false;
    upper_open = false;
    for (var j = 0u; j < 4u; j++) {
        if (bins_pixels[j] != OUTSIDE) {
            let flags = load_flags(bins_pixels[j]);
            if ((flags & (FITTED | TO_HOST)) == FITTED) {
                errn_open = errn_open || (flags & DONE_ERRN) == 0u;
                upper_open = upper_open || (flags & (DONE_ERRP | DONE_UL)) != (DONE_ERRP | DONE_UL);
            }
        }
    }
}

fn add_bin(j: u32) {
    let c = bins_c(j);
    let n = bins_n(j);
    let u = factor_u(factor, c);
    if (errn_open) {
        errn = rise_add(errn, n, u, d_errn);
    }
    if (upper_open) {
        errp = rise_add(errp, n, u, d_errp);
        ul = rise_add(ul, n, u, d_ul);
    }
    if (params.mode == 1u) {
        q += n * u * u;
        gain += n * log_gain(x * c);
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    bins_setup(tiles[params.tile0 + group.x], lane);
    x = pixels_load(X);
    factor = pixels_factor();
    d_errn = pixels_load(D_ERRN);
    d_errp = pixels_load(D_ERRP);
    d_ul = pixels_load(D_UL);
    find_open();
    var all_errn = rise_load(0u);
    var all_errp = rise_load(1u);
    var all_ul = rise_load(2u);
    var all_q = pixels_sum(9u);
    var all_gain = pixels_sum(10u);
    let zero = vec4<f32>(0.0);
    for (var p = 0u; p < params.planes; p++) {
        var plane_gain = TwoFour(zero, zero);
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                errn = Rise(zero, zero, zero);
                errp = Rise(zero, zero, zero);
                ul = Rise(zero, zero, zero);
                q = zero;
                for (var chunk = 0u; chunk < count; chunk += SUM_PLAINLY) {
                    gain = zero;
                    for (var j = chunk; j < min(chunk + SUM_PLAINLY, count); j += 2u) {
                        add_bin(j);
                        add_bin(j + 1u);
                    }
                    plane_gain = two_add4(plane_gain, gain);
                }
                all_errn = rise_sum(all_errn, errn);
                all_errp = rise_sum(all_errp, errp);
                all_ul = rise_sum(all_ul, ul);
                all_q += q;
            }
        }
        all_gain += plane_gain.hi + plane_gain.lo;
    }
    rise_store(0u, all_errn);
    rise_store(1u, all_errp);
    rise_store(2u, all_ul);
    pixels_store(9u, all_q);
    pixels_store(10u, all_gain);
}
