// One invocation: sorts one pixel by what its window holds, and sets the fit up.
//
//     no model:  nothing to fit            no counts on model:  norm = -q at the bound, done
//     one bin:   x = n / M - 1 / c, done   else:                first step of the fit from norm 0
//
// The norm lies in z = x + 1 / c_counts between (counts of the last pole) / M and (all counts) / M. Where single
// precision does not reach, the pixel is left to the host. params.mode 1: the first guess is tried first.
//
// sums, [plane, y of band, x]: from ts_map_moments    model, [y of band, x]: M (hi, lo) from convolve
// Output: state; open, pixels that need a fit pass.

@group(0) @binding(4) var<storage, read> tiles: array<u32>;
@group(0) @binding(6) var<storage, read> sums: array<f32>;
@group(0) @binding(7) var<storage, read> model: array<vec2<f32>>;

const DONE: u32 = 0x1e0000u; // FITTED | DONE_ERRN | DONE_ERRP | DONE_UL
const SMALLEST: f32 = 1e-11; // c^3 stays a normal number, with three powers of ten to spare

// Returns true where a fit pass is needed.
fn start(o: u32) -> bool {
    var flags = load_flags(o);
    if ((flags & (VALID | TO_HOST | BY_MOMENTS)) != VALID) {
        return false;
    }
    let m = model[o].x + model[o].y;
    let c_all = load(C_ALL, o);
    let c_counts = sums[plane_at(4u, o)];
    let n_pole = sums[plane_at(5u, o)];
    let bins_found = sums[plane_at(6u, o)];
    let all_counts = sums[plane_at(7u, o)];
    if (m <= 0.0) {
        store_flags(o, flags | NO_MODEL | DONE);
        return false;
    }
    let few = bins_found < 1.5;
    if (m < 1e-30 || c_all < SMALLEST || (few && params.mode == 1u) || (bins_found > 0.5 && c_counts < SMALLEST)) {
        store_flags(o, flags | TO_HOST);
        return false;
    }
    if (bins_found < 0.5) {
        store(X, o, -1.0 / c_all);
        store(GAIN, o, 0.0);
        store_flags(o, flags | NO_COUNTS | AT_BOUND | DONE);
        return false;
    }
    store(C_COUNTS, o, c_counts);
    let s = 1.0 / c_counts;
    let z_bound = (c_all - c_counts) / c_all * s;
    let z_pole = n_pole / m;
    if (few) {
        let at_bound = z_pole <= z_bound;
        let z = max(z_pole, z_bound);
        store(Z, o, z);
        store(X, o, select(z - s, -1.0 / c_all, at_bound));
        store(RHO, o, select(0.0, n_pole / z - m, at_bound));
        store(P, o, n_pole / z);
        store(Q, o, n_pole / z / z);
        store(R, o, n_pole / z / z / z);
        store_flags(o, flags | SINGLE_BIN | FITTED | select(0u, AT_BOUND, at_bound));
        return false;
    }
    let lo = max(0.999 * z_pole, z_bound);
    let hi = 1.001 * all_counts / m;
    store(LO, o, lo);
    store(HI, o, max(hi, lo));
    if (z_bound >= 0.999 * z_pole) {
        flags |= BOUND_OPEN;
    }
    if (params.mode == 1u) {
        let guess = load(GUESS, o);
        if (!(guess * c_all > -0.999999 && abs(guess) < HUGE)) {
            store_flags(o, flags | TO_HOST);
            return false;
        }
        store(X, o, guess);
        store(Z, o, guess + s);
        store_flags(o, flags | TRIAL);
        return true;
    }
    let rho = (sums[plane_at(0u, o)] - model[o].x) + (sums[plane_at(1u, o)] - model[o].y);
    let d = fit_step(rho, sums[plane_at(2u, o)], sums[plane_at(3u, o)], m);
    fit_move(o, flags, 0.0, s, d);
    return true;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let entry = params.tile0 + group.x;
    let o = tile_pixel(tiles[entry], lane);
    var wanted = false;
    if (o != OUTSIDE) {
        wanted = start(o);
    }
    open_report(entry, lane, wanted);
}
