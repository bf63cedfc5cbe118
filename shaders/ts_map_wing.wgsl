// One invocation: norm, errors and limit of one pixel from the moments S_k = sum n c^k of its window alone, where
// |x c| stays small over all norms looked at. There ln(1 + t) is a short polynomial, sum_k a_k t^k, with a_1 = 1 and
// a_2 = -1/2 exact and the others minimax with weight 1 / t^2, and with L(x) = sum n ln(1 + x c)
//
//     L(x) = sum_k a_k S_k x^k,     P = L',     Q = -L'',     R = L''' / 2,     F(d) = x-shifted rise as in ts_map_errors.
//
// The pixel is done where the narrowest of four tables holds over its reach, where it has several bins with counts, and
// where the rounding of the moments (fft_noise) is far below what results are promised to. All others stay open.
//
// moments  [k - 1, row, column] of a tile of moment_side points, whose first pixel is (moment_y0, moment_x0) of the map;
//          c in units of 1 / moment_scale, norms in units of moment_scale
// noise    [pair of moments], squared      model, [y of band, x]: M (hi, lo)
// Output: state; open, [tile of band]: pixels that are still to be fitted. Group: a 16 x 16 tile of the moments' tile.

@group(0) @binding(1) var<storage, read> moments: array<f32>;
@group(0) @binding(2) var<storage, read> noise: array<f32>;
@group(0) @binding(7) var<storage, read> model: array<vec2<f32>>;

const DONE: u32 = 0x1e0000u; // FITTED | DONE_ERRN | DONE_ERRP | DONE_UL
// Noise of a likelihood that may pass, for norms up to two standard deviations; beyond, TS grows with the norm too.
const MOST_NOISE: f32 = 6e-4;
// S1 S3 / S2^2 is 1 where all bins have the same c, as a single bin has.
const LEAST_SPREAD: f32 = 1.02;
// Relative error of P in each table, in the worst place, and what it may amount to in standard deviations of the norm.
const ERRORS: array<f32, 4> = array<f32, 4>(2e-9, 1e-6, 2e-5, 2e-4);
const MOST_BIAS: f32 = 6e-4;
// Steps end where they move by this share of a standard deviation.
const LAST_STEP: f32 = 1e-5;
const MAX_STEPS: u32 = 12u;
// Range of t of each table, and coefficients a_3 to a_8; relative errors 2e-10, 1e-7, 2.3e-6 and 2.8e-5.
const LOW: array<f32, 4> = array<f32, 4>(-0.1, -0.2, -0.3, -0.4);
const HIGH: array<f32, 4> = array<f32, 4>(0.1, 0.3, 0.5, 0.8);
const COEFFICIENTS: array<f32, 24> = array<f32, 24>(
    0.3333333452, -0.2500000318, 0.1999902774, -0.1666513310, 0.1448125518, -0.1272238940,
    0.3333340444, -0.2499763297, 0.1998641258, -0.1683042546, 0.1500941273, -0.1029879060,
    0.3333375390, -0.2497688130, 0.1995456868, -0.1732888288, 0.1573214304, -0.0894318141,
    0.3332683451, -0.2486850901, 0.2009705241, -0.1865578803, 0.1585876534, -0.0667817980,
);

// S_k of the pixel; a_k S_k, but the first is P - M at 0; the same seen from the norm.
var<private> s: array<f32, 8>;

fn choose(table: u32, rho: f32) {
    var all = COEFFICIENTS;
    terms[0] = rho;
    terms[1] = -0.5 * s[1];
    for (var k = 2u; k < TERMS; k++) {
        terms[k] = all[table * 6u + k - 2u] * s[k];
    }
}

// (P - M, Q, R) at x.
fn slopes(x: f32) -> vec3<f32> {
    var p = 0.0;
    var q = 0.0;
    var r = 0.0;
    for (var k = TERMS; k > 0u; k--) {
        let weight = f32(k);
        let term = terms[k - 1u];
        p = p * x + weight * term;
        if (k > 1u) {
            q = q * x - weight * (weight - 1.0) * term;
        }
        if (k > 2u) {
            r = r * x + weight * (weight - 1.0) * (weight - 2.0) * 0.5 * term;
        }
    }
    return vec3<f32>(p, q, r);
}

// Rise of the likelihood at d from the norm, and its slope.
fn rise(d: f32) -> vec2<f32> {
    var value = 0.0;
    var slope = 0.0;
    for (var k = TERMS; k > 0u; k--) {
        value = (value + shifted[k - 1u]) * d;
        slope = slope * d + f32(k) * shifted[k - 1u];
    }
    return vec2<f32>(-value, -slope);
}

// Displacement where the rise is sigmas^2 / 2, on the side of `direction`; 0 where it was not found in (low, high).
fn reach_rise(direction: f32, sigmas: f32, one_sigma: f32, low: f32, high: f32) -> f32 {
    var d = clamp(direction * sigmas * one_sigma, 0.999 * low, 0.999 * high);
    for (var i = 0u; i < MAX_STEPS; i++) {
        let at = rise(d);
        if (!(at.x > 0.0 && at.y * direction > 0.0)) {
            return 0.0;
        }
        let root = sqrt(2.0 * at.x);
        let next = d - (root - sigmas) * root / at.y;
        if (abs(next - d) <= LAST_STEP * abs(d)) {
            return next;
        }
        if (!(next > low && next < high && next * direction > 0.0)) {
            return 0.0;
        }
        d = next;
    }
    return 0.0;
}

// Fits with one table; false where it does not hold.
fn fit(o: u32, table: u32, rho: f32, m: f32, c_all: f32, flags: u32) -> bool {
    var lows = LOW;
    var highs = HIGH;
    let low = lows[table] / c_all;
    let high = highs[table] / c_all;
    choose(table, rho);
    var x = 0.0;
    var at = vec3<f32>(rho, s[1], s[2]);
    var steps = 0u;
    loop {
        let d = fit_step(at.x, at.y, at.z, m);
        x += d;
        steps += 1u;
        if (!(x > low && x < high) || steps > MAX_STEPS) {
            return false;
        }
        at = slopes(x);
        if (abs(d) * sqrt(max(at.y, 0.0)) < LAST_STEP) {
            break;
        }
    }
    if (!(at.y > 0.0)) {
        return false;
    }
    var errors = ERRORS;
    if (abs(x) * sqrt(at.y) * errors[table] > MOST_BIAS) {
        return false;
    }
    let gain = shift_to(x);
    let one_sigma = 1.0 / sqrt(at.y);
    var lower = 0.0;
    var upper = 0.0;
    var limit = 0.0;
    if ((flags & DONE_ERRN) == 0u) {
        lower = reach_rise(-1.0, params.n_sigma, one_sigma, low - x, high - x);
        upper = reach_rise(1.0, params.n_sigma, one_sigma, low - x, high - x);
        if (lower == 0.0 || upper == 0.0) {
            return false;
        }
    }
    if ((flags & DONE_UL) == 0u) {
        limit = reach_rise(1.0, params.n_sigma_ul, one_sigma, low - x, high - x);
        if (limit == 0.0) {
            return false;
        }
    }
    let far = max(max(abs(x), abs(x + lower)), max(abs(x + upper), abs(x + limit)));
    var noisy = 0.0;
    for (var k = TERMS; k > 0u; k--) {
        noisy = (noisy + sqrt(noise[(k - 1u) / 2u]) / f32(k)) * far;
    }
    if (!(noisy <= MOST_NOISE * max(1.0, 0.5 * far / one_sigma))) {
        return false;
    }
    let scale = params.moment_scale;
    store(X, o, x * scale);
    store(RHO, o, 0.0);
    store(Q, o, at.y / (scale * scale));
    store(D_ERRN, o, lower * scale);
    store(D_ERRP, o, upper * scale);
    store(D_UL, o, limit * scale);
    store(GAIN, o, gain);
    store(ITERATIONS, o, f32(steps));
    store_flags(o, flags | DONE | BY_MOMENTS);
    return true;
}

// Returns true where the pixel stays open.
fn solve(o: u32, place: u32) -> bool {
    let flags = load_flags(o);
    if ((flags & (VALID | TO_HOST)) != VALID) {
        return false;
    }
    let area = params.moment_side * params.moment_side;
    for (var k = 0u; k < TERMS; k++) {
        s[k] = moments[k * area + place];
    }
    let scale = params.moment_scale;
    let m = model[o] * scale;
    let c_all = load(C_ALL, o) * scale;
    let rounding = sqrt(noise[0]);
    if (!(m.x > 0.0 && c_all > 0.0 && s[0] > 100.0 * rounding && s[1] > 100.0 * rounding && s[2] > 0.0)) {
        return true;
    }
    if (!(s[0] * s[2] > LEAST_SPREAD * s[1] * s[1])) {
        return true;
    }
    let rho = (s[0] - m.x) - m.y;
    for (var table = 0u; table < 4u; table++) {
        if (fit(o, table, rho, m.x, c_all, flags)) {
            return false;
        }
    }
    return true;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    // Map coordinates; the band begins at a multiple of 16 rows.
    let y = params.moment_y0 + group.y * TILE + lane / TILE;
    let x = params.moment_x0 + group.x * TILE + lane % TILE;
    let tile_y = params.moment_y0 + group.y * TILE;
    let inside = tile_y >= params.band_y0 && tile_y < params.band_y0 + params.band_ny
        && params.moment_x0 + group.x * TILE < params.nx;
    var wanted = false;
    if (inside && y < params.band_y0 + params.band_ny && x < params.nx) {
        let place = (y - params.moment_y0) * params.moment_side + x - params.moment_x0;
        wanted = solve((y - params.band_y0) * params.nx + x, place);
    }
    let tile = (tile_y - params.band_y0) / TILE * params.tiles_x + params.moment_x0 / TILE + group.x;
    open_report(select(OUTSIDE, tile, inside), lane, wanted);
}
