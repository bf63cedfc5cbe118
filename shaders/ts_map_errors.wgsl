// One invocation: start (params.mode 0) or one step (1) of errn, errp and ul of one pixel: the displacements d from the
// best norm where half the likelihood ratio
//
//     F(d) = H(d) - d rho + T(x + d)      (H: ts_map_rise; rho = P - M; T: ts_map_truncation, left of the bound)
//
// reaches n_sigma^2 / 2, or n_sigma_ul^2 / 2 for ul. F is convex with F(0) = 0.
//
// Start: the likelihood of one Poisson bin with the same Q and R, N (t - ln(1 + t)) with N = Q^3 / R^2, t = d R / Q.
// errp, ul: Halley's step on sqrt(2 F), which is nearly linear. errn: the logarithm of the last pole with F's
// curvature, plus a line, solved and kept inside the bracket.
//
// sums, [plane, y of band, x]: from ts_map_rise. Output: state; open, pixels that need another pass.
// Limits: params.max_iterations, errn not closer to the pole than 1e-3 of its distance; else the host fits the pixel.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read> sums: array<f32>;

const ALL_DONE: u32 = 0x1c0000u; // DONE_ERRN | DONE_ERRP | DONE_UL
const LAST_STEP: f32 = 0.01;           // relative; Halley's steps converge cubically
const LAST_STEP_TRUNCATED: f32 = 0.002; // where F has kinks
const LAST_STEP_FALLING: f32 = 2e-4;   // where F falls before it rises, from a first guess that was kept

// Displacement at which the one-bin likelihood rises by `goal`, on the side of `direction`.
fn start_of(direction: f32, q: f32, r: f32, rho: f32, goal: f32) -> f32 {
    let b = max(r, 1e-37) / q;
    let n = q / b / b;
    // Root of Q d^2 / 2 - rho d = goal.
    let root = sqrt(rho * rho + 2.0 * q * goal);
    let along = direction * rho;
    var d = direction * select((root + along) / q, 2.0 * goal / (root - along), along < 0.0);
    let wanted = sqrt(goal);
    d = max(d, -0.7 / b);
    for (var i = 0; i < 5; i++) {
        let t = b * d;
        let f = max(n * log_rise(vec4<f32>(t)).x - rho * d, 1e-30);
        let slope = n * b * t / (1.0 + t) - rho;
        if (slope * direction > 0.0) {
            d = max(d - 2.0 * (f - wanted * sqrt(f)) / slope, 0.5 * (d - 1.0 / b));
        }
    }
    return d;
}

// Halley's step on sqrt(2 F) - sigma.
fn upper_step(d: f32, f: f32, f1: f32, f2: f32, sigma: f32) -> f32 {
    if (!(f > 0.0 && f1 > 0.0)) {
        return 2.0 * d;
    }
    let v = sqrt(2.0 * f);
    let v1 = f1 / v;
    let v2 = (f2 - v1 * v1) / v;
    let off = v - sigma;
    return clamp(d - off / (v1 - 0.5 * off * v2 / v1), 0.1 * d, 10.0 * d);
}

// exp(p) - 1 and exp(p) - 1 - p, without cancellation.
fn exp_excess(p: f32) -> vec2<f32> {
    if (abs(p) < 0.1) {
        let second = p * p * (0.5 + p * (0.16666667 + p * (0.041666668 + p * 0.008333334)));
        return vec2<f32>(p + second, second);
    }
    let first = exp(p) - 1.0;
    return vec2<f32>(first, first - p);
}

// Step of errn: F near d as  F - k ln(delta' / delta) + line, delta = z + d the distance from the pole, k and the line
// such that slope and curvature are F's. Solved for the logarithm by Newton's steps.
fn lower_step(d: f32, z: f32, f: f32, f1: f32, f2: f32, goal: f32) -> f32 {
    let delta = z + d;
    let k = f2 * delta * delta;
    let fall = f1 * delta;
    var power = 0.0;
    for (var i = 0; i < 8; i++) {
        let e = exp_excess(power);
        let value = (f - goal) + fall * e.x + k * e.y;
        let slope = fall * (1.0 + e.x) + k * e.x;
        if (slope >= 0.0) {
            break;
        }
        power = clamp(power - clamp(value / slope, -2.0, 2.0), -20.0, 20.0);
    }
    return d + delta * exp_excess(power).x;
}

// Returns true where a pass is needed.
fn start(o: u32) -> bool {
    var flags = load_flags(o);
    if ((flags & (VALID | FITTED | TO_HOST | NO_COUNTS | NO_MODEL | BY_MOMENTS)) != (VALID | FITTED)) {
        return false;
    }
    let q = load(Q, o);
    let r = load(R, o);
    let rho = load(RHO, o);
    let z = load(Z, o);
    if (!(q > 1e-30 && q < HUGE && r < HUGE && abs(rho) < HUGE)) {
        store_flags(o, flags | TO_HOST);
        return false;
    }
    let goal = 0.5 * params.n_sigma * params.n_sigma;
    let target_ul = 0.5 * params.n_sigma_ul * params.n_sigma_ul;
    var lower = max(start_of(-1.0, q, r, rho, goal), -0.999 * z);
    if ((load(X, o) + lower) * load(C_ALL, o) < -1.0) {
        lower = max(-params.n_sigma / sqrt(q), -0.6 * z);
    }
    store(D_ERRN, o, lower);
    store(D_ERRP, o, start_of(1.0, q, r, rho, goal));
    store(D_UL, o, start_of(1.0, q, r, rho, target_ul));
    store(D_NEAR, o, 0.0);
    store(D_FAR, o, -z);
    return true;
}

fn step_upper(o: u32, k: u32, bit: u32, sigma: f32, flags: u32) -> u32 {
    if ((flags & bit) != 0u) {
        return flags;
    }
    let d = load(D_ERRN + k, o);
    let rho = load(RHO, o);
    let f = sums[plane_at(k, o)] - d * rho;
    let next = upper_step(d, f, sums[plane_at(3u + k, o)] - rho, sums[plane_at(6u + k, o)], sigma);
    store(D_ERRN + k, o, next);
    if (abs(next - d) <= select(LAST_STEP, LAST_STEP_FALLING, rho > 0.0) * d) {
        return flags | bit;
    }
    return flags;
}

fn step_lower(o: u32, flags: u32) -> u32 {
    if ((flags & DONE_ERRN) != 0u) {
        return flags;
    }
    let d = load(D_ERRN, o);
    let z = load(Z, o);
    let rho = load(RHO, o);
    let truncated = (load(X, o) + d) * load(C_ALL, o) < -1.0;
    // Where truncation is dense it holds d M, and only d P is missing.
    let line = select(rho, load(P, o), truncated && truncation_is_dense(o));
    let f = sums[plane_at(0u, o)] - d * line + load(TRUNC, o);
    let f1 = sums[plane_at(3u, o)] - line + load(TRUNC_SLOPE, o);
    let goal = 0.5 * params.n_sigma * params.n_sigma;
    if (f > goal) {
        store(D_FAR, o, d);
    } else {
        store(D_NEAR, o, d);
    }
    let near = load(D_NEAR, o);
    let far = load(D_FAR, o);
    // The middle of the bracket, by ratio where its ends are far apart.
    var next = select(0.5 * (near + far), -sqrt(near * far), far < 4.0 * near);
    if (f1 < 0.0) {
        let wanted = lower_step(d, z, f, f1, sums[plane_at(6u, o)], goal);
        if (wanted >= far && wanted <= near) {
            next = wanted;
        }
    }
    store(D_ERRN, o, next);
    let tolerance = select(LAST_STEP, LAST_STEP_TRUNCATED, truncated || rho < 0.0);
    if (abs(next - d) > tolerance * min(-d, z + next)) {
        return flags;
    }
    if (z + next < 1e-3 * z) {
        return flags | TO_HOST;
    }
    return flags | DONE_ERRN;
}

// Returns true where another pass is needed.
fn step_errors(o: u32) -> bool {
    var flags = load_flags(o);
    if ((flags & (VALID | FITTED | TO_HOST | NO_COUNTS | NO_MODEL | BY_MOMENTS)) != (VALID | FITTED)) {
        return false;
    }
    if (params.iteration == 1u) {
        store(Q, o, sums[plane_at(9u, o)]);
        store(GAIN, o, sums[plane_at(10u, o)]);
    }
    flags = step_lower(o, flags);
    flags = step_upper(o, 1u, DONE_ERRP, params.n_sigma, flags);
    flags = step_upper(o, 2u, DONE_UL, params.n_sigma_ul, flags);
    if ((flags & ALL_DONE) != ALL_DONE && params.iteration >= params.max_iterations) {
        flags |= TO_HOST;
    }
    store_flags(o, flags);
    return (flags & ALL_DONE) != ALL_DONE && (flags & TO_HOST) == 0u;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let entry = params.tile0 + group.x;
    let o = tile_pixel(tiles[entry], lane);
    var wanted = false;
    if (o != OUTSIDE) {
        if (params.mode == 0u) {
            wanted = start(o);
        } else {
            wanted = step_errors(o);
        }
    }
    open_report(entry, lane, wanted);
}
