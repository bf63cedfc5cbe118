//! Names and positions of any file that has some: models, tables of peaks, catalogues.

use std::path::Path;

use super::Catalogue;
use super::fits::{NAMES, POSITIONS, headers};
use super::kind::{FileKind, file_kind};
use crate::error::{Error, Place, Result};
use crate::maps::{Frame, SkyPosition};
use crate::models::{Model, Models};
use crate::table::{MetaValue, Table, Values};

/// What a table of positions has.
const HELP: &str = "a table of sources has columns of positions: ra and dec, glon and glat, or lon and lat, and names in the \
                    column name";

impl Catalogue {
    /// The names and positions of a file of any kind: models (YAML), the table of `pevatron peaks` or another one (ECSV,
    /// plain text), a catalogue (FITS, as [`Catalogue::read`]). Of peaks, the fitted positions are taken where there are
    /// any. Columns `lon` and `lat` are in the frame that the table says (FRAME), else in `frame`.
    ///
    /// # Errors
    /// [`Error::Input`] where the file is missing or damaged, or has no positions.
    pub fn of_file(path: impl AsRef<Path>, frame: Frame) -> Result<Self> {
        let path = path.as_ref();
        let place = Place::file(path);
        match file_kind(path)? {
            FileKind::Models => Ok(of_models(&Models::read(path)?)),
            FileKind::Datasets => Err(Error::input_at(place, "a list of datasets has no positions of sources")),
            _ if headers(path)?.is_some() => Self::read(path),
            _ => of_table(&Table::read(path, None)?, frame).map_err(|e| e.at(&place)),
        }
    }

    /// The position of an entry by its name; capital letters and blanks do not matter where the name is not there as it is.
    ///
    /// # Errors
    /// [`Error::Options`] for a name that is not there, or that several entries at different places have.
    pub fn find(&self, name: &str) -> Result<SkyPosition> {
        let plain = |text: &str| -> String { text.split_whitespace().collect::<String>().to_lowercase() };
        let of = |same: &dyn Fn(&str) -> bool| -> Vec<SkyPosition> {
            let all = self.names.iter().zip(&self.positions).filter(|(n, _)| same(n.trim()));
            all.map(|(_, p)| *p).filter(|p| p.lon_deg.is_finite() && p.lat_deg.is_finite()).collect()
        };
        let mut found = of(&|n| n == name.trim());
        if found.is_empty() {
            found = of(&|n| plain(n) == plain(name));
        }
        match found.as_slice() {
            [] => Err(Error::not_one_of("position", name, self.names.iter().map(|n| n.trim()))),
            [one, others @ ..] if others.iter().all(|o| o.separation_deg(*one) < 1e-6) => Ok(*one),
            several => Err(Error::options("position", format!("{} entries have the name '{name}'", several.len()))),
        }
    }
}

fn of_models(models: &Models) -> Catalogue {
    let mut found = Catalogue { names: Vec::new(), positions: Vec::new(), source: Default::default() };
    for model in &models.components {
        if let Model::Sky(sky) = model
            && let Some(position) = sky.spatial.as_ref().and_then(|s| s.position())
        {
            found.names.push(sky.name.clone());
            found.positions.push(position);
        }
    }
    found
}

fn of_table(table: &Table, frame: Frame) -> Result<Catalogue> {
    let column = |name: &str| table.names().into_iter().find(|n| n.eq_ignore_ascii_case(name)).map(str::to_string);
    let stated = table.meta_value("FRAME").and_then(MetaValue::as_text).and_then(|t| t.parse().ok());
    let pairs = POSITIONS.into_iter().chain([("lon", "lat", stated.unwrap_or(frame))]);
    let Some((lon, lat, frame)) = pairs.into_iter().find_map(|(lon, lat, f)| Some((column(lon)?, column(lat)?, f)))
    else {
        let problem = format!("no columns of positions in [{}]", table.names().join(", "));
        return Err(Error::input("table", problem).with_help(HELP));
    };
    let mut degrees = [lon.clone(), lat.clone()].map(|name| degrees_of(table, &name));
    for (name, values) in [&lon, &lat].into_iter().zip(&mut degrees) {
        let (Ok(values), Some(fitted)) = (values, column(&format!("{name}_fit"))) else { continue };
        for (value, fitted) in values.iter_mut().zip(degrees_of(table, &fitted)?) {
            if fitted.is_finite() {
                *value = fitted;
            }
        }
    }
    let [lons, lats] = degrees;
    let (lons, lats) = (lons?, lats?);
    if let Some(row) = lats.iter().position(|v| v.abs() > 90.0) {
        return Err(Error::input(lat, format!("row {row} has a latitude of {} deg", lats[row])));
    }
    let name = NAMES.iter().find_map(|n| column(n));
    let names = match name.as_ref().and_then(|n| table.get(n)).map(|c| c.values()) {
        Some(Values::Text(names)) => names.clone(),
        Some(Values::Int(numbers)) => numbers.iter().map(i64::to_string).collect(),
        _ => (1..=lons.len()).map(|n| n.to_string()).collect(),
    };
    let positions = lons.iter().zip(&lats).map(|(lon, lat)| SkyPosition { lon_deg: *lon, lat_deg: *lat, frame });
    let source = ["table".to_string(), name.unwrap_or_default(), lon, lat];
    Ok(Catalogue { names, positions: positions.collect(), source })
}

/// Numbers without a unit are degrees.
fn degrees_of(table: &Table, name: &str) -> Result<Vec<f64>> {
    let unit = if table.column(name)?.unit().to_string().is_empty() { "" } else { "deg" };
    table.floats(name, unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(columns: &[(&str, &str, Vec<f64>)]) -> Table {
        let mut table = Table::new();
        table.add("name", "", "", vec!["P1".to_string(), "Crab Nebula".to_string()]).unwrap();
        for (name, unit, values) in columns {
            table.add(name, unit, "", values.clone()).unwrap();
        }
        table
    }

    #[test]
    fn positions_of_tables_are_found_by_name() {
        let peaks = table(&[
            ("ra", "deg", vec![10.0, 83.0]),
            ("dec", "deg", vec![-5.0, 22.0]),
            ("ra_fit", "deg", vec![f64::NAN, 83.25]),
            ("dec_fit", "deg", vec![f64::NAN, 22.25]),
        ]);
        let found = of_table(&peaks, Frame::Galactic).unwrap();
        assert_eq!(found.find("P1").unwrap(), SkyPosition::icrs(10.0, -5.0));
        assert_eq!(found.find(" crabnebula").unwrap(), SkyPosition::icrs(83.25, 22.25));
        let error = found.find("crab nebul").unwrap_err();
        assert_eq!(error.help(), Some("did you mean 'Crab Nebula'?"));
        let arcmin = table(&[("lon", "arcmin", vec![60.0, 90.0]), ("lat", "", vec![1.0, -1.0])]);
        assert_eq!(of_table(&arcmin, Frame::Galactic).unwrap().positions[1], SkyPosition::galactic(1.5, -1.0));
        let stated = arcmin.with_meta("frame", "icrs");
        assert_eq!(of_table(&stated, Frame::Galactic).unwrap().positions[0], SkyPosition::icrs(1.0, 1.0));
        assert!(of_table(&table(&[("flux", "", vec![1.0, 2.0])]), Frame::Icrs).is_err());
        assert!(of_table(&table(&[("l", "", vec![1.0, 2.0]), ("b", "", vec![1.0, 92.0])]), Frame::Icrs).is_err());
    }
}
