// One invocation runs the arithmetic that results depend on and leaves the numbers for the host to judge.
//
// out = (low part of 1 + 2^-30, which is 2^-30; low part of the product (1 + 2^-12)^2, which is 2^-24;
//        rise(2^-12), which is 2^-25 (1 - 2^-11 / 3); ln 3)

struct Params {
    one: f32,
    tiny: f32,
    small: f32,
    zero: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(1)
fn main() {
    out[0] = two_add(vec2<f32>(params.one, 0.0), params.tiny).y;
    out[1] = two_product(params.one + params.small, params.one + params.small).y;
    out[2] = log_rise(vec4<f32>(params.small)).x;
    out[3] = log_positive(vec4<f32>(3.0 * params.one)).x;
}
