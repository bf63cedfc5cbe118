//! Nothing that the process is given may break it: options, headers, names, environment, terminals, signals.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::program::{Place, assert_sober};
use crate::support::quick::{models, place, told, tsmap, within};
use pevatron::flux::FluxMaps;

// ---------------------------------------------------------------------------------------------------- options

/// What each command needs beside the option that is tried.
fn base(command: &str) -> Option<Vec<&'static str>> {
    Some(match command {
        "tsmap" => tsmap(&["--selection", "all"]),
        "excess" => vec!["excess", "in.fits", "-o", "out.fits", "--backend", "cpu", "--selection", "errn-errp,ul"],
        "peaks" => vec!["peaks", "flux.fits", "-o", "out.ecsv", "--threshold", "2"],
        "combine" => vec!["combine", "flux.fits", "flux.fits", "-o", "out.fits"],
        "asmooth" => vec!["asmooth", "in.fits", "-o", "out.fits", "--threads", "1"],
        "npred" => vec!["npred", "in.fits", "-o", "out.fits", "--models", "m.yaml", "--backend", "cpu"],
        "fit" => vec!["fit", "in.fits", "-o", "out.yaml", "--models", "m.yaml", "--backend", "cpu"],
        "info" => vec!["info", "in.fits"],
        "plot" => vec!["plot", "flux.fits", "-o", "out.png"],
        "flux-points" => vec!["flux-points", "flux.fits", "-o", "out.ecsv"],
        "convert" => vec!["convert", "flux.fits", "-o", "out.fits"],
        "stack" => vec!["stack", "in.fits", "-o", "out.fits"],
        "cutout" => vec!["cutout", "in.fits", "-o", "out.fits", "--position", "83.63,22.01", "--width", "0.3deg"],
        "residuals" => vec!["residuals", "in.fits", "-o", "out.fits", "--models", "m.yaml", "--backend", "cpu"],
        "simulate" => vec!["simulate", "in.fits", "-o", "out.fits", "--models", "m.yaml", "--backend", "cpu"],
        "devices" => vec!["devices"],
        "demo" => vec!["demo", "-o", "demo", "--binsz", "0.5deg", "--backend", "cpu"],
        "bench" => vec!["bench", "--quick", "--size", "tiny", "--backend", "cpu", "--workload", "cash_sum"],
        // No options of their own.
        "completions" | "man" | "help" => return None,
        other => panic!("'{other}' is a command that this test does not know; it should"),
    })
}

/// What an option needs to be looked at at all.
fn context(command: &str, option: &str) -> Vec<&'static str> {
    match (command, option) {
        ("peaks", "--kernel-width" | "--energy-edges" | "--selection" | "--max-sources") => {
            vec!["--iterative", "--dataset", "in.fits", "--threshold", "50"]
        }
        ("simulate", "--component" | "--pointing") => vec!["--events"],
        ("plot", "--exclude-radius") => vec!["--kind", "histogram", "--sources", "m.yaml"],
        ("fit", "--sigma") => vec!["--confidence", "src.spectral.index"],
        ("bench", "--threshold") => vec![],
        _ => vec![],
    }
}

/// Options with a number or a quantity, by the names of their values.
fn is_numeric(value: &str) -> bool {
    let whole =
        ["N", "X", "TS", "ANGLE", "ANGLES", "ANGLE[,ANGLE]", "NUMBER", "COUNTS", "FRACTION", "PX", "SIZE", "SECONDS"];
    let more =
        ["PERCENT", "EDGES", "LON,LAT", "RA,DEC", "MIN,MAX,N", "LIST", "N|ENERGY", "ANGLE|auto", "ANGLE|DATASET"];
    whole.contains(&value) || more.contains(&value)
}

const HOSTILE: [&str; 9] =
    ["nan", "-inf", "0", "-1", "1e300", "1000000000", "18446744073709551615", "nan deg", "1e300deg"];

/// Every option with a number, of every command, with numbers that make no sense: an error that names the option, or a
/// result, soon; never a signal or a panic.
#[test]
fn numbers_of_options_that_make_no_sense() {
    let place = place();
    let help = place.works(&["--help"]);
    let names = help.lines().skip_while(|l| !l.starts_with("Commands:")).skip(1);
    let names: Vec<&str> = names
        .take_while(|l| l.starts_with("  "))
        .filter(|l| !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert!(names.len() >= 20, "{names:?}");
    let (mut tried, mut refused) = (0, 0);
    for command in names {
        let Some(base) = base(command) else { continue };
        let help = place.works(&[command, "--help"]);
        let options = help.lines().filter_map(|line| {
            let rest = &line[line.find("--")?..];
            let (option, value) = rest.split_once(" <")?;
            let starts = line.trim_start().starts_with('-') && !option.contains(' ');
            starts.then(|| (option.to_string(), value.trim_end_matches('>').to_string()))
        });
        for (option, _) in options.filter(|(option, value)| is_numeric(value) && option != "--workload") {
            for value in HOSTILE {
                if command == "bench" && option == "--runs" && value.parse::<u64>().is_ok_and(|n| n > 0) {
                    continue; // So many repetitions are what was asked for.
                }
                for name in place.names().iter().filter(|n| n.starts_with("out") || *n == "demo") {
                    let path = place.path(name);
                    let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                }
                let given = format!("{option}={value}");
                let mut arguments = base.clone();
                arguments.extend(context(command, &option));
                arguments.push(&given);
                let start = Instant::now();
                let output = place.run(&arguments);
                let stderr = told(&output);
                let what = format!("pevatron {} ({:?})\n{stderr}", arguments.join(" "), output.status);
                assert!(matches!(output.status.code(), Some(0..=2)), "{what}");
                assert_sober(&stderr, &what);
                assert!(start.elapsed() < Duration::from_secs(60), "{:?}: {what}", start.elapsed());
                tried += 1;
                refused += usize::from(output.status.code() == Some(2));
            }
        }
    }
    assert!(tried > 300 && refused > tried / 2, "{refused} of {tried} were refused");
}

/// The error names the option, not what it led to.
#[test]
fn errors_of_numbers_name_their_options() {
    let place = Place::with(|_| ());
    let fails = |more: &[&str], word: &str| place.fails(&tsmap(more), 2, &[word]);
    fails(&["--downsampling-factor", "1000000000"], "--downsampling-factor");
    fails(&["--downsampling-factor", "18446744073709551615"], "--downsampling-factor");
    fails(&["--norm-scan", "0,5,100000000", "--selection", "stat_scan"], "--norm-scan");
    fails(&["--norm-scan", "0,5,1000000000000", "--selection", "stat_scan"], "--norm-scan");
    fails(&["--threads", "1000000"], "threads");
    fails(&["--memory", "1e300GB"], "memory");
    place.fails(
        &["tsmap", "in.fits", "-o", "out.fits", "--backend", "cpu", "--kernel-width", "5000deg"],
        2,
        &["--kernel-width", "sky"],
    );
}

/// Pixels that are far too small make kernels that are far too large.
#[test]
fn pixel_sizes_that_no_memory_holds() {
    for cdelt in ["1.0E-12", "1.0E-9", "1.0E-300"] {
        let place = Place::with(|file| {
            for hdu in &mut file.hdus {
                for (key, sign) in [("CDELT1", "-"), ("CDELT2", "")] {
                    if hdu.value(key).is_some() {
                        hdu.set(key, &format!("{sign}{cdelt}"));
                    }
                }
            }
        });
        fs::write(place.path("m.yaml"), models("src", 2.0)).unwrap();
        for arguments in [
            vec!["tsmap", "in.fits", "-o", "out.fits", "--backend", "cpu"],
            vec!["tsmap", "in.fits", "-o", "out.fits", "--backend", "reference", "--downsampling-factor", "5"],
            vec!["npred", "in.fits", "-o", "out.fits", "--models", "m.yaml", "--backend", "cpu"],
            vec!["fit", "in.fits", "-o", "out.yaml", "--models", "m.yaml", "--backend", "cpu"],
            vec!["excess", "in.fits", "-o", "out.fits", "--backend", "cpu"],
            vec!["asmooth", "in.fits", "-o", "out.fits"],
            vec!["residuals", "in.fits", "-o", "out.fits", "--smooth", "0.1deg", "--backend", "cpu"],
            vec!["simulate", "in.fits", "-o", "out.fits", "--models", "m.yaml", "--backend", "cpu"],
            vec!["simulate", "in.fits", "-o", "events.fits", "--models", "m.yaml", "--events"],
            vec!["plot", "in.fits", "-o", "out.png"],
            vec!["plot", "in.fits", "-o", "peek.png", "--kind", "peek", "--backend", "cpu"],
            vec!["info", "in.fits"],
        ] {
            let output = place.run(&arguments);
            let stderr = told(&output);
            let what = format!("{cdelt}: pevatron {} ({:?})\n{stderr}", arguments.join(" "), output.status);
            assert!(matches!(output.status.code(), Some(0..=2)), "{what}");
            assert_sober(&stderr, &what);
            if cdelt == "1.0E-12" && arguments[0] == "tsmap" {
                assert!(output.status.code() != Some(0) && stderr.contains("memory"), "{what}");
            }
        }
    }
}

// ---------------------------------------------------------------------------------- arguments, names, environment

#[cfg(unix)]
mod bytes {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn arguments_that_are_not_utf8() {
        let place = place();
        for arguments in [
            vec![b"\xff".as_slice()],
            vec![b"tsmap", b"\xffin.fits", b"-o", b"out.fits"],
            vec![b"tsmap", b"in.fits", b"-o", b"out.fits", b"--kernel-width", b"\xff"],
            vec![b"tsmap", b"in.fits", b"-o", b"out.fits", b"--\xff", b"1"],
            vec![b"tsmap", b"in.fits", b"-o", b"out.fits", b"--config=\xff"],
            vec![b"info", b"\xc3\x28"],
        ] {
            let arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::from_bytes).collect();
            let output = place.command(&[]).args(&arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", told(&output));
            assert_sober(&told(&output), &told(&output));
        }
    }

    /// Where the system has such names, files have them, too: inputs, outputs and what lies beside them.
    #[test]
    fn files_whose_names_are_not_utf8() {
        let place = place();
        let name = |bytes: &'static [u8]| place.folder.path().join(OsStr::from_bytes(bytes));
        if fs::copy(place.path("in.fits"), name(b"\xffin.fits")).is_err() {
            println!("SKIPPED: this file system has no such names");
            return;
        }
        let run = |arguments: &[&OsStr]| {
            let output = place.command(&[]).args(arguments).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", told(&output));
            output
        };
        let text = |words: &[&'static str]| words.iter().map(|w| OsStr::new(*w)).collect::<Vec<_>>();
        let mut arguments = text(&["tsmap", "--backend", "cpu", "--kernel-width", "0.2deg", "--json", "-o"]);
        arguments.extend([OsStr::from_bytes(b"\xfeout.fits"), OsStr::from_bytes(b"\xffin.fits")]);
        let json: serde_json::Value = serde_json::from_slice(&run(&arguments).stdout).unwrap();
        assert!(json["output"].as_str().unwrap().ends_with("out.fits"));
        run(&[OsStr::new("info"), OsStr::new("--json"), OsStr::from_bytes(b"\xfeout.fits")]);
        let picture =
            [OsStr::new("plot"), OsStr::from_bytes(b"\xfeout.fits"), OsStr::new("-o"), OsStr::from_bytes(b"\xfe.png")];
        run(&picture);
        assert!(name(b"\xfe.png").exists());
    }
}

#[test]
fn environments_that_make_no_sense() {
    let place = place();
    let names = [
        "RAYON_NUM_THREADS",
        "RAYON_RS_NUM_CPUS",
        "WGPU_BACKEND",
        "WGPU_ADAPTER_NAME",
        "WGPU_POWER_PREF",
        "COLUMNS",
        "LINES",
        "TERM",
        "NO_COLOR",
        "CLICOLOR_FORCE",
        "HOME",
        "TMPDIR",
        "LANG",
        "LC_ALL",
        "PATH",
        "PEVATRON_ANYTHING",
        "RUST_LOG",
    ];
    #[cfg(unix)]
    let wild = {
        use std::os::unix::ffi::OsStrExt;
        std::ffi::OsStr::from_bytes(b"\xff\xfe")
    };
    #[cfg(not(unix))]
    let wild = std::ffi::OsStr::new("?");
    for value in ["".as_ref(), "nonsense".as_ref(), "-1".as_ref(), "99999999999".as_ref(), "/nowhere".as_ref(), wild] {
        for arguments in [vec!["--help"], vec!["devices"], vec!["info", "in.fits"], tsmap(&["--overwrite"])] {
            let mut command = place.command(&arguments);
            for name in names {
                command.env(name, value);
            }
            let output = command.output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{value:?} {arguments:?}: {}", told(&output));
            assert_sober(&told(&output), &told(&output));
        }
    }
    // None at all.
    let output = place.command(&tsmap(&["--overwrite"])).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
}

/// Whatever a file, a name or a model holds, a terminal gets letters.
#[test]
fn controls_do_not_reach_a_terminal() {
    let place = place();
    let wild = "\u{1b}]0;x\u{7}\u{9b}31m\u{202e}ä";
    let yaml = models("src", 2.0).replace("name: src", "name: \"\\e[31m\\x07\\x9b\\u202Eä\\nerror: forged\"");
    fs::write(place.path("wild.yaml"), yaml).unwrap();
    fs::write(place.path("wild.toml"), "kernel_width = \"\\u001b[31m\\u009b\"\n").unwrap();
    #[cfg(unix)]
    fs::copy(place.path("in.fits"), place.path(&format!("{wild}.fits"))).unwrap();
    let missing = format!("{wild}\nerror: forged");
    let option = format!("--quantity={wild}");
    let unknown = format!("--{wild}");
    let named = format!("{wild}.fits");
    for arguments in [
        vec!["info", missing.as_str()],
        vec!["info", named.as_str()],
        vec!["info", named.as_str(), "--json"],
        vec!["info", "wild.yaml"],
        vec!["info", "wild.yaml", "--json"],
        vec!["plot", "flux.fits", "-o", "a.png", option.as_str()],
        vec!["info", "in.fits", unknown.as_str()],
        vec![wild],
        vec!["tsmap", "in.fits", "-o", "a.fits", "--config", "wild.toml"],
        vec!["tsmap", "in.fits", "-o", "a.fits", "--config", "wild.toml", "--dump-config"],
        vec!["tsmap", "in.fits", "-o", named.as_str()],
        vec!["fit", "in.fits", "-o", "a.yaml", "--models", "wild.yaml", "--backend", "cpu", "-v"],
        vec!["npred", "in.fits", "-o", "a.fits", "--component", wild, "--models", "wild.yaml"],
    ] {
        let output = place.run(&arguments);
        assert!(matches!(output.status.code(), Some(0..=2)), "{arguments:?}: {:?}", output.status);
        for bytes in [&output.stdout, &output.stderr] {
            let text = std::str::from_utf8(bytes).unwrap();
            let found = text.chars().find(|c| c.is_control() && *c != '\n' && *c != '\t' || *c == '\u{202e}');
            assert_eq!(found, None, "{arguments:?}: {text:?}");
            assert!(!text.lines().any(|l| l.starts_with("error: forged")), "{arguments:?}: {text}");
        }
    }
    // What is not a control character stays.
    assert!(told(&place.run(&["info", "weiß µ 日本.fits"])).contains("weiß µ 日本.fits"));
}

// ----------------------------------------------------------------------------------------- stdout, stderr, signals

#[cfg(target_os = "linux")]
#[test]
fn full_and_closed_streams() {
    let place = place();
    let full = || Stdio::from(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for arguments in [
        vec!["info", "in.fits"],
        vec!["info", "in.fits", "--json"],
        vec!["completions", "bash"],
        vec!["man"],
        vec!["--help"],
        vec!["--version"],
        vec!["devices", "--json"],
        tsmap(&["--overwrite"]),
        tsmap(&["--dump-config"]),
    ] {
        // What a script waits for is not there: an error.
        let output = place.command(&arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} > /dev/full: {}", told(&output));
        assert!(told(&output).contains("error: standard output"), "{}", told(&output));
        // A reader that has read enough is none.
        let mut child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?} | true: {}", told(&output));
        assert!(!told(&output).contains("error"), "{}", told(&output));
        // Nobody is told where stderr is full or closed, and nothing else changes.
        let status = place.command(&arguments).stdout(Stdio::null()).stderr(full()).status().unwrap();
        assert_eq!(status.code(), Some(0), "{arguments:?} 2> /dev/full");
        for closed in [">&-", "2>&-", "<&-", ">&- 2>&- <&-"] {
            let script = format!("exec \"$0\" \"$@\" {closed}");
            let mut command = Command::new("sh");
            command.args(["-c", &script, env!("CARGO_BIN_EXE_pevatron")]).args(&arguments);
            let output = command.current_dir(place.folder.path()).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{arguments:?} {closed}: {}", told(&output));
        }
    }
    // No file was opened as one of the closed streams and written into.
    assert!(FluxMaps::read(place.path("out.fits")).is_ok());
    let output = place.command(&["info", "nowhere.fits"]).stderr(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    assert!(Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap().success());
}

/// A pipe that nobody writes into, and work that takes long: cancelled at once, with nothing left behind.
#[cfg(unix)]
#[test]
fn signals_end_what_waits_and_what_works() {
    let place = place();
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    let slow = ["tsmap", "in.fits", "-o", "out.fits", "--backend", "reference", "--selection", "all"];
    let before = place.names();
    for arguments in [
        vec!["info", "pipe"],
        vec!["info", "in.fits", "--config", "pipe"],
        vec!["tsmap", "pipe", "-o", "out.fits"],
        vec!["npred", "in.fits", "--models", "pipe", "-o", "out.fits"],
        vec!["plot", "in.fits", "--regions", "pipe", "-o", "out.png"],
        vec!["tsmap", "in.fits", "-o", "pipe", "--backend", "cpu", "--kernel-width", "0.2deg"],
        slow.into_iter().chain(["--norm-scan", "0,5,3000"]).collect(),
    ] {
        for name in ["TERM", "INT"] {
            let mut child = place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            std::thread::sleep(Duration::from_millis(700));
            signal(&child, name);
            let start = Instant::now();
            let status = within(&mut child, Duration::from_secs(10));
            let output = child.wait_with_output().unwrap();
            assert_eq!(status.code(), Some(130), "{name} {arguments:?}: {}", told(&output));
            assert!(start.elapsed() < Duration::from_secs(5), "{name} {arguments:?}: {:?}", start.elapsed());
            assert!(told(&output).contains("error: cancelled"), "{}", told(&output));
            assert_eq!(place.names(), before, "left by {name} {arguments:?}");
        }
    }
}
