//! Broken files are errors that say where and what, never a panic, an abort or half a result.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ndarray::{ArrayD, IxDyn};
use pevatron::datasets::MapDataset;
use pevatron::error::warnings;
use pevatron::io::fits::check_bytes;
use pevatron::io::{FileKind, ReadOptions, Severity, WriteOptions, file_kind};
use pevatron::irf::{EDisp, EDispKernelMap, PsfMap};
use pevatron::maps::{AxisInterp, Frame, Geom, Map, MapAxis, MapData, Mask, RegionGeom, SkyPosition, WcsGeom};
use pevatron::time::{Gti, TimeReference};
use pevatron::{Error, ErrorKind};

const NX: usize = 12;
const NY: usize = 10;

fn map(geom: &Arc<Geom>, unit: &str, value: impl Fn(usize) -> f32) -> Map {
    let shape = geom.data_shape();
    let n: usize = shape.iter().product();
    let data = ArrayD::from_shape_vec(IxDyn(&shape), (0..n).map(value).collect()).unwrap();
    Map::new(geom.clone(), unit.parse().unwrap(), MapData::F32(data)).unwrap()
}

/// A small dataset with every part, WCS and region maps.
fn sample() -> MapDataset {
    let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
    let energy_true = MapAxis::energy_bounds(0.5, 20.0, 4, "energy_true").unwrap();
    let rad = MapAxis::from_edges("rad", "deg".parse().unwrap(), vec![0.0, 0.1, 0.2, 0.5], AxisInterp::Lin).unwrap();
    let image = WcsGeom::create(center, NX, NY, (0.1, 0.1), "TAN", vec![]).unwrap();
    let wcs = |axes: &[&MapAxis]| Arc::new(Geom::Wcs(image.with_axes(axes.iter().map(|a| (*a).clone()).collect())));
    let region = |axes: &[&MapAxis]| {
        Arc::new(Geom::Region(RegionGeom::new(None, None, axes.iter().map(|a| (*a).clone()).collect())))
    };
    let reco = wcs(&[&energy]);
    let mask = |f: fn(usize) -> bool| {
        let shape = reco.data_shape();
        let n: usize = shape.iter().product();
        Mask::new(reco.clone(), ArrayD::from_shape_vec(IxDyn(&shape), (0..n).map(f).collect()).unwrap()).unwrap()
    };
    MapDataset {
        name: "sample".into(),
        counts: Some(map(&reco, "", |i| (i % 3) as f32)),
        background: Some(map(&reco, "", |i| 0.5 + i as f32 / 100.0)),
        exposure: Some(map(&wcs(&[&energy_true]), "m2 s", |i| 1e10 + i as f32)),
        psf: Some(PsfMap {
            psf: map(&wcs(&[&rad, &energy_true]), "sr-1", |i| i as f32),
            exposure: Some(map(&wcs(&[&rad.squash(), &energy_true]), "m2 s", |_| 1.0)),
        }),
        edisp: Some(EDisp::Kernel(EDispKernelMap {
            edisp: map(&region(&[&energy, &energy_true]), "", |i| i as f32 / 12.0),
            exposure: None,
        })),
        mask_safe: Some(mask(|i| i % 5 != 0)),
        mask_fit: Some(mask(|i| i > 20)),
        gti: Some(Gti { intervals: vec![(0.0, 1800.0), (2000.0, 3800.5)], reference: TimeReference::default() }),
        meta: [("EVT_TYPE".to_string(), "32".to_string())].into(),
        ..MapDataset::default()
    }
}

fn to_bytes(dataset: &MapDataset) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    dataset.write(&path, &WriteOptions::default()).unwrap();
    std::fs::read(path).unwrap()
}

/// A file whose checksums are blanked, so that changes reach the reader.
struct Broken {
    bytes: Vec<u8>,
}

impl Broken {
    fn new() -> Self {
        Self::of(to_bytes(&sample()))
    }

    fn of(mut bytes: Vec<u8>) -> Self {
        for start in (0..bytes.len()).step_by(80) {
            if bytes[start..].starts_with(b"CHECKSUM=") || bytes[start..].starts_with(b"DATASUM =") {
                bytes[start..start + 80].fill(b' ');
            }
        }
        Self { bytes }
    }

    fn card(&self, hdu: &str, key: &str) -> usize {
        let hdus = check_bytes(&self.bytes).unwrap();
        let hdu = hdus.iter().find(|h| h.name == hdu).unwrap();
        let key = format!("{key:8}");
        (hdu.header_start..hdu.data_start)
            .step_by(80)
            .find(|s| self.bytes[*s..].starts_with(key.as_bytes()))
            .unwrap_or_else(|| panic!("no {key}"))
    }

    /// Replaces the value of a keyword.
    fn set(mut self, hdu: &str, key: &str, value: &str) -> Self {
        let start = self.card(hdu, key);
        let card = format!("{:80}", format!("{key:8}= {value}"));
        self.bytes[start..start + 80].copy_from_slice(&card.as_bytes()[..80]);
        self
    }

    /// Renames a keyword.
    fn rename(mut self, hdu: &str, key: &str, to: &str) -> Self {
        let start = self.card(hdu, key);
        self.bytes[start..start + 8].copy_from_slice(format!("{to:8}").as_bytes());
        self
    }

    /// Replaces a value of a single-precision image.
    fn value(mut self, hdu: &str, index: usize, value: f32) -> Self {
        let hdus = check_bytes(&self.bytes).unwrap();
        let start = hdus.iter().find(|h| h.name == hdu).unwrap().data_start + 4 * index;
        self.bytes[start..start + 4].copy_from_slice(&value.to_be_bytes());
        self
    }

    fn read(self) -> Result<MapDataset, Error> {
        MapDataset::from_fits_bytes(self.bytes)
    }

    /// The error has all these words, a place in the file, and the class that ends with exit code 2.
    #[track_caller]
    fn fails(self, words: &[&str]) {
        let error = self.read().unwrap_err();
        let text = error.to_string();
        assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported), "{text}");
        assert!(text.starts_with("memory") || text.starts_with("a.fits"), "{text}");
        for word in words {
            assert!(text.contains(word), "'{word}' is not in: {text}");
        }
    }
}

#[test]
fn the_sample_is_whole() {
    let dataset = Broken::new().read().unwrap();
    let sample = sample();
    assert_eq!(dataset.name, "sample");
    assert_eq!(dataset.counts, sample.counts);
    assert_eq!(dataset.psf, sample.psf);
    assert_eq!(dataset.edisp, sample.edisp);
    assert_eq!(dataset.mask_safe, sample.mask_safe);
    assert_eq!(dataset.gti, sample.gti);
    assert_eq!(dataset.meta, sample.meta);
    assert_eq!(dataset.check(), vec![]);
}

#[test]
fn values_that_cannot_be() {
    Broken::new().value("COUNTS", 14, -1.0).fails(&["[COUNTS]", "negative", "pixel [3, 2, 1]"]);
    Broken::new().value("BACKGROUND", 125, -0.5).fails(&["[BACKGROUND]", "-0.5", "pixel [6, 1, 2]"]);
    Broken::new().value("BACKGROUND", 0, f32::INFINITY).fails(&["[BACKGROUND]", "infinite"]);
    Broken::new().value("EXPOSURE", 3, -1e20).fails(&["[EXPOSURE]", "negative", "pixel [4, 1, 1]"]);
    // Undefined counts and backgrounds occur in real files: kept, and told.
    for part in ["COUNTS", "BACKGROUND"] {
        let problems = Broken::new().value(part, 1, f32::NAN).read().unwrap().check();
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!((problems[0].severity, problems[0].part), (Severity::Warning, part));
    }
}

#[test]
fn units_and_axes() {
    Broken::new().set("EXPOSURE", "BUNIT", "'m s'").fails(&["[EXPOSURE] BUNIT", "'m s'", "area times time"]);
    Broken::new().set("EXPOSURE", "BUNIT", "'furlong'").fails(&["[EXPOSURE] BUNIT", "furlong"]);
    Broken::new().set("COUNTS", "BUNIT", "'cm-2'").fails(&["[COUNTS] BUNIT", "cm-2"]);
    Broken::new().set("PSF", "BUNIT", "'m'").fails(&["[PSF] BUNIT", "sr-1"]);
    Broken::new().set("COUNTS_BANDS", "TUNIT3", "''").fails(&["[COUNTS_BANDS] E_MIN", "no unit", "TeV"]);
    Broken::new().set("PSF_BANDS", "TUNIT3", "'TeV'").fails(&["[PSF_BANDS] RAD_MIN", "deg"]);
    Broken::new().set("COUNTS", "BANDSHDU", "'NOWHERE'").fails(&["[COUNTS] BANDSHDU", "NOWHERE", "missing"]);
    Broken::new().set("COUNTS_BANDS", "EXTNAME", "'OTHER'").fails(&["[COUNTS] BANDSHDU", "COUNTS_BANDS"]);
    Broken::new().set("COUNTS_BANDS", "AXCOLS1", "'A,B,C'").fails(&["[COUNTS_BANDS] AXCOLS1", "A,B,C"]);
    Broken::new().set("COUNTS_BANDS", "AXCOLS1", "'X_MIN,X_MAX'").fails(&["[COUNTS_BANDS] X_MIN", "no such column"]);
    Broken::new().set("COUNTS_BANDS", "INTERP1", "'cubic'").fails(&["[COUNTS_BANDS] INTERP1", "cubic"]);
    Broken::new().set("COUNTS", "BANDSHDU", "'EXPOSURE_BANDS'").fails(&["[COUNTS]", "[3]", "[4]"]);
    Broken::new().set("EDISP", "NAXIS2", "11").fails(&["[EDISP] DATA", "11 rows"]);
}

#[test]
fn parts_that_do_not_belong_together() {
    let mut other = sample();
    let center = SkyPosition { lon_deg: 83.6, lat_deg: 22.0, frame: Frame::Icrs };
    let energy = MapAxis::energy_bounds(1.0, 10.0, 3, "energy").unwrap();
    let larger = WcsGeom::create(center, NX + 1, NY, (0.1, 0.1), "TAN", vec![energy.clone()]).unwrap();
    other.background = Some(map(&Arc::new(Geom::Wcs(larger)), "", |_| 1.0));
    Broken::of(to_bytes(&other)).fails(&["[BACKGROUND]", "13 × 10", "12 × 10"]);
    Broken::new().set("BACKGROUND", "CRVAL1", "90.0").fails(&["[BACKGROUND]", "elsewhere", "COUNTS"]);
    let bins = MapAxis::energy_bounds(1.0, 10.0, 2, "energy").unwrap();
    let fewer = WcsGeom::create(center, NX, NY, (0.1, 0.1), "TAN", vec![bins]).unwrap();
    other.background = Some(map(&Arc::new(Geom::Wcs(fewer)), "", |_| 1.0));
    Broken::of(to_bytes(&other)).fails(&["[BACKGROUND]", "2 energy bins", "3 of COUNTS"]);
    Broken::new()
        .set("COUNTS", "EXTNAME", "'A'")
        .set("EXPOSURE", "EXTNAME", "'B'")
        .set("BACKGROUND", "EXTNAME", "'C'")
        .fails(&["not a dataset", "COUNTS"]);
}

#[test]
fn coordinates_that_cannot_be_used() {
    Broken::new().set("COUNTS", "CTYPE1", "'RA---XYZ'").set("COUNTS", "CTYPE2", "'DEC--XYZ'").fails(&["XYZ"]);
    Broken::new().set("COUNTS", "CTYPE1", "'ELON-TAN'").fails(&["[COUNTS] CTYPE1", "ELON-TAN"]);
    Broken::new().set("COUNTS", "CTYPE2", "'DEC--CAR'").fails(&["[COUNTS] CTYPE2", "DEC--CAR"]);
    Broken::new().set("COUNTS", "CDELT1", "0.0").fails(&["[COUNTS] CDELT1", "0"]);
    Broken::new().set("COUNTS", "CRVAL1", "'abc'").fails(&["[COUNTS] CRVAL1", "number"]);
    Broken::new().set("COUNTS", "CUNIT1", "'TeV'").fails(&["[COUNTS] CUNIT1", "TeV"]);
    Broken::new().rename("COUNTS", "CTYPE1", "XTYPE1").fails(&["[COUNTS] CTYPE1", "missing"]);
    Broken::new().set("COUNTS", "META", "''").rename("COUNTS", "META", "PIXTYPE").read().unwrap();
    Broken::new().rename("COUNTS", "META", "PIXTYPE").set("COUNTS", "PIXTYPE", "'HEALPIX'").fails(&["HEALPix"]);
}

#[test]
fn headers_that_lie() {
    Broken::new().set("COUNTS", "NAXIS1", "9999999999").fails(&["[COUNTS]", "truncated"]);
    Broken::new().set("COUNTS", "NAXIS1", "-5").fails(&["[COUNTS] NAXIS1", "negative"]);
    Broken::new().set("COUNTS", "NAXIS1", "'12'").fails(&["[COUNTS] NAXIS1", "integer"]);
    Broken::new().set("COUNTS", "NAXIS", "99").fails(&["[COUNTS] NAXIS", "99"]);
    Broken::new().set("COUNTS", "BITPIX", "7").fails(&["[COUNTS] BITPIX", "7"]);
    Broken::new().set("COUNTS_BANDS", "TFORM2", "'Z'").fails(&["[COUNTS_BANDS] TFORM2", "'Z'"]);
    Broken::new().set("COUNTS_BANDS", "TFORM2", "'2D'").fails(&["[COUNTS_BANDS] NAXIS1"]);
    Broken::new().set("COUNTS_BANDS", "TFIELDS", "1000").fails(&["[COUNTS_BANDS] TFIELDS"]);
    Broken::new().set("COUNTS_BANDS", "TFIELDS", "3").fails(&["[COUNTS_BANDS] NAXIS1"]);
    Broken::new()
        .set("COUNTS_BANDS", "INTERP1", "'(0)'")
        .rename("COUNTS_BANDS", "INTERP1", "TDIM2")
        .fails(&["TDIM2", "(0)"]);
    Broken::new().rename("COUNTS", "WCSSHAPE", "NAXIS1").fails(&["[COUNTS] NAXIS1", "2 times"]);
    Broken::new().set("COUNTS", "NAXIS2", "11").fails(&[]);
    Broken::new().set("COUNTS", "NAXIS3", "2").fails(&["[COUNTS]", "[2]", "[3]"]);
    Broken::new().rename("GTI", "MJDREFI", "XXX").fails(&["[GTI] MJDREFI", "missing"]);
    Broken::new().set("GTI", "TUNIT1", "'m'").fails(&["[GTI] START", "time"]);
}

/// Keywords that make no number of any pixel, and axes that contradict their number.
#[test]
fn images_whose_values_mean_nothing() {
    let with = |key: &str, value: &str| Broken::new().set("COUNTS", "META", value).rename("COUNTS", "META", key);
    for (key, value) in [
        ("BSCALE", "0.0"),
        ("BSCALE", "NaN"),
        ("BSCALE", "'x'"),
        ("BSCALE", "-1E999"),
        ("BZERO", "1E400"),
        ("BZERO", "INF"),
        ("NAXIS4", "2"),
        ("NAXIS7", "-1"),
    ] {
        with(key, value).fails(&[&format!("[COUNTS] {key}")]);
    }
    for (key, value) in [("BSCALE", "1.0"), ("BSCALE", "'1.0'"), ("BZERO", "0"), ("BLANK", "1.5"), ("NAXIS4", "1")] {
        assert_eq!(with(key, value).read().unwrap().counts, sample().counts, "{key} = {value}");
    }
}

#[test]
fn truncated_files() {
    let whole = Broken::new().bytes;
    for length in [1, 79, 80, 2879, 2880, 2881, 5000, whole.len() / 2, whole.len() - 2880] {
        Broken { bytes: whole[..length].to_vec() }.fails(&[]);
    }
    Broken { bytes: whole[..whole.len() / 2].to_vec() }.fails(&["truncated"]);
    Broken { bytes: Vec::new() }.fails(&["empty"]);
    let mut garbage = whole.clone();
    garbage.extend(b"not an HDU");
    Broken { bytes: garbage }.fails(&["XTENSION"]);
    // Filling after the last HDU is none of our business.
    let mut filled = whole;
    filled.extend([0; 10_000]);
    Broken { bytes: filled }.read().unwrap();
}

#[test]
fn checksums_are_verified() {
    let bytes = to_bytes(&sample());
    let hdus = check_bytes(&bytes).unwrap();
    for name in ["COUNTS", "PSF_BANDS", "GTI"] {
        let hdu = hdus.iter().find(|h| h.name == name).unwrap();
        assert!(hdu.header.text("CHECKSUM").is_some());
        let mut broken = bytes.clone();
        broken[hdu.data_start + 9] ^= 1;
        // Tools that change a file leave the old ones: worth a warning, or an error for who wants that.
        let (read, said) = warnings::collect(|| Broken { bytes: broken.clone() }.read());
        let text = warnings::as_errors(|| Broken { bytes: broken }.read()).unwrap_err().to_string();
        assert!(text.starts_with("memory") && text.contains(name) && text.contains("DATASUM"), "{text}");
        if name != "GTI" {
            assert!(read.is_ok());
        }
        assert_eq!(said.iter().filter(|s| s.starts_with(&text)).count(), 1, "{said:?}");
        let mut broken = bytes.clone();
        broken[hdu.header_start + 500] ^= 1;
        warnings::as_errors(|| Broken { bytes: broken }.read()).unwrap_err();
    }
}

#[test]
fn files_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let fails = |name: &str, words: &[&str]| {
        let error = MapDataset::read(path(name)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{error}");
        for word in words.iter().chain(&[name]) {
            assert!(error.to_string().contains(word), "'{word}' is not in: {error}");
        }
    };
    fails("none.fits", &["no such file"]);
    std::fs::create_dir(path("folder.fits")).unwrap();
    fails("folder.fits", &["folder"]);
    std::fs::write(path("text.fits"), "hello").unwrap();
    fails("text.fits", &["not a FITS file"]);

    let whole = path("whole.fits.gz");
    sample().write(&whole, &WriteOptions::default()).unwrap();
    assert_eq!(file_kind(&whole).unwrap(), FileKind::MapDataset);
    let bytes = std::fs::read(&whole).unwrap();
    assert_eq!(&bytes[..2], [0x1f, 0x8b]);
    std::fs::write(path("cut.fits.gz"), &bytes[..bytes.len() / 2]).unwrap();
    fails("cut.fits.gz", &["truncated"]);
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 0xff;
    std::fs::write(path("flipped.fits.gz"), flipped).unwrap();
    fails("flipped.fits.gz", &[]);
    // A gzip file is one by its content, whatever its name.
    std::fs::write(path("plain.fits"), &bytes).unwrap();
    MapDataset::read(path("plain.fits")).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; 50_000_000]).unwrap();
    std::fs::write(path("bomb.fits.gz"), encoder.finish().unwrap()).unwrap();
    let error =
        pevatron::io::fits::read_bytes(&path("bomb.fits.gz"), &ReadOptions { max_bytes: 1_000_000 }).unwrap_err();
    assert!(error.to_string().contains("1000000"), "{error}");
}

#[test]
fn writing_is_whole_or_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let dataset = sample();
    dataset.write(&path, &WriteOptions::default()).unwrap();
    let error = dataset.write(&path, &WriteOptions::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Options);
    assert!(error.to_string().contains("exists") && error.help().is_some());
    dataset.write(&path, &WriteOptions::default().overwrite(true)).unwrap();
    let missing = folder.path().join("no/such/a.fits");
    assert_eq!(dataset.write(&missing, &WriteOptions::default()).unwrap_err().kind(), ErrorKind::Options);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    // /dev/full: every write fails as on a full disk.
    if Path::new("/dev/full").exists() {
        let error = dataset.write("/dev/full", &WriteOptions::default().overwrite(true)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io, "{error}");
    }
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % below
    }
}

#[test]
fn no_mutation_ends_the_process() {
    let original = Broken::new().bytes;
    let headers: Vec<(usize, usize)> =
        check_bytes(&original).unwrap().iter().map(|h| (h.header_start, h.data_start)).collect();
    let values = [
        "0",
        "-1",
        "1",
        "2",
        "9999999999",
        "4294967297",
        "9223372036854775807",
        "-9223372036854775808",
        "1E400",
        "NaN",
        "''",
        "'0A'",
        "'1PE(9)'",
        "'1QD(9)'",
        "'99999999A'",
        "'8X'",
        "'(0,0)'",
        "'(1,99999999)'",
        "'A'",
        "'12A0'",
        "T",
        "F",
        "'BINTABLE'",
        "'IMAGE'",
        "'TABLE'",
        "",
        "(1,2)",
        "'&'",
        "'RICE_1'",
        "1.5",
        "-32",
        "64",
        "8",
    ];
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..4000 {
        let mut bytes = original.clone();
        for _ in 0..=random.next(3) {
            let (start, end) = headers[random.next(headers.len())];
            let card = start + 80 * random.next((end - start) / 80);
            match random.next(9) {
                0 => {
                    let at = random.next(bytes.len());
                    bytes[at] ^= 1 << random.next(8);
                }
                1 => bytes[card + random.next(80)] = b" 019'=E-"[random.next(8)],
                2..=4 => {
                    let value = values[random.next(values.len())];
                    let text = format!("= {value:>20}{:58}", "");
                    bytes[card + 8..card + 80].copy_from_slice(&text.as_bytes()[..72]);
                }
                5 => {
                    let keys = [
                        "ZIMAGE", "THEAP", "TFORM2", "TDIM2", "BSCALE", "BZERO", "BLANK", "GROUPS", "TNULL1", "PCOUNT",
                    ];
                    let key = keys[random.next(keys.len())];
                    let text = format!("{key:8}= {:>20}", values[random.next(values.len())]);
                    bytes[card..card + 80].copy_from_slice(format!("{text:80}").as_bytes().get(..80).unwrap());
                }
                6 => {
                    let length = random.next(bytes.len());
                    bytes.truncate(length);
                    break;
                }
                7 => {
                    // One card overwrites another.
                    let (start, end) = headers[random.next(headers.len())];
                    let from = start + 80 * random.next((end - start) / 80);
                    let copy = bytes[from..from + 80].to_vec();
                    bytes[card..card + 80].copy_from_slice(&copy);
                }
                _ => {
                    // A block is lost.
                    let block = 2880 * random.next(bytes.len() / 2880);
                    bytes.drain(block..block + 2880);
                    break;
                }
            }
            if bytes.len() < original.len() {
                break;
            }
        }
        match MapDataset::from_fits_bytes(bytes) {
            Ok(dataset) => {
                good += 1;
                let _ = dataset.check();
            }
            Err(error) => {
                bad += 1;
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!("{good} mutations were read, {bad} were errors");
    assert!(good > 100 && bad > 1000);
}
