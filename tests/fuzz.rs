//! Damaged files at random, for a bounded time: an error is the right answer, a panic or a run without end is not.
//!
//! PEVATRON_FUZZ_SECONDS (default 5) bounds each test, PEVATRON_FUZZ_SEED changes the sequence, PEVATRON_FUZZ_TRACE=1
//! prints each iteration before it runs (to find one that kills the process). `fuzz/` has the same bodies for libFuzzer.
#![cfg(feature = "fits")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

#[path = "support/fuzz_targets.rs"]
mod fuzz_targets;
mod support;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use support::fits_file::FitsFile;

/// No damaged file may take longer than this (a whole one takes milliseconds).
const LONGEST: Duration = Duration::from_secs(10);

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().map_or(default, |v| v.parse().unwrap_or_else(|_| panic!("{variable}={v}")))
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

/// Runs `target` on what `input` makes, until the time is over. Each iteration has its own seed, so that one can be
/// repeated alone.
fn run(name: &str, input: impl Fn(&mut Dice) -> Vec<u8>, target: impl Fn(&[u8])) {
    let seed = number("PEVATRON_FUZZ_SEED", 1);
    let seconds = number("PEVATRON_FUZZ_SECONDS", 5);
    let trace = std::env::var_os("PEVATRON_FUZZ_TRACE").is_some();
    let start = Instant::now();
    let mut iterations = 0;
    let mut slowest = Duration::ZERO;
    while start.elapsed().as_secs() < seconds {
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
    }
    println!("{name}: seed {seed}, {iterations} iterations in {seconds} s, slowest {} ms", slowest.as_millis());
    assert!(iterations > 0, "not one iteration in {seconds} s");
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
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

/// A dataset with some cards, values, HDUs or bytes changed.
fn damaged(seeds: &[FitsFile], dice: &mut Dice) -> Vec<u8> {
    let mut file = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(4) {
        if file.hdus.is_empty() {
            break;
        }
        let n = file.hdus.len();
        let at = dice.below(n);
        match dice.below(8) {
            0..=2 => file.hdus[at].set(dice.pick(&KEYS), dice.pick(&VALUES)),
            3 => file.hdus[at].unset(dice.pick(&KEYS)),
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
            _ => {
                let data = &mut file.hdus[at].data;
                for _ in 0..dice.below(8) {
                    if !data.is_empty() {
                        let i = dice.below(data.len());
                        data[i] = dice.pick(&[&0u8, &0x7f, &0x80, &0xff, &b'A']).to_owned();
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

#[test]
fn damaged_fits_files() {
    let seeds: Vec<FitsFile> =
        ["sim-tan-2.fits.gz", "ts-sim-joint/flux.fits.gz"].iter().map(|name| FitsFile::read(data(name))).collect();
    fuzz_targets::fits(&seeds[0].bytes());
    run("fits", |dice| damaged(&seeds, dice), fuzz_targets::fits);
}

const WORDS: [&str; 30] = [
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
];

/// A models file with lines, words and indents changed.
fn garbled(seeds: &[String], dice: &mut Dice) -> Vec<u8> {
    let mut lines: Vec<String> = seeds[dice.below(seeds.len())].lines().map(str::to_string).collect();
    for _ in 0..=dice.below(5) {
        if lines.is_empty() {
            break;
        }
        let at = dice.below(lines.len());
        match dice.below(8) {
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

#[test]
fn garbled_models_files() {
    let seeds: Vec<String> = ["ts-sim-null/models.yaml", "ts-sim-sum/kernel-model.yaml"]
        .iter()
        .map(|name| std::fs::read_to_string(data(name)).unwrap())
        .collect();
    fuzz_targets::yaml(seeds[0].as_bytes());
    run("yaml", |dice| garbled(&seeds, dice), fuzz_targets::yaml);
}
