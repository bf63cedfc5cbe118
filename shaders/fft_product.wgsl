// One invocation: one frequency w of one pair, summed over planes,
//
//     product = sum over planes of  F1 conj(H1) + i F2 conj(H2),
//
// F1 = (Z(w) + conj Z(-w)) / 2 and F2 = (Z(w) - conj Z(-w)) / 2i of the images Z = f1 + i f2, H of the kernels: the
// spectrum of two correlations as one complex image. Planes are added in order, so that dispatches may share them out.
//
// images, kernels  [slot, row, column]     products  [pair, row, column]; with params.add they go on

@group(0) @binding(2) var<storage, read> images: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> kernels: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> products: array<vec2<f32>>;

fn conjugate(a: vec2<f32>) -> vec2<f32> {
    return vec2<f32>(a.x, -a.y);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let area = params.side * params.side;
    let w = group.x * 256u + lane;
    let row = w / params.side;
    let column = w % params.side;
    let opposite = (params.side - row) % params.side * params.side + (params.side - column) % params.side;
    let pair = group.y;
    var sum = vec2<f32>(0.0);
    if (params.add != 0u) {
        sum = products[pair * area + w];
    }
    for (var p = 0u; p < params.planes; p++) {
        let slot = p * PAIRS + pair;
        let z = images[slot * area + w];
        let z_opposite = conjugate(images[slot * area + opposite]);
        let k = kernels[slot * area + w];
        let k_opposite = conjugate(kernels[slot * area + opposite]);
        // Twice F1 and H1; 2i F2 and 2i H2, whose i drops out with the conjugate.
        let first = times(z + z_opposite, conjugate(k + k_opposite));
        let second = times(z - z_opposite, conjugate(k - k_opposite));
        sum += 0.25 * (first + vec2<f32>(-second.y, second.x));
    }
    products[pair * area + w] = sum;
}
