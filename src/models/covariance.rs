//! The covariance of the parameters of a list of models.

use ndarray::{Array2, ArrayView2};

use super::sky::Models;
use crate::error::{Error, Result};

/// A symmetric matrix over all parameters of [`Models::parameters`], frozen ones with zeros; values are in the products of
/// the parameters' units.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariance {
    names: Vec<String>,
    matrix: Array2<f64>,
}

impl Covariance {
    /// From full names and a matrix `[parameter, parameter]`.
    ///
    /// # Errors
    /// [`Error::Input`] where the matrix is not square or of another size, not symmetric, or has a negative variance.
    pub fn new(names: Vec<String>, matrix: Array2<f64>) -> Result<Self> {
        let n = names.len();
        if matrix.dim() != (n, n) {
            return Err(Error::input("covariance", format!("{:?} values for {n} parameters", matrix.dim())));
        }
        for i in 0..n {
            if matrix[[i, i]] < 0.0 {
                return Err(Error::input("covariance", format!("the variance of {} is negative", names[i])));
            }
            for j in 0..i {
                let (a, b) = (matrix[[i, j]], matrix[[j, i]]);
                let scale = (matrix[[i, i]] * matrix[[j, j]]).sqrt();
                if (a - b).abs() > 1e-6 * scale.max(a.abs()).max(b.abs()) {
                    let pair = format!("{} and {}", names[i], names[j]);
                    return Err(Error::input("covariance", format!("it is not symmetric in {pair}: {a} and {b}")));
                }
            }
        }
        Ok(Self { names, matrix })
    }

    /// The squares of the parameters' errors, without correlations but those of linked parameters.
    pub fn from_errors(models: &Models) -> Self {
        let all = models.parameters();
        let entry = |(i, j): (usize, usize)| {
            let (a, b) = (all[i].1, all[j].1);
            let linked = a.link.is_some() && a.link == b.link;
            let value = a.error * b.error;
            if (i == j || linked) && value.is_finite() { value } else { 0.0 }
        };
        let matrix = Array2::from_shape_fn((all.len(), all.len()), entry);
        Self { names: all.into_iter().map(|(n, _)| n).collect(), matrix }
    }

    /// Full names of the parameters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// `[parameter, parameter]`.
    pub fn matrix(&self) -> ArrayView2<'_, f64> {
        self.matrix.view()
    }

    /// The covariance of two parameters by their full names.
    pub fn get(&self, a: &str, b: &str) -> Option<f64> {
        let at = |name: &str| self.names.iter().position(|n| n == name);
        Some(self.matrix[[at(a)?, at(b)?]])
    }

    /// The part that belongs to the spectrum of a model, `[parameter, parameter]` in the order of its parameters; the whole
    /// is in the order of [`Models::parameters`].
    ///
    /// # Errors
    /// [`Error::Input`] for a model that is not among them, or where the number of parameters is another one.
    pub fn of_spectrum(&self, models: &Models, model: &str) -> Result<Array2<f64>> {
        let counts: Vec<usize> = models.components.iter().map(|m| m.parameters().len()).collect();
        let place = models.components.iter().position(|m| m.name() == model);
        let place = place.ok_or_else(|| Error::input(model, "there is no model of this name"))?;
        let (all, there) = (counts.iter().sum::<usize>(), self.names.len());
        if all != there {
            return Err(Error::input("covariance", format!("{there} parameters where the models have {all}")));
        }
        let first: usize = counts[..place].iter().sum();
        let n = models.components[place].spectral().parameters().len();
        Ok(self.matrix.slice(ndarray::s![first..first + n, first..first + n]).to_owned())
    }

    /// Correlations `[parameter, parameter]`: covariances over errors; 0 where an error is.
    pub fn correlation(&self) -> Array2<f64> {
        Array2::from_shape_fn(self.matrix.dim(), |(i, j)| {
            let scale = (self.matrix[[i, i]] * self.matrix[[j, j]]).sqrt();
            if scale > 0.0 { self.matrix[[i, j]] / scale } else { 0.0 }
        })
    }

    /// The parameters' errors, as square roots of the diagonal.
    pub fn errors(&self) -> Vec<f64> {
        self.matrix.diag().iter().map(|v| v.sqrt()).collect()
    }
}
