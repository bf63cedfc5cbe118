//! Damaged files at random, for a bounded time: an error is the right answer, a panic or a run without end is not.
//!
//! PEVATRON_FUZZ_SECONDS (default 2) bounds each test, or PEVATRON_FUZZ_RUNS the number of inputs; PEVATRON_FUZZ_SEED
//! changes the sequence, PEVATRON_FUZZ_TRACE=1 prints each iteration before it runs (to find one that kills the process),
//! PEVATRON_FUZZ_CORPUS=DIR has the sound input written there. `fuzz/` has the same bodies for libFuzzer.
#![cfg(feature = "fits-system")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod seeds;
#[path = "../support/mod.rs"]
mod support;
mod targets;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::fits_file;
use support::fits_file::FitsFile;

/// No damaged file may take longer than this (a whole one takes milliseconds).
const LONGEST: Duration = Duration::from_secs(10);

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|v| v.parse().unwrap_or_else(|_| panic!("{variable}={v}")))
}

/// Random numbers below a bound, from a generator of the given crate version.
struct Dice(ChaCha8Rng);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() % n.max(1) as u64) as usize
    }

    fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }
}

/// Runs a target on what `input` makes, until the time is over or all is done. Each iteration has its own seed, so that
/// one can be repeated alone.
fn run(name: &str, input: impl Fn(&mut Dice) -> Vec<u8>) {
    let (_, target) = *targets::TARGETS.iter().find(|(n, _)| *n == name).unwrap();
    let seed = number("PEVATRON_FUZZ_SEED").unwrap_or(1);
    let runs = number("PEVATRON_FUZZ_RUNS");
    let seconds = number("PEVATRON_FUZZ_SECONDS").unwrap_or(2);
    let trace = std::env::var_os("PEVATRON_FUZZ_TRACE").is_some();
    let start = Instant::now();
    let mut iterations = 0;
    let mut slowest = Duration::ZERO;
    while runs.map_or(start.elapsed().as_secs() < seconds, |runs| iterations < runs) {
        if trace {
            println!("{name}: seed {seed}, iteration {iterations}");
        }
        let mut dice = Dice(ChaCha8Rng::seed_from_u64(seed.wrapping_mul(0x1_0000_0000).wrapping_add(iterations)));
        let bytes = input(&mut dice);
        let begin = Instant::now();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| target(&bytes)));
        slowest = slowest.max(begin.elapsed());
        if outcome.is_err() || begin.elapsed() > LONGEST {
            let kept: PathBuf = std::env::temp_dir().join(format!("pevatron-fuzz-{name}-{seed}-{iterations}"));
            std::fs::write(&kept, &bytes).unwrap();
            let what = if outcome.is_err() { "panic" } else { "too slow" };
            panic!("{name}: {what} at seed {seed}, iteration {iterations}; the input is in {}", kept.display());
        }
        iterations += 1;
        if iterations % 1_000_000 == 0 {
            println!("{name}: {iterations} iterations in {} s", start.elapsed().as_secs());
        }
    }
    let seconds = start.elapsed().as_secs();
    println!("{name}: seed {seed}, {iterations} iterations in {seconds} s, slowest {} ms", slowest.as_millis());
    assert!(iterations > 0, "not one iteration in {seconds} s");
}

/// Sound input must be read soundly; it is the corpus for libFuzzer, too.
fn begin(name: &str, seeds: impl Iterator<Item = Vec<u8>>) {
    let (_, target) = *targets::TARGETS.iter().find(|(n, _)| *n == name).unwrap();
    let corpus = std::env::var_os("PEVATRON_FUZZ_CORPUS").map(|folder| PathBuf::from(folder).join(name));
    for (n, seed) in seeds.enumerate() {
        target(&seed);
        if let Some(folder) = &corpus {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(n.to_string()), &seed).unwrap();
        }
    }
}

const VALUES: [&str; 24] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "255",
    "65536",
    "99999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "1e308",
    "1e-320",
    "NaN",
    "INF",
    "T",
    "F",
    "''",
    "'IMAGE'",
    "'BINTABLE'",
    "'(0,0,0)'",
    "'(25,25,4)'",
    "'XYZ--ABC'",
    "'1PE(9)'",
    "-32.5",
];

const KEYS: [&str; 36] = [
    "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "NAXIS1", "NAXIS2", "NAXIS3", "PCOUNT", "GCOUNT", "TFIELDS", "TFORM1",
    "TFORM2", "TTYPE1", "TTYPE3", "TUNIT3", "TDIM1", "TSCAL1", "TZERO1", "EXTNAME", "BSCALE", "BZERO", "BUNIT",
    "WCSAXES", "CTYPE1", "CTYPE2", "CRPIX1", "CRVAL2", "CDELT1", "CUNIT1", "LONPOLE", "AXCOLS1", "INTERP1", "WCSSHAPE",
    "BANDSHDU", "META", "ZIMAGE",
];

/// Keywords and values of compressed images.
const TILE_KEYS: [&str; 32] = [
    "ZIMAGE", "ZCMPTYPE", "ZBITPIX", "ZNAXIS", "ZNAXIS1", "ZNAXIS2", "ZNAXIS3", "ZTILE1", "ZTILE2", "ZTILE3", "ZNAME1",
    "ZVAL1", "ZNAME2", "ZVAL2", "ZQUANTIZ", "ZDITHER0", "ZSCALE", "ZZERO", "ZBLANK", "BLANK", "BSCALE", "BZERO",
    "ZMASKCMP", "NAXIS1", "NAXIS2", "PCOUNT", "THEAP", "TFIELDS", "TFORM1", "TFORM2", "TTYPE1", "TTYPE2",
];
const TILE_VALUES: [&str; 28] = [
    "0",
    "1",
    "-1",
    "2",
    "4",
    "8",
    "9",
    "11",
    "16",
    "32",
    "64",
    "-32",
    "-64",
    "60000",
    "2147483647",
    "1e308",
    "NaN",
    "'RICE_1'",
    "'GZIP_1'",
    "'GZIP_2'",
    "'NOCOMPRESS'",
    "'PLIO_1'",
    "'SUBTRACTIVE_DITHER_1'",
    "'NO_DITHER'",
    "'1QB'",
    "'1PE(9)'",
    "'UNCOMPRESSED_DATA'",
    "'GZIP_COMPRESSED_DATA'",
];

/// A file with some cards, values, HDUs or bytes changed.
fn damaged(seeds: &[FitsFile], dice: &mut Dice, keys: &[&str], values: &[&str]) -> Vec<u8> {
    let mut file = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        if file.hdus.is_empty() {
            break;
        }
        let n = file.hdus.len();
        let at = dice.below(n);
        match dice.below(10) {
            0..=2 => file.hdus[at].set(dice.pick(keys), dice.pick(values)),
            3 => file.hdus[at].unset(dice.pick(keys)),
            4 => {
                let cards = file.hdus[at].cards.len();
                let (a, b) = (dice.below(cards), dice.below(cards));
                file.hdus[at].cards.swap(a, b);
            }
            5 => drop(file.hdus.remove(at)),
            6 => {
                let other = dice.below(n);
                file.hdus.swap(at, other);
            }
            7 => {
                // The name or the value of any card there is.
                let cards = file.hdus[at].cards.len();
                let card = dice.below(cards);
                let key = file.hdus[at].cards[card][..8].trim_end().to_string();
                if !key.is_empty() {
                    file.hdus[at].set(&key, dice.pick(values));
                }
            }
            _ => {
                let data = &mut file.hdus[at].data;
                for _ in 0..dice.below(8) {
                    if !data.is_empty() {
                        let i = dice.below(data.len());
                        data[i] = dice.pick(&[&0u8, &1, &0x7f, &0x80, &0xff, &b'A']).to_owned();
                    }
                }
            }
        }
    }
    let mut bytes = file.bytes();
    for _ in 0..dice.below(3) {
        let at = dice.below(bytes.len());
        match dice.below(4) {
            0 if !bytes.is_empty() => bytes[at] ^= 1 << dice.below(8),
            1 => bytes.truncate(at),
            2 => bytes.truncate(at / 2880 * 2880),
            _ => {
                // A block twice.
                let block = at / 2880 * 2880;
                let copy = bytes[block..(block + 2880).min(bytes.len())].to_vec();
                bytes.splice(block..block, copy);
            }
        }
    }
    bytes
}

fn run_files(name: &str, seeds: &[FitsFile], keys: &[&str], values: &[&str]) {
    begin(name, seeds.iter().map(FitsFile::bytes));
    run(name, |dice| damaged(seeds, dice, keys, values));
}

#[test]
fn damaged_fits_files() {
    run_files("fits", &seeds::fits(), &KEYS, &VALUES);
}

#[test]
fn damaged_tiles() {
    run_files("tiles", &seeds::tiles(), &TILE_KEYS, &TILE_VALUES);
}

#[test]
fn damaged_flux_maps() {
    run_files("flux", &seeds::flux(), &KEYS, &VALUES);
}

#[test]
fn damaged_spectra() {
    run_files("spectra", &seeds::spectra(), &KEYS, &VALUES);
}

#[test]
fn damaged_events() {
    run_files("events", &seeds::events(), &KEYS, &VALUES);
}

#[test]
fn damaged_tables() {
    let (files, texts) = (seeds::tables(), seeds::texts("tables"));
    begin("tables", files.iter().map(FitsFile::bytes).chain(texts.iter().map(|t| t.clone().into_bytes())));
    run("tables", |dice| match dice.below(2) {
        0 => damaged(&files, dice, &KEYS, &VALUES),
        _ => garbled(&texts, dice),
    });
}

const WORDS: [&str; 40] = [
    "null",
    "~",
    "true",
    "[]",
    "{}",
    "[1, 2",
    "- ",
    "?",
    ":",
    "&a",
    "*a",
    "<<: *a",
    "!!int",
    "|",
    ">",
    "\t",
    "\u{feff}",
    "NaN",
    ".inf",
    "-1e999",
    "1e-400",
    "0x10",
    "''",
    "name: wide",
    "type: SkyModel",
    "unit: cm",
    "unit: m / (s",
    "value: [1]",
    "link: x",
    "frozen: maybe",
    "cm-2",
    "10**9",
    "(",
    ")",
    "1.5e4",
    "deg",
    "circle(1,2,3)",
    "e_ref",
    "=",
    "\"",
];

/// A text with lines, words and indents changed.
fn garbled(seeds: &[String], dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<String> = seeds[dice.below(seeds.len())].lines().map(str::to_string).collect();
    for _ in 0..=dice.below(5) {
        if lines.is_empty() {
            break;
        }
        let at = dice.below(lines.len());
        match dice.below(10) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, dice.pick(&WORDS).to_string()),
            2 => {
                let key = lines[at].split(':').next().unwrap_or_default().to_string();
                lines[at] = format!("{key}: {}", dice.pick(&WORDS));
            }
            3 => lines[at].insert(0, ' '),
            4 => lines[at] = lines[at].trim_start().to_string(),
            5 => {
                let other = dice.below(lines.len());
                lines.swap(at, other);
            }
            6 => {
                let copy = lines[at].clone();
                lines.insert(at, copy);
            }
            7 | 8 => {
                // A word in the middle of a line, or something taken out of it.
                let mut characters: Vec<char> = lines[at].chars().collect();
                let (a, b) = (dice.below(characters.len() + 1), dice.below(characters.len() + 1));
                if dice.below(3) == 0 {
                    characters.drain(a.min(b)..a.max(b));
                } else {
                    characters.splice(a..a, dice.pick(&WORDS).chars());
                }
                lines[at] = characters.into_iter().collect();
            }
            _ => {
                let mut characters: Vec<char> = lines[at].chars().collect();
                if !characters.is_empty() {
                    let i = dice.below(characters.len());
                    characters[i] = ['\'', '"', '{', '[', '#', '-', '\u{2028}', '9', 'e', ':'][dice.below(10)];
                    lines[at] = characters.into_iter().collect();
                }
            }
        }
    }
    let mut text = lines.join("\n").into_bytes();
    if dice.below(10) == 0 {
        let at = dice.below(text.len());
        text.truncate(at);
    }
    text
}

fn run_texts(name: &str) {
    let seeds = seeds::texts(name);
    begin(name, seeds.iter().map(|t| t.clone().into_bytes()));
    run(name, |dice| garbled(&seeds, dice));
}

#[test]
fn garbled_models_files() {
    run_texts("yaml");
}

#[test]
fn garbled_lists_of_datasets() {
    run_texts("datasets");
}

#[test]
fn garbled_regions() {
    run_texts("regions");
}

#[test]
fn garbled_quantities() {
    run_texts("quantities");
}

#[test]
fn garbled_columns() {
    run_texts("columns");
}
