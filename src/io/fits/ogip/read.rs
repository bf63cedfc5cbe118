//! A spectrum with its responses and its background, as a dataset.

use std::path::Path;
use std::sync::Arc;

use ndarray::{Array2, Array3};

use super::super::content::say_empty_acceptance;
use super::super::dataset::file_stem;
use super::super::reader::FitsReader;
use super::OgipOptions;
use super::energies::{Energies, same};
use super::names::{Chosen, given, locate, matching};
use super::pha::{FILE_KEYS, Kind, Spectrum, Wanted, counted_alike};
use super::response::{Area, Redistribution};
use crate::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use crate::error::{Error, Place, Result, warnings};
use crate::irf::{EDisp, EDispKernelMap, diagonal_response};
use crate::maps::{AxisInterp, Geom, Map, MapAxis, Mask, RegionGeom, SkyRegion};
use crate::units::Unit;

/// Endings of the files that `%match%` stands for, by [`FILE_KEYS`].
const MATCHING: [&[&str]; 3] = [&["arf"], &["rmf", "rsp"], &["bkg", "bak"]];

/// The dataset as its kind: without off counts one for a known background.
pub(in crate::io::fits) fn dataset_of(dataset: MapDatasetOnOff) -> Dataset {
    if dataset.counts_off.is_some() { Dataset::OnOff(dataset) } else { Dataset::Map(dataset.on) }
}

/// Reads the dataset of an open PHA file; the files that it names lie beside it.
pub(in crate::io::fits) fn read(
    reader: &mut FitsReader,
    chosen: &Chosen,
    options: &OgipOptions,
) -> Result<MapDatasetOnOff> {
    let path = reader.path().to_path_buf();
    let mut pha = Spectrum::read(reader, chosen, Wanted::On)?;
    if pha.kind == Kind::Background {
        return Err(Error::input_at(pha.place.item("HDUCLAS2"), "this is the spectrum of an off region (BKG)")
            .with_help("give the PHA file of the on region: its BACKFILE names this one"));
    }
    let Companions { arf, rmf, bkg } = Companions::find(&path, &pha, options)?;
    let mut area = arf.as_ref().map(Area::read).transpose()?;
    let rmf = match &rmf {
        Some(rmf) => Some(Redistribution::read(rmf, pha.channels(), pha.first_channel, area.is_some())?),
        None => None,
    };
    let energy = energies_of(&pha, rmf.as_ref())?;
    let mut bkg = bkg.map(|bkg| Background::read(&path, &bkg, &pha, &energy)).transpose()?;
    if energy.falling {
        pha.turn();
        if let Some(bkg) = &mut bkg {
            bkg.turn();
        }
    }
    let energy = energy.axis;
    let response = match rmf {
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
            Some((energy_true, matrix))
        }
        None => None,
    };
    let mut good = pha.good.take();
    if let Some(of_background) = bkg.as_mut().and_then(|bkg| bkg.good.take()) {
        leave_out(&mut good, &of_background, &pha)?;
    }
    let region = RegionGeom::of(pha.region?, Vec::new());
    let on = |axes: Vec<MapAxis>| Arc::new(Geom::Region(region.with_axes(axes)));
    let counts = map(&on(vec![energy.clone()]), Unit::default(), &pha.counts)?;
    let (scale, by_channel) = area_scale(&pha.areascal);
    let exposure = match &area {
        None => None,
        Some(area) => {
            let seconds = pha.exposure_s.ok_or_else(|| {
                Error::input_at(pha.place.clone().item("EXPOSURE"), "the keyword is missing")
                    .with_help("set it to the livetime in seconds")
            })?;
            let values: Vec<f64> = area.values.iter().map(|v| v * scale * seconds).collect();
            let unit = area.unit.times(&"s".parse()?);
            Some(map(&on(vec![area.energy_true.clone()]), unit, &values)?)
        }
    };
    let response = match (response, &by_channel, &area) {
        // A part of the area that is lost in some channels has no place but the energy dispersion.
        (None, Some(_), Some(area)) => Some((area.energy_true.clone(), diagonal_response(&area.energy_true, &energy)?)),
        (response, ..) => response,
    };
    let edisp = match response {
        None => None,
        Some((energy_true, mut matrix)) => {
            if let Some(parts) = &by_channel {
                matrix.columns_mut().into_iter().zip(parts).for_each(|(mut column, part)| column *= *part);
            }
            Some(energy_dispersion(&on, &energy, &energy_true, &matrix, exposure.as_ref())?)
        }
    };
    let mask_safe = match good {
        None => None,
        Some(good) => {
            let data = ndarray::ArrayD::from_shape_vec(counts.geom().data_shape(), good).map_err(|e| {
                Error::input_at(pha.place.clone().item("QUALITY"), format!("one value per channel is needed: {e}"))
            })?;
            Some(Mask::new(Arc::clone(counts.geom()), data)?)
        }
    };
    let acceptance = map(counts.geom(), Unit::default(), &pha.backscal)?;
    let (counts_off, acceptance_off) = match bkg {
        Some(bkg) => {
            let geom = Arc::new(Geom::Region(RegionGeom::of(bkg.region, vec![energy.clone()])));
            let map = |values: &[f64]| map(&geom, Unit::default(), values);
            let acceptance_off = map(&bkg.acceptance)?;
            say_empty_acceptance(&bkg.place.item("BACKSCAL"), &acceptance_off, mask_safe.as_ref())?;
            say_empty_acceptance(&pha.place.clone().item("BACKSCAL"), &acceptance, mask_safe.as_ref())?;
            (Some(map(&bkg.counts)?), Some(acceptance_off))
        }
        None => (None, None),
    };
    let dataset = MapDatasetOnOff {
        acceptance: Some(acceptance),
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
        acceptance_off,
    };
    match pha.groups {
        Some(first) if options.group => grouped(&dataset, &first, &energy),
        Some(first) => {
            let text = format!("channels are not merged into the {} groups that it has", first.len());
            warnings::warn(Error::input_at(pha.place.item("GROUPING"), text).with_help("they can be: --group"))?;
            Ok(dataset)
        }
        None => Ok(dataset),
    }
}

/// The energies of the channels: those of the spectrum, else those of the response.
fn energies_of(pha: &Spectrum, rmf: Option<&Redistribution>) -> Result<Energies> {
    let of = |energy: &Energies| Energies { axis: energy.axis.clone(), falling: energy.falling };
    match (&pha.energy, rmf) {
        (Some(own), Some(rmf)) if !own.same(&rmf.energy) => {
            let problem = "the energies of the channels are not those of the spectrum";
            Err(Error::input_at(rmf.place.clone().hdu("EBOUNDS"), problem))
        }
        (Some(own), _) => Ok(of(own)),
        (None, Some(rmf)) => Ok(of(&rmf.energy)),
        (None, None) => {
            let problem = "the energies of the channels are not known: there is no EBOUNDS, and no response";
            Err(Error::input_at(pha.place.clone().item("RESPFILE"), problem)
                .with_help("name a response: RESPFILE, or --rmf"))
        }
    }
}

/// Channels that are bad in the background alone are bad, too: without a background nothing can be compared there.
fn leave_out(good: &mut Option<Vec<bool>>, of_background: &[bool], pha: &Spectrum) -> Result<()> {
    let own = good.get_or_insert_with(|| vec![true; of_background.len()]);
    let mut more = 0;
    for (own, off) in own.iter_mut().zip(of_background) {
        more += usize::from(*own && !off);
        *own &= off;
    }
    if more > 0 {
        let text = format!("{more} good channels are bad in the background: they are left out");
        warnings::warn(Error::input_at(pha.place.clone().item("QUALITY"), text))?;
    }
    Ok(())
}

/// The part of the area that all channels have, and what is left of that in each, if it differs.
fn area_scale(areascal: &[f64]) -> (f64, Option<Vec<f64>>) {
    let largest = areascal.iter().copied().fold(0.0, f64::max);
    if areascal.iter().all(|v| *v == largest) || largest == 0.0 {
        return (largest, None);
    }
    (largest, Some(areascal.iter().map(|v| v / largest).collect()))
}

fn energy_dispersion(
    on: &impl Fn(Vec<MapAxis>) -> Arc<Geom>,
    energy: &MapAxis,
    energy_true: &MapAxis,
    matrix: &Array2<f64>,
    exposure: Option<&Map>,
) -> Result<EDisp> {
    let exposure = match exposure {
        None => None,
        Some(exposure) => {
            let geom = on(vec![energy.squash(), energy_true.clone()]);
            let values: Vec<f64> = exposure.data().iter().collect();
            Some(map(&geom, exposure.unit().clone(), &values)?)
        }
    };
    let values: Vec<f64> = matrix.iter().copied().collect();
    let edisp = map(&on(vec![energy.clone(), energy_true.clone()]), Unit::default(), &values)?;
    Ok(EDisp::Kernel(EDispKernelMap { edisp, exposure }))
}

/// The dataset with its channels merged; those that begin a group by their numbers.
fn grouped(dataset: &MapDatasetOnOff, first: &[usize], energy: &MapAxis) -> Result<MapDatasetOnOff> {
    let edges = energy.edges();
    let edges = first.iter().map(|n| edges[*n]).chain(edges.last().copied()).collect();
    dataset.resample_energy_axis(&MapAxis::from_edges("energy", energy.unit().clone(), edges, AxisInterp::Log)?)
}

/// Counts of an off region, checked against the spectrum of the on region.
struct Background {
    place: Place,
    counts: Vec<f64>,
    /// BACKSCAL times the ratios of exposures and areas.
    acceptance: Vec<f64>,
    good: Option<Vec<bool>>,
    region: Option<SkyRegion>,
}

impl Background {
    /// Reads the background of a spectrum whose channels have these energies.
    fn read(path: &Path, named: &Companion, on: &Spectrum, energy: &Energies) -> Result<Self> {
        let chosen = match named {
            Companion::File(chosen) => chosen,
            Companion::Inside { counts, scale } => {
                let acceptance = vec![*scale; counts.len()];
                let place = on.place.clone();
                return Ok(Self { place, counts: counts.clone(), acceptance, good: None, region: None });
            }
        };
        let same_file = |a: &Path, b: &Path| std::fs::canonicalize(a).ok() == std::fs::canonicalize(b).ok();
        let own = same_file(path, &chosen.path).then_some(on.at);
        let bkg = Spectrum::read(&mut FitsReader::open(&chosen.path)?, chosen, Wanted::Off(own))?;
        let unlike = |what: String| {
            Error::input_at(bkg.place.clone(), format!("the channels do not match: {what}"))
                .with_help("spectrum and background must be of the same channels")
        };
        if bkg.channels() != on.channels() {
            return Err(unlike(format!("{}, the spectrum has {}", bkg.channels(), on.channels())));
        }
        counted_alike(&bkg.place, bkg.first_channel, on.first_channel)?;
        if bkg.energy.as_ref().is_some_and(|own| !own.same(energy)) {
            return Err(unlike("their energies are others than those of the spectrum".into()));
        }
        // Gammapy: BACKSCAL alone. The standard has the ratios of exposure and area, too, which are 1 in its files.
        let time = match (bkg.exposure_s, on.exposure_s) {
            (Some(off), Some(on)) => off / on,
            _ => 1.0,
        };
        let bad = |row: usize| [&bkg.good, &on.good].into_iter().flatten().any(|good| !good[row]);
        let mut acceptance = Vec::with_capacity(bkg.channels());
        for (row, ((scale, area), on)) in bkg.backscal.iter().zip(&bkg.areascal).zip(&on.areascal).enumerate() {
            let value = scale * time * if area == on { 1.0 } else { area / on };
            if !value.is_finite() && !bad(row) {
                let problem = format!("row {row}: {area}, where the spectrum has {on}, gives no acceptance");
                return Err(Error::input_at(bkg.place.item("AREASCAL"), problem));
            }
            acceptance.push(if value.is_finite() { value } else { 0.0 });
        }
        // Where the off counts are from decides nothing: a shape that is not known is no reason to stop.
        let region = match bkg.region {
            Err(Error::Unsupported { .. }) => None,
            region => region?,
        };
        Ok(Self { place: bkg.place, counts: bkg.counts, acceptance, good: bkg.good, region })
    }

    /// Takes the channels in rising order of energy.
    fn turn(&mut self) {
        self.counts.reverse();
        self.acceptance.reverse();
        if let Some(good) = &mut self.good {
            good.reverse();
        }
    }
}

/// A region map of values in memory order.
fn map(geom: &Arc<Geom>, unit: Unit, values: &[f64]) -> Result<Map> {
    let cube = Array3::from_shape_vec((values.len(), 1, 1), values.to_vec())
        .map_err(|e| Error::input("spectrum", format!("values do not fit the energies: {e}")))?;
    Map::from_cube(Arc::clone(geom), unit, cube)
}

/// Where a background is.
enum Companion {
    File(Chosen),
    /// In the row of the spectrum, with its BACKSCAL.
    Inside {
        counts: Vec<f64>,
        scale: f64,
    },
}

/// The files of a spectrum: those that options name, else those that it names itself.
struct Companions {
    arf: Option<Chosen>,
    rmf: Option<Chosen>,
    bkg: Option<Companion>,
}

impl Companions {
    fn find(path: &Path, pha: &Spectrum, options: &OgipOptions) -> Result<Self> {
        let wanted = [("arf", &options.arf), ("rmf", &options.rmf), ("bkg", &options.bkg)];
        let mut found = [None, None, None];
        for (n, (option, wanted)) in wanted.into_iter().enumerate() {
            found[n] = match wanted {
                Some(name) if name.as_os_str().eq_ignore_ascii_case("none") => None,
                Some(name) => Some(
                    given(name)
                        .ok_or_else(|| Error::options(option, format!("there is no file '{}'", name.display())))?,
                ),
                None => named(path, pha, n)?,
            };
        }
        let [arf, rmf, bkg] = found;
        let inside = || {
            let (counts, scale) = pha.inner_background.clone().filter(|_| options.bkg.is_none())?;
            Some(Companion::Inside { counts, scale })
        };
        Ok(Self { arf, rmf, bkg: bkg.map(Companion::File).or_else(inside) })
    }
}

/// The file that a keyword of the spectrum names.
fn named(path: &Path, pha: &Spectrum, n: usize) -> Result<Option<Chosen>> {
    let (key, option) = (FILE_KEYS[n], ["--arf", "--rmf", "--bkg"][n]);
    let Some(name) = &pha.files[n] else { return Ok(None) };
    let missing = |problem: String| {
        Error::input_at(pha.place.clone().item(key), problem)
            .with_help(format!("put it there, name another one ({option}), or set {key} to 'none'"))
    };
    if name.eq_ignore_ascii_case("%match%") {
        let found = matching(path, MATCHING[n]);
        let problem =
            || format!("'%match%': there is no file of the spectrum's name that ends in {}", MATCHING[n].join(" or "));
        return found.map(Some).ok_or_else(|| missing(problem()));
    }
    let (found, moved) =
        locate(path, name).ok_or_else(|| missing(format!("there is no file '{name}' beside the spectrum")))?;
    if moved {
        let text = format!("there is no file '{name}': '{}' beside the spectrum is taken", found.path.display());
        warnings::warn(Error::input_at(pha.place.clone().item(key), text))?;
    }
    Ok(Some(found))
}
