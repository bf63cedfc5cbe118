// Steps of the fit of one pixel: the root of P(x) = M.

// Displacement to the root of P = M, rho = P - M: the function with one pole and a constant, A / (1 + B d) + C, that
// has P's value, slope -Q and curvature 2 R. Where that has no root, Newton's step on 1 / P = 1 / M, safe everywhere.
fn fit_step(rho: f32, q_sum: f32, r_sum: f32, m: f32) -> f32 {
    let q = max(q_sum, 1e-30);
    let b = max(r_sum, 1e-37) / q;
    let a = q / b;
    if (a - rho > 0.02 * a) {
        return rho / ((a - rho) * b);
    }
    return rho / q * ((rho + m) / m);
}

// Moves the pixel from (x, z) by d, kept inside its bracket; sets AT_BOUND where it comes to the bound.
fn fit_move(o: u32, flags_before: u32, x: f32, z: f32, d: f32) {
    var flags = flags_before & ~AT_BOUND;
    let lo = load(LO, o);
    let hi = load(HI, o);
    let wanted = z + d;
    if (wanted <= lo && (flags & BOUND_OPEN) != 0u) {
        store(Z, o, lo);
        store(X, o, -1.0 / load(C_ALL, o));
        flags |= AT_BOUND;
    } else if (wanted >= lo && wanted <= hi) {
        store(Z, o, wanted);
        store(X, o, x + d);
    } else {
        // A bracket end that was not tried may be tried; else the middle, by ratio where both ends are positive.
        let middle = select(0.5 * (lo + hi), sqrt(lo) * sqrt(hi), lo > 0.0);
        let next = select(middle, clamp(wanted, lo, hi), params.iteration < 2u);
        store(Z, o, next);
        store(X, o, next - 1.0 / load(C_COUNTS, o));
    }
    store_flags(o, flags);
}
