// Logarithms with their cancelling parts removed. WGSL promises `log` on [0.5, 2] only to 2^-21 absolute and has no
// log1p; these have a relative error of about 2e-7 everywhere.
//
// All use ln(v) = 2 atanh(s), s = (v - 1) / (v + 1), after scaling v to [sqrt(1/2), sqrt(2)) by a power of two.

const LOG_LN2: f32 = 0.6931471805599453;

// 2 (s^2/3 + s^4/5 + s^6/7 + ...), s2 = s^2 below 0.0626: truncated after s^12, 1e-9.
fn log_tail(s2: vec4<f32>) -> vec4<f32> {
    return s2 * (0.66666667 + s2 * (0.4 + s2 * (0.28571429 + s2 * (0.22222222 + s2 * (0.18181818 + s2 * 0.15384615)))));
}

// ln(v) for positive normal v.
fn log_positive(v: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<i32>>(v);
    let exponent = (bits - vec4<i32>(0x3f3504f3)) >> vec4<u32>(23u);
    let m = bitcast<vec4<f32>>(bits - (exponent << vec4<u32>(23u)));
    let s = (m - 1.0) / (m + 1.0);
    return vec4<f32>(exponent) * LOG_LN2 + s * (2.0 + log_tail(s * s));
}

// t - ln(1 + t) >= 0 for t > -1: the rise of a Poisson likelihood. t - 2 s = t s with s = t / (2 + t).
fn log_rise(t: vec4<f32>) -> vec4<f32> {
    let s = t / (2.0 + t);
    let near = s * (t - log_tail(s * s));
    let is_near = abs(t + 0.1) < vec4<f32>(0.3);
    // Most bins of a window are weak.
    if (all(is_near)) {
        return near;
    }
    let far = t - log_positive(max(1.0 + t, vec4<f32>(1e-7)));
    return select(far, near, is_near);
}

// ln(1 + w) - w / (1 + w) >= 0 for w > -1: the same seen from the other end, t = -w / (1 + w).
fn log_gain(w: vec4<f32>) -> vec4<f32> {
    let v = max(1.0 + w, vec4<f32>(1e-7));
    let r = w / v;
    let s = w / (1.0 + v);
    let near = s * (r + log_tail(s * s));
    let is_near = abs(w - 0.1) < vec4<f32>(0.3);
    if (all(is_near)) {
        return near;
    }
    let far = log_positive(v) - r;
    return select(far, near, is_near);
}
