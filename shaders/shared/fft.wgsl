// Transforms of square tiles of `side` points, a power of two from 64 to 512: uniforms, and transforms of lines in
// workgroup memory.
//
// A workgroup of 256 invocations holds 1024 points: 1024 / side lines. Two real images are one complex image,
// f1 + i f2; their spectra are told apart by symmetry where they are multiplied (fft_product).
//
// Spectra lie in slots, one per plane and pair of images: [slot, row, column].

struct Params {
    nx: u32,
    // Planes and rows of the data that are in the bound buffers; the dispatch begins with plane slab_plane0 of them.
    slab_y0: u32,
    slab_ny: u32,
    slab_plane0: u32,
    // First plane of the dispatch in the kernel, and in the spectra that are bound.
    kernel_plane0: u32,
    spectrum_plane0: u32,
    planes: u32,
    ky: u32,
    kx: u32,
    side: u32,
    // Map coordinates of the tile's first point, which is half a kernel before its first pixel.
    y0: i32,
    x0: i32,
    // What a pass is to do (see there); 1 where it adds to what is there.
    mode: u32,
    add: u32,
    // Scale of c, a power of two that brings the largest to at most 1.
    scale: f32,
    zero: u32,
}

const POINTS: u32 = 1024u;
// Pairs of images of a plane: n c^k for k = 1, 2; 3, 4; 5, 6; 7, 8.
const PAIRS: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2 pi i m / side)
@group(0) @binding(1) var<storage, read> roots: array<vec2<f32>>;

var<workgroup> points: array<vec2<f32>, 1024>;

fn times(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn root(m: u32, sign: f32) -> vec2<f32> {
    let w = roots[m];
    return vec2<f32>(w.x, w.y * sign);
}

// One step of Stockham's transform with radix 2, the first one: two butterflies per invocation.
fn step_two(lane: u32) {
    let half = params.side / 2u;
    var line: array<u32, 2>;
    var a: array<vec2<f32>, 2>;
    var b: array<vec2<f32>, 2>;
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
        points[to] = a[i] + b[i];
        points[to + 1u] = a[i] - b[i];
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
    let b = times(points[line + j + quarter], root(k * stride, sign));
    let c = times(points[line + j + 2u * quarter], root(2u * k * stride, sign));
    let d = times(points[line + j + 3u * quarter], root(3u * k * stride, sign));
    workgroupBarrier();
    let even = a + c;
    let odd = a - c;
    let sum = b + d;
    // -i (b - d) forwards, its opposite backwards
    let difference = vec2<f32>(b.y - d.y, d.x - b.x) * sign;
    let to = line + j / done * done * 4u + k;
    points[to] = even + sum;
    points[to + done] = odd + difference;
    points[to + 2u * done] = even - sum;
    points[to + 3u * done] = odd - difference;
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
