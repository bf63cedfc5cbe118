// Fused multiply-adds and nothing else: what the device's arithmetic reaches at best.
//
// One invocation: 8 independent chains of 4 lanes, `steps` times v = v * scale + shift, which stays near
// shift / (1 - scale). The sum is stored, so that nothing can be left out.
//
// out   [group, lane]

struct Params {
    steps: u32,
    first_group: u32,
    scale: f32,
    shift: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let a = vec4<f32>(params.scale);
    let b = vec4<f32>(params.shift);
    var v0 = vec4<f32>(f32(lane), 1.0, 2.0, 3.0);
    var v1 = v0 + 1.0;
    var v2 = v0 + 2.0;
    var v3 = v0 + 3.0;
    var v4 = v0 + 4.0;
    var v5 = v0 + 5.0;
    var v6 = v0 + 6.0;
    var v7 = v0 + 7.0;
    for (var k = 0u; k < params.steps; k++) {
        v0 = fma(v0, a, b);
        v1 = fma(v1, a, b);
        v2 = fma(v2, a, b);
        v3 = fma(v3, a, b);
        v4 = fma(v4, a, b);
        v5 = fma(v5, a, b);
        v6 = fma(v6, a, b);
        v7 = fma(v7, a, b);
    }
    let sum = ((v0 + v1) + (v2 + v3)) + ((v4 + v5) + (v6 + v7));
    out[(params.first_group + group.x) * 256u + lane] = (sum.x + sum.y) + (sum.z + sum.w);
}
