//! Parametric energy dispersion matrices.

use ndarray::Array2;

use crate::error::{Error, Result};
use crate::maps::MapAxis;
use crate::memory;

/// Perfect energy resolution `[energy_true, energy]`: the share of each true bin that overlaps a reconstructed bin
/// (Gammapy's `EDispKernel.from_diagonal_response`).
///
/// # Errors
/// Where an axis is not an energy.
///
/// ```
/// use pevatron::{irf::diagonal_response, maps::MapAxis};
/// let true_axis = MapAxis::energy_bounds(1.0, 100.0, 4, "energy_true")?;
/// let reco_axis = MapAxis::energy_bounds(1.0, 100.0, 2, "energy")?;
/// let matrix = diagonal_response(&true_axis, &reco_axis)?;
/// assert!((matrix[[1, 0]] - 1.0).abs() < 1e-12 && matrix[[1, 1]] == 0.0);
/// # Ok::<(), pevatron::Error>(())
/// ```
pub fn diagonal_response(energy_true: &MapAxis, energy: &MapAxis) -> Result<Array2<f64>> {
    let (t, r) = (energy_true.edges_tev()?, energy.edges_tev()?);
    memory::check::<f64>("a matrix of energies", &[t.len(), r.len()])?;
    Ok(Array2::from_shape_fn((t.len() - 1, r.len() - 1), |(i, j)| {
        ((t[i + 1].min(r[j + 1]) - t[i].max(r[j])).max(0.0)) / (t[i + 1] - t[i])
    }))
}

/// Gaussian energy resolution `[energy_true, energy]`: reconstructed over true energy is normal around `1 + bias` with
/// width `sigma`, evaluated at the centre of each true bin; entries below 1e-6 are 0 (Gammapy's
/// `EDispKernel.from_gauss` with its threshold).
///
/// # Errors
/// Where an axis is not an energy or `sigma` is not positive.
pub fn gauss_response(energy_true: &MapAxis, energy: &MapAxis, sigma: f64, bias: f64) -> Result<Array2<f64>> {
    if !(sigma > 0.0 && sigma.is_finite() && bias.is_finite()) {
        return Err(Error::options("edisp_sigma", format!("width {sigma} and bias {bias} do not make a resolution")));
    }
    let (t, r) = (energy_true.center_tev()?, energy.edges_tev()?);
    memory::check::<f64>("a matrix of energies", &[t.len(), r.len()])?;
    let cdf = |edge: f64, true_energy: f64| {
        0.5 * (1.0 + libm::erf((edge / true_energy - 1.0 - bias) / (std::f64::consts::SQRT_2 * sigma)))
    };
    Ok(Array2::from_shape_fn((t.len(), r.len() - 1), |(i, j)| {
        let p = cdf(r[j + 1], t[i]) - cdf(r[j], t[i]);
        if p < 1e-6 { 0.0 } else { p }
    }))
}
