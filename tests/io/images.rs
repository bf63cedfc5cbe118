//! Files of images of other tools: every image by its name, kinds by content, HEALPix refused, units that are not known.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;

use crate::support::fits_file::{FitsFile, Hdu};
use crate::support::program::Place;
use pevatron::io::{FileKind, ImageFile, file_kind};
use pevatron::maps::Map;
use serde_json::Value;

const NX: usize = 12;
const NY: usize = 8;

/// A primary HDU without data.
fn empty() -> Hdu {
    let cards = ["SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    0"];
    Hdu { cards: cards.iter().map(|c| format!("{c:<80}")).collect(), data: Vec::new() }
}

/// An image on the sky whose only pixel that is not 0 is `peak`; `cards`: more of the header.
fn image(primary: bool, peak: usize, cards: &[(&str, &str)]) -> Hdu {
    let first = if primary { "SIMPLE  =                    T" } else { "XTENSION= 'IMAGE   '" };
    let mut hdu = Hdu { cards: vec![format!("{first:<80}")], data: Vec::new() };
    hdu.set("BITPIX", "-32");
    hdu.set("NAXIS", "2");
    hdu.set("NAXIS1", &NX.to_string());
    hdu.set("NAXIS2", &NY.to_string());
    if !primary {
        hdu.set("PCOUNT", "0");
        hdu.set("GCOUNT", "1");
    }
    let sky = [
        ("CTYPE1", "'RA---TAN'"),
        ("CTYPE2", "'DEC--TAN'"),
        ("CRPIX1", "6.5"),
        ("CRPIX2", "4.5"),
        ("CRVAL1", "83.63"),
        ("CRVAL2", "22.01"),
        ("CDELT1", "-0.05"),
        ("CDELT2", "0.05"),
    ];
    for (key, value) in sky.iter().chain(cards) {
        hdu.set(key, value);
    }
    let values = (0..NX * NY).map(|i| if i == peak { 9f32 } else { 0.0 });
    hdu.data = values.flat_map(f32::to_be_bytes).collect();
    hdu
}

/// A table of single-precision columns, one row.
fn table(name: &str, columns: &[&str], cards: &[(&str, &str)]) -> Hdu {
    let mut hdu = Hdu { cards: vec![format!("{:<80}", "XTENSION= 'BINTABLE'")], data: vec![0; 4 * columns.len()] };
    let numbers = [
        ("BITPIX", 8),
        ("NAXIS", 2),
        ("NAXIS1", 4 * columns.len()),
        ("NAXIS2", 1),
        ("PCOUNT", 0),
        ("GCOUNT", 1),
        ("TFIELDS", columns.len()),
    ];
    for (key, value) in numbers {
        hdu.set(key, &value.to_string());
    }
    for (n, column) in columns.iter().enumerate() {
        hdu.set(&format!("TTYPE{}", n + 1), &format!("'{column}'"));
        hdu.set(&format!("TFORM{}", n + 1), "'E'");
    }
    hdu.set("EXTNAME", &format!("'{name}'"));
    for (key, value) in cards {
        hdu.set(key, value);
    }
    hdu
}

fn write(place: &Place, name: &str, hdus: Vec<Hdu>) {
    FitsFile { hdus }.write(place.path(name));
}

fn named(name: &'static str, peak: usize) -> Hdu {
    image(false, peak, &[("EXTNAME", Box::leak(format!("'{name}'").into_boxed_str()))])
}

fn three(place: &Place) {
    let hdus = vec![
        empty(),
        named("ExcessMap", 3),
        image(false, 40, &[("HDUNAME", "'SignificanceMap'")]),
        named("AcceptanceMap", 70),
    ];
    write(place, "three.fits", hdus);
}

#[test]
fn every_image_of_a_file_is_known_by_its_name() {
    let place = Place::new();
    three(&place);
    assert_eq!(file_kind(place.path("three.fits")).unwrap(), FileKind::Map);
    // Drawn as from a file that holds nothing else.
    for (name, hdu) in [
        ("ExcessMap", named("ExcessMap", 3)),
        ("SignificanceMap", named("SignificanceMap", 40)),
        ("AcceptanceMap", named("AcceptanceMap", 70)),
    ] {
        write(&place, "one.fits", vec![empty(), hdu]);
        for (file, quantity) in [("three.fits", name), ("three.fits", &name.to_lowercase()), ("one.fits", name)] {
            let out = format!("{quantity}-{file}.svg");
            place.works(&["plot", file, "-o", &out, "--quantity", quantity, "--overwrite"]);
            place.works(&["plot", "one.fits", "-o", "alone.svg", "--overwrite"]);
            assert!(fs::read(place.path(&out)).unwrap() == fs::read(place.path("alone.svg")).unwrap(), "{out}");
        }
    }
    place.works(&["plot", "three.fits", "-o", "number.svg", "--quantity", "2"]);
    let same = |a: &str, b: &str| fs::read(place.path(a)).unwrap() == fs::read(place.path(b)).unwrap();
    assert!(same("number.svg", "SignificanceMap-three.fits.svg") && !same("number.svg", "ExcessMap-three.fits.svg"));

    let names = ["ExcessMap", "SignificanceMap", "AcceptanceMap"];
    place.fails(&["plot", "three.fits", "-o", "x.png"], 2, &[&["three.fits"][..], &names].concat());
    place.fails(
        &["plot", "three.fits", "-o", "x.png", "--quantity", "nonsense"],
        2,
        &[&["'nonsense'"][..], &names].concat(),
    );
    let near = place.run(&["plot", "three.fits", "-o", "x.png", "--quantity", "significance_map"]);
    assert!(String::from_utf8(near.stderr).unwrap().contains("did you mean 'SignificanceMap'?"));
}

#[test]
fn info_and_convert_know_all_images() {
    let place = Place::new();
    three(&place);
    let info: Value = serde_json::from_str(&place.works(&["info", "three.fits", "--json"])).unwrap();
    assert_eq!((info["kind"].as_str(), info["number"].as_u64()), (Some("Maps"), Some(3)));
    for (i, (name, peak)) in [("ExcessMap", 3), ("SignificanceMap", 40), ("AcceptanceMap", 70)].into_iter().enumerate()
    {
        let image = &info["images"][i];
        assert_eq!((image["name"].as_str(), image["hdu"].as_u64()), (Some(name), Some(i as u64 + 1)));
        assert_eq!(
            (image["max"].as_f64(), image["min"].as_f64(), &image["shape"]),
            (Some(9.0), Some(0.0), &[NX, NY].into())
        );
        place.works(&["convert", "three.fits", "-o", "one.fits", "--quantity", name, "--overwrite"]);
        assert_eq!(Map::read(place.path("one.fits"), Some(name)).unwrap().max(), Some((peak, 9.0)));
    }
    place.works(&["convert", "three.fits", "-o", "all.fits"]);
    let mut all = ImageFile::open(place.path("all.fits")).unwrap();
    assert_eq!(all.names(), "EXCESSMAP, SIGNIFICANCEMAP, ACCEPTANCEMAP");
    let entry = all.find("significancemap").unwrap().clone();
    assert_eq!(all.read(&entry).unwrap().max(), Some((40, 9.0)));
    place.fails(
        &["convert", "three.fits", "-o", "x.fits", "--quantity", "Acceptance"],
        2,
        &["'Acceptance'", "AcceptanceMap"],
    );
    // A primary image keeps its place.
    write(&place, "primary.fits", vec![image(true, 5, &[]), named("second", 6)]);
    place.works(&["convert", "primary.fits", "-o", "primary2.fits"]);
    let mut file = ImageFile::open(place.path("primary2.fits")).unwrap();
    assert_eq!((file.names().as_str(), file.entries()[0].hdu), ("PRIMARY, SECOND", 0));
    let entry = file.entries()[0].clone();
    assert_eq!(file.read(&entry).unwrap().max(), Some((5, 9.0)));
}

#[test]
fn images_of_one_name_have_versions() {
    let place = Place::new();
    let version = |n, peak| image(false, peak, &[("EXTNAME", "'SCI'"), ("EXTVER", n)]);
    write(&place, "versions.fits", vec![empty(), version("1", 1), version("2", 2), named("ERR", 3)]);
    let mut file = ImageFile::open(place.path("versions.fits")).unwrap();
    assert_eq!(file.names(), "SCI,1, SCI,2, ERR");
    let second = file.find("sci,2").unwrap().clone();
    assert_eq!(file.read(&second).unwrap().max(), Some((2, 9.0)));
    assert_eq!(file.find("err,1").unwrap().hdu, 3);
    place.fails(&["plot", "versions.fits", "-o", "x.png", "--quantity", "SCI"], 2, &["SCI,1", "SCI,2"]);
    place.works(&["plot", "versions.fits", "-o", "x.png", "--quantity", "SCI,2"]);
    place.fails(&["convert", "versions.fits", "-o", "x.fits"], 2, &["SCI,1"]);
    place.works(&["convert", "versions.fits", "-o", "x.fits", "--quantity", "SCI,2"]);
    assert_eq!(Map::read(place.path("x.fits"), Some("SCI")).unwrap().max(), Some((2, 9.0)));
    // The same version twice: numbers.
    write(&place, "twins.fits", vec![empty(), named("MAP", 1), named("MAP", 2)]);
    assert_eq!(ImageFile::open(place.path("twins.fits")).unwrap().names(), "1, 2");
    place.fails(&["plot", "twins.fits", "-o", "y.png", "--quantity", "map"], 2, &["'map'", "1; 2"]);
    place.works(&["plot", "twins.fits", "-o", "y.png", "--quantity", "2"]);
}

#[test]
fn one_image_with_sky_coordinates_is_drawn_and_it_is_said() {
    let place = Place::new();
    let mut detector = named("DETECTOR", 1);
    for key in ["CTYPE1", "CTYPE2"] {
        detector.unset(key);
    }
    write(&place, "two.fits", vec![empty(), detector.clone(), named("SKY", 2)]);
    let output = place.run(&["plot", "two.fits", "-o", "sky.png"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("SKY") && said.contains("DETECTOR"), "{said}");
    place.fails(&["plot", "two.fits", "-o", "x.png", "--quantity", "detector"], 2, &["two.fits[DETECTOR]", "CTYPE1"]);
    let info = place.works(&["info", "two.fits"]);
    assert!(info.contains("DETECTOR") && info.contains("without sky coordinates") && info.contains("SKY"));
    write(&place, "none.fits", vec![empty(), detector]);
    place.fails(&["plot", "none.fits", "-o", "x.png"], 2, &["none.fits", "without sky coordinates"]);
    assert!(place.works(&["info", "none.fits"]).contains("DETECTOR"));
}

#[test]
fn images_with_the_names_of_a_dataset_are_images() {
    let place = Place::new();
    for names in [
        &["SKYMAP", "BACKGROUND", "SIGNIFICANCE", "COUNTS"][..],
        &["COUNTS", "EXPOSURE", "BACKGROUND"],
        &["COUNTS", "ACCEPTANCE", "ACCEPTANCE_OFF", "COUNTS_OFF"],
        &["FLUX", "SQRT_TS"],
    ] {
        let images = names.iter().enumerate().map(|(i, name)| named(name, i));
        write(&place, "ring.fits", std::iter::once(empty()).chain(images).collect());
        assert_eq!(file_kind(place.path("ring.fits")).unwrap(), FileKind::Map, "{names:?}");
        let info = place.works(&["info", "ring.fits"]);
        assert!(names.iter().all(|n| info.contains(n)), "{info}");
        place.fails(&["plot", "ring.fits", "-o", "x.png"], 2, names);
        place.works(&["plot", "ring.fits", "-o", "a.png", "--quantity", names[1], "--overwrite"]);
        if names.contains(&"COUNTS") {
            place.fails(
                &["tsmap", "ring.fits", "-o", "x.fits", "--kernel-width", "1deg"],
                2,
                &["ring.fits", "no energies"],
            );
        }
    }
    // What this program makes.
    place.works(&["info", "ring.fits"]);
    let whole = Place::with(|_| {});
    assert_eq!(file_kind(whole.path("in.fits")).unwrap(), FileKind::MapDataset);
}

#[test]
fn healpix_is_refused_by_name_wherever_it_stands() {
    let place = Place::new();
    let by_pixtype = [("PIXTYPE", "'HEALPIX '"), ("NSIDE", "4"), ("ORDERING", "'RING'")];
    for cards in [&by_pixtype[..], &by_pixtype[1..]] {
        write(
            &place,
            "sky.fits",
            vec![empty(), table("SKYMAP", &["CHANNEL1", "E_MIN"], cards), table("EBOUNDS", &["E_MIN", "E_MAX"], &[])],
        );
        for command in [
            &["info", "sky.fits"][..],
            &["plot", "sky.fits", "-o", "x.png"],
            &["convert", "sky.fits", "-o", "x.fits"],
            &["cutout", "sky.fits", "-o", "x.fits", "--position", "0,0", "--width", "1deg"],
        ] {
            place.fails(command, 2, &["sky.fits"]);
        }
        place.fails(&["info", "sky.fits"], 2, &["SKYMAP", "HEALPix maps cannot be read"]);
        assert!(Map::read(place.path("sky.fits"), None).unwrap_err().to_string().contains("HEALPix"));
        // The counts or the exposure of a dataset.
        for part in ["COUNTS", "EXPOSURE"] {
            let place = Place::with(|f| {
                f.remove(part);
                f.hdus.push(table(part, &["PIX", "CHANNEL1"], cards));
            });
            place.fails(&["tsmap", "in.fits", "-o", "x.fits", "--kernel-width", "0.2deg"], 2, &[part, "HEALPix"]);
            place.fails(&["info", "in.fits"], 2, &[part, "HEALPix"]);
        }
    }
}

#[test]
fn tables_of_other_kinds_are_recognised_and_described() {
    let place = Place::new();
    for (hdu, what) in [
        (table("EFFECTIVE AREA", &["ENERG_LO", "THETA_LO", "EFFAREA"], &[]), "effective area"),
        (table("ARF", &["ENERG_LO"], &[("HDUCLAS4", "'AEFF_2D '")]), "effective area"),
        (table("ENERGY DISPERSION", &["MIGRA_LO", "THETA_LO", "MATRIX"], &[]), "energy dispersion"),
        (table("X", &["MIGRA_LO", "THETA_LO", "MATRIX"], &[]), "energy dispersion"),
        (table("POINT SPREAD FUNCTION", &["THETA_LO", "SCALE"], &[]), "point spread function"),
        (table("BKG_3D", &["ENERG_LO", "BKG"], &[]), "background model"),
        (table("OBSERVATIONS", &["OBS_ID", "RA_PNT", "DEC_PNT"], &[]), "observation index"),
        (table("FILES", &["OBS_ID", "HDU_TYPE"], &[]), "HDU index"),
        (table("GTI", &["START", "STOP"], &[]), "good time intervals"),
        (table("4FGL", &["Source", "RAJ2000", "DEJ2000"], &[]), "catalogue"),
    ] {
        let name = hdu.value("EXTNAME").unwrap();
        write(&place, "table.fits", vec![empty(), hdu]);
        assert!(
            matches!(file_kind(place.path("table.fits")).unwrap(), FileKind::Other(found) if found.contains(what)),
            "{name}"
        );
        let info = place.works(&["info", "table.fits"]);
        assert!(info.contains(what) && info.contains(&name), "{info}");
        place.fails(&["plot", "table.fits", "-o", "x.png"], 2, &["table.fits", what]);
    }
}

#[test]
fn maps_of_units_that_are_not_known_are_drawn_and_described_and_nothing_is_computed() {
    let place = Place::new();
    for (bunit, known) in [
        ("sigma", false),
        ("unk", false),
        ("sqrt(what)", false),
        ("what is this?", false),
        ("ct", true),
        ("cm-2 s-1", true),
    ] {
        let quoted = format!("'{bunit}'");
        write(&place, "unit.fits", vec![image(true, 7, &[("BUNIT", &quoted)])]);
        for command in [
            &["info", "unit.fits"][..],
            &["plot", "unit.fits", "-o", "a.svg", "--overwrite"],
            &["convert", "unit.fits", "-o", "b.fits", "--overwrite"],
        ] {
            let output = place.run(command);
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(output.status.success(), "{bunit} {said}");
            let warned = said.lines().any(|l| l.starts_with("warning: ") && l.contains("BUNIT") && l.contains(bunit));
            assert_eq!(warned, !known, "{bunit}: {said}");
        }
        assert!(place.works(&["info", "unit.fits"]).contains(&format!("unit: {bunit}")), "{bunit}");
        // Written as it was read.
        let map = Map::read(place.path("b.fits"), None).unwrap();
        assert_eq!((map.unit().to_string().as_str(), map.unit().is_known()), (bunit, known));
        assert_eq!(map.to_unit("cm-2 s-1").is_ok(), bunit == "cm-2 s-1");
    }
    // An exposure must be one.
    let place = Place::with(|f| f.hdu("EXPOSURE").set("BUNIT", "'sigma'"));
    place.fails(
        &["tsmap", "in.fits", "-o", "x.fits", "--kernel-width", "0.2deg"],
        2,
        &["in.fits[EXPOSURE]", "'sigma'"],
    );
}
