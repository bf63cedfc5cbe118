// Transforms of lines in workgroup memory, for numbers of any precision: the file before this one has the uniforms, among
// them `side`, the type Complex, and plus, minus, times, root and turned.
//
// A workgroup of 256 invocations holds 1024 points: 1024 / side lines.

const POINTS: u32 = 1024u;

// In two-float arithmetic 16 KiB, WebGPU's default limit.
var<workgroup> points: array<Complex, 1024>;

// One step of Stockham's transform with radix 2, the first one: two butterflies per invocation.
fn step_two(lane: u32) {
    let half = params.side / 2u;
    var line: array<u32, 2>;
    var a: array<Complex, 2>;
    var b: array<Complex, 2>;
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
    // Powers of two that are not powers of four have an odd exponent.
    if ((firstLeadingBit(params.side) & 1u) == 1u) {
        step_two(lane);
        done = 2u;
    }
    while (done < params.side) {
        step_four(lane, done, sign);
        done *= 4u;
    }
}
