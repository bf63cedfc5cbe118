// One invocation: one step of the fit of one pixel, from P, Q, R at its norm; see shared/ts_step.wgsl.
//
// Convergence is cubic: a step below 0.01 standard deviations, 1 / sqrt(Q), is the last. A pixel at its bound whose
// likelihood still rises to the left stays there. With params.mode 1 the first guess is judged first: it is kept where
// TS = 2 [gain + x (P - M)] does not exceed the threshold.
//
// sums, [plane, y of band, x]: from ts_map_fit        model, [y of band, x]: M (hi, lo)
// Output: state; open, pixels that need another pass. Limits: params.max_iterations, then the host fits the pixel.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read> sums: array<f32>;
@group(0) @binding(7) var<storage, read> model: array<vec2<f32>>;

const LAST_STEP: f32 = 0.01;

fn finish(o: u32, flags: u32, rho: f32, q_sum: f32, r_sum: f32) {
    store(P, o, select(model[o].x, sums[plane_at(0u, o)], rho != 0.0));
    store(RHO, o, rho);
    store(Q, o, q_sum);
    store(R, o, r_sum);
    store_flags(o, flags | FITTED);
}

// Returns true where another pass is needed.
fn step_fit(o: u32) -> bool {
    var flags = load_flags(o);
    if ((flags & (VALID | FITTED | TO_HOST)) != VALID) {
        return false;
    }
    let x = load(X, o);
    let z = load(Z, o);
    let m = model[o];
    let rho = (sums[plane_at(0u, o)] - m.x) + (sums[plane_at(1u, o)] - m.y);
    let q_sum = sums[plane_at(2u, o)];
    let r_sum = sums[plane_at(3u, o)];
    if ((flags & TRIAL) != 0u) {
        flags &= ~TRIAL;
        if (2.0 * (sums[plane_at(4u, o)] + x * rho) <= params.threshold) {
            finish(o, flags | BELOW_THRESHOLD, rho, q_sum, r_sum);
            return false;
        }
    } else {
        store(ITERATIONS, o, load(ITERATIONS, o) + 1.0);
    }
    if ((flags & AT_BOUND) != 0u) {
        flags &= ~BOUND_OPEN;
        if (rho <= 0.0) {
            finish(o, flags, rho, q_sum, r_sum);
            return false;
        }
    }
    if (rho > 0.0) {
        store(LO, o, z);
        flags &= ~BOUND_OPEN;
    } else {
        store(HI, o, z);
    }
    let d = fit_step(rho, q_sum, r_sum, m.x);
    fit_move(o, flags, x, z, d);
    let moved = load(Z, o) - z;
    flags = load_flags(o);
    if ((flags & AT_BOUND) == 0u && (abs(d) * sqrt(q_sum) < LAST_STEP || abs(d) <= 2e-7 * z)) {
        let shrink = 1.0 / (1.0 + r_sum / max(q_sum, 1e-30) * moved);
        finish(o, flags, 0.0, q_sum * shrink * shrink, r_sum * shrink * shrink * shrink);
        return false;
    }
    if (params.iteration >= params.max_iterations || !(abs(d) < HUGE)) {
        store_flags(o, flags | TO_HOST);
        return false;
    }
    return true;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let entry = params.tile0 + group.x;
    let o = tile_pixel(tiles[entry], lane);
    var wanted = false;
    if (o != OUTSIDE) {
        wanted = step_fit(o);
    }
    open_report(entry, lane, wanted);
}
