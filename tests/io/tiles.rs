//! Tile-compressed images: read to the bit as cfitsio and astropy read them, and refused by name where they are damaged.
#![cfg(feature = "fits-system")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::ffi::{CString, c_int, c_long, c_void};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::ptr;

use crate::support::fits_file::FitsFile;
use crate::support::python_with;
use fitsio_sys as sys;
use pevatron::ErrorKind;
use pevatron::io::fits::check_bytes;
use pevatron::maps::{Map, MapData};

/// Keys of a sky, which a map must have.
const SKY: [(&str, &str); 10] = [
    ("CTYPE1", "'GLON-CAR'"),
    ("CTYPE2", "'GLAT-CAR'"),
    ("CUNIT1", "'deg'"),
    ("CUNIT2", "'deg'"),
    ("CRPIX1", "1.0"),
    ("CRPIX2", "1.0"),
    ("CRVAL1", "0.0"),
    ("CRVAL2", "0.0"),
    ("CDELT1", "-0.1"),
    ("CDELT2", "0.1"),
];

fn values(path: &Path, hdu: &str) -> Vec<f64> {
    let map = Map::read(path, Some(hdu)).unwrap_or_else(|e| panic!("{hdu}: {e}"));
    match map.data() {
        MapData::F32(data) => data.iter().map(|v| f64::from(*v)).collect(),
        MapData::F64(data) => data.iter().copied().collect(),
    }
}

#[track_caller]
fn assert_same(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (n, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(a == b || a.is_nan() && b.is_nan(), "{what}: pixel {n} is {a:?}, not {b:?}");
    }
}

/// Each image Tn has the values of the image Vn.
fn compare_pairs(path: &Path) -> usize {
    let file = pevatron::io::fits::read_bytes(path, &pevatron::io::ReadOptions::default()).unwrap();
    let names: Vec<String> = check_bytes(&file).unwrap().into_iter().map(|h| h.name).collect();
    let compressed: Vec<&String> = names.iter().filter(|n| n.starts_with('T')).collect();
    for name in &compressed {
        assert_same(&values(path, name), &values(path, &name.replace('T', "V")), name);
    }
    compressed.len()
}

#[test]
fn images_of_astropy() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tiles.fits.gz");
    assert_eq!(compare_pairs(&data), 96);
    let Some(python) = python_with("astropy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tiles.fits");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/io/astropy_tiles.py");
    for (seed, width, height) in [("2", "40", "31"), ("3", "257", "64")] {
        let run = Command::new(&python).args([script, seed, width, height]).arg(&path).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(compare_pairs(&path), 96);
    }
}

/// How the C library is to compress an image.
#[derive(Debug, Clone)]
struct Kind {
    algorithm: u32,
    bitpix: c_int,
    sizes: Vec<c_long>,
    tile: Vec<c_long>,
    /// Level, method and seed of the rounding of real numbers.
    rounding: (f32, c_int, c_int),
}

/// The C library does not know NaN for what it is when it rounds: this stands for it.
const UNDEFINED: f32 = -12345.0;

fn marked(value: f64) -> f32 {
    if value.is_nan() { UNDEFINED } else { value as f32 }
}

/// What the C library says of an error.
fn message() -> String {
    let mut message = [0; 96];
    // SAFETY: messages have at most 80 characters and a NUL.
    unsafe { sys::ffgmsg(message.as_mut_ptr()) };
    message.iter().take_while(|c| **c != 0).map(|c| *c as u8 as char).collect()
}

/// Writes an image with the C library.
fn compress(path: &Path, kind: &Kind, values: &[f64]) {
    let name = CString::new(format!("!{}", path.display())).unwrap();
    let (mut file, mut status) = (ptr::null_mut(), 0);
    // SAFETY: lists are as long as they are said to be, the file is closed once.
    unsafe {
        sys::ffinit(&mut file, name.as_ptr(), &mut status);
        sys::ffcrim(file, 8, 0, ptr::null_mut(), &mut status);
        sys::fits_set_compression_type(file, kind.algorithm as c_int, &mut status);
        sys::fits_set_tile_dim(file, kind.tile.len() as c_int, kind.tile.clone().as_mut_ptr(), &mut status);
        if kind.bitpix < 0 {
            sys::fits_set_quantize_level(file, kind.rounding.0, &mut status);
            sys::fits_set_quantize_method(file, kind.rounding.1, &mut status);
            sys::fits_set_dither_seed(file, kind.rounding.2, &mut status);
        }
        sys::ffcrim(file, kind.bitpix, kind.sizes.len() as c_int, kind.sizes.clone().as_mut_ptr(), &mut status);
        let count = values.len() as i64;
        let code = match kind.bitpix {
            8 => sys::TBYTE,
            16 => sys::TSHORT,
            32 => sys::TINT,
            -32 => sys::TFLOAT,
            _ => sys::TDOUBLE,
        };
        let mut data: Vec<u8> = match kind.bitpix {
            8 => values.iter().map(|v| *v as u8).collect(),
            16 => values.iter().flat_map(|v| (*v as i16).to_ne_bytes()).collect(),
            32 => values.iter().flat_map(|v| (*v as i32).to_ne_bytes()).collect(),
            -32 => values.iter().flat_map(|v| marked(*v).to_ne_bytes()).collect(),
            _ => values.iter().flat_map(|v| f64::from(marked(*v)).to_ne_bytes()).collect(),
        };
        let data = data.as_mut_ptr().cast::<c_void>();
        if kind.bitpix > 0 {
            sys::ffppr(file, code as c_int, 1, count, data, &mut status);
        } else {
            let (mut double, mut single) = (f64::from(UNDEFINED), UNDEFINED);
            let undefined = match kind.bitpix {
                -32 => ptr::from_mut(&mut single).cast::<c_void>(),
                _ => ptr::from_mut(&mut double).cast::<c_void>(),
            };
            sys::ffppn(file, code as c_int, 1, count, data, undefined, &mut status);
        }
        sys::ffclos(file, &mut status);
    }
    assert_eq!(status, 0, "{}: {kind:?}", message());
    // A map needs a sky, and changes are to reach the reader.
    let mut whole = FitsFile::read(path);
    let hdu = &mut whole.hdus[1];
    SKY.iter().for_each(|(key, value)| hdu.set(key, value));
    hdu.set("EXTNAME", "'MAP'");
    whole.write(path);
}

/// The values that the C library reads, in the precision of the image.
fn read_by_library(path: &Path, single: bool, count: usize) -> Vec<f64> {
    let name = CString::new(path.display().to_string()).unwrap();
    let (mut file, mut status, mut any) = (ptr::null_mut(), 0, 0);
    let mut doubles = vec![0f64; count];
    let mut singles = vec![0f32; count];
    let (mut double, mut float) = (f64::NAN, f32::NAN);
    // SAFETY: the lists have room for `count` values of their types, the file is closed once.
    unsafe {
        sys::ffopen(&mut file, name.as_ptr(), 0, &mut status);
        sys::ffmahd(file, 2, ptr::null_mut(), &mut status);
        let (code, undefined, out) = if single {
            (sys::TFLOAT, ptr::from_mut(&mut float).cast::<c_void>(), singles.as_mut_ptr().cast::<c_void>())
        } else {
            (sys::TDOUBLE, ptr::from_mut(&mut double).cast::<c_void>(), doubles.as_mut_ptr().cast::<c_void>())
        };
        sys::ffgpv(file, code as c_int, 1, count as i64, undefined, out, &mut any, &mut status);
        sys::ffclos(file, &mut status);
    }
    assert_eq!(status, 0, "{}", message());
    if single { singles.into_iter().map(f64::from).collect() } else { doubles }
}

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) % below
    }

    fn real(&mut self) -> f64 {
        self.next(1 << 40) as f64 / (1u64 << 40) as f64
    }
}

/// All kinds that the C library writes.
fn kinds() -> Vec<Kind> {
    let shapes: [(&[c_long], &[c_long]); 4] =
        [(&[41, 23], &[41, 1]), (&[41, 23], &[16, 7]), (&[41, 23], &[41, 23]), (&[300, 50], &[300, 40])];
    let mut kinds = Vec::new();
    for (sizes, tile) in shapes {
        let (sizes, tile) = (sizes.to_vec(), tile.to_vec());
        for algorithm in [sys::RICE_1, sys::GZIP_1, sys::GZIP_2] {
            for bitpix in [8, 16, 32] {
                let (sizes, tile) = (sizes.clone(), tile.clone());
                kinds.push(Kind { algorithm, bitpix, sizes, tile, rounding: (0.0, 0, 0) });
            }
            for bitpix in [-32, -64] {
                for method in [sys::NO_DITHER, sys::SUBTRACTIVE_DITHER_1 as c_int, sys::SUBTRACTIVE_DITHER_2 as c_int] {
                    for (level, seed) in [(16.0, 1), (4.0, 9_999), (-0.01, 10_000), (-1e-4, 77)] {
                        let (sizes, tile) = (sizes.clone(), tile.clone());
                        kinds.push(Kind { algorithm, bitpix, sizes, tile, rounding: (level, method, seed) });
                    }
                }
            }
        }
    }
    kinds
}

/// Values of an image of that kind, with exact zeros, undefined ones, and lines that are all the same.
fn sample(kind: &Kind, random: &mut Random) -> Vec<f64> {
    let count = kind.sizes.iter().product::<c_long>() as usize;
    let wild = random.next(2) == 0;
    (0..count)
        .map(|n| match kind.bitpix {
            8 => random.next(if wild { 256 } else { 4 }) as f64,
            16 if wild => random.next(65536) as f64 - 32768.0,
            32 if wild => random.next(1 << 32) as f64 - 2f64.powi(31),
            16 | 32 => (random.next(9) as f64) - 4.0 + (n / 10) as f64,
            _ if n / kind.sizes[0] as usize == 3 => 2.5,
            _ => match random.next(20) {
                0 => 0.0,
                1 if wild => f64::NAN,
                _ => f64::from((10.0 * random.real() + random.real()) as f32),
            },
        })
        .collect()
}

#[test]
fn images_of_cfitsio() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let mut random = Random(7);
    let kinds = kinds();
    let mut columns = std::collections::BTreeSet::new();
    for kind in &kinds {
        let sample = sample(kind, &mut random);
        compress(&path, kind, &sample);
        let expected = read_by_library(&path, kind.bitpix == -32, sample.len());
        assert_same(&values(&path, "MAP"), &expected, &format!("{kind:?}"));
        if kind.bitpix > 0 {
            assert_same(&expected, &sample, &format!("{kind:?}"));
        }
        let hdu = &FitsFile::read(&path).hdus[1];
        columns.extend((1..9).filter_map(|n| hdu.value(&format!("TTYPE{n}"))));
    }
    for needed in ["COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "ZSCALE", "ZZERO"] {
        assert!(columns.contains(needed), "{needed} is not in {columns:?}");
    }
}

/// A compressed map as it may come, to be changed.
struct Tiles {
    folder: tempfile::TempDir,
    file: FitsFile,
}

impl Tiles {
    fn of(algorithm: u32, bitpix: c_int, tile: &[c_long], method: c_int) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.fits");
        let (sizes, tile) = (vec![20, 20], tile.to_vec());
        let kind = Kind { algorithm, bitpix, sizes, tile, rounding: (16.0, method, 5) };
        let values = sample(&kind, &mut Random(3));
        compress(&path, &kind, &values);
        Self { file: FitsFile::read(&path), folder }
    }

    fn rice() -> Self {
        Self::of(sys::RICE_1, 32, &[20, 1], 0)
    }

    fn dithered() -> Self {
        Self::of(sys::RICE_1, -32, &[20, 4], sys::SUBTRACTIVE_DITHER_1 as c_int)
    }

    /// From scratch: columns, rows (without the heap), keys and heap.
    fn table(columns: &[(&str, &str)], keys: &[(&str, String)], rows: &[Vec<u8>], heap: &[u8]) -> Self {
        let mut tiles = Self::rice();
        let hdu = &mut tiles.file.hdus[1];
        for n in 1..9 {
            for stem in ["TTYPE", "TFORM", "ZNAME", "ZVAL"] {
                hdu.unset(&format!("{stem}{n}"));
            }
        }
        let mut set = |key: &str, value: String| hdu.set(key, &value);
        set("NAXIS1", rows[0].len().to_string());
        set("NAXIS2", rows.len().to_string());
        set("PCOUNT", heap.len().to_string());
        set("TFIELDS", columns.len().to_string());
        for (n, (name, form)) in columns.iter().enumerate() {
            set(&format!("TTYPE{}", n + 1), format!("'{name}'"));
            set(&format!("TFORM{}", n + 1), format!("'{form}'"));
        }
        for (key, value) in keys {
            set(key, value.clone());
        }
        hdu.data = rows.concat();
        hdu.data.extend(heap);
        tiles
    }

    fn set(mut self, key: &str, value: &str) -> Self {
        self.file.hdus[1].set(key, value);
        self
    }

    fn unset(mut self, key: &str) -> Self {
        self.file.hdus[1].unset(key);
        self
    }

    /// Length of the rows, where the heap begins.
    fn heap(&self) -> usize {
        let hdu = &self.file.hdus[1];
        ["NAXIS1", "NAXIS2"].iter().map(|key| hdu.value(key).unwrap().parse::<usize>().unwrap()).product()
    }

    /// Changes the descriptor of a tile: elements and offset.
    fn descriptor(mut self, row: usize, change: impl Fn(i32, i32) -> (i32, i32)) -> Self {
        let width: usize = self.file.hdus[1].value("NAXIS1").unwrap().parse().unwrap();
        let data = &mut self.file.hdus[1].data[row * width..row * width + 8];
        let old =
            (i32::from_be_bytes(data[..4].try_into().unwrap()), i32::from_be_bytes(data[4..].try_into().unwrap()));
        let (count, offset) = change(old.0, old.1);
        data[..4].copy_from_slice(&count.to_be_bytes());
        data[4..].copy_from_slice(&offset.to_be_bytes());
        self
    }

    fn path(&self) -> PathBuf {
        let path = self.folder.path().join("a.fits");
        self.file.write(&path);
        path
    }

    fn read(&self) -> Vec<f64> {
        values(&self.path(), "MAP")
    }

    #[track_caller]
    fn fails(&self, words: &[&str]) {
        let error =
            Map::read(self.path(), Some("MAP")).err().unwrap_or_else(|| panic!("is read, not refused: {words:?}"));
        let text = error.to_string();
        assert!(matches!(error.kind(), ErrorKind::Input | ErrorKind::Unsupported), "{text}");
        for word in words.iter().chain(&["a.fits", "[MAP]"]) {
            assert!(text.contains(word), "'{word}' is not in: {text}");
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Count and offset of an array in the heap.
fn at(count: usize, offset: usize) -> Vec<u8> {
    [(count as i32).to_be_bytes(), (offset as i32).to_be_bytes()].concat()
}

/// Keys of an image of 20 × 20 pixels.
fn keys(kind: &str, bitpix: i32, tile: (usize, usize)) -> Vec<(&'static str, String)> {
    vec![
        ("ZCMPTYPE", format!("'{kind}'")),
        ("ZBITPIX", bitpix.to_string()),
        ("ZTILE1", tile.0.to_string()),
        ("ZTILE2", tile.1.to_string()),
    ]
}

fn big_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_be_bytes()).collect()
}

#[test]
fn headers_that_lie() {
    for (key, value) in [
        ("ZVAL1", "0"),
        ("ZVAL1", "-32"),
        ("ZVAL1", "2147483647"),
        ("ZVAL2", "0"),
        ("ZVAL2", "3"),
        ("ZVAL2", "8"),
        ("ZVAL2", "-1"),
        ("ZBITPIX", "7"),
        ("ZBITPIX", "64"),
        ("ZTILE1", "0"),
        ("ZNAXIS1", "-20"),
        ("ZNAXIS3", "2"),
        ("BSCALE", "0.0"),
        ("BSCALE", "NaN"),
        ("BZERO", "1E999"),
        ("BLANK", "1.5"),
        ("ZBLANK", "'x'"),
        ("ZSCALE", "2.0"),
    ] {
        Tiles::rice().set(key, value).fails(&[key]);
    }
    // Real numbers without the scale that makes them such.
    Tiles::rice().set("ZBITPIX", "-32").fails(&["ZSCALE"]);
    Tiles::rice().set("ZMASKCMP", "'GZIP_1'").fails(&["ZMASKCMP"]);
    for kind in ["PLIO_1", "HCOMPRESS_1", "BZIP2_1", "RICE_2"] {
        Tiles::rice().set("ZCMPTYPE", &format!("'{kind}'")).fails(&[kind]);
    }
    // Of other widths than it was made of.
    for width in ["1", "2"] {
        Tiles::rice().set("ZVAL2", width).fails(&["tile 1 of 20"]);
    }
    for seed in ["0", "-1", "-5000", "-2000000000", "10001", "2147483647", "1.5"] {
        Tiles::dithered().set("ZDITHER0", seed).fails(&["ZDITHER0"]);
    }
    Tiles::dithered().set("ZQUANTIZ", "'TRIPLE'").fails(&["ZQUANTIZ", "TRIPLE"]);
    // Values that the type of the image does not have.
    let small = || Tiles::of(sys::GZIP_1, 16, &[20, 20], 0);
    small().set("ZBITPIX", "8").fails(&["tile 1 of 1", "ZBITPIX 8"]);
}

/// A few kilobytes that claim any size, which nobody allocates.
#[test]
fn claims_of_size() {
    let stream = gzip(&[0; 1000]);
    for size in [5_000, 60_000, 2_000_000_000u64] {
        for kind in ["GZIP_1", "GZIP_2", "RICE_1", "NOCOMPRESS"] {
            let rows = [at(stream.len(), 0)];
            let whole = Tiles::table(&[("COMPRESSED_DATA", "1PB")], &keys(kind, -64, (20, 20)), &rows, &stream);
            let size = size.to_string();
            let whole = whole.set("ZNAXIS1", &size).set("ZNAXIS2", &size).set("ZTILE1", &size).set("ZTILE2", &size);
            whole.set("ZSCALE", "1.0").set("ZZERO", "0.0").fails(&["ZNAXIS", "values"]);
        }
    }
    // One tile claims what all together could hold, and what all say that they are.
    let rows: Vec<Vec<u8>> = (0..20).map(|_| at(10, 0)).collect();
    let filling = vec![0; 4000];
    let one = Tiles::table(&[("COMPRESSED_DATA", "1PB")], &keys("NOCOMPRESS", 32, (20, 1)), &rows, &filling);
    one.fails(&["tile 1 of 20", "10 bytes"]);
    let bomb = gzip(&vec![0; 4_000_000]);
    let one = Tiles::table(&[("COMPRESSED_DATA", "1PB")], &keys("GZIP_1", 32, (20, 20)), &[at(bomb.len(), 0)], &bomb);
    one.fails(&["tile 1 of 1", "more than 3200 bytes"]);
}

#[test]
fn tiles_of_other_lengths() {
    // UNCOMPRESSED_DATA: right, one more, one less, far more.
    for count in [19, 20, 21, 200_000] {
        let heap = big_endian(&vec![1.5; count]);
        let rows: Vec<Vec<u8>> = (0..20).map(|_| [at(0, 0), at(count, 0)].concat()).collect();
        let columns = [("COMPRESSED_DATA", "1PB"), ("UNCOMPRESSED_DATA", "1PE")];
        let whole = Tiles::table(&columns, &keys("GZIP_1", -32, (20, 1)), &rows, &heap);
        if count == 20 {
            assert_same(&whole.read(), &[1.5; 400], "uncompressed");
        } else {
            whole.fails(&["tile 1 of 20"]);
        }
    }
    // GZIP_COMPRESSED_DATA and COMPRESSED_DATA of half a tile, a whole one, one and a half.
    for column in ["GZIP_COMPRESSED_DATA", "COMPRESSED_DATA"] {
        for count in [0, 200, 399, 400, 401, 600] {
            let heap = gzip(&big_endian(&vec![2.5; count]));
            let first = if column == "COMPRESSED_DATA" { Vec::new() } else { at(0, 0) };
            let mut columns = vec![("COMPRESSED_DATA", "1PB")];
            if column != "COMPRESSED_DATA" {
                columns.push((column, "1PB"));
            }
            let rows = [[first, at(heap.len(), 0)].concat()];
            let whole = Tiles::table(&columns, &keys("GZIP_1", -32, (20, 20)), &rows, &heap);
            if count == 400 {
                assert_same(&whole.read(), &[2.5; 400], column);
            } else {
                whole.fails(&["tile 1 of 1"]);
            }
            // In another precision.
            Tiles::table(&columns, &keys("GZIP_1", -64, (20, 20)), &rows, &heap).fails(&["tile 1 of 1"]);
        }
    }
    // NOCOMPRESS.
    for count in [399, 400, 401] {
        let heap = big_endian(&vec![0.5; count]);
        let rows = [at(heap.len(), 0)];
        let whole = Tiles::table(&[("COMPRESSED_DATA", "1PB")], &keys("NOCOMPRESS", -32, (20, 20)), &rows, &heap);
        if count == 400 { assert_same(&whole.read(), &[0.5; 400], "stored") } else { whole.fails(&["tile 1 of 1"]) }
    }
}

#[test]
fn descriptors_that_lie() {
    // Beyond the heap, negative, of nothing.
    Tiles::rice().descriptor(3, |count, _| (count, 1 << 20)).fails(&["row 3"]);
    Tiles::rice().descriptor(3, |_, offset| (1 << 20, offset)).fails(&["row 3"]);
    Tiles::rice().descriptor(3, |_, offset| (-1, offset)).fails(&["row 3"]);
    Tiles::rice().descriptor(3, |_, offset| (0, offset)).fails(&["tile 4 of 20", "no data"]);
    // A part of another tile.
    Tiles::rice().descriptor(3, |count, offset| (count, offset - 1)).fails(&["tile 4 of 20", "tile 3"]);
    Tiles::rice().descriptor(3, |count, offset| (count - 3, offset)).fails(&["tile 4 of 20"]);
    Tiles::rice().set("TFORM1", "'1PI'").fails(&["COMPRESSED_DATA"]);
    Tiles::rice().set("TTYPE1", "'OTHER'").fails(&["COMPRESSED_DATA"]);
    Tiles::rice().set("ZTILE2", "2").fails(&["20 rows", "10 tiles"]);
}

/// Every byte of the heap changed: values or an error that names the tile.
#[test]
fn damaged_tiles() {
    for kind in [sys::RICE_1, sys::GZIP_1, sys::GZIP_2] {
        let tiles = Tiles::of(kind, 32, &[7, 9], 0);
        let (heap, length) = (tiles.heap(), tiles.file.hdus[1].data.len());
        let (mut good, mut bad) = (0, 0);
        for place in heap..length {
            let mut broken = tiles.file.clone();
            broken.hdus[1].data[place] ^= 0x41;
            let path = tiles.folder.path().join("b.fits");
            broken.write(&path);
            match Map::read(&path, Some("MAP")) {
                Ok(_) => good += 1,
                Err(error) => {
                    bad += 1;
                    assert!(error.to_string().contains("tile "), "{error}");
                }
            }
        }
        println!("compression {kind}: {good} changes were read, {bad} were errors");
        // Checksums find all damage of gzip streams but that of their time stamps and flags.
        assert!(if kind == sys::RICE_1 { bad > 0 } else { bad > 20 * good });
    }
}

#[test]
fn undefined_and_scaled_pixels() {
    let plain = Tiles::of(sys::GZIP_1, 16, &[20, 3], 0).read();
    let blank = plain[7];
    let scaled: Vec<f64> = plain.iter().map(|v| v * 0.25 - 3.0).collect();
    let tiles = Tiles::of(sys::GZIP_1, 16, &[20, 3], 0).set("BSCALE", "0.25").set("BZERO", "-3.0");
    assert_same(&tiles.read(), &scaled, "BSCALE, BZERO");
    let undefined: Vec<f64> = plain.iter().map(|v| if *v == blank { f64::NAN } else { *v }).collect();
    for key in ["ZBLANK", "BLANK"] {
        let tiles = Tiles::of(sys::GZIP_1, 16, &[20, 3], 0).set(key, &blank.to_string());
        assert_same(&tiles.read(), &undefined, key);
    }
    // Scale and offset in keywords instead of columns.
    let one = || Tiles::of(sys::RICE_1, -32, &[20, 20], sys::SUBTRACTIVE_DITHER_2 as c_int);
    let whole = one();
    let hdu = &whole.file.hdus[1];
    let column = |name: &str| (1..9).find(|n| hdu.value(&format!("TTYPE{n}")).as_deref() == Some(name)).unwrap();
    // Descriptors and numbers have 8 bytes each.
    let number = |n: usize| f64::from_be_bytes(hdu.data[8 * n - 8..8 * n].try_into().unwrap());
    let (scale, zero) = (number(column("ZSCALE")), number(column("ZZERO")));
    let keyed = one()
        .set(&format!("TTYPE{}", column("ZSCALE")), "'OTHER'")
        .set(&format!("TTYPE{}", column("ZZERO")), "'ANOTHER'")
        .set("ZSCALE", &format!("{scale:.17E}"))
        .set("ZZERO", &format!("{zero:.17E}"));
    assert_same(&keyed.read(), &whole.read(), "keywords");
    keyed.unset("ZZERO").fails(&["ZSCALE", "ZZERO"]);
    // Names of the pairs decide, not their order.
    let turned =
        Tiles::rice().set("ZNAME1", "'BYTEPIX'").set("ZVAL1", "4").set("ZNAME2", "'BLOCKSIZE'").set("ZVAL2", "32");
    assert_same(&turned.read(), &Tiles::rice().read(), "pairs");
}

/// A dataset with compressed maps, read whole and in parts, is the one without.
#[test]
fn datasets_read_whole_and_lazily() {
    use pevatron::datasets::{Dataset, MapDataset};
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/sim-car.fits.gz");
    let plain = MapDataset::read(&path).unwrap();
    let mut file = FitsFile::read(&path);
    let counts = file.hdus.iter().position(|h| h.value("EXTNAME").as_deref() == Some("COUNTS")).unwrap();
    let old = file.hdus[counts].clone();
    let (nx, ny) = (old.value("NAXIS1").unwrap(), old.value("NAXIS2").unwrap());
    let planes = old.value("NAXIS3").unwrap();
    let bitpix = old.value("BITPIX").unwrap();
    let stream = gzip(&old.data);
    let mut hdu = support::fits_file::Hdu { cards: Vec::new(), data: [at(stream.len(), 0), stream.clone()].concat() };
    for (key, value) in [
        ("XTENSION", "'BINTABLE'"),
        ("BITPIX", "8"),
        ("NAXIS", "2"),
        ("NAXIS1", "8"),
        ("NAXIS2", "1"),
        ("PCOUNT", &stream.len().to_string()),
        ("GCOUNT", "1"),
        ("TFIELDS", "1"),
        ("TTYPE1", "'COMPRESSED_DATA'"),
        ("TFORM1", "'1PB'"),
        ("ZIMAGE", "T"),
        ("ZCMPTYPE", "'GZIP_1'"),
        ("ZBITPIX", &bitpix),
        ("ZNAXIS", "3"),
        ("ZNAXIS1", &nx),
        ("ZNAXIS2", &ny),
        ("ZNAXIS3", &planes),
        ("ZTILE1", &nx),
        ("ZTILE2", &ny),
        ("ZTILE3", &planes),
    ] {
        hdu.set(key, value);
    }
    let structure =
        ["XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "CHECKSUM", "DATASUM"];
    hdu.cards.extend(old.cards.iter().filter(|c| !structure.contains(&c[..8].trim_end())).cloned());
    file.hdus[counts] = hdu;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("compressed.fits");
    file.write(&path);
    let whole = MapDataset::read(&path).unwrap();
    assert_eq!(whole.counts, plain.counts);
    let lazy = Dataset::open_lazy(&path, false).unwrap();
    assert_eq!(lazy.counts().unwrap().as_deref(), plain.counts.as_ref());
}
