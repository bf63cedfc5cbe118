//! Small symmetric systems of equations.

use ndarray::{Array2, ArrayView2};

/// The lower triangle of the Cholesky decomposition of a matrix that was scaled to a diagonal of 1, and the scales.
pub(super) struct Cholesky {
    lower: Array2<f64>,
    scale: Vec<f64>,
}

/// Pivots below this times the diagonal count as 0: the matrix holds no information there.
const SMALLEST_PIVOT: f64 = 1e-13;

impl Cholesky {
    /// `None` where the matrix is not positive definite.
    pub fn new(matrix: ArrayView2<'_, f64>) -> Option<Self> {
        let n = matrix.nrows();
        let scale: Vec<f64> = matrix.diag().iter().map(|v| v.sqrt()).collect();
        if scale.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
            return None;
        }
        let mut lower = Array2::zeros((n, n));
        for i in 0..n {
            for j in 0..=i {
                let mut sum = matrix[[i, j]] / (scale[i] * scale[j]);
                for k in 0..j {
                    sum -= lower[[i, k]] * lower[[j, k]];
                }
                if i == j {
                    if sum.is_nan() || sum <= SMALLEST_PIVOT {
                        return None;
                    }
                    lower[[i, i]] = sum.sqrt();
                } else {
                    lower[[i, j]] = sum / lower[[j, j]];
                }
            }
        }
        Some(Self { lower, scale })
    }

    /// The x of matrix x = b.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let n = b.len();
        let mut x: Vec<f64> = b.iter().zip(&self.scale).map(|(v, s)| v / s).collect();
        for i in 0..n {
            for k in 0..i {
                x[i] -= self.lower[[i, k]] * x[k];
            }
            x[i] /= self.lower[[i, i]];
        }
        for i in (0..n).rev() {
            for k in i + 1..n {
                x[i] -= self.lower[[k, i]] * x[k];
            }
            x[i] /= self.lower[[i, i]];
        }
        x.iter().zip(&self.scale).map(|(v, s)| v / s).collect()
    }

    /// The inverse, symmetric to the last bit.
    pub fn inverse(&self) -> Array2<f64> {
        let n = self.scale.len();
        let mut inverse = Array2::zeros((n, n));
        for j in 0..n {
            let unit: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i == j))).collect();
            for (i, value) in self.solve(&unit).into_iter().enumerate().skip(j) {
                inverse[[i, j]] = value;
                inverse[[j, i]] = value;
            }
        }
        inverse
    }
}

/// Rows and columns of a matrix.
pub(super) fn submatrix(matrix: ArrayView2<'_, f64>, keep: &[usize]) -> Array2<f64> {
    Array2::from_shape_fn((keep.len(), keep.len()), |(i, j)| matrix[[keep[i], keep[j]]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn systems_of_unlike_scales_are_solved() {
        let m = array![[4.0, 1e-12, 0.5], [1e-12, 9e-24, 2e-13], [0.5, 2e-13, 1.0]];
        let cholesky = Cholesky::new(m.view()).unwrap();
        let x = cholesky.solve(&[1.0, 2e-12, -1.0]);
        for (row, wanted) in m.outer_iter().zip([1.0, 2e-12, -1.0]) {
            let found: f64 = row.iter().zip(&x).map(|(a, b)| a * b).sum();
            assert!((found / wanted - 1.0).abs() < 1e-10, "{found} {wanted}");
        }
        let product = m.dot(&cholesky.inverse());
        assert!((product[[1, 1]] - 1.0).abs() < 1e-10 && (product[[0, 0]] - 1.0).abs() < 1e-10);
    }

    #[test]
    fn singular_and_indefinite_matrices_are_none() {
        assert!(Cholesky::new(array![[1.0, 1.0], [1.0, 1.0]].view()).is_none());
        assert!(Cholesky::new(array![[1.0, 2.0], [2.0, 1.0]].view()).is_none());
        assert!(Cholesky::new(array![[0.0]].view()).is_none());
        assert!(Cholesky::new(array![[f64::NAN]].view()).is_none());
    }
}
