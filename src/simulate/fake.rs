//! Poisson counts.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};
use rayon::prelude::*;

use crate::error::{Error, Result};
use crate::maps::{Map, MapData};

/// Poisson counts for predicted counts, in single precision. Each image row has a random stream of its own, so the
/// result depends on the seed alone, not on threads.
///
/// # Errors
/// [`Error::Input`] for a negative or infinite prediction; NaN gives 0 counts.
pub fn fake_counts(npred: &Map, seed: u64) -> Result<Map> {
    fake_counts_apart(npred, seed, 0)
}

/// As [`fake_counts`]; maps with other numbers are independent of each other for one seed.
pub(super) fn fake_counts_apart(npred: &Map, seed: u64, number: u64) -> Result<Map> {
    let shape = npred.geom().data_shape();
    let nx = shape[shape.len() - 1];
    let cube = npred.cube();
    let (planes, ny, _) = cube.dim();
    let rows: Vec<Vec<f32>> = (0..planes * ny)
        .into_par_iter()
        .map(|row| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(row as u64 + (number << 48));
            (0..nx)
                .map(|x| {
                    let mu = cube.at(row / ny, row % ny, x);
                    if mu.is_nan() || mu == 0.0 {
                        return Ok(0.0);
                    }
                    let poisson = Poisson::new(mu)
                        .map_err(|e| Error::input("npred", format!("{mu} cannot be simulated: {e}")))?;
                    Ok(poisson.sample(&mut rng) as f32)
                })
                .collect::<Result<Vec<f32>>>()
        })
        .collect::<Result<_>>()?;
    let data = ndarray::ArrayD::from_shape_vec(shape, rows.concat())
        .map_err(|e| Error::input("npred", format!("shape: {e}")))?;
    Map::new(npred.geom().clone(), Default::default(), MapData::F32(data))
}
