// The only workgroup: where each row of a slab begins in the list, a prefix sum over the rows' numbers of bins.
//
// starts   as lists_count left it
// offsets  [row of slab], then the number of all bins
//
// Limits: 65535 loop steps of an invocation; the host gives slabs of at most 2^20 rows.

@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> offsets: array<u32>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) lane: u32) {
    let stride = blocks_per_row() + 1u;
    let per_lane = (params.rows + 255u) / 256u;
    let first = lane * per_lane;
    let end = min(first + per_lane, params.rows);
    var count = 0u;
    for (var row = first; row < end; row++) {
        count += starts[(row + 1u) * stride - 1u];
    }
    var next = scan_inclusive(lane, count) - count;
    for (var row = first; row < end; row++) {
        offsets[row] = next;
        next += starts[(row + 1u) * stride - 1u];
    }
    if (lane == 255u) {
        offsets[params.rows] = scan_lanes[255];
    }
}
