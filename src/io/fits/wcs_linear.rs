//! Increments and rotation of pixels in headers: CDELTi with PCi_j, CDi_j, or CROTAi, in the spellings of all times.

use super::header::Header;
use crate::error::{Error, Place, Result};

/// Increments, and what they multiply, row by row: the standard's CDELTi and PCi_j.
pub(super) struct Linear {
    pub cdelt: [f64; 2],
    pub pc: [[f64; 2]; 2],
}

/// A matrix as it is in the header: the first spelling of each element.
struct Matrix<'a> {
    header: &'a Header,
    place: &'a Place,
    /// PC or CD.
    prefix: &'static str,
}

/// More axes than files have.
const MOST_AXES: usize = 9;

impl Matrix<'_> {
    /// Spellings of an element: `PC1_2`, and `PC001002` as it was proposed at first.
    fn keys(&self, i: usize, j: usize) -> [String; 2] {
        [format!("{}{i}_{j}", self.prefix), format!("{}{i:03}{j:03}", self.prefix)]
    }

    /// The key and value of an element that the header has.
    fn element(&self, i: usize, j: usize) -> Result<Option<(String, f64)>> {
        let keys = self.keys(i, j);
        let mut found: Option<(String, f64)> = None;
        for key in keys.into_iter().filter(|k| self.header.get(k).is_some()) {
            let value = finite(self.header, self.place, &key)?;
            match &found {
                Some((first, v)) if *v != value => {
                    return Err(Error::input_at(self.place.clone().item(key), format!("{value} where {first} is {v}")));
                }
                Some(_) => {}
                None => found = Some((key, value)),
            }
        }
        Ok(found)
    }

    /// The first of the sky's elements that the header has.
    fn first(&self) -> Option<String> {
        (1..=2).flat_map(|i| (1..=2).flat_map(move |j| self.keys(i, j))).find(|k| self.header.get(k).is_some())
    }

    fn read(&self, diagonal: f64) -> Result<[[f64; 2]; 2]> {
        let mut matrix = [[diagonal, 0.0], [0.0, diagonal]];
        for (i, row) in matrix.iter_mut().enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                if let Some((_, v)) = self.element(i + 1, j + 1)? {
                    *value = v;
                }
            }
        }
        Ok(matrix)
    }

    /// Positions that change with the energy, or energies with the position, have no place in a map.
    fn refuse_mixed(&self) -> Result<()> {
        for (sky, other) in (1..=2).flat_map(|i| (3..=MOST_AXES).map(move |j| (i, j))) {
            for (i, j) in [(sky, other), (other, sky)] {
                if let Some((key, _)) = self.element(i, j)?.filter(|(_, v)| *v != 0.0) {
                    let place = self.place.clone().item(key);
                    return Err(Error::unsupported(format!("{place}: axes of the sky and others cannot be mixed")));
                }
            }
        }
        Ok(())
    }
}

fn finite(header: &Header, place: &Place, key: &str) -> Result<f64> {
    let value = header.real(key).filter(|v| v.is_finite());
    value.ok_or_else(|| Error::input_at(place.clone().item(key), "a finite number is needed"))
}

/// The linear part of the first two axes; `lat` (1 or 2) is the axis of latitude, whose CROTAi counts.
///
/// CDELTi and CROTAi beside CDi_j are for programs of the past and have no meaning (paper I, section 2.1.2).
///
/// # Errors
/// [`Error::Input`] at the keyword: numbers that are not finite, increments of 0, mixed conventions.
pub(super) fn read(header: &Header, place: &Place, lat: usize) -> Result<Linear> {
    let cd = Matrix { header, place, prefix: "CD" };
    let pc = Matrix { header, place, prefix: "PC" };
    let optional = |key: &str| header.get(key).map(|_| finite(header, place, key)).transpose();
    let wrong = |key: String, problem: String| Err(Error::input_at(place.clone().item(key), problem));
    pc.refuse_mixed()?;
    cd.refuse_mixed()?;
    if let Some(first_cd) = cd.first() {
        if let Some(first_pc) = pc.first() {
            return wrong(first_cd, format!("a header has this or {first_pc}, not both"));
        }
        return of_cd(cd.read(0.0)?, place);
    }
    let cdelt = [optional("CDELT1")?, optional("CDELT2")?];
    for (n, v) in cdelt.iter().enumerate() {
        let (key, other) = (format!("CDELT{}", n + 1), format!("CDELT{}", 2 - n));
        match v {
            Some(0.0) => return wrong(key, "an increment cannot be 0".into()),
            None if cdelt[1 - n].is_some() => return wrong(key, format!("the keyword is missing beside {other}")),
            _ => {}
        }
    }
    let cdelt = cdelt.map(|v| v.unwrap_or(1.0));
    let (turn, other) = (optional(&format!("CROTA{lat}"))?, optional(&format!("CROTA{}", 3 - lat))?);
    if other.is_some_and(|v| v != 0.0 && turn != Some(v)) {
        let problem = format!("the rotation belongs into CROTA{lat}, on the axis of latitude");
        return wrong(format!("CROTA{}", 3 - lat), problem);
    }
    let turn = turn.filter(|v| *v != 0.0);
    match (pc.first(), turn) {
        (Some(first_pc), Some(_)) => wrong(format!("CROTA{lat}"), format!("a header has this or {first_pc}, not both")),
        (Some(_), None) => Ok(Linear { cdelt, pc: pc.read(1.0)? }),
        (None, None) => Ok(Linear { cdelt, pc: [[1.0, 0.0], [0.0, 1.0]] }),
        (None, Some(angle)) => {
            // Paper II, equation 186; with latitude first, rows and columns change places.
            let (sin, cos) = angle.to_radians().sin_cos();
            let (lon_row, lat_row) = (2 - lat, lat - 1);
            let ratio = cdelt[lat_row] / cdelt[lon_row];
            let mut pc = [[cos, 0.0], [0.0, cos]];
            pc[lon_row][lat_row] = -sin * ratio;
            pc[lat_row][lon_row] = sin / ratio;
            Ok(Linear { cdelt, pc })
        }
    }
}

/// Increments are the row lengths, with the signs that make the diagonal of the rest positive.
fn of_cd(cd: [[f64; 2]; 2], place: &Place) -> Result<Linear> {
    let mut cdelt = [0.0; 2];
    let mut pc = [[0.0; 2]; 2];
    for i in 0..2 {
        let off = cd[i][1 - i];
        let length = if off == 0.0 { cd[i][i].abs() } else { cd[i][0].hypot(cd[i][1]) };
        if length == 0.0 {
            let key = format!("CD{n}_{n}", n = i + 1);
            return Err(Error::input_at(place.clone().item(key), "an increment cannot be 0"));
        }
        cdelt[i] = if cd[i][i] < 0.0 { -length } else { length };
        for j in 0..2 {
            pc[i][j] = cd[i][j] / cdelt[i];
        }
    }
    Ok(Linear { cdelt, pc })
}
