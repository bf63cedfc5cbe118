// Counts the pixels of a tile that need another pass, for the host to make the next list of tiles from.
//
// open     [entry of tile list, or tile of band]; entry OUTSIDE: nothing is noted

@group(0) @binding(8) var<storage, read_write> open: array<u32>;

var<workgroup> open_pixels: atomic<u32>;

// To be called by all invocations of the workgroup.
fn open_report(entry: u32, lane: u32, wanted: bool) {
    if (lane == 0u) {
        atomicStore(&open_pixels, 0u);
    }
    workgroupBarrier();
    if (wanted) {
        atomicAdd(&open_pixels, 1u);
    }
    workgroupBarrier();
    if (lane == 0u && entry != OUTSIDE) {
        open[entry] = atomicLoad(&open_pixels);
    }
}
