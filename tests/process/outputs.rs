//! What the program writes is whole, in pairs where two files belong together, and never one of its inputs.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use crate::support;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{Place, assert_sober};
use crate::support::quick::{models, place, told, tsmap, within};
use pevatron::flux::FluxMaps;

/// By the same name, another spelling, a link of either kind, or beside something else: no input is replaced.
#[test]
fn an_output_that_is_an_input_is_refused() {
    let place = place();
    fs::write(place.path("other.yaml"), models("src", 2.0)).unwrap();
    fs::create_dir(place.path("folder")).unwrap();
    fs::hard_link(place.path("in.fits"), place.path("hard.fits")).unwrap();
    fs::write(
        place.path("list.yaml"),
        "datasets:\n- name: in\n  type: MapDataset\n  filename: in.fits\n- name: b\n  type: MapDataset\n  filename: hard.fits\n",
    )
    .unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink("in.fits", place.path("soft.fits")).unwrap();
    #[cfg(not(unix))]
    fs::hard_link(place.path("in.fits"), place.path("soft.fits")).unwrap();
    let contents = || -> Vec<(String, Vec<u8>)> {
        let names = place.names().into_iter().filter(|n| n != "folder");
        names.map(|n| (n.clone(), fs::read(place.path(&n)).unwrap())).collect()
    };
    let before = contents();
    let absolute = place.path("in.fits");
    let absolute = absolute.to_str().unwrap();
    for arguments in [
        vec!["tsmap", "in.fits", "-o", "in.fits"],
        vec!["tsmap", "in.fits", "-o", "./folder/../in.fits"],
        vec!["tsmap", "in.fits", "-o", absolute],
        vec!["tsmap", "in.fits", "-o", "hard.fits"],
        vec!["tsmap", "in.fits", "-o", "soft.fits"],
        vec!["tsmap", "soft.fits", "-o", "in.fits"],
        vec!["tsmap", "in.fits", "-o", "a.fits", "--kernel-model", "other.yaml", "--png", "other.yaml"],
        vec!["excess", "in.fits", "-o", "in.fits"],
        vec!["stack", "hard.fits", "-o", "in.fits"],
        vec!["stack", "list.yaml", "-o", "list.yaml"],
        // The list names it.
        vec!["stack", "list.yaml", "-o", "in.fits"],
        vec!["cutout", "in.fits", "-o", "in.fits", "--position", "83.63,22.01", "--width", "0.2deg"],
        vec!["npred", "in.fits", "--models", "m.yaml", "-o", "m.yaml"],
        vec!["residuals", "in.fits", "--models", "m.yaml", "-o", "in.fits"],
        vec!["simulate", "in.fits", "--models", "m.yaml", "-o", "soft.fits"],
        vec!["fit", "in.fits", "--models", "m.yaml", "-o", "m.yaml", "--backend", "cpu"],
        vec!["convert", "flux.fits", "-o", "flux.fits"],
        // The model beside the maps that are read.
        vec!["convert", "flux.fits", "-o", "flux.fits.gz"],
        vec!["combine", "flux.fits", "flux.fits", "-o", "flux.fits"],
        vec!["flux-points", "flux.fits", "-o", "flux.fits"],
        vec!["asmooth", "in.fits", "-o", "in.fits"],
        vec!["peaks", "flux.fits", "-o", "a.ecsv", "--regions", "flux_model.yaml"],
    ] {
        for overwrite in [false, true] {
            let mut arguments = arguments.clone();
            if overwrite {
                arguments.push("--overwrite");
            }
            let output = place.run(&arguments);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
            assert!(
                !overwrite || told(&output).contains("input") || told(&output).contains(" end in "),
                "{}",
                told(&output)
            );
            assert!(contents() == before, "{arguments:?} has changed a file");
        }
    }
}

#[test]
fn two_outputs_that_are_one_file_are_refused() {
    let place = place();
    fs::write(place.path("a.fits"), "mine").unwrap();
    for arguments in [
        tsmap(&["--png", "./out.fits", "--overwrite"]),
        vec!["peaks", "flux.fits", "-o", "a.ecsv", "--regions", "./a.ecsv"],
        vec!["fit", "in.fits", "--models", "m.yaml", "-o", "b.yaml", "--png", "b_covariance.dat", "--backend", "cpu"],
        vec![
            "peaks",
            "--iterative",
            "--dataset",
            "in.fits",
            "-o",
            "a.ecsv",
            "--residual",
            "r.fits",
            "--models-out",
            "r_model.yaml",
        ],
    ] {
        let output = place.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
    }
    place.fails(
        &[
            "peaks",
            "flux.fits",
            "-o",
            "a.ecsv",
            "--iterative",
            "--dataset",
            "in.fits",
            "--residual",
            "m2.fits",
            "--models-out",
            "m2_model.yaml",
        ],
        2,
        &["m2_model.yaml", "one file"],
    );
}

/// Found out at once, not after the work: the input of these is not even there.
#[test]
fn outputs_are_looked_at_before_inputs() {
    let place = Place::new();
    let long = format!("{}.fits", "n".repeat(251));
    #[cfg(unix)]
    std::os::unix::fs::symlink("gone/x.fits", place.path("link.fits")).unwrap();
    fs::create_dir(place.path("folder.fits")).unwrap();
    for (output, word) in [
        (long.as_str(), "too long"),
        #[cfg(unix)]
        ("link.fits", "gone/x.fits"),
        ("folder.fits", "folder"),
        ("no/a.fits", "does not exist"),
    ] {
        for command in
            ["tsmap", "excess", "npred", "residuals", "simulate", "stack", "asmooth", "convert", "flux-points"]
        {
            let mut arguments = vec![command, "no.fits", "-o", output, "--overwrite"];
            if ["npred", "residuals", "simulate"].contains(&command) {
                arguments.extend(["--models", "no.yaml"]);
            }
            place.fails(&arguments, 2, &[word]);
        }
    }
    for command in ["tsmap", "excess", "asmooth", "flux-points", "residuals"] {
        place.fails(&[command, "no.fits", "-o", "a.fits", "--png", "a.gif"], 2, &["a.gif", ".png, .svg or .pdf"]);
    }
    place.fails(&["plot", "no.fits", "-o", "a.gif"], 2, &["a.gif", ".png, .svg or .pdf"]);
    place.fails(&["combine", "no.fits", "no.fits", "-o", "a.fits", "--png", "a.gif"], 2, &["a.gif"]);
    // The model beside the maps.
    fs::write(place.path("a_model.yaml"), "mine").unwrap();
    place.fails(&["tsmap", "no.fits", "-o", "a.fits"], 2, &["a_model.yaml", "exists"]);
    fs::write(place.path("a_arf.fits"), "mine").unwrap();
    place.fails(&["convert", "no.fits", "-o", "a.fits", "--format", "ogip"], 2, &["a_arf.fits", "exists"]);
}

/// A part of a process that was killed goes with the next writing; parts of others stay.
#[cfg(unix)]
#[test]
fn parts_of_dead_processes_are_swept() {
    let place = place();
    // Killed while it writes into a pipe that nobody reads it has a part under its name.
    let mut seen = false;
    for _ in 0..40 {
        let mut child = place
            .command(&tsmap(&["--overwrite", "--quiet"]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(20) && child.try_wait().unwrap().is_none() {
            if place.names().iter().any(|n| n.ends_with(".part")) {
                child.kill().unwrap();
                break;
            }
        }
        child.wait().unwrap();
        if place.names().iter().any(|n| n.ends_with(".part")) {
            seen = true;
            break;
        }
    }
    if !seen {
        println!("SKIPPED: no process was killed while it wrote");
    }
    fs::write(place.path(".x.fits.0badcafe-1-0.part"), "of another machine").unwrap();
    fs::write(place.path("mine.part"), "mine").unwrap();
    place.works(&tsmap(&["--overwrite", "--quiet"]));
    let parts: Vec<String> = place.names().into_iter().filter(|n| n.ends_with(".part")).collect();
    assert_eq!(parts, [".x.fits.0badcafe-1-0.part", "mine.part"]);
}

/// The index of the spectrum that the maps were made for: inside of the file, and in the YAML that it names, as Gammapy
/// reads it.
fn indices(path: &Path) -> (f64, f64) {
    let number = |yaml: &str| -> f64 {
        let after = yaml.split("name: index").nth(1).unwrap();
        after.split("value:").nth(1).unwrap().split_whitespace().next().unwrap().parse().unwrap()
    };
    let file = support::fits_file::FitsFile::read(path);
    let beside = file.hdus[0].value("MODEL").unwrap();
    let inside = file.hdus.iter().find(|h| h.value("EXTNAME").as_deref() == Some("MODEL_YAML")).unwrap();
    let inside = String::from_utf8(inside.data.clone()).unwrap();
    (number(&inside), number(&fs::read_to_string(path.with_file_name(beside)).unwrap()))
}

fn kernels(place: &Place) {
    for index in [2, 3] {
        fs::write(place.path(&format!("k{index}.yaml")), models("k", f64::from(index))).unwrap();
    }
}

/// A disk that is full at any point of the writing leaves the old pair, whole.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_pair() {
    let place = Place::with(|_| ());
    kernels(&place);
    place.works(&tsmap(&["--kernel-model", "k2.yaml", "--quiet"]));
    let before = place.names();
    let size = fs::metadata(place.path("out.fits")).unwrap().len();
    let mut failed = 0;
    // In steps of ulimit, 512 bytes: from nothing to as much as the maps need.
    for blocks in [0, 1, 2, size / 1024, size / 512 - 1, size / 512 + 8] {
        let script = format!("ulimit -f {blocks}; exec \"$0\" \"$@\"");
        let output = Command::new("sh")
            .args(["-c", &script, env!("CARGO_BIN_EXE_pevatron")])
            .args(tsmap(&["--kernel-model", "k3.yaml", "--overwrite", "--quiet"]))
            .current_dir(place.folder.path())
            .output()
            .unwrap();
        let found = indices(&place.path("out.fits"));
        let expected = match output.status.code() {
            Some(0) => 3.0,
            Some(1) => 2.0,
            _ => panic!("{:?}: {}", output.status, told(&output)),
        };
        failed += usize::from(expected == 2.0);
        assert_eq!(found, (expected, expected), "{blocks} blocks: {}", told(&output));
        assert_eq!(place.names(), before, "{blocks} blocks");
        assert_sober(&told(&output), &told(&output));
    }
    assert!(failed >= 4, "{failed} writings failed");
}

/// Killed at any moment, while another process reads: the file and the YAML that it names belong together.
#[cfg(unix)]
#[test]
fn killed_writers_leave_a_pair() {
    let place = Place::with(|_| ());
    kernels(&place);
    place.works(&tsmap(&["--kernel-model", "k2.yaml", "--quiet"]));
    let start = Instant::now();
    let took = {
        place.works(&tsmap(&["--kernel-model", "k3.yaml", "--overwrite", "--quiet"]));
        start.elapsed()
    };
    for n in 0..60u32 {
        let model = if n % 2 == 0 { "k2.yaml" } else { "k3.yaml" };
        let mut child = place
            .command(&tsmap(&["--kernel-model", model, "--overwrite", "--quiet"]))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Most of them near the end, where the files are written.
        std::thread::sleep(took.mul_f64(0.6 + 0.008 * f64::from(n)));
        let _ = child.kill();
        child.wait().unwrap();
        let (inside, beside) = indices(&place.path("out.fits"));
        assert_eq!(inside, beside, "after {n} kills");
        assert!(FluxMaps::read(place.path("out.fits")).is_ok());
    }
    place.works(&tsmap(&["--kernel-model", "k3.yaml", "--overwrite", "--quiet"]));
    assert_eq!(indices(&place.path("out.fits")), (3.0, 3.0));
    assert_eq!(place.names(), ["in.fits", "k2.yaml", "k3.yaml", "out.fits", "out_model.yaml"]);
}

/// Several writers of the same pair at once.
#[test]
fn writers_at_the_same_time_leave_a_pair() {
    let place = Place::with(|_| ());
    kernels(&place);
    let children: Vec<Child> = (0..8)
        .map(|n| {
            let model = if n % 2 == 0 { "k2.yaml" } else { "k3.yaml" };
            place.command(&tsmap(&["--kernel-model", model, "--overwrite", "--quiet"])).spawn().unwrap()
        })
        .collect();
    for mut child in children {
        assert_eq!(within(&mut child, Duration::from_secs(120)).code(), Some(0));
    }
    let (inside, beside) = indices(&place.path("out.fits"));
    assert_eq!(inside, beside);
    assert_eq!(place.names(), ["in.fits", "k2.yaml", "k3.yaml", "out.fits", "out_model.yaml"]);
}
