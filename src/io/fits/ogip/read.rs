//! A spectrum with its responses and its background, as a dataset.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::Array3;

use super::super::dataset::file_stem;
use super::super::reader::FitsReader;
use super::energies::same;
use super::pha::{FILE_KEYS, Kind, Spectrum};
use super::response::{Area, Redistribution};
use crate::datasets::{MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result};
use crate::irf::{EDisp, EDispKernelMap};
use crate::maps::{Geom, Map, MapAxis, Mask, RegionGeom};
use crate::units::Unit;

/// Reads the dataset of an open PHA file; the files that it names lie beside it.
pub(in crate::io::fits) fn read(reader: &mut FitsReader) -> Result<MapDatasetOnOff> {
    let path = reader.path().to_path_buf();
    let pha = Spectrum::read(reader)?;
    if pha.kind == Kind::Background {
        return Err(Error::input_at(pha.place.item("HDUCLAS2"), "this is the spectrum of an off region (BKG)")
            .with_help("give the PHA file of the on region: its BACKFILE names this one"));
    }
    let [arf, rmf, bkg] = companions(&path, &pha)?;
    let mut area = arf.as_deref().map(Area::read).transpose()?;
    let rmf = match &rmf {
        Some(rmf) => Some(Redistribution::read(rmf, pha.channels(), pha.first_channel, area.is_some())?),
        None => None,
    };
    let energy = match (&pha.energy, &rmf) {
        (Some(own), Some(rmf)) if !same(own, &rmf.energy) => {
            let problem = "the energies of the channels are not those of the spectrum";
            return Err(Error::input_at(rmf.place.clone().hdu("EBOUNDS"), problem));
        }
        (Some(own), _) => own.clone(),
        (None, Some(rmf)) => rmf.energy.clone(),
        (None, None) => {
            let problem = "the energies of the channels are not known: there is no EBOUNDS, and no response";
            return Err(Error::input_at(pha.place.item("RESPFILE"), problem));
        }
    };
    let (edisp, mut place) = match rmf {
        Some(Redistribution { place, energy_true, matrix, area: inside, .. }) => {
            // The ARF's energies are often in double precision, the RMF's in single.
            let energy_true = match &area {
                Some(area) if !same(&area.energy_true, &energy_true) => {
                    let (n, m) = (energy_true.nbin(), area.energy_true.nbin());
                    let problem = format!("its {n} true energies are not the {m} of the ARF");
                    return Err(Error::input_at(place, problem));
                }
                Some(area) => area.energy_true.clone(),
                None => energy_true,
            };
            area = area.or(inside);
            (Some((energy_true, matrix)), Some(place))
        }
        None => (None, None),
    };
    let region = RegionGeom::of(pha.region?, Vec::new());
    let on = |axes: Vec<MapAxis>| Arc::new(Geom::Region(region.with_axes(axes)));
    let counts = map(&on(vec![energy.clone()]), Unit::default(), &pha.counts)?;
    let exposure = match &area {
        None => None,
        Some(area) => {
            let seconds = pha.exposure_s.ok_or_else(|| {
                Error::input_at(pha.place.clone().item("EXPOSURE"), "the keyword is missing")
                    .with_help("set it to the livetime in seconds")
            })?;
            // A part of the area that is lost in all channels.
            let scale = constant(&pha.areascal).ok_or_else(|| {
                Error::unsupported(format!("{}: an AREASCAL that differs between channels cannot be used", pha.place))
            })?;
            let values: Vec<f64> = area.values.iter().map(|v| v * scale * seconds).collect();
            let unit = area.unit.times(&"s".parse()?);
            Some(map(&on(vec![area.energy_true.clone()]), unit, &values)?)
        }
    };
    let edisp = match edisp {
        None => None,
        Some((energy_true, matrix)) => {
            let place = place.take().unwrap_or_default();
            let values: Vec<f64> = matrix.iter().copied().collect();
            let of_matrix = match &exposure {
                None => None,
                Some(exposure) => {
                    let geom = on(vec![energy.squash(), energy_true.clone()]);
                    let values: Vec<f64> = exposure.data().iter().collect();
                    Some(map(&geom, exposure.unit().clone(), &values)?)
                }
            };
            let edisp =
                map(&on(vec![energy.clone(), energy_true]), Unit::default(), &values).map_err(|e| e.at(&place))?;
            Some(EDisp::Kernel(EDispKernelMap { edisp, exposure: of_matrix }))
        }
    };
    let mask_safe = match pha.good {
        None => None,
        Some(good) => {
            let data = ndarray::ArrayD::from_shape_vec(counts.geom().data_shape(), good).map_err(|e| {
                Error::input_at(pha.place.clone().item("QUALITY"), format!("one value per channel is needed: {e}"))
            })?;
            Some(Mask::new(Arc::clone(counts.geom()), data)?)
        }
    };
    let off = match bkg {
        None => None,
        Some(bkg) => Some(Off::read(&bkg, &energy, pha.first_channel, (pha.exposure_s, &pha.areascal))?),
    };
    let acceptance = map(counts.geom(), Unit::default(), &pha.backscal)?;
    let (counts_off, acceptance_off) = off.map_or((None, None), |off| (Some(off.counts), Some(off.acceptance)));
    Ok(MapDatasetOnOff {
        on: MapDataset {
            name: pha.name.unwrap_or_else(|| file_stem(&path)),
            counts: Some(counts),
            exposure,
            edisp,
            mask_safe,
            gti: pha.gti,
            livetime_s: pha.exposure_s,
            meta: pha.meta.into_iter().collect(),
            ..MapDataset::default()
        },
        counts_off,
        acceptance: Some(acceptance),
        acceptance_off,
    })
}

/// Counts and acceptance of the off region.
struct Off {
    counts: Map,
    acceptance: Map,
}

impl Off {
    /// Reads a BKG file for a spectrum with these energies; `on`: its exposure and AREASCAL.
    fn read(path: &Path, energy: &MapAxis, first_channel: i64, on: (Option<f64>, &[f64])) -> Result<Self> {
        let mut reader = FitsReader::open(path)?;
        let bkg = Spectrum::read(&mut reader)?;
        let unlike = |what: String| {
            Error::input_at(bkg.place.clone(), format!("the channels do not match: {what}"))
                .with_help("spectrum and background must be of the same channels")
        };
        if bkg.channels() != energy.nbin() {
            return Err(unlike(format!("{}, the spectrum has {}", bkg.channels(), energy.nbin())));
        }
        if bkg.first_channel != first_channel {
            return Err(unlike(format!(
                "they start at {}, those of the spectrum at {first_channel}",
                bkg.first_channel
            )));
        }
        if bkg.energy.as_ref().is_some_and(|own| !same(own, energy)) {
            return Err(unlike("their energies are others than those of the spectrum".into()));
        }
        // Gammapy: BACKSCAL alone. The standard has the ratios of exposure and area, too, which are 1 in its files.
        let time = match (bkg.exposure_s, on.0) {
            (Some(off), Some(on)) => off / on,
            _ => 1.0,
        };
        let mut acceptance = Vec::with_capacity(bkg.channels());
        for (row, ((scale, area), on)) in bkg.backscal.iter().zip(&bkg.areascal).zip(on.1).enumerate() {
            let value = scale * time * if area == on { 1.0 } else { area / on };
            if !value.is_finite() {
                let problem = format!("row {row}: {area}, where the spectrum has {on}, gives no acceptance");
                return Err(Error::input_at(bkg.place.item("AREASCAL"), problem));
            }
            acceptance.push(value);
        }
        // Where the off counts are from decides nothing: a shape that is not known is no reason to stop.
        let region = match bkg.region {
            Err(Error::Unsupported { .. }) => None,
            region => region?,
        };
        let geom = Arc::new(Geom::Region(RegionGeom::of(region, vec![energy.clone()])));
        Ok(Self {
            counts: map(&geom, Unit::default(), &bkg.counts)?,
            acceptance: map(&geom, Unit::default(), &acceptance)?,
        })
    }
}

/// The one value that all are.
fn constant(values: &[f64]) -> Option<f64> {
    values.first().copied().filter(|first| values.iter().all(|v| v == first))
}

/// A region map of values in memory order.
fn map(geom: &Arc<Geom>, unit: Unit, values: &[f64]) -> Result<Map> {
    let cube = Array3::from_shape_vec((values.len(), 1, 1), values.to_vec())
        .map_err(|e| Error::input("spectrum", format!("values do not fit the energies: {e}")))?;
    Map::from_cube(Arc::clone(geom), unit, cube)
}

/// The files that a spectrum names: beside it, else where the name says.
fn companions(path: &Path, pha: &Spectrum) -> Result<[Option<PathBuf>; 3]> {
    let mut found = [None, None, None];
    for ((file, key), name) in found.iter_mut().zip(FILE_KEYS).zip(&pha.files) {
        let Some(name) = name else { continue };
        *file = Some(locate(path, name).ok_or_else(|| missing(&pha.place, key, name))?);
    }
    Ok(found)
}

fn locate(path: &Path, name: &str) -> Option<PathBuf> {
    let beside = path.parent().map(|folder| folder.join(name)).unwrap_or_default();
    [beside, PathBuf::from(name)].into_iter().find(|file| file.is_file())
}

fn missing(place: &Place, key: &str, name: &str) -> Error {
    Error::input_at(place.clone().item(key), format!("there is no file '{name}' beside the spectrum"))
        .with_help(format!("put it there, or set {key} to 'none'"))
}
