// One invocation: one pixel of a 16 x 16 tile,
//
//     out[y, x] (+)= sum over planes p, u, v of  kernel[p, u, v] * image[p, y + u - hy, x + v - hx]
//
// a correlation; the host turns the kernel around for a convolution. Images outside the map (or the slab of rows that
// is on the device) are 0. A workgroup stages 16 x 32 kernel cells and the image patch under them; a kernel row's
// products are summed plainly, rows are added in two-float arithmetic.
//
// image   [plane of slab, y of slab, x]        kernel  [plane, ky + 30, kx + 40], 15 rows and 20 columns of zeros around
// tiles   indices of 16 x 16 tiles of the band  out     [y of band, x], (hi, lo)
//
// Limits: the host gives kernel rows u0..u1 and planes so that an invocation stays below 65535 loop steps.

struct Params {
    nx: u32,
    band_y0: u32,
    band_ny: u32,
    tiles_x: u32,
    slab_y0: u32,
    slab_ny: u32,
    slab_plane0: u32,
    kernel_plane0: u32,
    planes: u32,
    ky: u32,
    kx: u32,
    u0: u32,
    u1: u32,
    tile0: u32,
    add: u32,
    zero: u32,
}

const TILE: u32 = 16u;
const KERNEL_PAD_Y: u32 = 15u;
const KERNEL_PAD_X: u32 = 20u;
const CELLS_Y: u32 = 16u;
const CELLS_X: u32 = 32u;
const PATCH_X: u32 = 47u; // TILE + CELLS_X - 1
const PATCH: u32 = 1457u; // (TILE + CELLS_Y - 1) * PATCH_X

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read> tiles: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec2<f32>>;

var<workgroup> patch_: array<f32, PATCH>;
var<workgroup> cells: array<f32, 512>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    let tile_y = i32(params.band_y0 + (tile / params.tiles_x) * TILE);
    let tile_x = i32((tile % params.tiles_x) * TILE);
    let ly = lane / TILE;
    let lx = lane % TILE;
    let hy = i32(params.ky / 2u);
    let hx = i32(params.kx / 2u);
    let stride_x = params.kx + 2u * KERNEL_PAD_X;
    let stride_y = params.ky + 2u * KERNEL_PAD_Y;

    let y = u32(tile_y) + ly;
    let x = u32(tile_x) + lx;
    let inside = y < params.band_y0 + params.band_ny && x < params.nx;
    let o = (y - params.band_y0) * params.nx + x;
    var sum = vec2<f32>(0.0);
    if (inside && params.add != 0u) {
        sum = out[o];
    }

    for (var p = 0u; p < params.planes; p++) {
        let image_plane = (params.slab_plane0 + p) * params.slab_ny;
        let kernel_plane = (params.kernel_plane0 + p) * stride_y;
        for (var u0 = params.u0; u0 < params.u1; u0 += CELLS_Y) {
            for (var v0 = 0u; v0 < params.kx; v0 += CELLS_X) {
                workgroupBarrier();
                for (var k = lane; k < PATCH; k += 256u) {
                    let sy = tile_y + i32(u0 + k / PATCH_X) - hy - i32(params.slab_y0);
                    let sx = tile_x + i32(v0 + k % PATCH_X) - hx;
                    var value = 0.0;
                    if (sy >= 0 && sx >= 0 && sy < i32(params.slab_ny) && sx < i32(params.nx)) {
                        value = image[(image_plane + u32(sy)) * params.nx + u32(sx)];
                    }
                    patch_[k] = value;
                }
                for (var k = lane; k < CELLS_Y * CELLS_X; k += 256u) {
                    let u = u0 + k / CELLS_X;
                    let v = v0 + k % CELLS_X;
                    var value = 0.0;
                    if (u < params.u1 && v < params.kx) {
                        value = kernel[(kernel_plane + u + KERNEL_PAD_Y) * stride_x + v + KERNEL_PAD_X];
                    }
                    cells[k] = value;
                }
                workgroupBarrier();
                let rows = min(CELLS_Y, params.u1 - u0);
                let columns = min(CELLS_X, params.kx - v0);
                for (var u = 0u; u < rows; u++) {
                    var row = 0.0;
                    var c = u * CELLS_X;
                    var i = (ly + u) * PATCH_X + lx;
                    // Cells beyond `columns` are 0, and CELLS_X is a multiple of 4.
                    for (var v = 0u; v < columns; v += 4u) {
                        row += cells[c] * patch_[i];
                        row += cells[c + 1u] * patch_[i + 1u];
                        row += cells[c + 2u] * patch_[i + 2u];
                        row += cells[c + 3u] * patch_[i + 3u];
                        c += 4u;
                        i += 4u;
                    }
                    sum = two_add(sum, row);
                }
            }
        }
    }
    if (inside) {
        out[o] = sum;
    }
}
