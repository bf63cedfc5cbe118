// Transforms in two-float arithmetic of square tiles of `side` points, a power of two from 64 to 1024: uniforms, and
// complex numbers for shared/fft_steps.wgsl.
//
// Two real tiles are one complex image f1 + i f2; a
// convolution with a real kernel leaves them apart.
//
// A complex number is (re, im, their low parts). Points lie in slots, one per pair of tiles: [slot, row, column].

struct Params {
    side: u32,
    ky: u32,
    kx: u32,
    // Pixels of a tile, those that its transform convolves rightly.
    tile_y: u32,
    tile_x: u32,
    // What a pass is to do (see there).
    mode: u32,
    zero: u32,
    pad0: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2 pi i m / side)
@group(0) @binding(1) var<storage, read> roots: array<vec4<f32>>;

alias Complex = vec4<f32>;

fn hide(v: vec2<f32>) -> vec2<f32> {
    return bitcast<vec2<f32>>(bitcast<vec2<u32>>(v) ^ vec2<u32>(params.zero));
}

fn plus(a: Complex, b: Complex) -> Complex {
    let s = hide(a.xy + b.xy);
    let t = hide(s - a.xy);
    let low = ((a.xy - hide(s - t)) + (b.xy - t)) + (a.zw + b.zw);
    let high = hide(s + low);
    return vec4<f32>(high, low - hide(high - s));
}

fn minus(a: Complex, b: Complex) -> Complex {
    return plus(a, -b);
}

// The four products of parts as in two_product, then their sums.
fn times(a: Complex, b: Complex) -> Complex {
    let x = a.xyxy;
    let y = b.xyyx;
    let p = two_opaque4(x * y);
    let xh = bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) & vec4<u32>(0xfffff000u));
    let yh = bitcast<vec4<f32>>(bitcast<vec4<u32>>(y) & vec4<u32>(0xfffff000u));
    let xl = x - xh;
    let yl = y - yh;
    let low = (((xh * yh - p) + xh * yl + xl * yh) + xl * yl) + (x * b.zwwz + a.zwzw * y);
    return plus(vec4<f32>(p.xz, low.xz), vec4<f32>(-p.y, p.w, -low.y, low.w));
}

fn root(m: u32, sign: f32) -> Complex {
    return roots[m] * vec4<f32>(1.0, sign, 1.0, sign);
}

// -i a for sign 1, i a for -1
fn turned(a: Complex, sign: f32) -> Complex {
    return a.yxwz * vec4<f32>(sign, -sign, sign, -sign);
}
