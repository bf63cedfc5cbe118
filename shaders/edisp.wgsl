// One invocation: one pixel of one reconstructed energy,
//
//     out[r, i] = sum over t of  matrix[t, r] * cube[t, i]
//
// summed in two-float arithmetic over the true energies t. Pixels come in chunks; i counts within the chunk.
//
// cube    [true energy, pixel of chunk]     matrix  [true energy, reconstructed energy]
// out     [reconstructed energy, pixel of chunk], (hi, lo)

struct Params {
    pixels: u32,
    true_energies: u32,
    reco_energies: u32,
    first_group: u32,
    zero: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> cube: array<f32>;
@group(0) @binding(2) var<storage, read> matrix: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<f32>>;

@compute @workgroup_size(256)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = params.first_group * 256u + id.x;
    let r = id.y;
    if (i >= params.pixels) {
        return;
    }
    var sum = vec2<f32>(0.0);
    for (var t = 0u; t < params.true_energies; t++) {
        let product = two_product(matrix[t * params.reco_energies + r], cube[t * params.pixels + i]);
        sum = two_add_two(sum, product);
    }
    out[r * params.pixels + i] = sum;
}
