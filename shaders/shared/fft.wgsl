// Transforms of square tiles of `side` points, a power of two from 64 to 512: uniforms, and complex numbers for
// shared/fft_steps.wgsl.
//
// Two real images are one complex image,
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

// Pairs of images of a plane: n c^k for k = 1, 2; 3, 4; 5, 6; 7, 8.
const PAIRS: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
// exp(-2 pi i m / side)
@group(0) @binding(1) var<storage, read> roots: array<vec2<f32>>;

alias Complex = vec2<f32>;

fn plus(a: Complex, b: Complex) -> Complex {
    return a + b;
}

fn minus(a: Complex, b: Complex) -> Complex {
    return a - b;
}

fn times(a: Complex, b: Complex) -> Complex {
    return vec2<f32>(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

fn root(m: u32, sign: f32) -> Complex {
    let w = roots[m];
    return vec2<f32>(w.x, w.y * sign);
}

// -i a for sign 1, i a for -1
fn turned(a: Complex, sign: f32) -> Complex {
    return vec2<f32>(a.y, -a.x) * sign;
}
