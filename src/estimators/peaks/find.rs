//! Local maxima of maps.

use std::collections::{HashMap, VecDeque};

use ndarray::{Array1, Array2, ArrayView1, Axis};

use super::locate::{PeakLocation, locate};
use crate::error::{Error, Result};
use crate::flux::{FluxMaps, FluxQuantity, SedType};
use crate::maps::{Map, SkyPosition, WcsGeom};
use crate::units::Angle;

/// The least distance of two peaks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PeakDistance {
    /// Half the side of the square of pixels in which a peak must be the largest, as in Gammapy.
    Pixels(usize),
    /// On the sky: no pixel within that distance is larger, wherever the map has it. (Gammapy turns an angle into pixels
    /// with the header's scales, see [`PeakDistance::pixels`].)
    Angle(Angle),
}

impl Default for PeakDistance {
    fn default() -> Self {
        Self::Pixels(1)
    }
}

impl PeakDistance {
    /// In pixels of a map; of an angle the mean number over both directions, rounded, as Gammapy takes it.
    ///
    /// # Errors
    /// [`Error::Options`] where it is not positive and finite, or less than half a pixel.
    pub fn pixels(self, geom: &WcsGeom) -> Result<usize> {
        let pixels = match self {
            Self::Pixels(n) => n as f64,
            Self::Angle(angle) => {
                let deg = angle.to_deg();
                if !(deg > 0.0 && deg.is_finite()) {
                    return Err(Error::options("min_distance", format!("{deg} deg must be positive and finite")));
                }
                let (x, y) = geom.pixel_scales_deg();
                (0.5 * (deg / x + deg / y)).round_ties_even()
            }
        };
        if pixels < 1.0 {
            return Err(Error::options("min_distance", "is less than one pixel, every pixel would be a peak")
                .with_help(format!("pixels are {:?} deg wide", geom.pixel_scales_deg())));
        }
        // Beyond the size of the map it makes no difference.
        Ok((pixels as usize).min(geom.nx().max(geom.ny())))
    }
}

/// A local maximum of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Value of the pixel, in the map's unit.
    pub value: f64,
    /// Column, counted from 0.
    pub x: usize,
    /// Row, counted from 0.
    pub y: usize,
    /// Centre of the pixel, in the map's frame.
    pub position: SkyPosition,
}

/// The local maxima of an image above a threshold (Gammapy's `find_peaks`): pixels that are the largest in the square of
/// `2 min_distance + 1` pixels around them, or within an angle on the sky; the largest first. What is beyond the border
/// counts as 0, and so do pixels without a value, which are never peaks themselves (in Gammapy they are, above a negative
/// threshold). Rows around the sky have no border: the last column is followed by the first one. Of equal neighbours the
/// one in their middle is the peak (in Gammapy each is); in a constant map there is none.
///
/// # Errors
/// [`Error::Input`] for a map of several planes, [`Error::Options`] for a threshold that is not finite or a distance
/// below one pixel.
pub fn find_peaks(image: &Map, threshold: f64, min_distance: PeakDistance) -> Result<Vec<Peak>> {
    if image.planes() != 1 {
        return Err(Error::input("map", format!("has {} planes, peaks are found in one image", image.planes()))
            .with_help("choose an energy bin"));
    }
    find_in_plane(&image.plane_f64(0), image.wcs_geom()?, threshold, min_distance)
}

pub(super) fn find_in_plane(
    plane: &Array2<f64>,
    geom: &WcsGeom,
    threshold: f64,
    min_distance: PeakDistance,
) -> Result<Vec<Peak>> {
    if !threshold.is_finite() {
        return Err(Error::options("threshold", format!("{threshold} is not finite")));
    }
    let half = match min_distance {
        PeakDistance::Pixels(_) => min_distance.pixels(geom)?,
        // Checked all the same.
        PeakDistance::Angle(_) => min_distance.pixels(geom)?.min(1),
    };
    let finite = || plane.iter().copied().filter(|v| v.is_finite());
    let (lowest, highest) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let holes = plane.iter().any(|v| !v.is_finite());
    let (lowest, highest) = if holes { (lowest.min(0.0), highest.max(0.0)) } else { (lowest, highest) };
    if lowest >= highest {
        return Ok(Vec::new());
    }
    let filled = plane.mapv(|v| if v.is_finite() { v } else { 0.0 });
    let columns = Columns::of(geom);
    let largest = largest_around(&filled, half, columns);
    let candidates: Vec<(usize, usize)> = plane
        .indexed_iter()
        .filter(|(at, value)| value.is_finite() && **value == largest[*at] && **value > threshold)
        .map(|(at, _)| at)
        .collect();
    let peak = |(y, x): (usize, usize)| {
        Some(Peak { value: plane[[y, x]], x, y, position: geom.pix_to_sky(x as f64, y as f64)? })
    };
    let mut peaks: Vec<Peak> = middles(plane, candidates, columns).into_iter().filter_map(peak).collect();
    // Gammapy sorts upwards and reverses, so of equal peaks the last in the map comes first.
    peaks.sort_by(|a, b| a.value.total_cmp(&b.value));
    peaks.reverse();
    if let PeakDistance::Angle(distance) = min_distance {
        peaks = Sky::new(plane, geom, threshold, distance).apart(peaks);
    }
    Ok(peaks)
}

/// The columns of a map, which may go around the sky.
#[derive(Debug, Clone, Copy)]
pub(super) struct Columns {
    pub number: usize,
    /// Columns of one turn; `None`: the rows have ends.
    pub turn: Option<usize>,
}

impl Columns {
    pub fn of(geom: &WcsGeom) -> Self {
        Self { number: geom.nx(), turn: geom.closes_in_longitude() }
    }

    /// The column some way from another one.
    pub fn step(self, x: usize, by: isize) -> Option<usize> {
        let to = x as isize + by;
        if to >= 0 && to < self.number as isize {
            return Some(to as usize);
        }
        let turn = self.turn? as isize;
        let to = if to < 0 { to + turn } else { to - turn };
        (to >= 0 && to < self.number as isize).then_some(to as usize)
    }

    /// The shortest way from one column to another.
    pub fn between(self, from: f64, to: f64) -> f64 {
        let way = to - from;
        match self.turn.map(|turn| turn as f64) {
            Some(turn) => (way + 0.5 * turn).rem_euclid(turn) - 0.5 * turn,
            None => way,
        }
    }

    /// A pixel coordinate within the map.
    pub fn within(self, x: f64) -> f64 {
        match self.turn.map(|turn| turn as f64) {
            Some(turn) if x < -0.5 => x + turn,
            Some(turn) if x >= self.number as f64 - 0.5 => x - turn,
            _ => x,
        }
    }
}

/// Of neighbours that are all candidates, and so have one value, the one nearest to their middle; of equally near ones the
/// last in the map.
fn middles(plane: &Array2<f64>, candidates: Vec<(usize, usize)>, columns: Columns) -> Vec<(usize, usize)> {
    let ny = plane.nrows();
    let mut left: std::collections::BTreeSet<(usize, usize)> = candidates.into_iter().collect();
    let mut found = Vec::new();
    while let Some(first) = left.pop_first() {
        // Columns are counted from that of the first one, over the ends of rows.
        let mut flat = vec![(first, (0_isize, 0_isize))];
        let mut next = 0;
        while let Some(&((y, x), (v, u))) = flat.get(next) {
            next += 1;
            for (dy, dx) in (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (dy, dx))) {
                let row = y.checked_add_signed(dy).filter(|row| *row < ny);
                let Some(at) = row.zip(columns.step(x, dx)) else { continue };
                if left.remove(&at) {
                    flat.push((at, (v + dy, u + dx)));
                }
            }
        }
        let n = flat.len() as f64;
        let mean = flat.iter().fold((0.0, 0.0), |m, (_, (v, u))| (m.0 + *v as f64 / n, m.1 + *u as f64 / n));
        let from_middle = |(v, u): (isize, isize)| (v as f64 - mean.0).powi(2) + (u as f64 - mean.1).powi(2);
        flat.sort_by(|a, b| from_middle(b.1).total_cmp(&from_middle(a.1)).then(a.0.cmp(&b.0)));
        found.extend(flat.last().map(|(at, _)| *at));
    }
    found.sort_unstable();
    found
}

/// Pixels above a threshold by their place on the sky, in cubes around the sphere as wide as the distance of peaks: what
/// is near is in a neighbouring cube, across the ends of rows and at the poles.
struct Sky<'a> {
    geom: &'a WcsGeom,
    /// The straight line between places of that distance.
    chord: f64,
    cubes: HashMap<[i32; 3], Vec<(f64, [f64; 3])>>,
}

impl<'a> Sky<'a> {
    fn new(plane: &Array2<f64>, geom: &'a WcsGeom, threshold: f64, distance: Angle) -> Self {
        // Equal but for rounding is not apart.
        let chord = 2.0 * (0.5 * distance.to_deg().min(180.0).to_radians()).sin() * (1.0 + 1e-9);
        let mut sky = Self { geom, chord, cubes: HashMap::new() };
        for ((y, x), value) in plane.indexed_iter().filter(|(_, v)| v.is_finite() && **v > threshold) {
            if let Some(place) = sky.place(x, y) {
                sky.cubes.entry(sky.cube(place)).or_default().push((*value, place));
            }
        }
        for pixels in sky.cubes.values_mut() {
            pixels.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        sky
    }

    fn place(&self, x: usize, y: usize) -> Option<[f64; 3]> {
        let p = self.geom.pix_to_sky(x as f64, y as f64)?;
        let ((sin_lon, cos_lon), (sin_lat, cos_lat)) =
            (p.lon_deg.to_radians().sin_cos(), p.lat_deg.to_radians().sin_cos());
        Some([cos_lat * cos_lon, cos_lat * sin_lon, sin_lat])
    }

    fn cube(&self, place: [f64; 3]) -> [i32; 3] {
        place.map(|v| (v / self.chord).floor() as i32)
    }

    fn is_near(&self, a: [f64; 3], b: [f64; 3]) -> bool {
        (0..3).map(|i| (a[i] - b[i]).powi(2)).sum::<f64>() <= self.chord * self.chord
    }

    /// True where no pixel near a place is larger.
    fn is_largest(&self, value: f64, place: [f64; 3]) -> bool {
        let [a, b, c] = self.cube(place);
        (0..27).all(|i| {
            let cube = [a + i % 3 - 1, b + i / 3 % 3 - 1, c + i / 9 - 1];
            let larger = self.cubes.get(&cube).into_iter().flatten().take_while(|(v, _)| *v > value);
            !larger.into_iter().any(|(_, other)| self.is_near(place, *other))
        })
    }

    /// The peaks that nothing larger is near to; of equal ones near each other the first.
    fn apart(&self, peaks: Vec<Peak>) -> Vec<Peak> {
        let mut kept: Vec<(Peak, [f64; 3])> = Vec::new();
        // Larger ones come first, so that equal ones are the last that were kept.
        for peak in peaks {
            let Some(place) = self.place(peak.x, peak.y) else { continue };
            let mut equal = kept.iter().rev().take_while(|(other, _)| other.value == peak.value);
            if self.is_largest(peak.value, place) && !equal.any(|(_, other)| self.is_near(place, *other)) {
                kept.push((peak, place));
            }
        }
        kept.into_iter().map(|(peak, _)| peak).collect()
    }
}

/// The largest value within `half` pixels in both directions, with 0 beyond the border.
fn largest_around(plane: &Array2<f64>, half: usize, columns: Columns) -> Array2<f64> {
    let mut rows = plane.clone();
    let nx = plane.ncols();
    let wide = half.min(nx);
    for (source, mut target) in plane.outer_iter().zip(rows.outer_iter_mut()) {
        match columns.turn {
            // Far enough over both ends that these do not matter.
            Some(turn) if wide <= turn => {
                let around = (turn - wide..turn).chain(0..nx).chain(nx - turn..nx - turn + wide);
                let line: Array1<f64> = around.map(|x| source[x]).collect();
                slide(line.view(), half, |i, v| {
                    if i >= wide && i < wide + nx {
                        target[i - wide] = v;
                    }
                });
            }
            _ => slide(source, half, |i, v| target[i] = v),
        }
    }
    let mut out = rows.clone();
    for (source, mut target) in rows.axis_iter(Axis(1)).zip(out.axis_iter_mut(Axis(1))) {
        slide(source, half, |i, v| target[i] = v);
    }
    out
}

/// Sliding maximum of one line: candidates wait in falling order, each is looked at twice at most.
fn slide(line: ArrayView1<'_, f64>, half: usize, mut set: impl FnMut(usize, f64)) {
    let n = line.len();
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    for i in 0..n {
        while next < n && next <= i + half {
            while waiting.back().is_some_and(|last| line[*last] <= line[next]) {
                waiting.pop_back();
            }
            waiting.push_back(next);
            next += 1;
        }
        while waiting.front().is_some_and(|first| first + half < i) {
            waiting.pop_front();
        }
        let inside = waiting.front().map_or(f64::NEG_INFINITY, |first| line[*first]);
        let beyond = i < half || i + half >= n;
        set(i, if beyond { inside.max(0.0) } else { inside });
    }
}

/// A peak of flux maps with everything that the maps say of its pixel.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct FluxPeak {
    /// Energy bin of the maps.
    pub energy_bin: usize,
    /// Energies of the bin in TeV.
    pub energy_tev: (f64, f64),
    /// Pixel and value of the quantity that was searched.
    pub peak: Peak,
    /// Position below the size of a pixel, from the shape of ts around the pixel.
    pub location: PeakLocation,
    /// Name, value and unit of all quantities at the pixel: those that are stored, norms as norms and as fluxes.
    pub values: Vec<(String, f64, String)>,
}

impl FluxPeak {
    /// The value of a quantity at the pixel.
    pub fn value(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|v| v.0 == name).map(|v| v.1)
    }
}

/// The peaks of one quantity of flux maps (Gammapy's `find_peaks_in_flux_map`, which knows sqrt_ts and one energy bin),
/// in one energy bin or in each of them by itself; by energy bin, and in each the largest first. (Gammapy's table has
/// the largest last.)
///
/// # Errors
/// [`Error::Options`] for a quantity that is not there, an energy bin beyond the axis, and as [`find_peaks`].
pub fn find_peaks_in_flux_map(
    maps: &FluxMaps,
    quantity: &str,
    energy_bin: Option<usize>,
    threshold: f64,
    min_distance: PeakDistance,
) -> Result<Vec<FluxPeak>> {
    let geom = match maps.geom().as_ref() {
        crate::maps::Geom::Wcs(geom) => geom.to_image(),
        crate::maps::Geom::Region(_) => {
            return Err(Error::input("flux maps", "a region has no peaks, a map is needed"));
        }
    };
    let edges = maps.energy_axis()?.edges_tev()?;
    let bins = match energy_bin {
        None => 0..edges.len() - 1,
        Some(bin) if bin < edges.len() - 1 => bin..bin + 1,
        Some(bin) => {
            return Err(Error::options("energy", format!("{bin} is not one of the bins 0 to {}", edges.len() - 2)));
        }
    };
    let named = named_maps(maps)?;
    let searched = named.iter().find(|(name, _)| name == quantity).map(|(_, map)| map).ok_or_else(|| {
        let names: Vec<&str> = named.iter().map(|(name, _)| name.as_str()).collect();
        Error::not_one_of("quantity", quantity, names)
    })?;
    // The shape of the likelihood is that of ts.
    let ts = match maps.get(FluxQuantity::Ts) {
        Some(ts) => Some(ts.to_cube_f64()),
        None if maps.has_any_ts() => Some(maps.sqrt_ts()?.to_cube_f64().mapv(|v| v * v.abs())),
        None => None,
    };
    let mut found = Vec::new();
    for bin in bins {
        let plane = searched.plane_f64(bin);
        for peak in find_in_plane(&plane, &geom, threshold, min_distance)? {
            let location = match &ts {
                Some(ts) => locate(ts.index_axis(Axis(0), bin), &geom, (peak.y, peak.x)),
                None => PeakLocation::unknown(&peak),
            };
            let values = named
                .iter()
                .map(|(name, map)| (name.clone(), map.cube().at(bin, peak.y, peak.x), map.unit().to_string()))
                .collect();
            found.push(FluxPeak { energy_bin: bin, energy_tev: (edges[bin], edges[bin + 1]), peak, location, values });
        }
    }
    Ok(found)
}

/// All maps with one plane per energy by their names, norms also as integral fluxes where the reference model allows it.
fn named_maps(maps: &FluxMaps) -> Result<Vec<(String, std::borrow::Cow<'_, Map>)>> {
    let planes = maps.energy_axis()?.nbin();
    let mut named = maps.to_maps(SedType::Likelihood)?;
    if let Ok(fluxes) = maps.to_maps(SedType::Flux) {
        named.extend(fluxes.into_iter().filter(|(name, _)| name.starts_with(SedType::Flux.stem())));
    }
    named.retain(|(_, map)| map.planes() == planes);
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::maps::{Geom, SkyPosition};
    use std::sync::Arc;

    fn image(values: Array2<f64>) -> Map {
        let (ny, nx) = values.dim();
        let geom = WcsGeom::create(SkyPosition::galactic(0.0, 0.0), nx, ny, (0.1, 0.2), "CAR", vec![]).unwrap();
        Map::from_cube(Arc::new(Geom::Wcs(geom)), Default::default(), values.insert_axis(Axis(0))).unwrap()
    }

    fn pixels(map: &Map, threshold: f64, distance: usize) -> Vec<(usize, usize)> {
        let peaks = find_peaks(map, threshold, PeakDistance::Pixels(distance)).unwrap();
        peaks.iter().map(|p| (p.y, p.x)).collect()
    }

    #[test]
    fn the_sliding_maximum_is_the_maximum() {
        let wild = |i: usize| ((i * 7919 + 13) % 101) as f64 - 70.0;
        let plane = Array2::from_shape_fn((9, 13), |(y, x)| wild(y * 13 + x));
        for half in [1, 2, 5, 20] {
            let fast = largest_around(&plane, half, Columns { number: 13, turn: None });
            for ((y, x), value) in fast.indexed_iter() {
                let mut best = f64::NEG_INFINITY;
                for v in y as isize - half as isize..=(y + half) as isize {
                    for u in x as isize - half as isize..=(x + half) as isize {
                        let inside = (0..9).contains(&v) && (0..13).contains(&u);
                        best = best.max(if inside { plane[[v as usize, u as usize]] } else { 0.0 });
                    }
                }
                assert_eq!(*value, best, "{y} {x} {half}");
            }
        }
    }

    #[test]
    fn peaks_are_apart_and_the_largest_comes_first() {
        let mut values = Array2::zeros((8, 10));
        for (at, v) in [([1, 1], 6.0), ([1, 3], 7.0), ([6, 8], 9.0), ([5, 2], 4.0)] {
            values[at] = v;
        }
        let map = image(values.clone());
        assert_eq!(pixels(&map, 5.0, 1), [(6, 8), (1, 3), (1, 1)]);
        assert_eq!(pixels(&map, 5.0, 2), [(6, 8), (1, 3)]);
        assert_eq!(pixels(&map, 6.0, 1), [(6, 8), (1, 3)], "the threshold itself is not above it");
        assert_eq!(pixels(&map, 9.5, 1), []);
        // Holes count as 0; of two equal neighbours the later one is the peak.
        values[[6, 7]] = f64::NAN;
        values[[6, 9]] = 9.0;
        values[[2, 7]] = f64::INFINITY;
        assert_eq!(pixels(&image(values), 5.0, 1), [(6, 9), (1, 3), (1, 1)]);
        let low = Array2::from_shape_fn((9, 9), |at| if at == (4, 4) { -1.0 } else { -2.0 });
        assert_eq!(pixels(&image(low.clone()), -3.0, 5), [], "the border is 0, and higher");
        assert_eq!(pixels(&image(low.clone()), -1.5, 3), [(4, 4)]);
        let mut holed = low;
        holed[[4, 6]] = f64::NAN;
        assert_eq!(pixels(&image(holed), -1.5, 3), [], "so is a hole, and is not a peak");
        assert_eq!(pixels(&image(Array2::from_elem((4, 4), 7.0)), 5.0, 1), []);
        assert_eq!(pixels(&image(Array2::from_elem((4, 4), f64::NAN)), 5.0, 1), []);
    }

    #[test]
    fn distances_and_thresholds_are_checked() {
        let map = image(Array2::zeros((4, 4)));
        let geom = map.wcs_geom().unwrap();
        // 0.3 deg are 3 and 1.5 pixels.
        assert_eq!(PeakDistance::Angle(Angle::deg(0.3)).pixels(geom).unwrap(), 2);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 0.01] {
            assert!(PeakDistance::Angle(Angle::deg(bad)).pixels(geom).is_err(), "{bad}");
        }
        assert!(PeakDistance::Pixels(0).pixels(geom).is_err());
        assert!(find_peaks(&map, f64::NAN, PeakDistance::default()).is_err());
    }
}
