// State and sums of the 2 x 2 pixels that an invocation of a list pass works on; 0 for pixels outside.

@group(0) @binding(6) var<storage, read_write> sums: array<f32>;

fn pixels_load(k: u32) -> vec4<f32> {
    var value = vec4<f32>(0.0);
    for (var j = 0u; j < 4u; j++) {
        if (bins_pixels[j] != OUTSIDE) {
            value[j] = load(k, bins_pixels[j]);
        }
    }
    return value;
}

// Sum k so far: 0 in the first dispatch of a pass.
fn pixels_sum(k: u32) -> vec4<f32> {
    var value = vec4<f32>(0.0);
    for (var j = 0u; j < 4u; j++) {
        if (bins_pixels[j] != OUTSIDE && params.add != 0u) {
            value[j] = sums[plane_at(k, bins_pixels[j])];
        }
    }
    return value;
}

fn pixels_store(k: u32, value: vec4<f32>) {
    for (var j = 0u; j < 4u; j++) {
        if (bins_pixels[j] != OUTSIDE) {
            sums[plane_at(k, bins_pixels[j])] = value[j];
        }
    }
}

// 1 + x c of the pixels. Close to the last pole it is summed from there: c_counts - c is exact where they are close.
struct Factor {
    slope: vec4<f32>,
    pole: vec4<f32>,
    pole_inverse: vec4<f32>,
    near: vec4<bool>,
}

fn pixels_factor() -> Factor {
    let pole = pixels_load(C_COUNTS);
    let z = pixels_load(Z);
    let near = z * pole < vec4<f32>(0.5);
    return Factor(select(pixels_load(X), z, near), pole, 1.0 / max(pole, vec4<f32>(1e-30)), near);
}

// u = c / (1 + x c); factors below 1e-30 are taken as that.
fn factor_u(f: Factor, c: vec4<f32>) -> vec4<f32> {
    let base = select(vec4<f32>(1.0), (f.pole - c) * f.pole_inverse, f.near);
    return c / max(base + f.slope * c, vec4<f32>(1e-30));
}
