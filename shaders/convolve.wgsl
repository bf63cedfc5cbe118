// One invocation: four neighbours in x of a 16 x 16 tile,
//
//     out[y, x] (+)= sum over planes p, u, v of  kernel[p, u, v] * image[p, y + u - hy, x + v - hx]
//
// a correlation; the host turns the kernel around for a convolution. Images outside the map (or the slab of rows that
// is on the device) are 0. A workgroup stages 16 x 32 kernel cells and the image patch under them, and slides over the
// patch four cells and four pixels at a time; a kernel row's products are summed plainly, rows are added in two-float
// arithmetic.
//
// image   [plane of slab, y of slab, x]
// kernel  [plane, ky + 30, kx + 40]: 15 rows and 20 columns of zeros around
// tiles   indices of 16 x 16 tiles of the band
// out     [y of band, x], (hi, lo)
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
const PATCH_X: u32 = 48u; // TILE + CELLS_X, one more than needed: a multiple of 4
const PATCH_Y: u32 = 31u; // TILE + CELLS_Y - 1

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var<storage, read> kernel: array<f32>;
@group(0) @binding(3) var<storage, read> tiles: array<u32>;
@group(0) @binding(4) var<storage, read_write> out: array<vec2<f32>>;

// Rows of PATCH_X / 4 and of CELLS_X / 4 vectors.
var<workgroup> image_patch: array<vec4<f32>, 372>;
var<workgroup> cells: array<vec4<f32>, 128>;

var<private> tile_y: i32;
var<private> tile_x: i32;

fn image_at(plane_row: u32, y: i32, x: i32) -> f32 {
    let sy = y - i32(params.slab_y0);
    if (sy >= 0 && x >= 0 && sy < i32(params.slab_ny) && x < i32(params.nx)) {
        return image[(plane_row + u32(sy)) * params.nx + u32(x)];
    }
    return 0.0;
}

fn kernel_at(plane_row: u32, u: u32, v: u32) -> f32 {
    if (u < params.u1 && v < params.kx) {
        return kernel[(plane_row + u + KERNEL_PAD_Y) * (params.kx + 2u * KERNEL_PAD_X) + v + KERNEL_PAD_X];
    }
    return 0.0;
}

// Stages kernel cells from (u0, v0) on and the patch under them.
fn stage(lane: u32, image_row: u32, kernel_row: u32, u0: u32, v0: u32) {
    for (var k = lane; k < PATCH_Y * PATCH_X / 4u; k += 64u) {
        let y = tile_y + i32(u0 + k / (PATCH_X / 4u)) - i32(params.ky / 2u);
        let x = tile_x + i32(v0 + k % (PATCH_X / 4u) * 4u) - i32(params.kx / 2u);
        image_patch[k] = vec4<f32>(
            image_at(image_row, y, x),
            image_at(image_row, y, x + 1),
            image_at(image_row, y, x + 2),
            image_at(image_row, y, x + 3),
        );
    }
    for (var k = lane; k < CELLS_Y * CELLS_X / 4u; k += 64u) {
        let u = u0 + k / (CELLS_X / 4u);
        let v = v0 + k % (CELLS_X / 4u) * 4u;
        cells[k] = vec4<f32>(
            kernel_at(kernel_row, u, v),
            kernel_at(kernel_row, u, v + 1u),
            kernel_at(kernel_row, u, v + 2u),
            kernel_at(kernel_row, u, v + 3u),
        );
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let tile = tiles[params.tile0 + group.x];
    tile_y = i32(params.band_y0 + (tile / params.tiles_x) * TILE);
    tile_x = i32((tile % params.tiles_x) * TILE);
    let ly = lane / 4u;
    let lx = lane % 4u;

    let y = u32(tile_y) + ly;
    let x = u32(tile_x) + lx * 4u;
    let inside = y < params.band_y0 + params.band_ny;
    let o = (y - params.band_y0) * params.nx + x;
    var sum = TwoFour(vec4<f32>(0.0), vec4<f32>(0.0));
    for (var j = 0u; j < 4u; j++) {
        if (inside && x + j < params.nx && params.add != 0u) {
            sum.hi[j] = out[o + j].x;
            sum.lo[j] = out[o + j].y;
        }
    }

    for (var p = 0u; p < params.planes; p++) {
        let image_row = (params.slab_plane0 + p) * params.slab_ny;
        let kernel_row = (params.kernel_plane0 + p) * (params.ky + 2u * KERNEL_PAD_Y);
        for (var u0 = params.u0; u0 < params.u1; u0 += CELLS_Y) {
            for (var v0 = 0u; v0 < params.kx; v0 += CELLS_X) {
                workgroupBarrier();
                stage(lane, image_row, kernel_row, u0, v0);
                workgroupBarrier();
                let rows = min(CELLS_Y, params.u1 - u0);
                let steps = (min(CELLS_X, params.kx - v0) + 3u) / 4u;
                for (var u = 0u; u < rows; u++) {
                    var row = vec4<f32>(0.0);
                    var i = (ly + u) * (PATCH_X / 4u) + lx;
                    var a = image_patch[i];
                    for (var v = 0u; v < steps; v++) {
                        i += 1u;
                        let b = image_patch[i];
                        let k = cells[u * (CELLS_X / 4u) + v];
                        row += k.x * a;
                        row += k.y * vec4<f32>(a.yzw, b.x);
                        row += k.z * vec4<f32>(a.zw, b.xy);
                        row += k.w * vec4<f32>(a.w, b.xyz);
                        a = b;
                    }
                    sum = two_add4(sum, row);
                }
            }
        }
    }
    for (var j = 0u; j < 4u; j++) {
        if (inside && x + j < params.nx) {
            out[o + j] = vec2<f32>(sum.hi[j], sum.lo[j]);
        }
    }
}
