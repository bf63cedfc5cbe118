// Transforms in two-float arithmetic of square tiles of `side` points, a power of two from 64 to 1024: uniforms, complex
// numbers, and transforms of lines in workgroup memory.
//
// A workgroup of 256 invocations holds 1024 points: 1024 / side lines. Two real tiles are one complex image f1 + i f2; a
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

const POINTS: u32 = 1024u;

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2 pi i m / side)
@group(0) @binding(1) var<storage, read> roots: array<vec4<f32>>;

// 16 KiB: WebGPU's default limit.
var<workgroup> points: array<vec4<f32>, 1024>;

fn hide(v: vec2<f32>) -> vec2<f32> {
    return bitcast<vec2<f32>>(bitcast<vec2<u32>>(v) ^ vec2<u32>(params.zero));
}

fn plus(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    let s = hide(a.xy + b.xy);
    let t = hide(s - a.xy);
    let low = ((a.xy - hide(s - t)) + (b.xy - t)) + (a.zw + b.zw);
    let high = hide(s + low);
    return vec4<f32>(high, low - hide(high - s));
}

fn minus(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
    return plus(a, -b);
}

// The four products of parts as in two_product, then their sums.
fn times(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
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

fn root(m: u32, sign: f32) -> vec4<f32> {
    return roots[m] * vec4<f32>(1.0, sign, 1.0, sign);
}

// -i a for sign 1, i a for -1
fn turned(a: vec4<f32>, sign: f32) -> vec4<f32> {
    return a.yxwz * vec4<f32>(sign, -sign, sign, -sign);
}

// One step of Stockham's transform with radix 2, the first one: two butterflies per invocation.
fn step_two(lane: u32) {
    let half = params.side / 2u;
    var line: array<u32, 2>;
    var a: array<vec4<f32>, 2>;
    var b: array<vec4<f32>, 2>;
    for (var i = 0u; i < 2u; i++) {
        let butterfly = lane + i * 256u;
        line[i] = butterfly / half * params.side;
        let at = line[i] + butterfly % half;
        a[i] = points[at];
        b[i] = points[at + half];
    }
    workgroupBarrier();
    for (var i = 0u; i < 2u; i++) {
        let to = line[i] + 2u * ((lane + i * 256u) % half);
        points[to] = plus(a[i], b[i]);
        points[to + 1u] = minus(a[i], b[i]);
    }
    workgroupBarrier();
}

// One step with radix 4 on transforms of `done` points: one butterfly per invocation.
fn step_four(lane: u32, done: u32, sign: f32) {
    let quarter = params.side / 4u;
    let line = lane / quarter * params.side;
    let j = lane % quarter;
    let k = j % done;
    let stride = quarter / done;
    let a = points[line + j];
    var b = points[line + j + quarter];
    var c = points[line + j + 2u * quarter];
    var d = points[line + j + 3u * quarter];
    // The roots of the first step are 1.
    if (done > 1u) {
        b = times(b, root(k * stride, sign));
        c = times(c, root(2u * k * stride, sign));
        d = times(d, root(3u * k * stride, sign));
    }
    workgroupBarrier();
    let even = plus(a, c);
    let odd = minus(a, c);
    let sum = plus(b, d);
    let difference = turned(minus(b, d), sign);
    let to = line + j / done * done * 4u + k;
    points[to] = plus(even, sum);
    points[to + done] = plus(odd, difference);
    points[to + 2u * done] = minus(even, sum);
    points[to + 3u * done] = minus(odd, difference);
    workgroupBarrier();
}

// Transforms the lines in workgroup memory, forwards for sign 1, backwards for -1, without a norm. To be called by all
// invocations, after a barrier.
fn transform(lane: u32, sign: f32) {
    var done = 1u;
    // Powers of two that are no powers of four have an odd exponent.
    if ((firstLeadingBit(params.side) & 1u) == 1u) {
        step_two(lane);
        done = 2u;
    }
    while (done < params.side) {
        step_four(lane, done, sign);
        done *= 4u;
    }
}
