// One invocation: the Cash statistic of 64 bins, halved (Cash 1979, eq. 5),
//
//     mu - n ln(mu),  mu = max(npred, 1e-25);    no ln term for n = 0
//
// one workgroup: the sum of its 16384 bins, in two-float arithmetic and a fixed order. The logarithm is a two-float:
// ln(mu) = k ln2 + 2 s + 2 (s^3/3 + ...), with s = (m - 1) / (m + 1) to two floats, good to 2e-10. The host adds the
// workgroups' sums.
//
// counts, npred   [bin of chunk]; masked bins have npred = 0 and counts = -1
// out             [workgroup], (hi, lo)

struct Params {
    bins: u32,
    first_group: u32,
    zero: u32,
    pad0: u32,
}

const PER_LANE: u32 = 64u;
const TRUNCATION: f32 = 1e-25;
const LN2_HI: f32 = 0.693145751953125; // 12 bits fewer than a float: k times it is exact
const LN2_LO: f32 = 1.42860682030941723e-6;

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<f32>;
@group(0) @binding(2) var<storage, read> npred: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<vec2<f32>>;

var<workgroup> partial: array<vec2<f32>, 256>;

fn ln_two(v: f32) -> vec2<f32> {
    let bits = bitcast<i32>(v);
    let exponent = (bits - 0x3f3504f3) >> 23u;
    let m = bitcast<f32>(bits - (exponent << 23u));
    let above = m - 1.0;
    let below = two_add(vec2<f32>(m, 0.0), 1.0);
    let s = two_opaque(above / below.x);
    // above = s * below + rest, exactly
    let product = two_product(s, below.x);
    let rest = ((above - product.x) - product.y) - s * below.y;
    let s_lo = rest / below.x;
    let tail = s * log_tail(vec4<f32>(s * s)).x;
    var sum = two_add(vec2<f32>(f32(exponent) * LN2_HI, f32(exponent) * LN2_LO), 2.0 * s);
    sum = two_add(sum, tail);
    return two_add(vec2<f32>(sum.x, sum.y), 2.0 * s_lo);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    var sum = vec2<f32>(0.0);
    let chunk = params.first_group + group.x;
    let first = chunk * 256u * PER_LANE + lane;
    for (var k = 0u; k < PER_LANE; k++) {
        let i = first + k * 256u;
        if (i < params.bins) {
            let n = counts[i];
            let mu = max(npred[i], TRUNCATION);
            if (n >= 0.0) {
                sum = two_add(sum, mu);
            }
            if (n > 0.0) {
                let ln = ln_two(mu);
                sum = two_add_two(sum, -two_product(n, ln.x));
                sum = two_add(sum, -n * ln.y);
            }
        }
    }
    partial[lane] = sum;
    for (var step = 128u; step > 0u; step >>= 1u) {
        workgroupBarrier();
        if (lane < step) {
            partial[lane] = two_add_two(partial[lane], partial[lane + step]);
        }
    }
    if (lane == 0u) {
        out[chunk] = partial[0];
    }
}
