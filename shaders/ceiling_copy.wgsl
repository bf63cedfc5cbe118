// A copy of 16-byte values: what the device's memory reaches at best.
//
// One invocation: 4 values, so far apart that neighbours read neighbours.
//
// source, copied   [value]

struct Params {
    values: u32,
    first_group: u32,
    pad0: u32,
    pad1: u32,
}

const PER_LANE: u32 = 4u;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> copied: array<vec4<u32>>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (params.first_group + group.x) * 256u * PER_LANE + lane;
    for (var k = 0u; k < PER_LANE; k++) {
        let i = first + k * 256u;
        if (i < params.values) {
            copied[i] = source[i];
        }
    }
}
