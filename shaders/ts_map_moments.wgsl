// One invocation: the bins with counts in the window of one pixel, seen from norm 0, with c = m / b,
//
//     S1 = sum n c (two floats),  S2 = sum n c^2,  S3 = sum n c^3,
//     the largest c and its n (summed over bins that share it),  number of bins with model and their counts,
//
// from which the first step of the fit follows without a pass of its own (S1, S2, S3 are P, Q, R of ts_map_fit at 0).
//
// Inputs: the list walk's (shared/ts_bins.wgsl). Output: planes 0..7 of sums, [plane, y of band, x]. With params.add
// the sums go on from those of earlier planes. Limits: 65535 loop steps, four bins each; the host cuts rows u0..u1.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

// Sums of one stage of bins, and what is largest so far.
var<private> t1: f32;
var<private> t2: f32;
var<private> t3: f32;
var<private> c_max: f32;
var<private> n_max: f32;
var<private> bin_count: f32;
var<private> counts: f32;

fn add_bin(j: u32) {
    let bin = bins_c(j);
    let c = bin.x;
    let n = bin.y;
    let nc = n * c;
    t1 += nc;
    t2 += nc * c;
    t3 += nc * c * c;
    n_max = select(select(n_max, n_max + n, c == c_max && c > 0.0), n, c > c_max);
    c_max = max(c_max, c);
    bin_count += select(0.0, 1.0, c > 0.0);
    counts += select(0.0, n, c > 0.0);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let o = tile_pixel(tile, lane);
    bins_setup(tile, lane);
    var s1 = vec2<f32>(0.0);
    var s2 = 0.0;
    var s3 = 0.0;
    c_max = 0.0;
    n_max = 0.0;
    bin_count = 0.0;
    counts = 0.0;
    if (o != OUTSIDE && params.add != 0u) {
        s1 = vec2<f32>(sums[plane_at(0u, o)], sums[plane_at(1u, o)]);
        s2 = sums[plane_at(2u, o)];
        s3 = sums[plane_at(3u, o)];
        c_max = sums[plane_at(4u, o)];
        n_max = sums[plane_at(5u, o)];
        bin_count = sums[plane_at(6u, o)];
        counts = sums[plane_at(7u, o)];
    }
    for (var p = 0u; p < params.planes; p++) {
        for (var u = params.u0; u < params.u1; u += 256u) {
            let total = bins_rows(p, u);
            for (var first = 0u; first < total; first += 256u) {
                let count = bins_stage(first, total);
                t1 = 0.0;
                t2 = 0.0;
                t3 = 0.0;
                for (var j = 0u; j < count; j += 4u) {
                    add_bin(j);
                    add_bin(j + 1u);
                    add_bin(j + 2u);
                    add_bin(j + 3u);
                }
                s1 = two_add(s1, t1);
                s2 += t2;
                s3 += t3;
            }
        }
    }
    if (o != OUTSIDE) {
        sums[plane_at(0u, o)] = s1.x;
        sums[plane_at(1u, o)] = s1.y;
        sums[plane_at(2u, o)] = s2;
        sums[plane_at(3u, o)] = s3;
        sums[plane_at(4u, o)] = c_max;
        sums[plane_at(5u, o)] = n_max;
        sums[plane_at(6u, o)] = bin_count;
        sums[plane_at(7u, o)] = counts;
    }
}
