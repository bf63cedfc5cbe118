//! Values that cannot be meant as they stand in a dataset: by rounding, or nonsense that no axis or unit shows.

use crate::datasets::MapDataset;
use crate::error::words::of_number;
use crate::error::{Error, Place, Result, warnings};
use crate::maps::{Map, MapData, Mask};

/// Values that are negative by no more than this part of the largest one of their plane are 0 by rounding: what single
/// precision leaves of differences, and what smoothing by Fourier transforms does.
const ROUNDING: f64 = 1e-6;

/// Probabilities of energy dispersion sum to 1 at most; interpolated and stacked ones to a little more.
const SUM_SAID: f64 = 1.1;

/// Beyond this they are not probabilities.
const SUM: f64 = 10.0;

/// Sets values to 0 that are negative by rounding; others are left for who knows what they may be.
///
/// # Errors
/// Only where warnings are errors.
pub(super) fn round_to_zero(place: &Place, map: &mut Map) -> Result<()> {
    // The sign bit of all values is quickly seen.
    let any = match map.data() {
        MapData::F32(a) => a.iter().fold(false, |any, v| any | (v.to_bits() > 1 << 31)),
        MapData::F64(a) => a.iter().fold(false, |any, v| any | (v.to_bits() > 1 << 63)),
    };
    if !any {
        return Ok(());
    }
    let largest = |values: &mut dyn Iterator<Item = f64>| values.filter(|v| v.is_finite()).fold(0.0, f64::max);
    let of_map = largest(&mut map.data().iter());
    // Planes in memory order; those without any positive value are compared with the whole map.
    let per_plane = map.data().len() / map.planes().max(1);
    let values: Vec<f64> = map.data().iter().collect();
    let mut rounded: Vec<(usize, f64)> = Vec::new();
    for (n, plane) in values.chunks(per_plane.max(1)).enumerate() {
        let of_plane = largest(&mut plane.iter().copied());
        let limit = ROUNDING * if of_plane > 0.0 { of_plane } else { of_map };
        let negative = plane.iter().enumerate().filter(|(_, v)| **v < 0.0 && -**v <= limit);
        rounded.extend(negative.map(|(i, v)| (n * per_plane + i, *v)));
    }
    if rounded.is_empty() {
        return Ok(());
    }
    let least = rounded.iter().map(|(_, v)| *v).fold(0.0, f64::min);
    let values = of_number(rounded.len(), "value", "is");
    let text = format!("{values} below 0 by rounding (down to {least:.2e}): 0 is taken");
    warnings::warn(Error::input_at(place.clone(), text))?;
    fn set<T: Default>(values: ndarray::iter::IterMut<'_, T, ndarray::IxDyn>, rounded: &[(usize, f64)]) {
        let mut next = rounded.iter().map(|(i, _)| *i).peekable();
        for (i, value) in values.enumerate() {
            if next.next_if_eq(&i).is_some() {
                *value = T::default();
            }
        }
    }
    let mut data = map.data().clone();
    match &mut data {
        MapData::F32(a) => set(a.iter_mut(), &rounded),
        MapData::F64(a) => set(a.iter_mut(), &rounded),
    }
    *map = Map::new(map.geom().clone(), map.unit().clone(), data)?;
    Ok(())
}

/// Energy dispersion is made of probabilities: finite, 0 or more, and 1 in sum at most, as matrices over reconstructed
/// energy and as densities over migra.
///
/// # Errors
/// [`Error::Input`] for values that are infinite and sums far above 1.
pub(super) fn check_edisp(place: &Place, edisp: &Map) -> Result<()> {
    let Some(axis) = edisp.geom().axes().first() else { return Ok(()) };
    let (bins, density) = (axis.nbin(), axis.name() == "migra");
    let widths = if density { axis.bin_width() } else { vec![1.0; bins] };
    let (planes, ny, nx) = edisp.cube().dim();
    if bins == 0 || planes % bins != 0 {
        return Ok(());
    }
    let (mut largest, mut negative) = ((0.0, 0), 0usize);
    for truth in 0..planes / bins {
        let mut sums = ndarray::Array2::<f64>::zeros((ny, nx));
        for (n, width) in widths.iter().enumerate() {
            sums.zip_mut_with(&edisp.plane_f64(truth * bins + n), |sum, v| {
                // Undefined ones are taken as 0.
                *sum += if v.is_nan() { 0.0 } else { v * width };
                negative += usize::from(*v < 0.0);
            });
        }
        let most = sums.iter().copied().fold(0.0, |a: f64, b| if b.is_nan() { f64::INFINITY } else { a.max(b) });
        if most > largest.0 {
            largest = (most, truth);
        }
    }
    let (sum, truth) = largest;
    let what = if density { "the integral over migra" } else { "the sum over energies" };
    if sum > SUM {
        let problem = format!("{what} is {sum} in bin {truth} of energy_true, probabilities sum to 1 at most");
        return Err(Error::input_at(place.clone(), problem).with_help("make the energy dispersion anew"));
    }
    if sum > SUM_SAID {
        let text =
            format!("{what} is up to {sum} (bin {truth} of energy_true): more counts than sources have are predicted");
        warnings::warn(Error::input_at(place.clone(), text))?;
    }
    if negative > 0 {
        warnings::warn(Error::input_at(place.clone(), format!("{negative} probabilities are negative")))?;
    }
    Ok(())
}

/// Acceptances that are 0 everywhere leave no background.
///
/// # Errors
/// Only where warnings are errors.
pub(super) fn check_acceptances(file: &Place, dataset: &MapDataset, off: &[(&str, Option<&Map>)]) -> Result<()> {
    for (name, map) in off.iter().filter(|(name, _)| name.starts_with("ACCEPTANCE")) {
        if let Some(map) = map {
            say_empty_acceptance(&file.clone().hdu(*name), map, dataset.mask_safe.as_ref())?;
        }
    }
    Ok(())
}

/// Says an acceptance without any value above 0 inside of a mask.
pub(super) fn say_empty_acceptance(place: &Place, map: &Map, mask: Option<&Mask>) -> Result<()> {
    let mask = mask.filter(|m| m.data().len() == map.data().len() && m.count() > 0);
    let above = match mask {
        Some(mask) => map.data().iter().zip(mask.data()).any(|(v, m)| *m && v > 0.0),
        None => map.data().iter().any(|v| v > 0.0),
    };
    if above {
        return Ok(());
    }
    let text = "the acceptance is 0 everywhere: there is no background in any bin";
    warnings::warn(Error::input_at(place.clone(), text))
}
