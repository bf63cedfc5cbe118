//! OGIP spectra: written and read again, of other tools, broken, and as Gammapy has them.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::fits_file::{FitsFile, Hdu};
use ndarray::{Array2, ArrayD};
use pevatron::datasets::{Dataset, MapDataset, MapDatasetOnOff};
use pevatron::io::{FileKind, WriteOptions, file_kind};
use pevatron::irf::{EDisp, EDispKernelMap, gauss_response};
use pevatron::maps::{Geom, Map, MapAxis, MapData, Mask, RegionGeom, SkyPosition, SkyRegion};
use pevatron::time::{Gti, TimeReference};
use pevatron::{Error, ErrorKind};
use serde_json::Value;

const CHANNELS: usize = 6;
const TRUE: usize = 12;

fn region_map(region: Option<&SkyRegion>, axes: &[&MapAxis], unit: &str, values: Vec<f64>) -> Map {
    let geom = Geom::Region(RegionGeom::of(region.cloned(), axes.iter().map(|a| (*a).clone()).collect()));
    let data = ArrayD::from_shape_vec(geom.data_shape(), values).unwrap();
    Map::new(Arc::new(geom), unit.parse().unwrap(), MapData::F64(data)).unwrap()
}

/// A simulated spectrum with every part; one row of the response has two groups, one none.
fn sample() -> MapDatasetOnOff {
    let on = SkyRegion::circle(SkyPosition::icrs(83.63, 22.01), 0.11).unwrap();
    let off = SkyRegion::Union(
        [(84.6, 22.0), (82.6, 22.1)]
            .map(|(lon, lat)| SkyRegion::circle(SkyPosition::icrs(lon, lat), 0.11).unwrap())
            .to_vec(),
    );
    let energy = MapAxis::energy_bounds(0.3, 30.0, CHANNELS, "energy").unwrap();
    let truth = MapAxis::energy_bounds(0.1, 60.0, TRUE, "energy_true").unwrap();
    let mut matrix = gauss_response(&truth, &energy, 0.2, 0.05).unwrap();
    matrix[[6, 3]] = 0.0;
    matrix.row_mut(6).assign(&ndarray::array![0.0, 0.25, 0.5, 0.0, 0.125, 0.0]);
    matrix.row_mut(1).fill(0.0);
    let reco = |values: Vec<f64>| region_map(Some(&on), &[&energy], "", values);
    let exposure: Vec<f64> = (0..TRUE).map(|i| 1e12 * (1.0 + i as f64).sqrt()).collect();
    let counts = reco((0..CHANNELS).map(|i| (7 * i % 5) as f64).collect());
    let mask = Mask::new(counts.geom().clone(), ArrayD::from_shape_fn(counts.geom().data_shape(), |i| i[0] > 1));
    MapDatasetOnOff {
        on: MapDataset {
            name: "run 7".into(),
            counts: Some(counts),
            exposure: Some(region_map(Some(&on), &[&truth], "cm2 s", exposure.clone())),
            edisp: Some(EDisp::Kernel(EDispKernelMap {
                edisp: region_map(Some(&on), &[&energy, &truth], "", matrix.iter().copied().collect()),
                exposure: Some(region_map(Some(&on), &[&energy.squash(), &truth], "cm2 s", exposure)),
            })),
            mask_safe: Some(mask.unwrap()),
            gti: Some(Gti { intervals: vec![(0.0, 1800.0), (2000.0, 2100.0)], reference: TimeReference::default() }),
            livetime_s: Some(1687.25),
            meta: [("TELESCOP".to_string(), "SIM".to_string())].into(),
            ..MapDataset::default()
        },
        counts_off: Some(region_map(Some(&off), &[&energy], "", (0..CHANNELS).map(|i| (20 - i) as f64).collect())),
        acceptance: Some(reco(vec![1.0; CHANNELS])),
        acceptance_off: Some(region_map(
            Some(&off),
            &[&energy],
            "",
            (0..CHANNELS).map(|i| 12.0 + 0.1 * i as f64).collect(),
        )),
    }
}

/// The sample as files `pha.fits` and so on in a folder of its own.
fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    sample().write_ogip(folder.path().join("pha.fits"), &WriteOptions::default()).unwrap();
    folder
}

fn values(map: &Option<Map>) -> Vec<f64> {
    map.as_ref().unwrap().data().iter().collect()
}

fn matrix(dataset: &MapDatasetOnOff) -> Array2<f64> {
    dataset.on.edisp.as_ref().unwrap().matrix_at(None, dataset.energy_axis().unwrap()).unwrap()
}

/// `a` and `b` differ by `relative` at most (absolute below 1).
#[track_caller]
fn close(what: &str, a: &[f64], b: &[f64], relative: f64) {
    assert_eq!(a.len(), b.len(), "{what}");
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        assert!((a - b).abs() <= relative * a.abs().max(1.0), "{what}: value {i} is {a}, not {b}");
    }
}

/// All that an OGIP file holds is equal.
#[track_caller]
fn same(a: &MapDatasetOnOff, b: &MapDatasetOnOff) {
    assert_eq!(a.on.name, b.on.name);
    let edges = |d: &MapDatasetOnOff| d.energy_axis().unwrap().edges_tev().unwrap();
    close("energy", &edges(a), &edges(b), 1e-12);
    close("counts", &values(&a.on.counts), &values(&b.on.counts), 0.0);
    close("counts_off", &values(&a.counts_off), &values(&b.counts_off), 0.0);
    close("acceptance", &values(&a.acceptance), &values(&b.acceptance), 0.0);
    close("acceptance_off", &values(&a.acceptance_off), &values(&b.acceptance_off), 0.0);
    let exposure = |d: &MapDatasetOnOff| values(&Some(d.on.exposure.as_ref().unwrap().to_unit("cm2 s").unwrap()));
    close("exposure", &exposure(a), &exposure(b), 1e-14);
    // Single precision in the file.
    close("edisp", matrix(a).as_slice().unwrap(), matrix(b).as_slice().unwrap(), 6e-8);
    assert_eq!(a.on.mask_safe.as_ref().unwrap().data(), b.on.mask_safe.as_ref().unwrap().data());
    assert_eq!(a.on.gti, b.on.gti);
    assert_eq!(a.on.livetime_s, b.on.livetime_s);
}

fn region(map: &Option<Map>) -> Option<SkyRegion> {
    match map.as_ref().unwrap().geom().as_ref() {
        Geom::Region(geom) => geom.region().cloned(),
        _ => panic!("no region"),
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = written();
    let path = folder.path().join("pha.fits");
    let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["pha.fits", "pha_arf.fits", "pha_bkg.fits", "pha_rmf.fits"]);
    let original = sample();
    let dataset = MapDatasetOnOff::read_ogip(&path).unwrap();
    same(&original, &dataset);
    assert_eq!(dataset.on.meta["TELESCOP"], "SIM");
    let Some(SkyRegion::Circle { center, radius_deg }) = region(&dataset.on.counts) else { panic!("no circle") };
    close("region", &[center.lon_deg, center.lat_deg, radius_deg], &[83.63, 22.01, 0.11], 1e-9);
    assert!(matches!(region(&dataset.counts_off), Some(SkyRegion::Union(parts)) if parts.len() == 2));
    assert_eq!(file_kind(&path).unwrap(), FileKind::Spectrum);
    assert!(
        matches!(file_kind(folder.path().join("pha_bkg.fits")).unwrap(), FileKind::Other(what) if what.contains("background"))
    );
    // The kind is found out, here and for lists.
    same(&original, &MapDatasetOnOff::read(&path).unwrap());
    assert!(matches!(Dataset::read(&path).unwrap(), Dataset::OnOff(_)));
    assert!(MapDataset::read(&path).unwrap_err().to_string().contains("OGIP"));
    // By way of the layout of maps, and compressed.
    let gadf = folder.path().join("gadf.fits");
    dataset.write(&gadf, &WriteOptions::default()).unwrap();
    let again = MapDatasetOnOff::read(&gadf).unwrap();
    same(&dataset, &again);
    again.write_ogip(folder.path().join("z.fits.gz"), &WriteOptions::default()).unwrap();
    same(&dataset, &MapDatasetOnOff::read_ogip(folder.path().join("z.fits.gz")).unwrap());
}

/// Off regions differ from the on region and between observations: no reason not to add counts up.
#[test]
fn spectra_are_stacked() {
    let mut sum = sample();
    let mut other = sample();
    let elsewhere = SkyRegion::circle(SkyPosition::icrs(83.63, 21.0), 0.11).unwrap();
    let axis = other.energy_axis().unwrap().clone();
    other.counts_off = Some(region_map(Some(&elsewhere), &[&axis], "", values(&other.counts_off)));
    let background = values(&sum.background().ok());
    sum = sum.to_masked().unwrap();
    sum.stack(&other).unwrap();
    let expected: Vec<f64> = background.iter().enumerate().map(|(i, v)| if i > 1 { 2.0 * v } else { 0.0 }).collect();
    close("background", &values(&sum.background().ok()), &expected, 1e-12);
}

/// Counts, energies and responses of an X-ray tool: no EBOUNDS beside the counts, channels from 1, scales as keywords.
struct Foreign {
    rmf: Hdu,
    ebounds: Hdu,
    pha: Hdu,
    bkg: Hdu,
    arf: Hdu,
}

/// A table of rows and a heap; `columns`: TTYPE, TFORM, TUNIT.
fn table(name: &str, columns: &[(&str, &str, &str)], rows: &[Vec<u8>], heap: &[u8], more: &[(&str, &str)]) -> Hdu {
    let mut hdu = Hdu { cards: Vec::new(), data: rows.concat() };
    hdu.data.extend_from_slice(heap);
    let text = |v: &str| format!("'{v:<8}'");
    let width = rows[0].len().to_string();
    for (key, value) in [
        ("XTENSION", text("BINTABLE").as_str()),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", &width),
        ("NAXIS2", &rows.len().to_string()),
        ("PCOUNT", &heap.len().to_string()),
        ("GCOUNT", "1"),
        ("TFIELDS", &columns.len().to_string()),
        ("EXTNAME", &text(name)),
    ] {
        hdu.set(key, value);
    }
    for (n, (name, form, unit)) in columns.iter().enumerate() {
        for (key, value) in [("TTYPE", name), ("TFORM", form), ("TUNIT", unit)] {
            if !value.is_empty() {
                hdu.set(&format!("{key}{}", n + 1), &text(value));
            }
        }
    }
    for (key, value) in more {
        hdu.set(key, value);
    }
    hdu
}

/// How a matrix is stored.
#[derive(Clone, Copy)]
enum Stored {
    /// All channels in one group of one width.
    Fixed,
    /// 32-bit descriptors and 16-bit channels, a heap behind a gap.
    Short,
    /// 64-bit descriptors and 32-bit channels.
    Long,
}

/// A matrix as a table; `first`: the number of the first channel, told by TLMIN or by EBOUNDS alone.
fn matrix_table(matrix: &Array2<f64>, edges_kev: &[f64], stored: Stored, first: i32, tlmin: bool) -> Hdu {
    let (mut rows, mut heap) = (Vec::new(), Vec::new());
    const GAP: usize = 32;
    let n = matrix.ncols();
    for (i, row) in matrix.outer_iter().enumerate() {
        let mut bytes: Vec<u8> = edges_kev[i..i + 2].iter().flat_map(|v| (*v as f32).to_be_bytes()).collect();
        let mut groups: Vec<(usize, usize)> = Vec::new();
        for channel in (0..n).filter(|c| row[*c] > 0.0) {
            match groups.last_mut() {
                Some((start, count)) if *start + *count == channel => *count += 1,
                _ => groups.push((channel, 1)),
            }
        }
        if let Stored::Fixed = stored {
            bytes.extend(1i16.to_be_bytes());
            bytes.extend((first as i16).to_be_bytes());
            bytes.extend((n as i16).to_be_bytes());
            bytes.extend(row.iter().flat_map(|v| (*v as f32).to_be_bytes()));
            rows.push(bytes);
            continue;
        }
        bytes.extend((groups.len() as i16).to_be_bytes());
        let mut list = |elements: usize, content: Vec<u8>| {
            let offset = heap.len();
            if let Stored::Short = stored {
                bytes.extend((elements as i32).to_be_bytes());
                bytes.extend((offset as i32).to_be_bytes());
            } else {
                bytes.extend((elements as i64).to_be_bytes());
                bytes.extend((offset as i64).to_be_bytes());
            }
            heap.extend(content);
        };
        let channels = |of: &dyn Fn(&(usize, usize)) -> i32| -> Vec<u8> {
            groups
                .iter()
                .flat_map(|g| match stored {
                    Stored::Short => (of(g) as i16).to_be_bytes().to_vec(),
                    _ => of(g).to_be_bytes().to_vec(),
                })
                .collect()
        };
        list(groups.len(), channels(&|g| g.0 as i32 + first));
        list(groups.len(), channels(&|g| g.1 as i32));
        let elements: Vec<f32> = row.iter().filter(|v| **v > 0.0).map(|v| *v as f32).collect();
        list(elements.len(), elements.iter().flat_map(|v| v.to_be_bytes()).collect());
        rows.push(bytes);
    }
    let wide = format!("{n}E");
    let [channel, element] = match stored {
        Stored::Fixed => ["I", wide.as_str()],
        Stored::Short => ["1PI(3)", "1PE(6)"],
        Stored::Long => ["1QJ(3)", "1QE(6)"],
    };
    let columns = [
        ("ENERG_LO", "E", "keV"),
        ("ENERG_HI", "E", "keV"),
        ("N_GRP", "I", ""),
        ("F_CHAN", channel, ""),
        ("N_CHAN", channel, ""),
        ("MATRIX", element, ""),
    ];
    let theap = (rows.concat().len() + GAP).to_string();
    let first = first.to_string();
    let mut more =
        vec![("HDUCLAS1", "'RESPONSE'"), ("HDUCLAS2", "'RSP_MATRIX'"), ("HDUCLAS3", "'REDIST  '"), ("DETCHANS", "6")];
    if tlmin {
        more.push(("TLMIN4", &first));
    }
    let mut gap = Vec::new();
    if !matches!(stored, Stored::Fixed) {
        more.push(("THEAP", &theap));
        gap = vec![0xffu8; GAP];
    }
    gap.extend(heap);
    table("SPECRESP MATRIX", &columns, &rows, &gap, &more)
}

impl Foreign {
    fn new(stored: Stored, first: i32, tlmin: bool) -> Self {
        let original = sample();
        let kev = |axis: &MapAxis| -> Vec<f64> { axis.edges_tev().unwrap().iter().map(|v| v * 1e9).collect() };
        let energy = kev(original.energy_axis().unwrap());
        let truth = kev(original.on.exposure.as_ref().unwrap().geom().axis("energy_true").unwrap());
        let channel = |i: usize| (i as i32 + first).to_be_bytes().to_vec();
        let mev = |v: f64| ((v * 1e-3) as f32).to_be_bytes();
        let ebounds: Vec<Vec<u8>> = (0..CHANNELS)
            .map(|i| [channel(i), mev(energy[i]).to_vec(), mev(energy[i + 1]).to_vec()].concat())
            .collect();
        let spectrum = |counts: &[f64], form: &str, more: &[(&str, &str)]| {
            let rows: Vec<Vec<u8>> = counts
                .iter()
                .enumerate()
                .map(|(i, v)| {
                    let value = if form == "E" {
                        (*v as f32).to_be_bytes().to_vec()
                    } else {
                        (*v as i16).to_be_bytes().to_vec()
                    };
                    [channel(i), value].concat()
                })
                .collect();
            table("SPECTRUM", &[("CHANNEL", "J", ""), ("COUNTS", form, "count")], &rows, &[], more)
        };
        let arf: Vec<Vec<u8>> = values(&original.on.exposure)
            .iter()
            .enumerate()
            .map(|(i, v)| {
                [truth[i], truth[i + 1], v / 1687.25 * 1e-4].iter().flat_map(|v| (*v as f32).to_be_bytes()).collect()
            })
            .collect();
        Self {
            rmf: matrix_table(&matrix(&original), &truth, stored, first, tlmin),
            ebounds: table(
                "EBOUNDS",
                &[("CHANNEL", "J", ""), ("E_MIN", "E", "MeV"), ("E_MAX", "E", "MeV")],
                &ebounds,
                &[],
                &[],
            ),
            pha: spectrum(
                &values(&original.on.counts),
                "E",
                &[
                    ("HDUCLAS1", "'SPECTRUM'"),
                    ("HDUCLAS2", "'TOTAL   '"),
                    ("EXPOSURE", "1687.25"),
                    ("BACKSCAL", "0.5"),
                    ("AREASCAL", "1.0"),
                    ("QUALITY", "0"),
                    ("ANCRFILE", "'x.arf   '"),
                    ("RESPFILE", "'x.rmf   '"),
                    ("BACKFILE", "'x.bkg   '"),
                ],
            ),
            bkg: spectrum(
                &values(&original.counts_off),
                "I",
                &[("HDUCLAS2", "'TOTAL   '"), ("EXPOSURE", "3374.5"), ("BACKSCAL", "3.0"), ("AREASCAL", "1.0")],
            ),
            arf: table(
                "SPECRESP",
                &[("ENERG_LO", "E", "keV"), ("ENERG_HI", "E", "keV"), ("SPECRESP", "E", "m**2")],
                &arf,
                &[],
                &[],
            ),
        }
    }

    fn write(self, folder: &Path) -> PathBuf {
        let primary = || {
            let mut hdu = Hdu { cards: Vec::new(), data: Vec::new() };
            for (key, value) in [("SIMPLE", "T"), ("BITPIX", "8"), ("NAXIS", "0")] {
                hdu.set(key, value);
            }
            hdu
        };
        let write = |name: &str, tables: Vec<Hdu>| {
            FitsFile { hdus: [vec![primary()], tables].concat() }.write(folder.join(name));
        };
        write("x.pha", vec![self.pha]);
        write("x.bkg", vec![self.bkg]);
        write("x.arf", vec![self.arf]);
        write("x.rmf", vec![self.rmf, self.ebounds]);
        folder.join("x.pha")
    }
}

#[test]
fn files_of_other_tools_are_read() {
    let original = sample();
    for (stored, first, tlmin) in
        [(Stored::Fixed, 1, true), (Stored::Short, 0, true), (Stored::Short, 1, false), (Stored::Long, 1, true)]
    {
        let folder = tempfile::tempdir().unwrap();
        let path = Foreign::new(stored, first, tlmin).write(folder.path());
        let dataset = Dataset::read(&path).unwrap();
        let Dataset::OnOff(dataset) = dataset else { panic!("no off counts") };
        assert_eq!(dataset.on.name, "x.pha");
        close("counts", &values(&dataset.on.counts), &values(&original.on.counts), 0.0);
        close("counts_off", &values(&dataset.counts_off), &values(&original.counts_off), 0.0);
        close("edisp", matrix(&dataset).as_slice().unwrap(), matrix(&original).as_slice().unwrap(), 6e-8);
        let edges = |d: &MapDatasetOnOff| d.energy_axis().unwrap().edges_tev().unwrap();
        close("energy", &edges(&dataset), &edges(&original), 1e-6);
        let exposure = dataset.on.exposure.as_ref().unwrap().to_unit("cm2 s").unwrap();
        close("exposure", &values(&Some(exposure)), &values(&original.on.exposure), 1e-6);
        // Twice the time and six times the solid angle: the standard's alpha.
        close("alpha", &values(&dataset.alpha().ok()), &[1.0 / 12.0; CHANNELS], 1e-15);
        assert!(dataset.on.mask_safe.as_ref().unwrap().data().iter().all(|v| *v));
    }
}

/// A response that holds the effective area needs no ARF; without background there are no off counts.
#[test]
fn files_that_are_not_there_may_be_none() {
    let folder = tempfile::tempdir().unwrap();
    let original = sample();
    let mut full = matrix(&original);
    let area: Vec<f64> = values(&original.on.exposure).iter().map(|v| v / 1687.25).collect();
    for (mut row, area) in full.outer_iter_mut().zip(&area) {
        row *= *area;
    }
    let mut foreign = Foreign::new(Stored::Short, 1, true);
    let truth = original.on.exposure.as_ref().unwrap().geom().axis("energy_true").unwrap().edges_tev().unwrap();
    let kev: Vec<f64> = truth.iter().map(|v| v * 1e9).collect();
    foreign.rmf = matrix_table(&full, &kev, Stored::Short, 1, true);
    foreign.rmf.set("HDUCLAS3", "'FULL    '");
    foreign.pha.set("ANCRFILE", "'NONE    '");
    foreign.pha.set("BACKFILE", "'none    '");
    let path = foreign.write(folder.path());
    let dataset = MapDatasetOnOff::read_ogip(&path).unwrap();
    assert!(dataset.counts_off.is_none() && dataset.acceptance_off.is_none());
    // What the rows lose is lost in the area: the product is the same.
    let seen = |d: &MapDatasetOnOff| -> Vec<f64> {
        let exposure = values(&d.on.exposure);
        matrix(d)
            .outer_iter()
            .zip(exposure)
            .flat_map(|(row, e)| row.iter().map(|v| v * e).collect::<Vec<_>>())
            .collect()
    };
    close("area times matrix", &seen(&dataset), &seen(&original), 1e-6);

    // Without any response but the energies: counts alone.
    let mut file = FitsFile::read(&path);
    file.hdu("SPECTRUM").set("RESPFILE", "'none    '");
    file.write(&path);
    let error = MapDatasetOnOff::read_ogip(&path).unwrap_err().to_string();
    assert!(error.contains("RESPFILE") && error.contains("energies"), "{error}");
}

/// Rates are counts over the exposure; what is not a count is refused.
#[test]
fn rates_become_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut dataset = sample();
    let counts = values(&dataset.on.counts);
    let axis = dataset.energy_axis().unwrap().clone();
    let rates: Vec<f64> = counts.iter().map(|v| v / 1687.25).collect();
    dataset.on.counts = Some(region_map(None, &[&axis], "", rates));
    let path = folder.path().join("pha.fits");
    dataset.write_ogip(&path, &WriteOptions::default()).unwrap();
    let mut file = unsealed(&path);
    file.hdu("SPECTRUM").set("TTYPE2", "'RATE    '");
    file.write(&path);
    let read = MapDatasetOnOff::read_ogip(&path).unwrap();
    assert_eq!(values(&read.on.counts), counts);
    file.hdu("SPECTRUM").set("EXPOSURE", "1000.0");
    file.write(&path);
    fails(&path, &["RATE", "row 1", "not a number of counts"]);
}

/// A file without checksums, so that changes reach the reader.
fn unsealed(path: &Path) -> FitsFile {
    let mut file = FitsFile::read(path);
    for hdu in &mut file.hdus {
        hdu.unset("CHECKSUM");
        hdu.unset("DATASUM");
    }
    file
}

#[track_caller]
fn fails(path: &Path, words: &[&str]) -> Error {
    let error = MapDatasetOnOff::read_ogip(path).unwrap_err();
    for word in words {
        assert!(error.to_string().contains(word), "'{word}' is not in: {error}");
    }
    error
}

/// Where the heap list of a row and column starts in the data of a table, and how many elements it has.
fn list(hdu: &Hdu, row: usize, column: usize) -> (usize, usize) {
    let number = |at: usize| i32::from_be_bytes(hdu.data[at..at + 4].try_into().unwrap()) as usize;
    let (width, rows): (usize, usize) =
        (hdu.value("NAXIS1").unwrap().parse().unwrap(), hdu.value("NAXIS2").unwrap().parse().unwrap());
    // ENERG_LO, ENERG_HI (D), N_GRP (J), then descriptors.
    let at = row * width + 20 + 8 * (column - 3);
    (width * rows + number(at + 4), number(at))
}

#[test]
fn broken_files_say_what_is_wrong() {
    /// File, change, words of the message.
    type Case = (&'static str, &'static str, fn(&mut Hdu), &'static [&'static str]);
    fn put(hdu: &mut Hdu, at: usize, bytes: &[u8]) {
        hdu.data[at..at + bytes.len()].copy_from_slice(bytes);
    }
    fn element(hdu: &mut Hdu, value: f32) {
        let (at, _) = list(hdu, 6, 5);
        put(hdu, at, &value.to_be_bytes());
    }
    // Columns of SPECTRUM: CHANNEL J, COUNTS J, QUALITY I, BACKSCAL D: 18 bytes in a row. EBOUNDS: J, D, D: 20 bytes.
    let cases: &[Case] = &[
        ("pha_rmf.fits", "MATRIX", |h| element(h, 2.0), &["MATRIX", "row 6", "keV", "sums to 2.6"]),
        ("pha_rmf.fits", "MATRIX", |h| element(h, -0.1), &["MATRIX", "row 6", "keV", "-0.1"]),
        ("pha_rmf.fits", "MATRIX", |h| element(h, f32::NAN), &["MATRIX", "row 6", "NaN"]),
        ("pha_rmf.fits", "MATRIX", |h| put(h, list(h, 6, 3).0, &7i32.to_be_bytes()), &["F_CHAN", "row 6", "0 to 5"]),
        ("pha_rmf.fits", "MATRIX", |h| put(h, list(h, 6, 3).0, &(-1i32).to_be_bytes()), &["F_CHAN", "row 6"]),
        ("pha_rmf.fits", "MATRIX", |h| put(h, list(h, 6, 4).0, &9i32.to_be_bytes()), &["N_CHAN", "row 6"]),
        (
            "pha_rmf.fits",
            "MATRIX",
            |h| put(h, list(h, 6, 4).0, &3i32.to_be_bytes()),
            &["MATRIX", "row 6: 3 elements where 4"],
        ),
        (
            "pha_rmf.fits",
            "MATRIX",
            |h| put(h, 6 * 44 + 16, &4i32.to_be_bytes()),
            &["F_CHAN", "row 6: 2 elements where 4"],
        ),
        ("pha_rmf.fits", "MATRIX", |h| put(h, 6 * 44 + 36, &99_999i32.to_be_bytes()), &["MATRIX", "row 6", "heap"]),
        ("pha_rmf.fits", "MATRIX", |h| put(h, 6 * 44 + 40, &(-4i32).to_be_bytes()), &["MATRIX", "row 6", "heap"]),
        ("pha_rmf.fits", "MATRIX", |h| put(h, 0, &1e12f64.to_be_bytes()), &["ENERG", "row 0", "increase"]),
        ("pha_rmf.fits", "MATRIX", |h| h.set("TUNIT1", "'m       '"), &["ENERG_LO", "'m'"]),
        ("pha_rmf.fits", "MATRIX", |h| h.set("TLMIN4", "3"), &["F_CHAN", "3 to 8"]),
        ("pha_rmf.fits", "MATRIX", |h| h.set("HDUCLAS3", "'FULL    '"), &["HDUCLAS3", "ARF"]),
        ("pha_rmf.fits", "MATRIX", |h| h.set("TTYPE6", "'OTHER   '"), &["MATRIX", "no such column"]),
        ("pha_rmf.fits", "EBOUNDS", |h| put(h, 4, &1e8f64.to_be_bytes()), &["EBOUNDS", "not those of the spectrum"]),
        ("pha_rmf.fits", "EBOUNDS", |h| put(h, 0, &1i32.to_be_bytes()), &["CHANNEL"]),
        ("pha_arf.fits", "SPECRESP", |h| h.set("TUNIT3", "'s       '"), &["pha_arf.fits", "SPECRESP", "'s'", "cm2"]),
        ("pha_arf.fits", "SPECRESP", |h| h.unset("TUNIT3"), &["pha_arf.fits", "no unit"]),
        ("pha_arf.fits", "SPECRESP", |h| put(h, 16, &(-1.0f64).to_be_bytes()), &["SPECRESP", "row 0", "-1"]),
        ("pha_arf.fits", "SPECRESP", |h| put(h, 24, &5e8f64.to_be_bytes()), &["ENERG", "touch"]),
        ("pha.fits", "SPECTRUM", |h| put(h, 4, &(-1i32).to_be_bytes()), &["COUNTS", "row 0", "-1"]),
        ("pha.fits", "SPECTRUM", |h| h.set("TFORM2", "'E       '"), &["COUNTS", "row 0", "NaN"]),
        ("pha.fits", "SPECTRUM", |h| h.set("TFORM3", "'2B      '"), &["QUALITY", "2 elements, one per row"]),
        // The first two channels are bad, and may have any scale.
        ("pha.fits", "SPECTRUM", |h| put(h, 36 + 10, &f64::NAN.to_be_bytes()), &["BACKSCAL", "row 2", "NaN"]),
        ("pha.fits", "SPECTRUM", |h| put(h, 0, &3i32.to_be_bytes()), &["CHANNEL", "follow"]),
        ("pha.fits", "SPECTRUM", |h| h.set("DETCHANS", "7"), &["DETCHANS", "6 rows, 7"]),
        ("pha.fits", "SPECTRUM", |h| h.set("EXPOSURE", "-2.0"), &["EXPOSURE", "positive"]),
        ("pha.fits", "SPECTRUM", |h| h.unset("EXPOSURE"), &["EXPOSURE", "missing"]),
        ("pha.fits", "SPECTRUM", |h| h.set("HDUCLAS2", "'NET     '"), &["HDUCLAS2", "subtracted"]),
        ("pha.fits", "SPECTRUM", |h| h.set("HDUCLAS2", "'BKG     '"), &["HDUCLAS2", "off region"]),
        ("pha.fits", "SPECTRUM", |h| h.set("HDUCLAS4", "'TYPE:II '"), &["type II"]),
        ("pha.fits", "SPECTRUM", |h| h.set("ANCRFILE", "'../../x '"), &["ANCRFILE", "no file '../../x'"]),
        ("pha.fits", "EBOUNDS", |h| put(h, 24, &1e8f64.to_be_bytes()), &["E_MIN", "row 1", "increase"]),
        ("pha.fits", "EBOUNDS", |h| put(h, 24, &f64::NAN.to_be_bytes()), &["E_MIN", "row 1", "NaN"]),
        ("pha.fits", "EBOUNDS", |h| h.set("TUNIT2", "'s       '"), &["EBOUNDS", "E_MIN", "'s'"]),
        ("pha_bkg.fits", "SPECTRUM", |h| put(h, 4, &(-1i32).to_be_bytes()), &["pha_bkg.fits", "COUNTS"]),
        ("pha_bkg.fits", "SPECTRUM", |h| h.set("HDUCLAS2", "'NET     '"), &["pha_bkg.fits", "subtracted"]),
    ];
    for (name, hdu, change, words) in cases {
        let folder = written();
        let path = folder.path().join(name);
        let mut file = unsealed(&path);
        if words == &["COUNTS", "row 0", "NaN"] {
            file.hdu("SPECTRUM").data[4..8].copy_from_slice(&f32::NAN.to_be_bytes());
        }
        change(file.hdu(hdu));
        file.write(&path);
        fails(&folder.path().join("pha.fits"), words);
    }
    for (name, key) in [("pha_arf.fits", "ANCRFILE"), ("pha_rmf.fits", "RESPFILE"), ("pha_bkg.fits", "BACKFILE")] {
        let folder = written();
        fs::remove_file(folder.path().join(name)).unwrap();
        let error = fails(&folder.path().join("pha.fits"), &["pha.fits[SPECTRUM]", key, name]);
        assert!(error.help().unwrap().contains("none"));
        // Cut off, and another kind of file.
        sample().write_ogip(folder.path().join("pha.fits"), &WriteOptions::default().overwrite(true)).unwrap();
        let bytes = fs::read(folder.path().join(name)).unwrap();
        fs::write(folder.path().join(name), &bytes[..bytes.len() - 2880]).unwrap();
        fails(&folder.path().join("pha.fits"), &[name]);
        fs::write(folder.path().join(name), "text").unwrap();
        fails(&folder.path().join("pha.fits"), &[name, "FITS"]);
    }
    // A heap that is announced shorter than it is.
    let folder = written();
    let path = folder.path().join("pha_rmf.fits");
    let mut file = unsealed(&path);
    let hdu = file.hdu("MATRIX");
    let heap: usize = hdu.value("PCOUNT").unwrap().parse().unwrap();
    hdu.set("PCOUNT", &(heap - 8).to_string());
    hdu.data.truncate(hdu.data.len() - 8);
    file.write(&path);
    fails(&folder.path().join("pha.fits"), &["MATRIX", "row 11", "heap"]);
}

/// Responses and backgrounds of other channels than the spectrum.
#[test]
fn channels_must_match() {
    let folder = written();
    let other = tempfile::tempdir().unwrap();
    let slice = Dataset::OnOff(sample()).slice_by_idx(&[("energy", 1..CHANNELS)]).unwrap();
    slice.write_ogip(other.path().join("pha.fits"), &WriteOptions::default()).unwrap();
    for (name, words) in [
        ("pha_rmf.fits", ["EBOUNDS", "the channels do not match: 5 energies, 6"]),
        ("pha_bkg.fits", ["SPECTRUM", "the channels do not match: 5, the spectrum has 6"]),
    ] {
        let kept = fs::read(folder.path().join(name)).unwrap();
        fs::copy(other.path().join(name), folder.path().join(name)).unwrap();
        fails(&folder.path().join("pha.fits"), &[name, words[0], words[1]]);
        fs::write(folder.path().join(name), kept).unwrap();
    }
}

/// Any byte may be wrong: an error or finite values, never the end of the process.
#[test]
fn damage_is_survived() {
    let folder = written();
    let pha = folder.path().join("pha.fits");
    let mut state = 7u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let (mut good, mut bad) = (0, 0);
    for name in ["pha_rmf.fits", "pha.fits", "pha_arf.fits", "pha_bkg.fits"] {
        let path = folder.path().join(name);
        let file = unsealed(&path);
        let bytes = file.bytes();
        let start = bytes.windows(8).position(|w| w == b"XTENSION").unwrap();
        let trials = if name == "pha_rmf.fits" { 1500 } else { 400 };
        for _ in 0..trials {
            let mut broken = bytes.clone();
            for _ in 0..1 + next(3) {
                let at = start + next(bytes.len() - start);
                broken[at] = [broken[at] ^ (1 << next(8)), 0, 0xff, b'9'][next(4)];
            }
            fs::write(&path, &broken).unwrap();
            match MapDatasetOnOff::read_ogip(&pha) {
                Ok(dataset) => {
                    good += 1;
                    let finite = |map: &Option<Map>| map.as_ref().is_none_or(|m| m.data().iter().all(f64::is_finite));
                    assert!(
                        finite(&dataset.on.counts) && finite(&dataset.on.exposure) && finite(&dataset.acceptance_off)
                    );
                }
                Err(_) => bad += 1,
            }
        }
        fs::write(&path, &bytes).unwrap();
    }
    println!("{good} damaged files were read, {bad} were errors");
    assert!(bad > 50 && good > 50);
}

#[test]
fn nothing_is_written_that_is_not_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pha.fits");
    let options = WriteOptions::default();
    // The last of the outputs exists: none is written.
    fs::write(folder.path().join("pha_bkg.fits"), "mine").unwrap();
    let error = sample().write_ogip(&path, &options).unwrap_err();
    assert!(error.kind() == ErrorKind::Options && error.to_string().contains("pha_bkg.fits"), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    fs::remove_file(folder.path().join("pha_bkg.fits")).unwrap();

    let refused = |change: fn(&mut MapDatasetOnOff), word: &str| {
        let mut dataset = sample();
        change(&mut dataset);
        let error = dataset.write_ogip(&path, &options).unwrap_err();
        assert!(error.to_string().contains(word), "'{word}' is not in {error}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{word}");
    };
    refused(|d| d.on.livetime_s = None, "livetime");
    refused(|d| d.on.exposure = None, "exposure");
    refused(|d| d.on.counts = None, "counts");
    refused(|d| d.acceptance_off = None, "acceptance_off");
    refused(|d| d.counts_off = d.on.exposure.clone(), "12 values");
    let error = Dataset::Map(sample().to_map_dataset().unwrap()).write_ogip(&path, &options).unwrap_err();
    assert!(error.to_string().contains("no off counts") && error.help().unwrap().contains("gadf"), "{error}");
    assert!(sample().write_ogip(folder.path().join("a b.fits"), &options).is_err());
    // Counts of an Asimov dataset are not whole numbers.
    let mut dataset = sample();
    let axis = dataset.energy_axis().unwrap().clone();
    dataset.on.counts = Some(region_map(None, &[&axis], "", vec![0.5; CHANNELS]));
    dataset.write_ogip(&path, &options).unwrap();
    assert_eq!(values(&MapDatasetOnOff::read_ogip(&path).unwrap().on.counts), [0.5; CHANNELS]);
}

/// What Gammapy reads from spectra of either format; `None` without it.
fn gammapy(arguments: &[&str], paths: &[PathBuf]) -> Option<Value> {
    let python = support::python_with("gammapy")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/io/gammapy_ogip.py");
    let output = Command::new(python).arg(script).args(arguments).args(paths).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap_or(Value::Null))
}

fn list_of(value: &Value) -> Vec<f64> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap_or(f64::from(u8::from(v == &Value::Bool(true)))))
        .collect()
}

/// What is read here is what Gammapy reads.
#[track_caller]
fn as_gammapy(dataset: &MapDatasetOnOff, want: &Value) {
    assert_eq!(dataset.on.name, want["name"].as_str().unwrap());
    close("energy", &dataset.energy_axis().unwrap().edges_tev().unwrap(), &list_of(&want["energy"]), 1e-12);
    let exposure = dataset.on.exposure.as_ref().unwrap().to_unit("cm2 s").unwrap();
    let truth = exposure.geom().axis("energy_true").unwrap();
    close("energy_true", &truth.edges_tev().unwrap(), &list_of(&want["energy_true"]), 1e-12);
    close("counts", &values(&dataset.on.counts), &list_of(&want["counts"]), 0.0);
    close("counts_off", &values(&dataset.counts_off), &list_of(&want["counts_off"]), 0.0);
    close("acceptance", &values(&dataset.acceptance), &list_of(&want["acceptance"]), 0.0);
    close("acceptance_off", &values(&dataset.acceptance_off), &list_of(&want["acceptance_off"]), 0.0);
    close("alpha", &values(&dataset.alpha().ok()), &list_of(&want["alpha"]), 1e-15);
    close("exposure", &values(&Some(exposure)), &list_of(&want["exposure"]), 1e-14);
    let mask: Vec<f64> =
        dataset.on.mask_safe.as_ref().unwrap().data().iter().map(|v| f64::from(u8::from(*v))).collect();
    close("mask_safe", &mask, &list_of(&want["mask_safe"]), 0.0);
    let rows: Vec<f64> = want["edisp"].as_array().unwrap().iter().flat_map(list_of).collect();
    close("edisp", matrix(dataset).as_slice().unwrap(), &rows, 1e-12);
    if let Some([lon, lat, radius]) = want["region"].as_array().map(Vec::as_slice) {
        let Some(SkyRegion::Circle { center, radius_deg }) = region(&dataset.on.counts) else { panic!("no circle") };
        let want = [lon, lat, radius].map(|v| v.as_f64().unwrap());
        close("region", &[center.lon_deg, center.lat_deg, radius_deg], &want, 1e-7);
    }
    let gti = dataset.on.gti.as_ref().map(Gti::time_sum_s);
    assert!((gti.unwrap_or(0.0) - want["gti_seconds"].as_f64().unwrap_or(0.0)).abs() < 1e-3);
}

#[test]
fn spectra_are_as_gammapy_has_them() {
    let folder = tempfile::tempdir().unwrap();
    if gammapy(&["make"], &[folder.path().to_path_buf()]).is_none() {
        return;
    }
    let theirs = ["pha_one.fits", "pha_many.fits", "gadf_one.fits", "gadf_many.fits"].map(|n| folder.path().join(n));
    let mut paths = theirs.to_vec();
    let options = WriteOptions::default();
    let shared = std::env::var_os("PEVATRON_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let real = ["pha_obs23523.fits", "pha_obs23526.fits"].map(|n| shared.join("data/spectra/hess-ogip").join(n));
    if real.iter().all(|p| p.exists()) {
        paths.extend(real);
    } else {
        println!("SKIPPED: no spectra of H.E.S.S. in {}", shared.display());
    }
    let mut written = Vec::new();
    let mut datasets = Vec::new();
    for (n, path) in paths.iter().enumerate() {
        let mut dataset = MapDatasetOnOff::read(path).unwrap();
        let gadf = folder.path().join(format!("ours_{n}.fits"));
        dataset.write(&gadf, &options).unwrap();
        // Gammapy's gadf files lose the livetime.
        dataset.on.livetime_s.get_or_insert(1687.25);
        let ogip = folder.path().join(format!("pha_ours_{n}.fits"));
        dataset.write_ogip(&ogip, &options).unwrap();
        written.push([gadf, ogip]);
        datasets.push(dataset);
    }
    let all: Vec<PathBuf> = paths.iter().chain(written.iter().flatten()).cloned().collect();
    let document = gammapy(&["json"], &all).unwrap();
    let of = |path: &Path| &document[path.to_str().unwrap()];
    for ((path, written), dataset) in paths.iter().zip(&written).zip(&datasets) {
        println!("{}", path.display());
        as_gammapy(dataset, of(path));
        for ours in written {
            // Gammapy reads from our files what it reads from its own, but for the single precision of a matrix.
            let (a, b) = (of(path), of(ours));
            for key in ["energy", "energy_true", "exposure"] {
                close(key, &list_of(&b[key]), &list_of(&a[key]), 1e-12);
            }
            for key in ["counts", "counts_off", "acceptance", "acceptance_off", "alpha", "mask_safe"] {
                assert_eq!(a[key], b[key], "{key} of {}", ours.display());
            }
            assert_eq!(a["name"], b["name"]);
            let rows = |v: &Value| -> Vec<f64> { v["edisp"].as_array().unwrap().iter().flat_map(list_of).collect() };
            close("edisp", &rows(b), &rows(a), 1e-7);
            let stat = |v: &Value| vec![v["stat_sum"].as_f64().unwrap()];
            close("stat_sum", &stat(b), &stat(a), 1e-12);
        }
    }
}

#[cfg(all(feature = "cli", feature = "plot"))]
mod program {
    use super::*;
    use crate::support::program::Place;

    fn place() -> Place {
        let place = Place::new();
        sample().write_ogip(place.path("pha.fits"), &WriteOptions::default()).unwrap();
        place
    }

    #[test]
    fn spectra_are_converted_and_described() {
        let place = place();
        let document: Value = serde_json::from_str(&place.works(&["info", "pha.fits", "--json"])).unwrap();
        assert_eq!(
            (document["kind"].as_str(), document["format"].as_str()),
            (Some("SpectrumDatasetOnOff"), Some("ogip"))
        );
        assert_eq!((document["counts_sum"].as_f64(), document["counts_off_sum"].as_f64()), (Some(10.0), Some(105.0)));
        assert_eq!(document["geometry"]["region"], "circle");
        let text = place.works(&["info", "pha.fits"]);
        assert!(text.starts_with("pha.fits: SpectrumDatasetOnOff\n") && text.contains("\n  format: ogip\n"), "{text}");
        place.works(&["convert", "pha.fits", "-o", "gadf.fits", "--format", "gadf"]);
        same(&sample(), &MapDatasetOnOff::read(place.path("gadf.fits")).unwrap());
        place.works(&["convert", "gadf.fits", "-o", "new.fits", "--format", "ogip"]);
        same(&sample(), &MapDatasetOnOff::read_ogip(place.path("new.fits")).unwrap());
        // As it came, if nothing is said.
        place.works(&["convert", "pha.fits", "-o", "again.fits"]);
        assert_eq!(
            file_kind(place.path("again_rmf.fits")).unwrap(),
            FileKind::Other("an OGIP energy dispersion".into())
        );
        place.works(&["stack", "pha.fits", "new.fits", "-o", "sum.fits", "-q"]);
        place.fails(&["convert", "pha.fits", "-o", "a.fits", "--format", "xspec"], 2, &["xspec", "gadf or ogip"]);
        place.fails(&["convert", "gadf.fits", "-o", "new.fits", "--format", "ogip"], 2, &["exists"]);
        assert!(place.works(&["info", "pha_bkg.fits"]).contains("background spectrum"));
        sample().to_map_dataset().unwrap().write(place.path("known.fits"), &WriteOptions::default()).unwrap();
        place.fails(&["convert", "known.fits", "-o", "a.fits", "--format", "ogip"], 2, &["no off counts"]);
        let maps = support::program::data("sim-tan-1.fits.gz");
        place.fails(&["convert", maps.to_str().unwrap(), "-o", "a.fits", "--format", "ogip"], 2, &["no off counts"]);
        fs::remove_file(place.path("pha_rmf.fits")).unwrap();
        place.fails(&["info", "pha.fits"], 2, &["RESPFILE", "pha_rmf.fits"]);
    }
}
