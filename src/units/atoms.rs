//! The units that there are: names, sizes, dimensions, and which of them take prefixes.

/// Exponents in 60ths of length, time, energy, angle, temperature, current, luminous intensity, amount, beams and bits.
/// Mass is energy · time² / length².
pub(super) type Dims = [i32; 10];

/// How many parts an exponent of 1 has: halves, thirds, quarters, fifths and sixths are whole numbers of them.
pub(super) const PARTS: i32 = 60;

/// A unit as it was found: size against (m, s, TeV, rad, K, A, cd, mol), dimensions, and whether astropy has its name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) scale: f64,
    pub(super) dims: Dims,
    /// The name that FITS and astropy have, where it is another one.
    pub(super) rename: Option<&'static str>,
}

/// Which prefixes a name takes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Takes {
    /// `k`, `M`, `m`: names that are symbols.
    Short,
    /// `kilo`, `mega`: names that are words.
    Long,
    None,
}

struct Atom {
    name: &'static str,
    scale: f64,
    dims: Dims,
    takes: Takes,
    rename: Option<&'static str>,
}

/// Energy of one erg in TeV (exact by the SI definition of e).
const ERG: f64 = 1.0 / 1.602_176_634;
/// Energy of one joule in TeV.
const JOULE: f64 = 1e7 * ERG;
/// A parsec in metres: 648000 / pi astronomical units (IAU 2015).
const PARSEC: f64 = 3.085_677_581_491_367e16;
const PI: f64 = std::f64::consts::PI;
const YEAR: f64 = 31_557_600.0;

/// Whole exponents of length, time, energy, angle.
const fn d(length: i32, time: i32, energy: i32, angle: i32) -> Dims {
    [length * PARTS, time * PARTS, energy * PARTS, angle * PARTS, 0, 0, 0, 0, 0, 0]
}

/// The same with one more dimension.
const fn with(mut dims: Dims, which: usize, power: i32) -> Dims {
    dims[which] = power * PARTS;
    dims
}

const NONE: Dims = d(0, 0, 0, 0);
const LENGTH: Dims = d(1, 0, 0, 0);
const TIME: Dims = d(0, 1, 0, 0);
const ENERGY: Dims = d(0, 0, 1, 0);
const ANGLE: Dims = d(0, 0, 0, 1);
const MASS: Dims = d(-2, 2, 1, 0);
const KELVIN: Dims = with(NONE, 4, 1);
const AMPERE: Dims = with(NONE, 5, 1);

const fn short(name: &'static str, scale: f64, dims: Dims) -> Atom {
    Atom { name, scale, dims, takes: Takes::Short, rename: None }
}

const fn long(name: &'static str, scale: f64, dims: Dims) -> Atom {
    Atom { name, scale, dims, takes: Takes::Long, rename: None }
}

const fn only(name: &'static str, scale: f64, dims: Dims) -> Atom {
    Atom { name, scale, dims, takes: Takes::None, rename: None }
}

/// A name that other tools do not read, and the one that they do.
const fn other(name: &'static str, scale: f64, dims: Dims, known_as: &'static str) -> Atom {
    Atom { name, scale, dims, takes: Takes::None, rename: Some(known_as) }
}

/// All names. Those of gamma-ray files come first: the list is searched from its beginning.
const ATOMS: &[Atom] = &[
    short("m", 1.0, LENGTH),
    short("s", 1.0, TIME),
    short("eV", 1e-12, ENERGY),
    only("cm", 1e-2, LENGTH),
    only("TeV", 1.0, ENERGY),
    only("GeV", 1e-3, ENERGY),
    only("MeV", 1e-6, ENERGY),
    only("keV", 1e-9, ENERGY),
    only("PeV", 1e3, ENERGY),
    short("erg", ERG, ENERGY),
    short("deg", PI / 180.0, ANGLE),
    short("rad", 1.0, ANGLE),
    short("sr", 1.0, d(0, 0, 0, 2)),
    short("ph", 1.0, NONE),
    short("photon", 1.0, NONE),
    short("ct", 1.0, NONE),
    short("count", 1.0, NONE),
    short("d", 86400.0, TIME),
    short("h", 3600.0, TIME),
    short("arcmin", PI / 10800.0, ANGLE),
    short("arcsec", PI / 648_000.0, ANGLE),
    // Length.
    long("meter", 1.0, LENGTH),
    other("metre", 1.0, LENGTH, "m"),
    other("meters", 1.0, LENGTH, "m"),
    only("km", 1e3, LENGTH),
    short("pc", PARSEC, LENGTH),
    only("kpc", 1e3 * PARSEC, LENGTH),
    only("Mpc", 1e6 * PARSEC, LENGTH),
    long("parsec", PARSEC, LENGTH),
    short("AU", 149_597_870_700.0, LENGTH),
    short("au", 149_597_870_700.0, LENGTH),
    short("lyr", 9_460_730_472_580_800.0, LENGTH),
    long("lightyear", 9_460_730_472_580_800.0, LENGTH),
    only("micron", 1e-6, LENGTH),
    only("Angstrom", 1e-10, LENGTH),
    only("angstrom", 1e-10, LENGTH),
    only("AA", 1e-10, LENGTH),
    other("Å", 1e-10, LENGTH, "Angstrom"),
    other("angstroms", 1e-10, LENGTH, "Angstrom"),
    other("Angstroms", 1e-10, LENGTH, "Angstrom"),
    short("solRad", 695_700_000.0, LENGTH),
    long("Rsun", 695_700_000.0, LENGTH),
    long("R_sun", 695_700_000.0, LENGTH),
    only("earthRad", 6_378_100.0, LENGTH),
    only("jupiterRad", 71_492_000.0, LENGTH),
    // Area and volume.
    short("barn", 1e-28, d(2, 0, 0, 0)),
    only("ha", 1e4, d(2, 0, 0, 0)),
    short("l", 1e-3, d(3, 0, 0, 0)),
    short("L", 1e-3, d(3, 0, 0, 0)),
    // Time.
    other("sec", 1.0, TIME, "s"),
    long("second", 1.0, TIME),
    other("seconds", 1.0, TIME, "s"),
    short("min", 60.0, TIME),
    long("minute", 60.0, TIME),
    other("minutes", 60.0, TIME, "min"),
    short("hr", 3600.0, TIME),
    long("hour", 3600.0, TIME),
    other("hours", 3600.0, TIME, "h"),
    long("day", 86400.0, TIME),
    other("days", 86400.0, TIME, "d"),
    only("wk", 604_800.0, TIME),
    only("week", 604_800.0, TIME),
    short("yr", YEAR, TIME),
    long("year", YEAR, TIME),
    other("years", YEAR, TIME, "yr"),
    short("a", YEAR, TIME),
    only("sday", 86_164.090_53, TIME),
    // Frequencies and activities.
    short("Hz", 1.0, d(0, -1, 0, 0)),
    long("hertz", 1.0, d(0, -1, 0, 0)),
    long("Hertz", 1.0, d(0, -1, 0, 0)),
    short("Bq", 1.0, d(0, -1, 0, 0)),
    short("Ci", 3.7e10, d(0, -1, 0, 0)),
    // Energy, power, force, pressure, mass.
    long("electronvolt", 1e-12, ENERGY),
    other("ergs", ERG, ENERGY, "erg"),
    short("J", JOULE, ENERGY),
    long("joule", JOULE, ENERGY),
    long("Joule", JOULE, ENERGY),
    short("Ry", 13.605_693_122_994e-12, ENERGY),
    short("W", JOULE, d(0, -1, 1, 0)),
    long("watt", JOULE, d(0, -1, 1, 0)),
    long("Watt", JOULE, d(0, -1, 1, 0)),
    short("solLum", 3.828e26 * JOULE, d(0, -1, 1, 0)),
    long("Lsun", 3.828e26 * JOULE, d(0, -1, 1, 0)),
    long("L_sun", 3.828e26 * JOULE, d(0, -1, 1, 0)),
    short("N", JOULE, d(-1, 0, 1, 0)),
    long("Newton", JOULE, d(-1, 0, 1, 0)),
    long("newton", JOULE, d(-1, 0, 1, 0)),
    short("dyn", 1e-5 * JOULE, d(-1, 0, 1, 0)),
    long("dyne", 1e-5 * JOULE, d(-1, 0, 1, 0)),
    short("Pa", JOULE, d(-3, 0, 1, 0)),
    long("Pascal", JOULE, d(-3, 0, 1, 0)),
    long("pascal", JOULE, d(-3, 0, 1, 0)),
    only("bar", 1e5 * JOULE, d(-3, 0, 1, 0)),
    only("mbar", 1e2 * JOULE, d(-3, 0, 1, 0)),
    short("g", 1e-3 * JOULE, MASS),
    long("gram", 1e-3 * JOULE, MASS),
    only("t", 1e3 * JOULE, MASS),
    short("u", 1.660_539_068_92e-27 * JOULE, MASS),
    short("solMass", 1.988_409_870_698_051e30 * JOULE, MASS),
    long("Msun", 1.988_409_870_698_051e30 * JOULE, MASS),
    long("M_sun", 1.988_409_870_698_051e30 * JOULE, MASS),
    short("Jy", 1e-26 * JOULE, d(-2, 0, 1, 0)),
    long("jansky", 1e-26 * JOULE, d(-2, 0, 1, 0)),
    long("Jansky", 1e-26 * JOULE, d(-2, 0, 1, 0)),
    short("Gy", 1.0, d(2, -2, 0, 0)),
    short("Sv", 1.0, d(2, -2, 0, 0)),
    short("P", 0.1 * JOULE, d(-3, 1, 1, 0)),
    short("St", 1e-4, d(2, -1, 0, 0)),
    // Angles.
    long("degree", PI / 180.0, ANGLE),
    other("degrees", PI / 180.0, ANGLE, "deg"),
    other("°", PI / 180.0, ANGLE, "deg"),
    long("radian", 1.0, ANGLE),
    other("radians", 1.0, ANGLE, "rad"),
    long("arcminute", PI / 10800.0, ANGLE),
    other("arcmins", PI / 10800.0, ANGLE, "arcmin"),
    other("′", PI / 10800.0, ANGLE, "arcmin"),
    long("arcsecond", PI / 648_000.0, ANGLE),
    other("arcsecs", PI / 648_000.0, ANGLE, "arcsec"),
    other("″", PI / 648_000.0, ANGLE, "arcsec"),
    only("mas", PI / 648_000_000.0, ANGLE),
    only("uas", PI / 648_000_000_000.0, ANGLE),
    only("hourangle", PI / 12.0, ANGLE),
    long("steradian", 1.0, d(0, 0, 0, 2)),
    // Electricity, light, amounts.
    short("A", 1.0, AMPERE),
    long("ampere", 1.0, AMPERE),
    short("C", 1.0, with(TIME, 5, 1)),
    short("V", JOULE, with(d(0, -1, 1, 0), 5, -1)),
    long("Volt", JOULE, with(d(0, -1, 1, 0), 5, -1)),
    long("volt", JOULE, with(d(0, -1, 1, 0), 5, -1)),
    short("Ohm", JOULE, with(d(0, -1, 1, 0), 5, -2)),
    short("ohm", JOULE, with(d(0, -1, 1, 0), 5, -2)),
    short("S", 1.0 / JOULE, with(d(0, 1, -1, 0), 5, 2)),
    short("F", 1.0 / JOULE, with(d(0, 2, -1, 0), 5, 2)),
    short("H", JOULE, with(ENERGY, 5, -2)),
    short("Wb", JOULE, with(ENERGY, 5, -1)),
    short("T", JOULE, with(d(-2, 0, 1, 0), 5, -1)),
    long("tesla", JOULE, with(d(-2, 0, 1, 0), 5, -1)),
    short("G", 1e-4 * JOULE, with(d(-2, 0, 1, 0), 5, -1)),
    long("gauss", 1e-4 * JOULE, with(d(-2, 0, 1, 0), 5, -1)),
    long("Gauss", 1e-4 * JOULE, with(d(-2, 0, 1, 0), 5, -1)),
    short("D", 1e-29 / 3.0, with(d(1, 1, 0, 0), 5, 1)),
    short("K", 1.0, KELVIN),
    long("Kelvin", 1.0, KELVIN),
    short("cd", 1.0, with(NONE, 6, 1)),
    short("lm", 1.0, with(d(0, 0, 0, 2), 6, 1)),
    short("lx", 1.0, with(d(-2, 0, 0, 2), 6, 1)),
    short("mol", 1.0, with(NONE, 7, 1)),
    short("R", 1e10 / (4.0 * PI), d(-2, -1, 0, -2)),
    only("beam", 1.0, with(NONE, 8, 1)),
    short("bit", 1.0, with(NONE, 9, 1)),
    short("byte", 8.0, with(NONE, 9, 1)),
    // What is counted has no dimension.
    other("photons", 1.0, NONE, "ph"),
    other("counts", 1.0, NONE, "ct"),
    other("cts", 1.0, NONE, "ct"),
    other("event", 1.0, NONE, "ct"),
    other("events", 1.0, NONE, "ct"),
    only("electron", 1.0, NONE),
    only("adu", 1.0, NONE),
    other("ADU", 1.0, NONE, "adu"),
    only("bin", 1.0, NONE),
    only("chan", 1.0, NONE),
    other("channel", 1.0, NONE, "chan"),
    short("pix", 1.0, NONE),
    short("pixel", 1.0, NONE),
    only("vox", 1.0, NONE),
    only("voxel", 1.0, NONE),
    only("percent", 0.01, NONE),
    other("pct", 0.01, NONE, "percent"),
    other("%", 0.01, NONE, "percent"),
];

/// Prefixes: symbol, word, power of ten.
const PREFIXES: [(&str, &str, f64); 24] = [
    ("da", "deca", 1e1),
    ("k", "kilo", 1e3),
    ("M", "mega", 1e6),
    ("G", "giga", 1e9),
    ("T", "tera", 1e12),
    ("P", "peta", 1e15),
    ("E", "exa", 1e18),
    ("Z", "zetta", 1e21),
    ("Y", "yotta", 1e24),
    ("R", "ronna", 1e27),
    ("Q", "quetta", 1e30),
    ("h", "hecto", 1e2),
    ("d", "deci", 1e-1),
    ("c", "centi", 1e-2),
    ("m", "milli", 1e-3),
    ("u", "micro", 1e-6),
    ("n", "nano", 1e-9),
    ("p", "pico", 1e-12),
    ("f", "femto", 1e-15),
    ("a", "atto", 1e-18),
    ("z", "zepto", 1e-21),
    ("y", "yocto", 1e-24),
    ("r", "ronto", 1e-27),
    ("q", "quecto", 1e-30),
];

/// Names that are words of files but no unit that could be multiplied, and why.
const REFUSED: [(&str, &str); 22] = [
    ("mag", LOGARITHMIC),
    ("ABmag", LOGARITHMIC),
    ("STmag", LOGARITHMIC),
    ("dex", LOGARITHMIC),
    ("dB", LOGARITHMIC),
    ("Np", LOGARITHMIC),
    ("log", LOGARITHMIC),
    ("log10", LOGARITHMIC),
    ("ln", LOGARITHMIC),
    ("exp", "a function of a unit is none"),
    ("Crab", CRAB),
    ("mCrab", CRAB),
    ("uCrab", CRAB),
    ("CU", CRAB),
    ("Celsius", CELSIUS),
    ("deg_C", CELSIUS),
    ("degC", CELSIUS),
    ("MJD", DATE),
    ("mjd", DATE),
    ("JD", DATE),
    ("jd", DATE),
    ("b", "it may be a bit or a barn: write 'bit' or 'barn'"),
];

const LOGARITHMIC: &str = "it is logarithmic, and values in it are not proportional to what they measure";
const CRAB: &str = "what the flux of the Crab Nebula is depends on the energy and on who measured it";
const CELSIUS: &str = "its zero is not that of kelvin";
const DATE: &str = "it is a kind of date: the unit of its numbers is 'd'";

/// Why a name is known but no unit.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    REFUSED.iter().find(|(n, _)| *n == name).map(|(_, why)| *why)
}

/// The unit of a name, with a prefix or without.
pub(super) fn find(name: &str) -> Option<Found> {
    if let Some(atom) = ATOMS.iter().find(|atom| atom.name == name) {
        return Some(Found { scale: atom.scale, dims: atom.dims, rename: atom.rename });
    }
    if refusal(name).is_some() {
        return None;
    }
    for (symbol, word, factor) in PREFIXES {
        for (prefix, takes) in [(symbol, Takes::Short), (word, Takes::Long)] {
            let Some(rest) = name.strip_prefix(prefix) else { continue };
            let Some(atom) = ATOMS.iter().find(|atom| atom.name == rest && atom.takes == takes) else { continue };
            return Some(Found { scale: factor * atom.scale, dims: atom.dims, rename: None });
        }
    }
    // One of the spellings that take a few prefixes only.
    let milli = |base: &str| ["mAngstrom", "mangstrom", "mAA"].contains(&name).then(|| base.to_string());
    milli("Angstrom").and_then(|base| find(&base)).map(|f| Found { scale: 1e-3 * f.scale, ..f })
}

/// Names that a misspelled one may have meant: the same in another case, at most three.
pub(super) fn like(name: &str) -> Vec<String> {
    let known = |atom: &&Atom| atom.rename.is_none();
    let whole = ATOMS.iter().filter(known).filter(|a| a.name.eq_ignore_ascii_case(name));
    let mut found: Vec<String> = whole.map(|a| a.name.to_string()).collect();
    for prefix in ["k", "M", "G", "T", "P", "m", "u", "n", "c"] {
        let split = name.split_at_checked(1).filter(|(first, _)| first.eq_ignore_ascii_case(prefix));
        let Some((_, rest)) = split else { continue };
        for atom in ATOMS.iter().filter(|a| a.takes == Takes::Short && a.name.eq_ignore_ascii_case(rest)) {
            let name = format!("{prefix}{}", atom.name);
            if !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found.truncate(3);
    found
}
