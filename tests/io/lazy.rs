//! Datasets whose parts are read when they are asked for: the same as all at once, no more bytes than needed, and files
//! that change in between.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};
use pevatron::datasets::{Dataset, Datasets, MapDataset, MapDatasetOnOff};
use pevatron::error::warnings::as_errors;
use pevatron::io::fits::check_bytes;
use pevatron::io::{FileKind, LazyDataset, LazyDatasets, WriteOptions, file_kind};
use pevatron::irf::{EDisp, EDispKernelMap, PsfMap};
use pevatron::maps::{AxisInterp, Geom, Map, MapAxis, MapData, Mask, RegionGeom, SkyPosition, SkyRegion, WcsGeom};
use pevatron::table::{Column, Table};
use pevatron::time::{Gti, TimeReference};
use pevatron::{Error, ErrorKind};

const MAPS: [&str; 6] = ["counts", "background", "exposure", "counts_off", "acceptance", "acceptance_off"];

fn map(geom: &Arc<Geom>, unit: &str, value: impl Fn(usize) -> f32) -> Map {
    let shape = geom.data_shape();
    let n: usize = shape.iter().product();
    let data = ArrayD::from_shape_vec(IxDyn(&shape), (0..n).map(value).collect()).unwrap();
    Map::new(geom.clone(), unit.parse().unwrap(), MapData::F32(data)).unwrap()
}

fn mask(geom: &Arc<Geom>, value: impl Fn(usize) -> bool) -> Mask {
    let shape = geom.data_shape();
    let n: usize = shape.iter().product();
    Mask::new(geom.clone(), ArrayD::from_shape_vec(IxDyn(&shape), (0..n).map(value).collect()).unwrap()).unwrap()
}

/// A dataset with every part, `size` pixels on a side or of a region (without a PSF).
fn sample(name: &str, size: Option<usize>) -> MapDataset {
    let center = SkyPosition::icrs(83.63, 22.01);
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
    let truth = MapAxis::energy_bounds(0.5, 20.0, 4, "energy_true").unwrap();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.2, 0.5], AxisInterp::Lin).unwrap();
    let on = SkyRegion::circle(center, 0.2).unwrap();
    let geom = |axes: &[&MapAxis]| {
        let axes = axes.iter().map(|a| (*a).clone()).collect();
        Arc::new(match size {
            Some(n) => Geom::Wcs(WcsGeom::create(center, n, n, (0.1, 0.1), "TAN", axes).unwrap()),
            None => Geom::Region(RegionGeom::of(Some(on.clone()), axes)),
        })
    };
    let reco = geom(&[&energy]);
    let mut table = Table::new();
    table.push(Column::texts("OBS_ID", vec!["1".into(), "2".into()])).unwrap();
    MapDataset {
        name: name.into(),
        counts: Some(map(&reco, "", |i| (i % 3) as f32)),
        background: Some(map(&reco, "", |i| if i % 50 == 7 { f32::NAN } else { 0.5 + (i % 10) as f32 })),
        exposure: Some(map(&geom(&[&truth]), "m2 s", |i| 1e10 + (i % 100) as f32 * 1e6)),
        psf: size.map(|_| PsfMap {
            psf: map(&geom(&[&rad, &truth]), "sr-1", |i| i as f32),
            exposure: Some(map(&geom(&[&rad.squash(), &truth]), "m2 s", |_| 1.0)),
        }),
        edisp: Some(EDisp::Kernel(EDispKernelMap {
            edisp: map(&geom(&[&energy, &truth]), "", |i| (i % 12) as f32 / 48.0),
            exposure: Some(map(&geom(&[&energy.squash(), &truth]), "m2 s", |_| 2.0)),
        })),
        mask_safe: Some(mask(&reco, |i| i % 5 != 0)),
        mask_fit: Some(mask(&reco, |i| i > 1)),
        gti: Some(Gti { intervals: vec![(0.0, 1800.0), (2000.0, 3800.5)], reference: TimeReference::default() }),
        livetime_s: Some(3000.0),
        meta_table: Some(table),
        meta: [("EVT_TYPE".to_string(), "32".to_string())].into(),
        ..MapDataset::default()
    }
}

fn off_sample(name: &str, size: Option<usize>) -> MapDatasetOnOff {
    let on = MapDataset { background: None, ..sample(name, size) };
    let reco = on.counts.as_ref().unwrap().geom().clone();
    MapDatasetOnOff {
        counts_off: Some(map(&reco, "", |i| (i % 7) as f32)),
        acceptance: Some(map(&reco, "", |_| 1.0)),
        acceptance_off: Some(map(&reco, "", |i| if i % 11 == 3 { f32::NAN } else { 4.0 })),
        on,
    }
}

/// Files of every kind, each plain and compressed.
fn synthetic(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for (name, size) in [("image", Some(9)), ("region", None)] {
        for (kind, dataset) in
            [("map", Dataset::Map(sample(name, size))), ("off", Dataset::OnOff(off_sample(name, size)))]
        {
            let plain = folder.join(format!("{name}-{kind}.fits"));
            dataset.write(&plain, &WriteOptions::default()).unwrap();
            files.push(compressed(&plain));
            files.push(plain);
        }
    }
    files
}

fn compressed(plain: &Path) -> PathBuf {
    let path = plain.with_extension("fits.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&fs::read(plain).unwrap()).unwrap();
    fs::write(&path, encoder.finish().unwrap()).unwrap();
    path
}

/// The bytes of a file without compression.
fn bytes(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return bytes;
    }
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
    plain
}

/// Equal to the last bit, undefined values included.
#[track_caller]
fn same_map(what: &str, a: Option<&Map>, b: Option<&Map>) {
    let (Some(a), Some(b)) = (a, b) else { return assert_eq!(a.is_some(), b.is_some(), "{what}") };
    assert_eq!((a.geom(), a.unit()), (b.geom(), b.unit()), "{what}");
    assert_eq!(matches!(a.data(), MapData::F32(_)), matches!(b.data(), MapData::F32(_)), "{what}: precision");
    assert!(a.data().iter().map(f64::to_bits).eq(b.data().iter().map(f64::to_bits)), "{what}: values");
}

fn edisp_maps(edisp: Option<&EDisp>) -> (Option<&Map>, Option<&Map>) {
    match edisp {
        None => (None, None),
        Some(EDisp::Kernel(e)) => (Some(&e.edisp), e.exposure.as_ref()),
        Some(EDisp::Migra(e)) => (Some(&e.edisp), e.exposure.as_ref()),
    }
}

#[track_caller]
fn same_responses(what: &str, a: (Option<&EDisp>, Option<&PsfMap>), b: (Option<&EDisp>, Option<&PsfMap>)) {
    let ((ea, ea_exposure), (eb, eb_exposure)) = (edisp_maps(a.0), edisp_maps(b.0));
    same_map(&format!("{what}: edisp"), ea, eb);
    same_map(&format!("{what}: edisp exposure"), ea_exposure, eb_exposure);
    same_map(&format!("{what}: psf"), a.1.map(|p| &p.psf), b.1.map(|p| &p.psf));
    let exposure = |p: Option<&PsfMap>| p.and_then(|p| p.exposure.clone());
    same_map(&format!("{what}: psf exposure"), exposure(a.1).as_ref(), exposure(b.1).as_ref());
}

/// A map of a dataset by its name.
fn part<'a>(dataset: &'a Dataset, name: &str) -> Option<&'a Map> {
    let common = dataset.common().unwrap();
    let off = if let Dataset::OnOff(off) = dataset { Some(off) } else { None };
    match name {
        "counts" => common.counts.as_ref(),
        "background" => common.background.as_ref(),
        "exposure" => common.exposure.as_ref(),
        "counts_off" => off?.counts_off.as_ref(),
        "acceptance" => off?.acceptance.as_ref(),
        _ => off?.acceptance_off.as_ref(),
    }
}

#[track_caller]
fn same_datasets(what: &str, a: &Dataset, b: &Dataset) {
    assert_eq!((a.name(), a.kind()), (b.name(), b.kind()), "{what}");
    for name in MAPS {
        same_map(&format!("{what}: {name}"), part(a, name), part(b, name));
    }
    let (a, b) = (a.common().unwrap(), b.common().unwrap());
    same_responses(what, (a.edisp.as_ref(), a.psf.as_ref()), (b.edisp.as_ref(), b.psf.as_ref()));
    assert!(a.mask_safe == b.mask_safe && a.mask_fit == b.mask_fit, "{what}: masks");
    assert_eq!((&a.gti, a.livetime_s, &a.meta), (&b.gti, b.livetime_s, &b.meta), "{what}");
    assert_eq!(format!("{:?}", a.meta_table), format!("{:?}", b.meta_table), "{what}");
}

/// Each part by itself, and all at once, are those of the dataset.
#[track_caller]
fn same_parts(lazy: &LazyDataset, dataset: &Dataset) {
    let what = lazy.path().display().to_string();
    assert_eq!((lazy.name(), lazy.kind().unwrap()), (dataset.name(), dataset.kind()), "{what}");
    let common = dataset.common().unwrap();
    assert_eq!((lazy.meta(), lazy.livetime_s().unwrap()), (common.meta.clone(), common.livetime_s), "{what}");
    let maps = [
        lazy.counts(),
        lazy.background(),
        lazy.exposure(),
        lazy.counts_off(),
        lazy.acceptance(),
        lazy.acceptance_off(),
    ];
    for (name, map) in MAPS.into_iter().zip(maps) {
        let (map, expected) = (map.unwrap(), part(dataset, name));
        same_map(&format!("{what}: {name}"), map.as_deref(), expected);
        assert_eq!(lazy.has(name), expected.is_some(), "{what}: {name}");
        assert_eq!(lazy.geom_of(name).unwrap().as_ref(), expected.map(Map::geom), "{what}: {name}");
    }
    let geom = match dataset {
        Dataset::OnOff(off) => off.geom(),
        _ => common.geom(),
    }
    .unwrap();
    assert_eq!(lazy.geom().unwrap(), *geom, "{what}");
    assert_eq!(lazy.energy_axis().unwrap(), *geom.axis("energy").unwrap(), "{what}");
    let (edisp, psf) = (lazy.edisp().unwrap(), lazy.psf().unwrap());
    let expected = (common.edisp.as_ref(), common.psf.as_ref());
    same_responses(&what, (edisp.as_deref(), psf.as_deref()), expected);
    assert!(lazy.mask_safe().unwrap().as_deref() == common.mask_safe.as_ref(), "{what}");
    assert!(lazy.mask_fit().unwrap().as_deref() == common.mask_fit.as_ref(), "{what}");
    assert_eq!(lazy.gti().unwrap().as_deref(), common.gti.as_ref(), "{what}");
    let table = lazy.meta_table().unwrap();
    assert_eq!(format!("{:?}", table.as_deref()), format!("{:?}", common.meta_table.as_ref()), "{what}");
    same_datasets(&what, &lazy.load().unwrap(), dataset);
}

#[test]
fn parts_are_those_of_the_whole() {
    let folder = tempfile::tempdir().unwrap();
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut files = synthetic(folder.path());
    files.extend(["sim-car", "sim-tan-1", "sim-tan-2"].map(|name| own.join(format!("{name}.fits.gz"))));
    assert_eq!(files.len(), 11);
    for path in &files {
        let whole = Dataset::from_bytes(bytes(path)).unwrap();
        for cache in [true, false] {
            let lazy = Dataset::open_lazy(path, cache).unwrap();
            let mut whole = whole.clone();
            whole.set_name(lazy.name()); // files without a name have it from their path
            same_parts(&lazy, &whole);
            same_datasets("read", &Dataset::read(path).unwrap(), &whole);
        }
    }
    let lazy = Dataset::open_lazy(&files[3], true).unwrap();
    assert_eq!(
        lazy.parts(),
        [
            "counts",
            "exposure",
            "edisp",
            "psf",
            "mask_safe",
            "mask_fit",
            "gti",
            "meta_table",
            "counts_off",
            "acceptance",
            "acceptance_off"
        ]
    );
}

/// Observations, surveys and models of Gammapy, HEASOFT and Fermi's tools.
#[test]
fn files_of_instruments() {
    let Some(shared) = support::golden("fluxmaps").map(|p| p.join("../../data")) else { return };
    let names = ["cta-1dc-gc", "fermi-3fhl-gc", "hess-crab", "hess-crab-onoff", "hess-crab-23523", "cta-gc-cutout"];
    for name in names {
        let path = shared.join(format!("{name}.fits.gz"));
        let whole = Dataset::read(&path).unwrap();
        same_parts(&Dataset::open_lazy(&path, true).unwrap(), &whole);
        let folder = tempfile::tempdir().unwrap();
        let plain = folder.path().join(format!("{name}.fits"));
        fs::write(&plain, bytes(&path)).unwrap();
        same_parts(&Dataset::open_lazy(&plain, false).unwrap(), &whole);
        same_datasets(name, &Dataset::read(&plain).unwrap(), &whole);
    }
    let spectra = shared.join("spectra/hess-ogip");
    let mut found = 0;
    for file in fs::read_dir(&spectra).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|e| e == "fits" || e == "gz") && file_kind(&path).unwrap() == FileKind::Spectrum
        {
            same_parts(&Dataset::open_lazy(&path, true).unwrap(), &Dataset::read(&path).unwrap());
            found += 1;
        }
    }
    assert!(found > 0);
}

#[test]
fn only_what_is_asked_for_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    sample("a", Some(80)).write(&path, &WriteOptions::default()).unwrap();
    let hdus = check_bytes(&fs::read(&path).unwrap()).unwrap();
    let size = |name: &str| {
        let hdu = hdus.iter().find(|h| h.name == name).unwrap();
        (hdu.data_start + hdu.data_bytes).div_ceil(2880) * 2880 - hdu.header_start
    };
    let lazy = Dataset::open_lazy(&path, true).unwrap();
    let headers: usize = hdus.iter().map(|h| h.data_start - h.header_start).sum();
    // A longer header is read in steps that double.
    assert!((headers..3 * headers).contains(&(lazy.bytes_read() as usize)), "{} of {headers}", lazy.bytes_read());
    let mut before = lazy.bytes_read();
    let mut read = |what: &str, expected: usize| {
        let now = lazy.bytes_read();
        assert_eq!((now - before) as usize, expected, "{what}");
        before = now;
    };
    lazy.geom().unwrap();
    read("geom", size("COUNTS_BANDS"));
    lazy.counts().unwrap();
    read("counts", size("COUNTS_BANDS") + size("COUNTS"));
    lazy.counts().unwrap();
    read("counts again", 0);
    lazy.psf().unwrap();
    read("psf", size("PSF") + size("PSF_BANDS") + size("PSF_EXPOSURE") + size("PSF_EXPOSURE_BANDS"));
    lazy.gti().unwrap();
    read("gti", size("GTI"));

    // Of a compressed file, small HDUs as tables of axes are kept, and what stands behind a part is not touched.
    let lazy = Dataset::open_lazy(compressed(&path), true).unwrap();
    assert!(lazy.bytes_read() >= fs::metadata(&path).unwrap().len());
    let before = lazy.bytes_read();
    lazy.geom().unwrap();
    assert_eq!(lazy.bytes_read(), before);
    lazy.counts().unwrap();
    let counts = hdus.iter().find(|h| h.name == "COUNTS").unwrap();
    assert_eq!((lazy.bytes_read() - before) as usize, counts.header_start + size("COUNTS"));
}

/// Damage is found where it is read, by what reads it: everything else can be had.
#[test]
fn damage_concerns_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    sample("a", Some(9)).write(&path, &WriteOptions::default()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let psf = check_bytes(&bytes).unwrap().into_iter().find(|h| h.name == "PSF").unwrap();
    bytes[psf.data_start + 100] ^= 1;
    fs::write(&path, &bytes).unwrap();
    for path in [&path, &compressed(&path)] {
        let lazy = Dataset::open_lazy(path, true).unwrap();
        assert!(lazy.counts().unwrap().is_some() && lazy.edisp().unwrap().is_some());
        let expected = as_errors(|| Dataset::read(path)).unwrap_err().to_string();
        assert!(expected.contains("[PSF] DATASUM"), "{expected}");
        for error in [
            as_errors(|| lazy.psf()).unwrap_err(),
            as_errors(|| lazy.load()).unwrap_err(),
            as_errors(|| MapDataset::read(path)).unwrap_err(),
        ] {
            assert_eq!((error.to_string(), error.kind()), (expected.clone(), ErrorKind::Input));
        }
    }
    // An HDU of no part: only the whole needs it.
    let mut bytes = self::bytes(&path);
    bytes[psf.data_start + 100] ^= 1;
    let hdus = check_bytes(&bytes).unwrap();
    let fit = hdus.iter().find(|h| h.name == "MASK_FIT").unwrap();
    let card = (fit.header_start..fit.data_start).step_by(80).find(|s| bytes[*s..].starts_with(b"EXTNAME =")).unwrap();
    bytes[card..card + 80].copy_from_slice(format!("{:80}", "EXTNAME = 'OTHER   '").as_bytes());
    fs::write(&path, &bytes).unwrap();
    let lazy = Dataset::open_lazy(&path, true).unwrap();
    assert!(lazy.mask_fit().unwrap().is_none() && !lazy.has("mask_fit"));
    for error in [as_errors(|| lazy.load()).unwrap_err(), as_errors(|| Dataset::read(&path)).unwrap_err()] {
        assert!(error.to_string().contains("[OTHER] CHECKSUM"), "{error}");
    }
}

#[test]
fn values_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let mut dataset = sample("a", Some(9));
    let geom = dataset.counts.as_ref().unwrap().geom().clone();
    dataset.counts = Some(map(&geom, "", |i| if i == 30 { -1.0 } else { 1.0 }));
    dataset.write(&path, &WriteOptions::default()).unwrap();
    let lazy = Dataset::open_lazy(&path, true).unwrap();
    let expected = Dataset::read(&path).unwrap_err().to_string();
    assert!(expected.contains("negative") && expected.contains("[COUNTS]"), "{expected}");
    assert_eq!(lazy.counts().unwrap_err().to_string(), expected);
    assert_eq!(lazy.load().unwrap_err().to_string(), expected);
    assert!(lazy.background().unwrap().is_some());

    // Parts that do not fit each other are found by the whole.
    dataset.counts = sample("a", Some(8)).counts;
    dataset.write(&path, &WriteOptions { overwrite: true, ..WriteOptions::default() }).unwrap();
    let lazy = Dataset::open_lazy(&path, true).unwrap();
    assert!(lazy.counts().unwrap().is_some() && lazy.background().unwrap().is_some());
    let expected = Dataset::read(&path).unwrap_err().to_string();
    assert!(expected.contains("pixels"), "{expected}");
    assert_eq!(lazy.load().unwrap_err().to_string(), expected);
}

#[test]
fn kept_or_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for path in synthetic(folder.path()) {
        let lazy = Dataset::open_lazy(&path, true).unwrap();
        let counts = lazy.counts().unwrap().unwrap();
        assert!(lazy.is_cached() && Arc::ptr_eq(&counts, &lazy.counts().unwrap().unwrap()));
        let edisp = lazy.edisp().unwrap().unwrap();
        assert!(Arc::ptr_eq(&edisp, &lazy.edisp().unwrap().unwrap()));
        let before = lazy.bytes_read();
        let kept = lazy.load().unwrap();
        let fresh = Dataset::open_lazy(&path, true).unwrap();
        let opened = fresh.bytes_read();
        same_datasets("kept", &kept, &fresh.load().unwrap());
        let compressed = path.extension().is_some_and(|e| e == "gz");
        assert!(
            compressed || lazy.bytes_read() - before < fresh.bytes_read() - opened,
            "kept parts are not read again"
        );
        lazy.reset_data_cache();
        let again = lazy.counts().unwrap().unwrap();
        assert!(!Arc::ptr_eq(&counts, &again) && *counts == *again);

        let lazy = Dataset::open_lazy(&path, false).unwrap();
        let (a, b) = (lazy.counts().unwrap().unwrap(), lazy.counts().unwrap().unwrap());
        assert!(!lazy.is_cached() && !Arc::ptr_eq(&a, &b) && *a == *b && *a == *counts);
        lazy.reset_data_cache();
    }
}

#[test]
fn several_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    let folder = tempfile::tempdir().unwrap();
    for path in synthetic(folder.path()) {
        let whole = Dataset::read(&path).unwrap();
        let kept = Dataset::open_lazy(&path, true).unwrap();
        let fresh = Dataset::open_lazy(&path, false).unwrap();
        shared(&kept);
        let counts: Vec<Arc<Map>> = std::thread::scope(|scope| {
            let run = || {
                same_parts(&fresh, &whole);
                same_parts(&kept, &whole);
                kept.counts().unwrap().unwrap()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(counts.iter().all(|c| Arc::ptr_eq(c, &counts[0])), "all threads have one map");
    }
}

/// The file as it was opened is not the file any more.
#[test]
fn files_that_change() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("a.fits");
    sample("a", Some(80)).write(&plain, &WriteOptions::default()).unwrap();
    let zipped = compressed(&plain);
    #[track_caller]
    fn fails(lazy: &LazyDataset, word: &str) {
        for error in [as_errors(|| lazy.counts()).unwrap_err(), as_errors(|| lazy.load()).unwrap_err()] {
            let text = error.to_string();
            assert!(text.contains(word) && error.kind() == ErrorKind::Input, "'{word}' is not in: {text}");
            assert!(text.starts_with(&lazy.path().display().to_string()), "{text}");
        }
    }
    for path in [&plain, &zipped] {
        let original = fs::read(path).unwrap();
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        let put = |bytes: &[u8], time| {
            fs::write(path, bytes).unwrap();
            File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
        };
        let later = modified + std::time::Duration::from_secs(2);
        let lazy = Dataset::open_lazy(path, true).unwrap();
        let gti = lazy.gti().unwrap();

        put(&[original.as_slice(), &[0; 2880]].concat(), modified);
        fails(&lazy, &format!("it has {} bytes and had {}", original.len() + 2880, original.len()));
        put(&original[..original.len() / 2], later);
        fails(&lazy, "was changed after it was opened");
        put(&original, later);
        fails(&lazy, "it was written again");
        fs::remove_file(path).unwrap();
        fails(&lazy, "there is no such file");
        // What was read before stays.
        assert!(Arc::ptr_eq(&gti.unwrap(), &lazy.gti().unwrap().unwrap()));
        // The very same file again.
        put(&original, modified);
        assert!(lazy.counts().unwrap().is_some());
    }

    // Of the same length and time.
    let original = fs::read(&plain).unwrap();
    let modified = fs::metadata(&plain).unwrap().modified().unwrap();
    let counts = check_bytes(&original).unwrap().into_iter().find(|h| h.name == "COUNTS").unwrap();
    for (at, word) in
        [(counts.data_start + 5, "DATASUM"), (counts.header_start + 3 * 80 + 29, "header of COUNTS differs")]
    {
        let lazy = Dataset::open_lazy(&plain, true).unwrap();
        let mut bytes = original.clone();
        bytes[at] ^= 1;
        fs::write(&plain, bytes).unwrap();
        File::options().write(true).open(&plain).unwrap().set_modified(modified).unwrap();
        fails(&lazy, word);
        fs::write(&plain, &original).unwrap();
        File::options().write(true).open(&plain).unwrap().set_modified(modified).unwrap();
    }
}

/// A cut file is refused when it is opened, with the words of reading it at once.
#[test]
fn truncated_files() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("a.fits");
    sample("a", Some(9)).write(&plain, &WriteOptions::default()).unwrap();
    let (whole, zipped) = (fs::read(&plain).unwrap(), fs::read(compressed(&plain)).unwrap());
    let path = folder.path().join("cut.fits");
    let mut refused = 0;
    for (bytes, step) in [(&whole, 1111), (&zipped, 97)] {
        for length in (0..bytes.len()).step_by(step) {
            fs::write(&path, &bytes[..length]).unwrap();
            let at_once = MapDataset::from_fits_bytes(bytes[..length].to_vec());
            let lazy = Dataset::open_lazy(&path, true);
            match (lazy.and_then(|lazy| lazy.load()), Dataset::read(&path)) {
                (Err(lazy), Err(whole)) => {
                    assert_eq!((lazy.to_string(), lazy.kind()), (whole.to_string(), ErrorKind::Input), "{length}");
                    assert!(at_once.is_err(), "{length}");
                    refused += 1;
                }
                // Between two HDUs a file may end.
                (Ok(lazy), Ok(whole)) => same_datasets("cut", &lazy, &whole),
                (lazy, whole) => panic!("{length} bytes: {:?} but {:?}", lazy.err(), whole.err()),
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

/// Whatever is changed in a file: what can be read at once can be read part by part, and is the same.
#[test]
fn damaged_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    sample("a", Some(3)).write(&path, &WriteOptions::default()).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    for start in (0..bytes.len()).step_by(80) {
        // Without checksums, changes get further.
        if bytes[start..].starts_with(b"CHECKSUM=") || bytes[start..].starts_with(b"DATASUM =") {
            bytes[start..start + 80].fill(b' ');
        }
    }
    let (mut read, mut refused, mut more) = (0, 0, 0);
    let mut state = 12345u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    for _ in 0..1500 {
        let mut broken = bytes.clone();
        for _ in 0..=random(3) {
            let at = random(broken.len());
            broken[at] = [b'0', b'9', b' ', b'-', b'X', 0xff, broken[at] ^ 1, broken[at].wrapping_add(1)][random(8)];
        }
        fs::write(&path, &broken).unwrap();
        let whole = Dataset::from_bytes(broken);
        let lazy = Dataset::open_lazy(&path, false).and_then(|lazy| lazy.load());
        match (lazy, whole) {
            (Ok(lazy), Ok(mut whole)) => {
                whole.set_name(lazy.name());
                same_datasets("damaged", &lazy, &whole);
                read += 1;
            }
            (Err(_), Err(_)) => refused += 1,
            // The library goes through the headers before the one that it reads; alone, each is read.
            (Ok(_), Err(whole)) if whole.to_string().contains("FITS library") => more += 1,
            (lazy, whole) => panic!("lazily {:?}, at once {:?}", lazy.err(), whole.err()),
        }
    }
    assert!(more < 20, "{more} were only read lazily");
    assert!(read > 100 && refused > 100, "{read} read, {refused} refused");
}

#[test]
fn what_is_no_dataset() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let points = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: e_ref, unit: TeV, datatype: float64}\n\
                  # - {name: dnde, unit: cm-2 s-1 TeV-1, datatype: float64}\n\
                  # - {name: dnde_err, unit: cm-2 s-1 TeV-1, datatype: float64}\n# meta: {SED_TYPE: dnde}\n# schema: \
                  astropy-2.0\ne_ref dnde dnde_err\n1.0 1e-12 1e-13\n3.0 1e-13 1e-14\n";
    let lazy = Dataset::open_lazy(file("points.ecsv", points.as_bytes()), true).unwrap();
    assert_eq!((lazy.name(), lazy.kind().unwrap(), lazy.parts().len()), ("points", "FluxPointsDataset", 0));
    for error in [lazy.counts().unwrap_err(), lazy.geom().unwrap_err(), lazy.gti().unwrap_err()] {
        assert!(error.to_string().contains("these are flux points"), "{error}");
    }
    assert!(matches!(lazy.load().unwrap(), Dataset::FluxPoints(p) if p.data_shape() == [2, 1, 1]));

    let map = folder.path().join("map.fits");
    sample("a", Some(4)).counts.unwrap().write(&map, "sky", &WriteOptions::default()).unwrap();
    let empty = file("empty", b"");
    let text = file("text", b"hello");
    let gone = folder.path().join("gone");
    for (path, word) in [
        (&map, "not a dataset"),
        (&empty, "empty"),
        (&text, "SIMPLE"),
        (&gone, "no such file"),
        (&folder.path().to_path_buf(), "a folder"),
    ] {
        let (lazy, whole) = (Dataset::open_lazy(path, true).unwrap_err(), Dataset::read(path).unwrap_err());
        assert!(lazy.to_string().contains(word), "{lazy}");
        assert_eq!((lazy.to_string(), lazy.help()), (whole.to_string(), whole.help()));
    }
    let error = Dataset::open_lazy(folder.path().join("gone"), true).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let lazy = Dataset::open_lazy(&synthetic(folder.path())[1], true).unwrap();
    let error = lazy.geom_of("gti").unwrap_err();
    assert!(error.kind() == ErrorKind::Options && error.to_string().contains("mask_safe"), "{error}");
}

/// An OGIP spectrum is several files; its parts are those of the whole.
#[test]
fn spectra() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pha.fits");
    let mut spectrum = off_sample("7", None);
    spectrum.on.exposure.iter_mut().for_each(|e| *e = e.to_unit("cm2 s").unwrap());
    let reco = spectrum.on.counts.as_ref().unwrap().geom().clone();
    spectrum.acceptance_off = Some(map(&reco, "", |_| 4.0));
    spectrum.write_ogip(&path, &WriteOptions::default()).unwrap();
    let whole = Dataset::read(&path).unwrap();
    for cache in [true, false] {
        let lazy = Dataset::open_lazy(&path, cache).unwrap();
        assert_eq!(lazy.kind().unwrap(), "SpectrumDatasetOnOff");
        same_parts(&lazy, &whole);
        let edisp = |lazy: &LazyDataset| lazy.geom_of("edisp").unwrap().unwrap();
        assert_eq!(edisp(&lazy).axes().len(), 2);
        assert!(lazy.geom_of("mask_safe").unwrap().is_some());
    }
}

fn list(folder: &Path) -> PathBuf {
    let path = folder.join("runs.yaml");
    let runs: Vec<MapDataset> = (0..4).map(|n| sample(&format!("run {n}"), Some(9 + n % 2))).collect();
    let equal: Vec<MapDataset> = runs.into_iter().filter(|r| r.data_shape().unwrap()[1] == 9).collect();
    let all = equal.into_iter().chain([sample("run 9", Some(9))]);
    Datasets::new(all).unwrap().write(&path, None, &WriteOptions::default()).unwrap();
    path
}

#[test]
fn lists() {
    fn shared<T: Send + Sync>(_: &T) {}
    let folder = tempfile::tempdir().unwrap();
    let path = list(folder.path());
    let whole = Datasets::read(&path, None).unwrap();
    for cache in [true, false] {
        let lazy: LazyDatasets = Datasets::open_lazy(&path, cache).unwrap();
        shared(&lazy);
        assert_eq!((lazy.len(), lazy.is_empty(), lazy.names()), (3, false, whole.names()));
        for (dataset, expected) in lazy.load_each().zip(whole.iter()) {
            same_datasets("each", &dataset.unwrap(), expected);
        }
        for (dataset, expected) in lazy.iter().zip(whole.iter()) {
            same_parts(&dataset.unwrap(), expected);
        }
        same_datasets("get", &lazy.get("run 9").unwrap().unwrap().load().unwrap(), whole.get("run 9").unwrap());
        assert!(lazy.get("run 1").unwrap().is_none());
        assert_eq!(lazy.load().unwrap().names(), whole.names());
        same_datasets("sum", &lazy.stack_reduce("sum").unwrap(), &whole.stack_reduce("sum").unwrap());
        let again = Arc::ptr_eq(&lazy.get("run 0").unwrap().unwrap(), &lazy.get("run 0").unwrap().unwrap());
        assert!(again, "a file is opened once");
    }
    // Files are opened when they are asked for.
    fs::remove_file(folder.path().join("run_9.fits")).unwrap();
    let lazy = Datasets::open_lazy(&path, true).unwrap();
    assert!(lazy.get("run 0").unwrap().is_some());
    let error = lazy.get("run 9").unwrap_err();
    assert_eq!(error.to_string(), Datasets::read(&path, None).unwrap_err().to_string());
    assert!(lazy.stack_reduce("sum").is_err());
}

#[test]
fn lists_that_are_wrong() {
    let folder = tempfile::tempdir().unwrap();
    synthetic(folder.path());
    let path = folder.path().join("list.yaml");
    let first_error = |lazy: LazyDatasets| -> Error {
        let loaded = lazy.load_each().find_map(Result::err);
        let opened = lazy.iter().find_map(Result::err).unwrap();
        // Once opened, also for those that are loaded.
        assert_eq!(loaded.unwrap().to_string(), opened.to_string());
        opened
    };
    for (yaml, word) in [
        ("datasets:\n- {name: x, type: MapDataset, filename: image-off.fits}\n", "this is a MapDatasetOnOff"),
        ("datasets:\n- {name: x, type: MapDatasetOnOff, filename: image-map.fits}\n", "not an on-off dataset"),
        ("datasets:\n- {name: x, type: MapDataset, filename: gone.fits}\n", "no such file"),
        ("datasets:\n- {name: x, type: LightCurve, filename: image-map.fits}\n", "line 2"),
        ("datasets: []\n", "the list is empty"),
        (
            "datasets:\n- {name: x, type: MapDataset, filename: image-map.fits}\n- {name: x, type: MapDataset, \
             filename: image-map.fits}\n",
            "two datasets have the name 'x'",
        ),
        (
            "datasets:\n- {type: MapDataset, filename: image-map.fits}\n- {name: image, type: MapDataset, filename: \
             image-map.fits}\n",
            "two datasets have the name 'image'",
        ),
        ("other: 1\n", "'datasets' is missing"),
    ] {
        fs::write(&path, yaml).unwrap();
        let error = match Datasets::open_lazy(&path, true) {
            Ok(lazy) => first_error(lazy),
            Err(error) => error,
        };
        let expected = Datasets::read(&path, None).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!((error.to_string(), error.kind()), (expected.to_string(), expected.kind()));
    }
    let mixed = "datasets:\n- {name: x, type: MapDataset, filename: image-map.fits}\n- {name: y, type: MapDatasetOnOff, \
                 filename: image-off.fits}\n";
    fs::write(&path, mixed).unwrap();
    let error = Datasets::open_lazy(&path, true).unwrap().stack_reduce("sum").unwrap_err();
    assert_eq!(error.to_string(), Datasets::read(&path, None).unwrap().stack_reduce("sum").unwrap_err().to_string());
}
