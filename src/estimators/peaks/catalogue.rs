//! Names from catalogues.

use crate::error::{Error, Result};
use crate::maps::SkyPosition;
use crate::units::Angle;

/// The entry of a catalogue that is nearest to a position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counterpart {
    /// Row of the catalogue.
    pub index: usize,
    /// Great-circle distance in degrees.
    pub separation_deg: f64,
}

/// For each position the nearest entry of a catalogue within a radius, `None` where there is none; of entries at the same
/// distance the first. Entries without a position (NaN) are passed over.
///
/// # Errors
/// [`Error::Options`] for a radius that is not positive and finite.
pub fn match_positions(
    positions: &[SkyPosition],
    catalogue: &[SkyPosition],
    radius: Angle,
) -> Result<Vec<Option<Counterpart>>> {
    let limit = radius.to_deg();
    if !(limit > 0.0 && limit.is_finite()) {
        return Err(Error::options("match_radius", format!("{limit} deg must be positive and finite")));
    }
    let nearest = |position: &SkyPosition| {
        let own =
            |index: usize, entry: &SkyPosition| Counterpart { index, separation_deg: position.separation_deg(*entry) };
        let within = catalogue.iter().enumerate().map(|(i, e)| own(i, e)).filter(|c| c.separation_deg <= limit);
        within.reduce(|best, other| if other.separation_deg < best.separation_deg { other } else { best })
    };
    Ok(positions.iter().map(nearest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::Frame;

    #[test]
    fn the_nearest_within_the_radius_is_taken() {
        let crab = SkyPosition::icrs(83.6333, 22.0144);
        let catalogue = [
            SkyPosition::icrs(f64::NAN, 22.0),
            SkyPosition::icrs(83.70, 22.10),
            SkyPosition::icrs(83.63, 22.01).to_frame(Frame::Galactic),
            SkyPosition::icrs(263.63, -22.01),
        ];
        let positions = [crab, SkyPosition::icrs(83.70, 22.11), SkyPosition::icrs(10.0, 10.0)];
        let found = match_positions(&positions, &catalogue, Angle::deg(0.2)).unwrap();
        assert_eq!(found.iter().map(|c| c.map(|c| c.index)).collect::<Vec<_>>(), [Some(2), Some(1), None]);
        assert!((found[0].unwrap().separation_deg - crab.separation_deg(catalogue[2])).abs() < 1e-15);
        assert!(match_positions(&positions, &catalogue, Angle::deg(0.001)).unwrap().iter().all(Option::is_none));
        assert!(match_positions(&positions, &catalogue, Angle::deg(0.0)).is_err());
    }
}
