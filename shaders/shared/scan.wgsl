// A prefix sum over the 256 invocations of a workgroup, in integers: the same whatever the order.

var<workgroup> scan_lanes: array<u32, 256>;

// Sum of the values of all lanes up to this one. To be called by all invocations of the workgroup.
fn scan_inclusive(lane: u32, value: u32) -> u32 {
    workgroupBarrier();
    scan_lanes[lane] = value;
    workgroupBarrier();
    for (var step = 1u; step < 256u; step <<= 1u) {
        var before = 0u;
        if (lane >= step) {
            before = scan_lanes[lane - step];
        }
        workgroupBarrier();
        scan_lanes[lane] += before;
        workgroupBarrier();
    }
    return scan_lanes[lane];
}

// Sum of all lanes, after scan_inclusive.
fn scan_total() -> u32 {
    return workgroupUniformLoad(&scan_lanes[255]);
}
