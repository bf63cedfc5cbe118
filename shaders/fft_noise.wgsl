// The only workgroup, one invocation per pair: a bound of the squared rounding of both its moments, in any pixel of the
// tile. Rounding follows the larger image of a pair, planes round independently.
//
// images, kernels  [slot, group of rows]: sums of squares from fft_rows     noise  [pair]; with params.add it goes on

@group(0) @binding(2) var<storage, read> images: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> kernels: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> noise: array<f32>;

// About five times the typical rounding relative to the roots of the sums of squares.
const ROUNDING: f32 = 2e-7;

@compute @workgroup_size(4)
fn main(@builtin(local_invocation_index) pair: u32) {
    let groups = params.side * params.side / POINTS;
    var sum = 0.0;
    if (params.add != 0u) {
        sum = noise[pair];
    }
    for (var p = 0u; p < params.planes; p++) {
        let slot = p * PAIRS + pair;
        var image = vec2<f32>(0.0);
        var kernel = vec2<f32>(0.0);
        for (var i = 0u; i < groups; i++) {
            image += images[slot * groups + i];
            kernel += kernels[slot * groups + i];
        }
        let both = ROUNDING * (sqrt(image.x * kernel.x) + sqrt(image.y * kernel.y));
        sum += both * both;
    }
    noise[pair] = sum;
}
