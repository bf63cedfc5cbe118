// One invocation: adds to the sums of one pixel over the core of its window, which a list pass has left, those over the
// wing, which are polynomials of its moments (see ts_map_wing): params.mode 0 after ts_map_moments, 1 after ts_map_fit,
// 2 after ts_map_rise. A pixel that looks at norms beyond the polynomial's range, or whose moments are too noisy, is
// closed and marked; params.mode 3 opens those again, for passes over whole windows, and closes all others.
//
// wing     as ts_map_keep left it          wing_c   [tile of map]: bound of c in the wings of its pixels
// Output: sums; state; with params.mode 3 open, pixels to be fitted again.

@group(0) @binding(1) var<storage, read> wing: array<f32>;
@group(0) @binding(2) var<storage, read> wing_c: array<f32>;
@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

const CLOSED: u32 = 0x11e0000u; // FITTED, all that is DONE, BY_MOMENTS
const ALL_DONE: u32 = 0x1c0000u;
// The third table of ts_map_wing: relative error 2.3e-6.
const LOW: f32 = -0.3;
const HIGH: f32 = 0.5;
const COEFFICIENTS: array<f32, 8> = array<f32, 8>(
    1.0, -0.5, 0.3333375390, -0.2497688130, 0.1995456868, -0.1732888288, 0.1573214304, -0.0894318141,
);
const MOST_NOISE: f32 = 6e-4;
// As in ts_map_wing: relative error of P in this table, and what it may amount to in standard deviations of the norm.
const TABLE_ERROR: f32 = 2e-5;
const MOST_BIAS: f32 = 6e-4;

// Fills `terms`: a_k S_k, in units of the scale.
fn enter(o: u32) {
    var all = COEFFICIENTS;
    for (var k = 0u; k < TERMS; k++) {
        terms[k] = all[k] * wing[plane_at(k, o)];
    }
}

fn noise_at(o: u32, x: f32) -> f32 {
    var noisy = 0.0;
    for (var k = TERMS; k > 0u; k--) {
        noisy = (noisy + wing[plane_at(9u + (k - 1u) / 2u, o)] / f32(k)) * abs(x);
    }
    return noisy;
}

fn add_to(k: u32, o: u32, value: f32) {
    sums[plane_at(k, o)] += value;
}

fn add_two(o: u32, value: f32) {
    let sum = two_add(vec2<f32>(sums[plane_at(0u, o)], sums[plane_at(1u, o)]), value);
    sums[plane_at(0u, o)] = sum.x;
    sums[plane_at(1u, o)] = sum.y;
}

// What the wing adds to the rise k at displacement d, in units of the scale, from the polynomial shifted to the norm.
fn add_rise(k: u32, o: u32, d: f32, scale: f32) {
    var value = 0.0;
    var slope = 0.0;
    var bend = 0.0;
    for (var j = TERMS; j > 1u; j--) {
        let term = shifted[j - 1u];
        value = (value + term) * d;
        slope = slope * d + f32(j) * term;
        bend = bend * d + f32(j * (j - 1u)) * term;
    }
    // L(x + d) - L(x) - d P(x) = value d, and its derivatives.
    add_to(k, o, -value * d);
    add_to(3u + k, o, -slope * d / scale);
    add_to(6u + k, o, -bend / (scale * scale));
}

fn in_range(x: f32, c: f32) -> bool {
    return x * c > LOW && x * c < HIGH;
}

// False where the pixel's moments do not do.
fn add(o: u32, flags: u32, c_wing: f32) -> bool {
    let scale = wing[plane_at(8u, o)];
    let c = c_wing * scale;
    enter(o);
    if (params.mode == 0u) {
        let s = vec3<f32>(terms[0], -2.0 * terms[1], wing[plane_at(2u, o)]);
        let rounding = wing[plane_at(9u, o)];
        if (!(s.x > 100.0 * rounding && s.y > 100.0 * rounding && s.z > 0.0 && s.x * s.z > 1.02 * s.y * s.y)) {
            return false;
        }
        add_two(o, s.x / scale);
        add_to(2u, o, s.y / (scale * scale));
        add_to(3u, o, s.z / (scale * scale * scale));
        // Any bound of c stands for the last pole: it is where distances are measured from.
        if (sums[plane_at(4u, o)] < c_wing) {
            sums[plane_at(4u, o)] = min(c_wing, load(C_ALL, o));
            sums[plane_at(5u, o)] = 0.0;
        }
        // Neither none nor one; all counts bound the norm from above, as its range does.
        sums[plane_at(6u, o)] = 100.0;
        sums[plane_at(7u, o)] = HUGE;
        return true;
    }
    let x = load(X, o) / scale;
    if (!in_range(x, c)) {
        return false;
    }
    let at_x = shift_to(x);
    if (params.mode == 1u) {
        add_two(o, shifted[0] / scale);
        add_to(2u, o, -2.0 * shifted[1] / (scale * scale));
        add_to(3u, o, 3.0 * shifted[2] / (scale * scale * scale));
        return true;
    }
    var far = abs(x);
    for (var k = 0u; k < 3u; k++) {
        let bit = DONE_ERRN << k;
        if ((flags & bit) == 0u) {
            let d = load(D_ERRN + k, o) / scale;
            if (!in_range(x + d, c)) {
                return false;
            }
            add_rise(k, o, d, scale);
            far = max(far, abs(x + d));
        }
    }
    add_to(9u, o, -2.0 * shifted[1] / (scale * scale));
    add_to(10u, o, at_x - x * shifted[0]);
    let sigmas = far * scale * sqrt(max(load(Q, o), 0.0));
    let significance = abs(x) * scale * sqrt(max(load(Q, o), 0.0));
    return significance * TABLE_ERROR <= MOST_BIAS && noise_at(o, far) <= MOST_NOISE * max(1.0, 0.5 * sigmas);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let entry = params.tile0 + group.x;
    let tile = tiles[entry];
    let o = tile_pixel(tile, lane);
    var wanted = false;
    if (o != OUTSIDE) {
        let flags = load_flags(o);
        if (params.mode == 3u) {
            wanted = (flags & WING_FAILED) != 0u;
            if (wanted) {
                store(ITERATIONS, o, 0.0);
                store_flags(o, VALID | (params.iteration & ALL_DONE));
            } else if ((flags & VALID) != 0u) {
                store_flags(o, flags | BY_MOMENTS);
            }
        } else {
            let in_fit = params.mode != 2u && (flags & (VALID | FITTED | TO_HOST)) == VALID;
            let in_errors = params.mode == 2u && (flags & (VALID | FITTED | TO_HOST | BY_MOMENTS)) == (VALID | FITTED);
            let map_tile = params.band_y0 / TILE * params.tiles_x + tile;
            if ((in_fit || in_errors) && !add(o, flags, wing_c[map_tile])) {
                store_flags(o, flags | CLOSED | WING_FAILED);
            }
        }
    }
    if (params.mode == 3u) {
        open_report(entry, lane, wanted);
    }
}
