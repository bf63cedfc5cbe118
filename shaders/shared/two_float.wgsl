// Two-float arithmetic: a number as hi + lo, about 48 bits of mantissa (Dekker 1971, Knuth TAOCP 4.2.2).
//
// Drivers may simplify (a + b) - a to b, which removes the error term; Mesa does. `two_opaque` hides a sum from the
// optimiser by an xor with `params.zero`, a uniform that is always 0; `self_test.wgsl` checks at start-up that it
// works. Every shader that includes this file has a uniform `params` with a member `zero: u32`.

fn two_opaque(v: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(v) ^ params.zero);
}

fn two_opaque4(v: vec4<f32>) -> vec4<f32> {
    return bitcast<vec4<f32>>(bitcast<vec4<u32>>(v) ^ vec4<u32>(params.zero));
}

// s + v, exactly up to the rounding of lo.
fn two_add(s: vec2<f32>, v: f32) -> vec2<f32> {
    let t = two_opaque(s.x + v);
    let b = two_opaque(t - s.x);
    return vec2<f32>(t, s.y + ((s.x - two_opaque(t - b)) + (v - b)));
}

// a + b for two two-floats.
fn two_add_two(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return two_add(two_add(a, b.x), b.y);
}

// The same number with all of hi that fits into it, so that lo keeps its digits over many additions.
fn two_normal(s: vec2<f32>) -> vec2<f32> {
    let t = two_opaque(s.x + s.y);
    return vec2<f32>(t, s.y - two_opaque(t - s.x));
}

// a * b exactly, by splitting the mantissas at bit 12; does not rely on a fused multiply-add.
fn two_product(a: f32, b: f32) -> vec2<f32> {
    let p = two_opaque(a * b);
    let ah = bitcast<f32>(bitcast<u32>(a) & 0xfffff000u);
    let bh = bitcast<f32>(bitcast<u32>(b) & 0xfffff000u);
    let al = a - ah;
    let bl = b - bh;
    return vec2<f32>(p, ((ah * bh - p) + ah * bl + al * bh) + al * bl);
}

// Four two-floats.
struct TwoFour {
    hi: vec4<f32>,
    lo: vec4<f32>,
}

// s + v, each as two_add.
fn two_add4(s: TwoFour, v: vec4<f32>) -> TwoFour {
    let t = two_opaque4(s.hi + v);
    let b = two_opaque4(t - s.hi);
    return TwoFour(t, s.lo + ((s.hi - two_opaque4(t - b)) + (v - b)));
}
