//! The library's synthetic surveys, and what only tests need of them.

use ndarray::ArrayView2;

#[allow(unused_imports, reason = "each test target uses its part")]
pub use pevatron::simulate::synthetic::{Case, Dataset, Survey, add_source};

/// A map in words of its neighbourhood: for messages.
pub fn around(map: ArrayView2<'_, f64>, (y, x): (usize, usize)) -> Vec<Vec<f64>> {
    let (ny, nx) = map.dim();
    (y.saturating_sub(1)..ny.min(y + 2))
        .map(|row| (x.saturating_sub(1)..nx.min(x + 2)).map(|column| map[[row, column]]).collect())
        .collect()
}
