// One invocation: the bins with counts in the windows of 2 x 2 pixels, seen from norm 0, with c = m / b,
//
//     S1 = sum n c (two floats),  S2 = sum n c^2,  S3 = sum n c^3,
//     the largest c and its n (summed over bins that share it),  number of bins with model and their counts,
//
// from which the first step of the fit follows without a pass of its own (S1, S2, S3 are P, Q, R of ts_map_fit at 0).
//
// Inputs: the list walk's (shared/ts_bins.wgsl). Output: planes 0..7 of sums, [plane, y of band, x]. With params.add
// the sums go on from those of earlier planes. Limits: 65535 loop steps, two bins each; the host cuts rows u0..u1.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;

// Bins whose n c are summed in single precision, as in ts_map_fit.
const SUM_PLAINLY: u32 = 32u;

// Sums of one stage of bins, and what is largest so far.
var<private> t1: vec4<f32>;
var<private> t2: vec4<f32>;
var<private> t3: vec4<f32>;
var<private> c_max: vec4<f32>;
var<private> n_max: vec4<f32>;
var<private> bin_count: vec4<f32>;
var<private> counts: vec4<f32>;

fn add_bin(j: u32) {
    let c = bins_c(j);
    let n = vec4<f32>(bins_n(j));
    let zero = vec4<f32>(0.0);
    let nc = n * c;
    let nc2 = nc * c;
    t1 += nc;
    t2 += nc2;
    t3 += nc2 * c;
    let some = c > zero;
    n_max = select(n_max + select(zero, n, some & (c == c_max)), n, c > c_max);
    c_max = max(c_max, c);
    bin_count += select(zero, vec4<f32>(1.0), some);
    counts += select(zero, n, some);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    bins_setup(tiles[params.tile0 + group.x], lane);
    var s1 = TwoFour(pixels_sum(0u), pixels_sum(1u));
    var s2 = pixels_sum(2u);
    var s3 = pixels_sum(3u);
    c_max = pixels_sum(4u);
    n_max = pixels_sum(5u);
    bin_count = pixels_sum(6u);
    counts = pixels_sum(7u);
    for (var p = 0u; p < params.planes; p++) {
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                t2 = vec4<f32>(0.0);
                t3 = vec4<f32>(0.0);
                for (var chunk = 0u; chunk < count; chunk += SUM_PLAINLY) {
                    t1 = vec4<f32>(0.0);
                    for (var j = chunk; j < min(chunk + SUM_PLAINLY, count); j += 2u) {
                        add_bin(j);
                        add_bin(j + 1u);
                    }
                    s1 = two_add4(s1, t1);
                }
                s2 += t2;
                s3 += t3;
            }
        }
    }
    pixels_store(0u, s1.hi);
    pixels_store(1u, s1.lo);
    pixels_store(2u, s2);
    pixels_store(3u, s3);
    pixels_store(4u, c_max);
    pixels_store(5u, n_max);
    pixels_store(6u, bin_count);
    pixels_store(7u, counts);
}
