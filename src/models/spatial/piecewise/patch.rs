//! A smooth surface through values at the corners of triangles.
//!
//! Gradients: of all cubic curves along the sides of the triangles, each with the values and the slopes at its ends, those
//! whose squared second derivatives sum up to least (the "minimum norm network" of Nielson 1983; Renka and Cline 1984,
//! Rocky Mountain J. Math. 14, 223, minimise the same over gradients). Patches: each triangle is cut from its centroid into
//! three cubic Bézier triangles (Clough and Tocher 1965; the conditions on their coefficients as in Alfeld 1984, CAGD 1, 169,
//! and Farin 1986, CAGD 3, 83).

use super::triangles::Triangles;

/// The matrix, divided by its blocks of one node each, has eigenvalues between 1/2 and 3/2: an iteration of conjugate
/// gradients leaves at most 0.27 of the error.
const MOST_ITERATIONS: usize = 60;

fn dot(a: [f64; 2], b: [f64; 2]) -> f64 {
    a[0] * b[0] + a[1] * b[1]
}

/// Blocks of 2 × 2 on the diagonal, inverted: `[xx, xy, yy]`.
fn inverse([xx, xy, yy]: [f64; 3]) -> [f64; 3] {
    let determinant = xx * yy - xy * xy;
    // Sides from one node on one line tell nothing about the slope across it.
    if determinant <= f64::EPSILON * xx * yy {
        let trace = xx + yy;
        // A node on the border between two others may have no sides at all.
        if trace <= 0.0 {
            return [0.0; 3];
        }
        let scale = 1.0 / (trace * trace);
        return [xx * scale, xy * scale, yy * scale];
    }
    [yy / determinant, -xy / determinant, xx / determinant]
}

fn applied([xx, xy, yy]: [f64; 3], v: [f64; 2]) -> [f64; 2] {
    [xx * v[0] + xy * v[1], xy * v[0] + yy * v[1]]
}

/// Sum of products of two lists of vectors.
fn product(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
    a.iter().zip(b).map(|(a, b)| dot(*a, *b)).sum()
}

/// The gradients at the nodes.
///
/// A cubic curve over a side of length L from node i to node j, with slopes a and b per side at its ends and a rise of Δ,
/// has ∫ w″² ds = 4 (a² + a b + b² − 3 Δ (a + b) + 3 Δ²) / L³, where a = side · gradient at i. What is 0 at the minimum is
/// linear in the gradients: Σ side (2 a + b − 3 Δ) / L³ over the sides from i.
pub(super) fn gradients(triangles: &Triangles, values: &[f64]) -> Vec<[f64; 2]> {
    let n = values.len();
    let sides: Vec<(usize, usize, [f64; 2], f64)> = triangles
        .sides()
        .map(|(i, j)| {
            let (a, b) = (triangles.place(i), triangles.place(j));
            let side = [b[0] - a[0], b[1] - a[1]];
            (i, j, side, side[0].hypot(side[1]).powi(-3))
        })
        .collect();
    let mut blocks = vec![[0.0; 3]; n];
    let mut residual = vec![[0.0; 2]; n];
    for (i, j, side, weight) in &sides {
        let rise = 3.0 * weight * (values[*j] - values[*i]);
        for node in [*i, *j] {
            blocks[node][0] += 2.0 * weight * side[0] * side[0];
            blocks[node][1] += 2.0 * weight * side[0] * side[1];
            blocks[node][2] += 2.0 * weight * side[1] * side[1];
            residual[node][0] += rise * side[0];
            residual[node][1] += rise * side[1];
        }
    }
    let blocks: Vec<[f64; 3]> = blocks.into_iter().map(inverse).collect();
    let apply = |x: &[[f64; 2]]| -> Vec<[f64; 2]> {
        let mut out = vec![[0.0; 2]; n];
        for (i, j, side, weight) in &sides {
            let (a, b) = (weight * dot(*side, x[*i]), weight * dot(*side, x[*j]));
            for (node, amount) in [(*i, 2.0 * a + b), (*j, a + 2.0 * b)] {
                out[node][0] += amount * side[0];
                out[node][1] += amount * side[1];
            }
        }
        out
    };
    // Conjugate gradients (Hestenes and Stiefel 1952) with the blocks in front.
    let scaled = |r: &[[f64; 2]]| -> Vec<[f64; 2]> { blocks.iter().zip(r).map(|(b, r)| applied(*b, *r)).collect() };
    let mut found = vec![[0.0; 2]; n];
    let mut z = scaled(&residual);
    let mut direction = z.clone();
    let mut size = product(&residual, &z);
    let wanted = size * f64::EPSILON * f64::EPSILON;
    for _ in 0..MOST_ITERATIONS {
        if size.is_nan() || size <= wanted {
            break;
        }
        let image = apply(&direction);
        let step = size / product(&direction, &image);
        if !step.is_finite() {
            break;
        }
        for k in 0..n {
            for c in 0..2 {
                found[k][c] += step * direction[k][c];
                residual[k][c] -= step * image[k][c];
            }
        }
        z = scaled(&residual);
        let next = product(&residual, &z);
        for (d, z) in direction.iter_mut().zip(&z) {
            *d = [z[0] + next / size * d[0], z[1] + next / size * d[1]];
        }
        size = next;
    }
    found
}

/// Coefficients of the three cubic Bézier triangles of one triangle; corners are counted from 0 to 2, the centroid is c.
#[derive(Debug, Clone)]
pub(super) struct Patch {
    /// At the corners.
    corner: [f64; 3],
    /// `[i][j]`: on the side from corner i to corner j, near i.
    side: [[f64; 3]; 3],
    /// On the line from corner i to the centroid, near the corner.
    inward: [f64; 3],
    /// In the middle of the Bézier triangle that corner k is not of.
    middle: [f64; 3],
    /// On the line from corner i to the centroid, near the centroid.
    around: [f64; 3],
    /// At the centroid.
    center: f64,
}

impl Patch {
    /// Of a triangle, for values and gradients at all nodes.
    pub fn new(triangles: &Triangles, triangle: usize, values: &[f64], gradients: &[[f64; 2]]) -> Self {
        let nodes = triangles.corners(triangle);
        let places = nodes.map(|n| triangles.place(n));
        let corner = nodes.map(|n| values[n]);
        let mut side = [[0.0; 3]; 3];
        for i in 0..3 {
            for j in 0..3 {
                let way = [places[j][0] - places[i][0], places[j][1] - places[i][1]];
                side[i][j] = corner[i] + dot(gradients[nodes[i]], way) / 3.0;
            }
        }
        // In the plane of the corner and its two sides, where the centroid's direction is a third of theirs.
        let inward: [f64; 3] = std::array::from_fn(|i| (corner[i] + side[i][(i + 1) % 3] + side[i][(i + 2) % 3]) / 3.0);
        let centroid = triangles.centroid(triangle);
        let middle: [f64; 3] = std::array::from_fn(|k| {
            let (i, j) = ((k + 1) % 3, (k + 2) % 3);
            // Along the side the slope in this direction is to be linear, where a cubic's is quadratic; both triangles of
            // the side take the direction between their centroids, so their slopes are the same.
            let outward = match triangles.neighbour(triangle, k) {
                Some(other) => triangles.centroid(other),
                None => [0.5 * (places[i][0] + places[j][0]), 0.5 * (places[i][1] + places[j][1])],
            };
            let from = |p: [f64; 2]| [p[0] - centroid[0], p[1] - centroid[1]];
            let (u, v, d) = (from(places[i]), from(places[j]), from(outward));
            // d = a u + b v: what a step in this direction adds to the weights of i and j, and takes from the centroid's.
            let area = u[0] * v[1] - u[1] * v[0];
            let (a, b) = ((d[0] * v[1] - d[1] * v[0]) / area, (u[0] * d[1] - u[1] * d[0]) / area);
            let c = -(a + b);
            let first = a * corner[i] + b * side[i][j] + c * inward[i];
            let last = a * side[j][i] + b * corner[j] + c * inward[j];
            (0.5 * (first + last) - a * side[i][j] - b * side[j][i]) / c
        });
        // Across the lines to the centroid the three are one plane each.
        let around: [f64; 3] = std::array::from_fn(|i| (inward[i] + middle[(i + 1) % 3] + middle[(i + 2) % 3]) / 3.0);
        let center = (around[0] + around[1] + around[2]) / 3.0;
        Self { corner, side, inward, middle, around, center }
    }

    /// The value at a place by its weights of the corners (barycentric coordinates).
    pub fn at(&self, weights: [f64; 3]) -> f64 {
        // The least weight says in which of the three the place lies.
        let k = (0..3).fold(0, |k, other| if weights[other] < weights[k] { other } else { k });
        let (i, j) = ((k + 1) % 3, (k + 2) % 3);
        let (a, b, c) = (weights[i] - weights[k], weights[j] - weights[k], 3.0 * weights[k]);
        let side = a * a * (a * self.corner[i] + 3.0 * b * self.side[i][j])
            + b * b * (b * self.corner[j] + 3.0 * a * self.side[j][i]);
        let first = 3.0 * c * (a * a * self.inward[i] + 2.0 * a * b * self.middle[k] + b * b * self.inward[j]);
        let second = c * c * (3.0 * (a * self.around[i] + b * self.around[j]) + c * self.center);
        side + first + second
    }
}
