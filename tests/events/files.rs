//! Event lists as files, on the command line, and in Gammapy.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pevatron::Control;
use pevatron::data::EventList;
use pevatron::datasets::MapDataset;
use pevatron::io::{FileKind, WriteOptions, file_kind};
use pevatron::maps::{Frame, SkyPosition};
use pevatron::models::spatial::PointSpatialModel;
use pevatron::models::{Model, Models};
use pevatron::simulate::{EventSampler, EventSamplerOptions};

use super::{at_pixel, chi_square, cpu, power_law, sample, sky, survey, with_sources};

fn small() -> EventList {
    let mut dataset = with_sources();
    dataset.background = Some(dataset.background.as_ref().unwrap().scaled(0.02, Default::default()));
    dataset.models.components.truncate(2);
    let options = EventSamplerOptions {
        seed: 77,
        pointing: Some(SkyPosition::icrs(83.63, 22.51)),
        obs_id: "4711".into(),
        ..EventSamplerOptions::default()
    };
    EventSampler::new(&dataset, &options).unwrap().sample(&Control::new()).unwrap()
}

/// Ones' complement sum of the words of an HDU: all ones where its CHECKSUM is right.
fn sum_of(bytes: &[u8]) -> u32 {
    let words = bytes.chunks(4).map(|w| u64::from(u32::from_be_bytes([w[0], w[1], w[2], w[3]])));
    let mut sum: u64 = words.sum();
    while sum >> 32 != 0 {
        sum = (sum >> 32) + (sum & 0xffff_ffff);
    }
    sum as u32
}

#[test]
fn lists_come_back_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let events = small();
    assert!(events.len() > 5000);
    for name in ["a.fits", "a.fits.gz"] {
        let path = folder.path().join(name);
        events.write(&path, &WriteOptions::default()).unwrap();
        let back = EventList::read(&path).unwrap();
        assert!(back.event_id == events.event_id && back.time_s == events.time_s);
        assert!(back.ra_deg == events.ra_deg && back.dec_deg == events.dec_deg && back.energy_tev == events.energy_tev);
        assert!(back.mc_id == events.mc_id && back.truth == events.truth && back.detector == events.detector);
        assert_eq!(back.meta.gti.as_ref().unwrap().intervals, events.meta.gti.as_ref().unwrap().intervals);
        assert_eq!((&back.meta.components, &back.meta.obs_id), (&events.meta.components, &events.meta.obs_id));
        assert_eq!(back.meta.energy_range_tev, events.meta.energy_range_tev);
        assert_eq!(back.meta.livetime_s, Some(3400.0));
        assert_eq!(file_kind(&path).unwrap(), FileKind::EventList);
        assert!(events.write(&path, &WriteOptions::default()).is_err(), "not replaced");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside the files");
    // All HDUs sum up to ones.
    let bytes = fs::read(folder.path().join("a.fits")).unwrap();
    assert_eq!(bytes.len() % 2880, 0);
    assert_eq!(sum_of(&bytes), u32::MAX);
    // Without events: a table without rows.
    let none = events.select(&[]);
    let path = folder.path().join("none.fits");
    none.write(&path, &WriteOptions::default()).unwrap();
    assert_eq!(EventList::read(&path).unwrap().len(), 0);
    assert_eq!(sum_of(&fs::read(&path).unwrap()), u32::MAX);
}

#[test]
fn damaged_lists_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.fits");
    let wrong = |change: &dyn Fn(&mut EventList), words: &[&str]| {
        let mut events = small().select(&[0, 1, 2, 3]);
        change(&mut events);
        events.write(&path, &WriteOptions::default().overwrite(true)).unwrap();
        let error = EventList::read(&path).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "'{word}' in {error}");
        }
    };
    wrong(&|e| e.energy_tev[2] = -1.0, &["a.fits[EVENTS] ENERGY", "row 2"]);
    wrong(&|e| e.energy_tev[1] = f64::NAN, &["a.fits[EVENTS] ENERGY", "row 1"]);
    wrong(&|e| e.dec_deg[3] = 91.0, &["a.fits[EVENTS] DEC", "row 3", "91"]);
    wrong(&|e| e.time_s[0] = f64::INFINITY, &["a.fits[EVENTS] TIME", "row 0"]);
    let mut short = small();
    short.ra_deg.pop();
    assert!(short.write(folder.path().join("b.fits"), &WriteOptions::default()).is_err());
    assert!(!folder.path().join("b.fits").exists());
    // Cut anywhere, or with a bit turned in its headers: an error or a list, nothing else.
    small().select(&[0, 1, 2]).write(&path, &WriteOptions::default().overwrite(true)).unwrap();
    let bytes = fs::read(&path).unwrap();
    let cut = folder.path().join("cut.fits");
    for end in (0..bytes.len()).step_by(1013) {
        fs::write(&cut, &bytes[..end]).unwrap();
        // What fills up a block is not missed, nor an HDU that is gone as a whole.
        if let Ok(list) = EventList::read(&cut) {
            assert!(list.len() == 3 && end > bytes.len() - 4 * 2880, "{end} of {}", bytes.len());
        }
    }
    for at in (2880..bytes.len()).step_by(37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x11;
        fs::write(&cut, damaged).unwrap();
        let _ = EventList::read(&cut);
    }
}

#[test]
fn lists_of_telescopes_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/hess-dl3/data");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("SKIPPED: no event lists at {}", folder.display());
        return;
    };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    let Some(path) = paths.first() else { panic!("no files in {}", folder.display()) };
    let events = EventList::read(path).unwrap();
    assert!(events.len() > 1000 && events.mc_id.is_none());
    assert!(events.meta.gti.as_ref().unwrap().time_sum_s() > 1000.0);
    assert!(events.meta.pointing.is_some() && events.meta.telescope.contains("HESS"));
}

/// Counts of a dataset that Gammapy made: sums by energy and chi-square against what is predicted.
fn against(name: &str, source: impl Fn(SkyPosition) -> Model) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(name);
    if !path.exists() {
        println!("SKIPPED: no {}", path.display());
        return;
    }
    let mut dataset = MapDataset::read(&path).unwrap();
    dataset.mask_safe = None;
    dataset.mask_fit = None;
    let geom = dataset.wcs_geom().unwrap();
    let center = geom.pix_to_sky((geom.nx() / 2) as f64, (geom.ny() / 2) as f64).unwrap();
    dataset.models = Models { components: vec![source(center)] };
    if dataset.gti.as_ref().is_none_or(|g| g.time_sum_s() <= 0.0) {
        dataset.gti = Some(super::gti());
    }
    let npred = dataset.npred(&cpu(2), &Control::new()).unwrap();
    let events = sample(&dataset, 1);
    let counts = events.counts(npred.geom()).unwrap();
    let chi = chi_square(&counts, &npred);
    println!("{name}: {} events for {:.1}, chi-square off by {chi:.2}", events.len(), npred.sum());
    assert!(events.len() > 1000, "{name}: {} events", events.len());
    let (counts, npred) = (counts.to_cube_f64(), npred.to_cube_f64());
    for (e, (n, mu)) in counts.outer_iter().zip(npred.outer_iter()).enumerate() {
        let (n, mu) = (n.sum(), mu.iter().filter(|v| v.is_finite()).sum::<f64>());
        assert!((n - mu).abs() < 4.5 * mu.sqrt() + 0.02 * mu + 1.0, "{name}, energy {e}: {n} for {mu}");
    }
    assert!(chi.abs() < 6.0, "{name}: {chi}");
}

#[test]
fn real_datasets_give_what_is_predicted() {
    let point = |amplitude: f64| {
        move |p: SkyPosition| {
            let p = p.to_frame(Frame::Icrs);
            sky("source", power_law(2.3, amplitude), PointSpatialModel::new(p.lon_deg, p.lat_deg, Frame::Icrs))
        }
    };
    against("cta-gc-cutout.fits.gz", point(3e-12));
    against("hess-crab-cutout.fits.gz", point(3e-11));
    against("fermi-gc-cutout.fits.gz", point(1e-13));
}

/// Gammapy opens the file with its checksums right, and makes the same counts of the events.
#[test]
fn gammapy_counts_the_same() {
    let Some(python) = crate::support::python_with("gammapy") else { return };
    let folder = tempfile::tempdir().unwrap();
    let (events, dataset) = (small(), survey());
    let (list, counts) = (folder.path().join("events.fits"), folder.path().join("counts.fits"));
    events.write(&list, &WriteOptions::default()).unwrap();
    events
        .counts(dataset.background.as_ref().unwrap().geom())
        .unwrap()
        .write(&counts, "COUNTS", &WriteOptions::default())
        .unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/events/gammapy_events.py");
    let output = Command::new(&python).arg(script).args([&list, &counts]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(told.contains(&format!("events {}", events.len())) && told.contains("same counts"), "{told}");
}

#[cfg(all(feature = "cli", feature = "plot"))]
mod cli {
    use super::*;
    use crate::support::program::Place;
    use crate::support::yaml::PointSource;
    use serde_json::Value;

    /// A folder with a dataset, the same with a part missing or wrong, and models.
    fn place() -> Place {
        let place = Place::new();
        let mut dataset = survey();
        dataset.background = Some(dataset.background.as_ref().unwrap().scaled(0.01, Default::default()));
        let position = at_pixel(&dataset, 12.0, 14.0);
        let crab =
            PointSource { name: "crab", index: "2.3", amplitude: "4.0e-11", position, position_is_frozen: false };
        let models = crab.yaml();
        fs::write(place.path("models.yaml"), &models).unwrap();
        fs::write(place.path("negative.yaml"), models.replace("4.0e-11", "-4.0e-11")).unwrap();
        fs::write(place.path("bright.yaml"), models.replace("4.0e-11", "1.0")).unwrap();
        let write = |name: &str, dataset: &MapDataset| {
            dataset.write(place.path(name), &WriteOptions::default()).unwrap();
        };
        write("in.fits", &dataset);
        write("blind.fits", &MapDataset { exposure: None, ..dataset.clone() });
        write("timeless.fits", &MapDataset { gti: None, ..dataset.clone() });
        let negative = dataset.background.as_ref().unwrap().scaled(-1.0, Default::default());
        write("negative.fits", &MapDataset { background: Some(negative), ..dataset });
        place
    }

    #[test]
    fn the_program_simulates_and_describes_events() {
        let place = place();
        let told = place.works(&[
            "simulate",
            "in.fits",
            "--models",
            "models.yaml",
            "--events",
            "-o",
            "e.fits.gz",
            "--seed",
            "3",
            "--pointing",
            "83.63deg,22.51deg",
            "--json",
        ]);
        let told: Value = serde_json::from_str(&told).unwrap();
        let events = EventList::read(place.path("e.fits.gz")).unwrap();
        assert_eq!(told["events"], events.len());
        assert_eq!(told["components"][1]["name"], "crab");
        assert_eq!(told["components"][1]["events"], events.of_component(1).len());
        assert!(events.detector.is_some() && told["seconds"].as_f64().unwrap() > 0.0);
        let info: Value = serde_json::from_str(&place.works(&["info", "e.fits.gz", "--json"])).unwrap();
        assert_eq!((&info["kind"], &info["events"]), (&Value::from("EventList"), &told["events"]));
        assert!(info["energy_tev"][0].as_f64().unwrap() >= 1.0 && info["time_s"][1].as_f64().unwrap() <= 5800.0);
        assert!(place.works(&["info", "e.fits.gz"]).contains("EventList"));
        // One component alone, by its name; the same events.
        place.works(&[
            "simulate",
            "in.fits",
            "--models",
            "models.yaml",
            "--events",
            "-o",
            "crab.fits",
            "--seed",
            "3",
            "--component",
            "crab",
        ]);
        let crab = EventList::read(place.path("crab.fits")).unwrap();
        assert_eq!(crab.time_s, events.of_component(1).time_s);
        assert!(crab.detector.is_none());
        place.works(&["convert", "crab.fits", "-o", "again.fits"]);
        assert_eq!(EventList::read(place.path("again.fits")).unwrap().energy_tev, crab.energy_tev);
    }

    #[test]
    fn what_is_wrong_leaves_no_file() {
        let place = place();
        let run = |input: &str, models: &str, more: &[&str], words: &[&str]| {
            let mut arguments = vec!["simulate", input, "--models", models, "--events", "-o", "e.fits"];
            arguments.extend(more);
            place.fails(&arguments, 2, words);
        };
        run("blind.fits", "models.yaml", &[], &["blind.fits", "exposure"]);
        run("timeless.fits", "models.yaml", &[], &["timeless.fits", "gti"]);
        run("negative.fits", "models.yaml", &[], &["negative.fits"]);
        run("in.fits", "negative.yaml", &[], &["crab"]);
        run("in.fits", "bright.yaml", &[], &["events, more than 2e9"]);
        run("in.fits", "models.yaml", &["--component", "vela"], &["component", "vela", "crab"]);
        run("in.fits", "models.yaml", &["--pointing", "north"], &["pointing", "north"]);
        run("in.fits", "models.yaml", &["--pointing", "10deg,91deg"], &["pointing"]);
        run("in.fits", "models.yaml", &["--asimov"], &[]);
        place.fails(&["simulate", "in.fits", "--events", "-o", "no/e.fits"], 2, &["no"]);
        place.fails(&["simulate", "in.fits", "--events", "-o", "/dev/null", "--overwrite"], 2, &["/dev/null"]);
        place.fails(&["simulate", "in.fits", "-o", "e.fits", "--component", "crab"], 2, &["required"]);
        place.fails(&["info", "models.fits"], 2, &["models.fits"]);
    }
}
