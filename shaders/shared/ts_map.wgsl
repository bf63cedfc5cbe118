// What the passes of the TS map share: uniforms, the state of a pixel, tiles.
//
// A run goes over the map in bands of rows whose state fits a binding. Every pass works on a list of 16 x 16 tiles of
// the band, one workgroup per tile: 256 invocations with one pixel each, or 64 with 2 x 2 pixels each in passes over
// the lists of bins. The model is scaled by a power of two such that c = m / b stays below 2^21; norms x on the device
// are norms divided by that power.

struct Params {
    // Map and band: pixel o of the band is (band_y0 + o / nx, o % nx).
    nx: u32,
    band_y0: u32,
    band_ny: u32,
    tiles_x: u32,
    map_tiles: u32,
    // Slab: planes and rows of the data that are in the bound buffers; the dispatch uses `planes` of them.
    slab_y0: u32,
    slab_ny: u32,
    slab_plane0: u32,
    kernel_plane0: u32,
    planes: u32,
    // Common kernel shape, odd; kernel rows u0..u1 and sorted kernel cells cell0..cell1 of this dispatch.
    ky: u32,
    kx: u32,
    u0: u32,
    u1: u32,
    cell0: u32,
    cell1: u32,
    // First entry of the tile list; 1 where sums are added to, not set.
    tile0: u32,
    add: u32,
    // What a pass is to do (see there), and the iteration it belongs to.
    mode: u32,
    iteration: u32,
    max_iterations: u32,
    n_sigma: f32,
    n_sigma_ul: f32,
    threshold: f32,
    zero: u32,
    // The tile of moments: side of its transform, its first pixel in the map, and the scale of c in it.
    moment_side: u32,
    moment_y0: u32,
    moment_x0: u32,
    moment_scale: f32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

const TILE: u32 = 16u;
const KERNEL_PAD_Y: u32 = 15u;
const KERNEL_PAD_X: u32 = 20u;
const OUTSIDE: u32 = 0xffffffffu;
const HUGE: f32 = 1e30;

// Planes of `state`, each [y of band, x].
const X: u32 = 0u;           // norm: current, then best
const Z: u32 = 1u;           // its distance from the last pole, X + 1 / C_COUNTS, without that sum's rounding
const LO: u32 = 2u;          // bracket of Z: P >= M at LO, P <= M at HI
const HI: u32 = 3u;
const C_COUNTS: u32 = 4u;    // largest c of bins with counts: the last pole is at -1 / C_COUNTS
const C_ALL: u32 = 5u;       // largest c of all bins: the bound is -1 / C_ALL
const FLAGS: u32 = 6u;
const RHO: u32 = 7u;         // P - M at the best norm, 0 inside the bounds
const Q: u32 = 8u;           // sum of n u^2 and of n u^3 at the best norm
const R: u32 = 9u;
const D_ERRN: u32 = 10u;     // displacements from the best norm: errn (negative), errp, ul
const D_ERRP: u32 = 11u;
const D_UL: u32 = 12u;
const D_NEAR: u32 = 13u;     // bracket of errn: below the rise wanted, above it
const D_FAR: u32 = 14u;
const TRUNC: u32 = 15u;      // what ts_map_truncation finds at the errn tried, and its slope
const TRUNC_SLOPE: u32 = 16u;
const GAIN: u32 = 17u;       // half of the TS without its linear term
const ITERATIONS: u32 = 18u;
const GUESS: u32 = 19u;      // first guess of the norm, with a threshold
const P: u32 = 20u;          // sum of n u at the best norm

// Bits of FLAGS. Those below 2^15 are the public status bits (TsMapStatus).
const NO_COUNTS: u32 = 2u;
const SINGLE_BIN: u32 = 4u;
const NO_MODEL: u32 = 8u;
const AT_BOUND: u32 = 16u;
const BELOW_THRESHOLD: u32 = 64u;
const VALID: u32 = 0x10000u;     // to be fitted
const FITTED: u32 = 0x20000u;    // the norm is final
const DONE_ERRN: u32 = 0x40000u;
const DONE_ERRP: u32 = 0x80000u;
const DONE_UL: u32 = 0x100000u;
const TO_HOST: u32 = 0x200000u;  // beyond single precision: the host fits this pixel
const TRIAL: u32 = 0x400000u;    // X is the first guess, to be judged by the threshold
const BOUND_OPEN: u32 = 0x800000u; // LO is the bound, and P - M there is not known yet
const BY_MOMENTS: u32 = 0x1000000u; // nothing is left to do: moments were enough
const WING_FAILED: u32 = 0x2000000u; // moments of the wing do not hold: to be fitted from lists alone

@group(0) @binding(0) var<uniform> params: Params;
// Bits of floats, but FLAGS as they are: small integers would be denormal floats, which devices may flush to 0.
@group(0) @binding(5) var<storage, read_write> state: array<u32>;

// Pixel of the band that this invocation works on, or OUTSIDE.
fn tile_pixel(tile: u32, lane: u32) -> u32 {
    let y = (tile / params.tiles_x) * TILE + lane / TILE;
    let x = (tile % params.tiles_x) * TILE + lane % TILE;
    return select(OUTSIDE, y * params.nx + x, y < params.band_ny && x < params.nx);
}

// Index of plane k of `state` or `sums` at pixel o.
fn plane_at(k: u32, o: u32) -> u32 {
    return k * params.band_ny * params.nx + o;
}

fn load(k: u32, o: u32) -> f32 {
    return bitcast<f32>(state[plane_at(k, o)]);
}

fn store(k: u32, o: u32, value: f32) {
    state[plane_at(k, o)] = bitcast<u32>(value);
}

fn load_flags(o: u32) -> u32 {
    return state[plane_at(FLAGS, o)];
}

fn store_flags(o: u32, flags: u32) {
    state[plane_at(FLAGS, o)] = flags;
}

// True where d rho is so large that it cancels against the truncated bins: ts_map_truncation then sums the model of the
// bins that are left, too.
fn truncation_is_dense(o: u32) -> bool {
    return abs(load(D_ERRN, o) * load(RHO, o)) > 30.0;
}
