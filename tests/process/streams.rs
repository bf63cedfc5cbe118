//! Input that is not a file: pipes, the standard input, devices without an end.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot", unix))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{Place, data, dataset};

/// Runs the program on what `feed` writes into its standard input, until it does not read any more.
fn piped(
    place: &Place,
    arguments: &[&str],
    feed: impl Fn(&mut dyn Write) -> std::io::Result<()> + Sync + Send,
) -> Output {
    let mut command = place.command(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || feed(&mut stdin));
        child.wait_with_output().unwrap()
    })
}

fn told(output: &Output) -> String {
    format!("{:?}\n{}", output.status.code(), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    for word in words {
        assert!(told.contains(word), "'{word}' is not in: {told}");
    }
}

/// What `info --json` says, without the name of the file.
fn said(output: &Output, name: &str) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap().replace(name, "NAME")
}

#[test]
fn the_standard_input_is_a_file() {
    let place = Place::new();
    let whole = dataset().bytes();
    std::fs::write(place.path("in.fits"), &whole).unwrap();
    let packed = std::fs::read(data("sim-tan-1.fits.gz")).unwrap();
    let expected = said(&place.run(&["info", "in.fits", "--json"]), "in.fits");
    for name in ["-", "/dev/stdin"] {
        for bytes in [&whole, &packed] {
            let output = piped(&place, &["info", name, "--json"], |stdin| stdin.write_all(bytes));
            assert_eq!(said(&output, &format!("\"{name}\"")), expected.replace("\"NAME\"", "NAME"));
        }
    }
    let output = piped(&place, &["tsmap", "-", "-o", "flux.fits", "--quiet"], |stdin| stdin.write_all(&whole));
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert_eq!(place.run(&["tsmap", "in.fits", "-o", "file.fits", "--quiet"]).status.code(), Some(0));
    let sum = |name: &str| {
        pevatron::flux::FluxMaps::read(place.path(name)).unwrap().get(pevatron::flux::FluxQuantity::Ts).unwrap().sum()
    };
    assert_eq!(sum("flux.fits"), sum("file.fits"));
}

#[test]
fn a_pipe_is_opened_once() {
    let place = Place::new();
    let whole = dataset().bytes();
    let pipe = place.path("pipe.fits");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for arguments in [&["info", "pipe.fits"][..], &["plot", "pipe.fits", "-o", "counts.png"]] {
        let mut child = place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Opens once: a second opening by the program would wait for ever.
        std::fs::OpenOptions::new().write(true).open(&pipe).unwrap().write_all(&whole).unwrap();
        let start = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if start.elapsed() > Duration::from_secs(60) {
                child.kill().unwrap();
                panic!("{arguments:?} waits");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
}

#[test]
fn texts_come_from_pipes() {
    let place = Place::with(|_| ());
    let models = std::fs::read(data("ts-sim-null/models.yaml")).unwrap();
    for name in ["-", "/dev/stdin"] {
        let output = piped(&place, &["npred", "in.fits", "--models", name, "-o", "n.fits", "--overwrite"], |stdin| {
            stdin.write_all(&models)
        });
        assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    }
    let output =
        piped(&place, &["info", "-"], |stdin| stdin.write_all(b"datasets:\n- type: MapDataset\n  filename: in.fits\n"));
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

#[test]
fn devices_without_an_end() {
    let place = Place::with(|_| ());
    for device in ["/dev/zero", "/dev/urandom"] {
        if !Path::new(device).exists() {
            println!("SKIPPED: no {device}");
            continue;
        }
        place.fails(&["info", device], 2, &[device]);
        place.fails(&["tsmap", device, "-o", "out.fits"], 2, &[device]);
        place.fails(&["npred", "in.fits", "--models", device, "-o", "out.fits"], 2, &[device]);
    }
    place.fails(&["info", "/dev/null"], 2, &["empty"]);
}

#[test]
fn streams_without_an_end() {
    let place = Place::with(|_| ());
    let whole = dataset().bytes();
    // A dataset, and then zeros for ever.
    let zeros = vec![0; 1 << 20];
    let output = piped(&place, &["info", "-"], |stdin| {
        stdin.write_all(&whole)?;
        loop {
            stdin.write_all(&zeros)?;
        }
    });
    refused(&output, &["follow"]);
    // A header for ever.
    let blanks = vec![b' '; 1 << 20];
    let output = piped(&place, &["info", "-"], |stdin| {
        stdin.write_all(&whole[..400])?;
        loop {
            stdin.write_all(&blanks)?;
        }
    });
    refused(&output, &["END"]);
    // A text for ever.
    let text = "y\n".repeat(1 << 19).into_bytes();
    let endless = |stdin: &mut dyn Write| loop {
        stdin.write_all(&text)?;
    };
    refused(&piped(&place, &["info", "-"], endless), &["-", "text"]);
    let arguments = ["npred", "in.fits", "--models", "-", "-o", "out.fits"];
    refused(&piped(&place, &arguments, endless), &["-", "text"]);
    // Cut off in the middle.
    refused(&piped(&place, &["info", "-"], |stdin| stdin.write_all(&whole[..whole.len() / 2 + 100])), &["truncated"]);
}

/// A small compressed file that becomes a large one.
#[test]
fn what_decompresses_without_an_end() {
    let place = Place::new();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&dataset().bytes()).unwrap();
    for _ in 0..300 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    std::fs::write(place.path("bomb.fits.gz"), encoder.finish().unwrap()).unwrap();
    place.fails(&["info", "bomb.fits.gz"], 2, &["bomb.fits.gz", "follow"]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..300 {
        encoder.write_all(&vec![b'a'; 1 << 20]).unwrap();
    }
    std::fs::write(place.path("text.yaml"), encoder.finish().unwrap()).unwrap();
    place.fails(&["info", "text.yaml"], 2, &["text.yaml"]);
}
