// One workgroup: one row of a slab. Finds how large exposures, and exposures over background, become, as exponents: a
// quotient itself could leave the range of single precision.
//
// b, e     [row of slab, x]: background, exposure
// found    [largest exponent of e minus that of b, plus 256; largest exponent of e]; 0 without exposure

@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read> e: array<u32>;
@group(0) @binding(3) var<storage, read_write> found: array<atomic<u32>>;

var<workgroup> top_ratio: atomic<u32>;
var<workgroup> top_exposure: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = params.first_group + group.x;
    if (lane == 0u) {
        atomicStore(&top_ratio, 0u);
        atomicStore(&top_exposure, 0u);
    }
    workgroupBarrier();
    var ratio = 0u;
    var exposure = 0u;
    for (var x = lane; x < params.nx; x += 256u) {
        let i = row * params.nx + x;
        // Sign bits are 0: both are at least 0.
        let e_exponent = e[i] >> 23u;
        exposure = max(exposure, e_exponent);
        if (e_exponent > 0u && bitcast<f32>(b[i]) > TRUNCATION) {
            ratio = max(ratio, e_exponent + 256u - (b[i] >> 23u));
        }
    }
    atomicMax(&top_ratio, ratio);
    atomicMax(&top_exposure, exposure);
    workgroupBarrier();
    if (lane == 0u) {
        atomicMax(&found[0], atomicLoad(&top_ratio));
        atomicMax(&found[1], atomicLoad(&top_exposure));
    }
}
