//! Model files, with the maps of their templates.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use ndarray::Array2;

use super::reader::{ReadOptions, read_bytes};
use super::table::read_table;
use super::writer::WriteOptions;
use crate::error::{Error, Place, Result};
use crate::io::atomic::{check_output, write_atomic};
use crate::io::pair::write_pair;
use crate::io::yaml::{Readers, resolve};
use crate::maps::{Geom, Map, MapAxis};
use crate::models::spectral::AbsorptionTable;
use crate::models::temporal::LightCurveTemplateTemporalModel;
use crate::models::{Covariance, Model, Models, SpectralModel};
use crate::table::{MetaValue, Table};
use crate::time::{TimeReference, convert_mjd};

impl Models {
    /// Reads a YAML file of Gammapy and the FITS maps that its templates name.
    ///
    /// # Errors
    /// [`Error::Input`] where a file is missing, or with the line for anything that is not a model.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let readers = Readers {
            map: &|map| Map::read(map, None),
            absorption: &read_absorption,
            light_curve: &|path, is_map| if is_map { read_light_curve_map(path) } else { read_light_curve(path) },
            phase_curve: &read_phase_curve,
        };
        Self::read_files(path, &readers)
    }

    /// Writes the models as YAML for Gammapy and [`Models::read`], and the maps of templates whose files are not there:
    /// by a relative name beside the YAML.
    ///
    /// # Errors
    /// [`Error::Options`] where the file exists and is not to be replaced or its folder is missing; [`Error::Io`] where
    /// writing fails.
    pub fn write(&self, path: impl AsRef<Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        let yaml = self.to_yaml()?;
        check_output(path, options.overwrite)?;
        self.with_maps(path, options, || write_atomic(path, options.overwrite, |file| file.write_all(yaml.as_bytes())))
    }

    /// Writes the maps that are not there, then what names them; where that fails, the maps are removed again.
    fn with_maps(&self, yaml: &Path, options: &WriteOptions, write: impl FnOnce() -> Result<()>) -> Result<()> {
        let folder = yaml.parent().unwrap_or(Path::new(""));
        let mut written: Vec<PathBuf> = Vec::new();
        let mut result = Ok(());
        for (name, map) in template_maps(self) {
            // A variable that is not set here may be where the models are read.
            let Ok(found) = resolve(folder, name) else { continue };
            if found.exists() {
                continue;
            }
            let target = if found.is_absolute() { found } else { folder.join(found) };
            result = map.and_then(|map| write_map(&target, &map, options));
            if result.is_err() {
                break;
            }
            written.push(target);
        }
        let result = result.and_then(|()| write());
        if result.is_err() {
            for path in written {
                // What failed is told below; maps without their models are of no use.
                let _ = std::fs::remove_file(path);
            }
        }
        result
    }

    /// Writes the models as YAML, and their covariance beside it as Gammapy does: `fitted.yaml` names
    /// `fitted_covariance.dat`. Both are replaced as a pair, as [`FluxMaps::write`](crate::flux::FluxMaps::write) does.
    ///
    /// # Errors
    /// As [`Models::write`], for either file.
    pub fn write_with_covariance(
        &self,
        path: impl AsRef<Path>,
        covariance: &Covariance,
        options: &WriteOptions,
    ) -> Result<()> {
        let path = path.as_ref();
        let beside = Self::covariance_path(path);
        check_output(path, options.overwrite)?;
        check_output(&beside, options.overwrite)?;
        let table = covariance.to_table_text();
        self.with_maps(path, options, || {
            write_pair(path, &beside, table.as_bytes(), options.overwrite, &|name, out| {
                let yaml = self.to_yaml_beside(name)?;
                out.write_all(yaml.as_bytes()).map_err(|e| Error::io(path, e))
            })
        })
    }

    /// Where the covariance of a YAML file stands: `fitted.yaml` → `fitted_covariance.dat`.
    pub fn covariance_path(path: &Path) -> PathBuf {
        let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        path.with_file_name(format!("{stem}_covariance.dat"))
    }
}

/// The maps of templates by the names of their files, each name once.
fn template_maps(models: &Models) -> Vec<(&str, Result<Cow<'_, Map>>)> {
    fn of_spectrum<'a>(model: &'a dyn SpectralModel, maps: &mut Vec<(Option<&'a str>, &'a Map)>) {
        if let Some(compound) = model.as_compound() {
            let (first, second) = compound.models();
            of_spectrum(first.as_ref(), maps);
            of_spectrum(second.as_ref(), maps);
        }
        if let Some(template) = model.as_template_nd() {
            maps.push((template.filename(), template.map()));
        }
    }
    let mut maps: Vec<(Option<&str>, &Map)> = Vec::new();
    let mut per_pixel: Vec<(Option<&str>, &Map)> = Vec::new();
    for model in &models.components {
        of_spectrum(model.spectral().as_ref(), &mut maps);
        let spatial = match model {
            Model::Sky(sky) => sky.spatial.as_ref(),
            Model::TemplateNPred(template) => {
                maps.push((template.filename(), template.map()));
                template.spatial.as_ref()
            }
            Model::FoVBackground(background) => background.spatial.as_ref(),
        };
        if let Some(template) = spatial.and_then(|m| m.as_template()) {
            if template.is_normalized() {
                per_pixel.push((template.filename(), template.map()));
            } else {
                maps.push((template.filename(), template.map()));
            }
        }
        if let Some(template) = spatial.and_then(|m| m.as_template_nd()) {
            maps.push((template.filename(), template.map()));
        }
    }
    let mut named: Vec<(&str, Result<Cow<'_, Map>>)> = Vec::new();
    let borrowed = maps.into_iter().map(|(name, map)| (name, map, false));
    // Normalised is what each pixel holds, not the brightness there: reading it normalises it again.
    for (name, map, is_normalized) in borrowed.chain(per_pixel.into_iter().map(|(name, map)| (name, map, true))) {
        if let Some(name) = name
            && !named.iter().any(|(other, _)| *other == name)
        {
            named.push((name, if is_normalized { integrated(map).map(Cow::Owned) } else { Ok(Cow::Borrowed(map)) }));
        }
    }
    named
}

/// Surface brightness times the solid angle of each pixel.
fn integrated(map: &Map) -> Result<Map> {
    let solid_angle = map.wcs_geom()?.solid_angle_sr();
    let mut cube = map.to_cube_f64();
    cube.outer_iter_mut().for_each(|mut plane| plane *= &solid_angle);
    Map::from_cube(map.geom().clone(), "".parse()?, cube)
}

fn write_map(path: &Path, map: &Map, options: &WriteOptions) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    }
    // Gammapy: the same names, PRIMARY for maps of the sky and SKYMAP for those of regions.
    let hdu = if matches!(map.geom().as_ref(), Geom::Region(_)) { "SKYMAP" } else { "PRIMARY" };
    map.write(path, hdu, options)
}

/// The table of an absorption in the layout of XSPEC's table models, as Gammapy's data has them: redshifts in PARAMETERS,
/// energies in keV in ENERGIES, the part that arrives in SPECTRA.
fn read_absorption(path: &Path) -> Result<AbsorptionTable> {
    let place = Place::file(path);
    let bytes = read_bytes(path, &ReadOptions::default())?;
    let table = |hdu: &str| read_table(path, bytes.clone(), Some(hdu));
    let column = |table: &Table, hdu: &str, name: &str| -> Result<Vec<f64>> {
        // Units do not always stand in the file; energies are in keV.
        let unit = table.column(name).map(|c| if c.unit().is_dimensionless() { "" } else { "keV" });
        unit.and_then(|unit| table.floats(name, unit)).map_err(|e| e.at(&place.clone().hdu(hdu)))
    };
    let parameters = table("PARAMETERS")?;
    let rows = parameters.rows().max(1);
    let mut given = column(&parameters, "PARAMETERS", "VALUE")?;
    given.truncate(given.len() / rows);
    let energies = table("ENERGIES")?;
    let (low, high) = (column(&energies, "ENERGIES", "ENERG_LO")?, column(&energies, "ENERGIES", "ENERG_HI")?);
    let centers: Vec<f64> = low.iter().zip(&high).map(|(a, b)| (a * b).sqrt()).collect();
    let spectra = column(&table("SPECTRA")?, "SPECTRA", "INTPSPEC")?;
    let n = centers.len();
    if n == 0 || spectra.len() / n < given.len() {
        let problem = format!("{} values for {} redshifts and {n} energies", spectra.len(), given.len());
        return Err(Error::input_at(place.hdu("SPECTRA"), problem));
    }
    // Some redshifts stand in the files twice: the first one counts.
    let mut order: Vec<usize> = (0..given.len()).collect();
    order.sort_by(|a, b| given[*a].total_cmp(&given[*b]));
    order.dedup_by(|a, b| given[*a] == given[*b]);
    let redshifts = order.iter().map(|i| given[*i]).collect();
    let values = Array2::from_shape_fn((order.len(), n), |(i, j)| spectra[order[i] * n + j]);
    AbsorptionTable::new(redshifts, centers, "keV".parse()?, values, true).map_err(|e| e.at(&place))
}

/// A table of TIME and NORM with the reference time in its header, as Gammapy writes light curves of models.
fn read_light_curve(path: &Path) -> Result<LightCurveTemplateTemporalModel> {
    let place = Place::file(path);
    let table = read_table(path, read_bytes(path, &ReadOptions::default())?, None)?;
    let (time, norm) = (column_name(&table, "TIME", &place)?, column_name(&table, "NORM", &place)?);
    let meta = |key: &str| meta_of(&table, key);
    let unit = table.column(&time)?.unit().clone();
    let seconds = if unit.is_dimensionless() {
        let text = meta("TIMEUNIT").and_then(|v| v.as_text().map(str::to_string));
        let text =
            text.ok_or_else(|| Error::input_at(place.clone().item("TIMEUNIT"), "the unit of TIME is missing"))?;
        text.parse::<crate::units::Unit>()?.factor_to_text("s")?
    } else {
        unit.factor_to_text("s")?
    };
    let days = table.column(&time)?.to_floats(&unit.to_string())?.into_iter().map(|t| t * seconds / 86400.0).collect();
    let reference = reference_utc(&table, &place)?;
    LightCurveTemplateTemporalModel::new(reference, days, table.floats(&norm, "")?).map_err(|e| e.at(&place))
}

/// A keyword of a table's header, whatever case it is in.
fn meta_of(table: &Table, key: &str) -> Option<MetaValue> {
    table.meta().iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v.clone())
}

/// The name of a column, whatever case it is in.
fn column_name(table: &Table, wanted: &str, place: &Place) -> Result<String> {
    let names = table.names();
    let found = names.iter().find(|n| n.eq_ignore_ascii_case(wanted)).map(|n| (*n).to_string());
    found.ok_or_else(|| Error::input_at(place.clone().item(wanted), format!("only [{}] are there", names.join(", "))))
}

/// The reference time of a header as a modified Julian date, in UTC.
fn reference_utc(table: &Table, place: &Place) -> Result<f64> {
    let reference = TimeReference::from_keywords(|key| meta_of(table, key).map(|v| v.to_string()), "utc")
        .ok_or_else(|| Error::input_at(place.clone().item("MJDREFI"), "the reference time is missing"))?;
    convert_mjd(reference.mjd(), &reference.timesys, "utc").map_err(|e| e.at(place))
}

/// A light curve as Gammapy writes it with `format="map"`: a map of a region with axes of time and, where it varies with
/// energy, of energy; the reference time stands in the header of its bands.
fn read_light_curve_map(path: &Path) -> Result<LightCurveTemplateTemporalModel> {
    let place = Place::file(path);
    let map = Map::read(path, None)?;
    let bands = read_table(path, read_bytes(path, &ReadOptions::default())?, Some("SKYMAP_BANDS"))?;
    let reference = reference_utc(&bands, &place.clone().hdu("SKYMAP_BANDS"))?;
    let wrong = |problem: String| {
        Error::input_at(place.clone(), problem).with_help("a light curve is a map of a region with an axis 'time'")
    };
    if map.cube().dim().1 * map.cube().dim().2 != 1 {
        return Err(wrong("the map is one of the sky".to_string()));
    }
    let axes = map.geom().axes();
    let names: Vec<&str> = axes.iter().map(MapAxis::name).collect();
    let time = names.iter().position(|n| *n == "time");
    let energy = names.iter().position(|n| ["energy", "energy_true"].contains(n));
    let (Some(time), true) = (time, axes.len() == 1 + usize::from(energy.is_some())) else {
        return Err(wrong(format!("the map has the axes [{}]", names.join(", "))));
    };
    let days = axes[time].in_unit(&axes[time].center(), "d").map_err(|e| e.at(&place))?;
    let factor = map.unit().factor_to_text("").map_err(|e| e.at(&place))?;
    let values: Vec<f64> = map.data().iter().map(|v| v * factor).collect();
    let Some(energy) = energy else {
        let model = LightCurveTemplateTemporalModel::new(reference, days, values).map_err(|e| e.at(&place))?;
        return Ok(model.as_map());
    };
    let (n, m) = (axes[energy].nbin(), days.len());
    // The first axis is the fastest.
    let index = |e: usize, t: usize| if time == 0 { t + m * e } else { e + n * t };
    let norms = Array2::from_shape_fn((n, m), |(e, t)| values[index(e, t)]);
    LightCurveTemplateTemporalModel::with_energies(reference, days, axes[energy].clone(), &norms)
        .map_err(|e| e.at(&place))
}

/// The columns PHASE and NORM of a table.
fn read_phase_curve(path: &Path) -> Result<(Vec<f64>, Vec<f64>)> {
    let place = Place::file(path);
    let table = read_table(path, read_bytes(path, &ReadOptions::default())?, None)?;
    let column = |wanted: &str| -> Result<Vec<f64>> {
        table.floats(&column_name(&table, wanted, &place)?, "").map_err(|e| e.at(&place))
    };
    Ok((column("PHASE")?, column("NORM")?))
}
