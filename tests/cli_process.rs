//! Nothing that the process is given may break it: options, environment, signals, terminals, disks. What it writes is
//! whole, and never one of its inputs.
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests stop at the first surprise")]

mod support;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use pevatron::flux::FluxMaps;
use support::program::{Place, assert_sober};

/// A quick run that writes maps, their model and a picture.
const TSMAP: [&str; 8] = ["tsmap", "in.fits", "-o", "out.fits", "--backend", "cpu", "--kernel-width", "0.2deg"];

fn tsmap<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TSMAP.into_iter().chain(more.iter().copied()).collect()
}

fn models(name: &str, index: f64) -> String {
    format!(
        "components:\n- name: {name}\n  type: SkyModel\n  spectral:\n    type: PowerLawSpectralModel\n    parameters:\n    - \
         name: index\n      value: {index}\n    - name: amplitude\n      value: 1.0e-12\n      unit: TeV-1 s-1 cm-2\n    - \
         name: reference\n      value: 1.0\n      unit: TeV\n  spatial:\n    type: PointSpatialModel\n    frame: icrs\n    \
         parameters:\n    - name: lon_0\n      value: 83.63\n      unit: deg\n    - name: lat_0\n      value: 22.01\n      \
         unit: deg\n- type: FoVBackgroundModel\n  datasets_names: [in]\n  spectral:\n    type: PowerLawNormSpectralModel\n    \
         parameters:\n    - name: norm\n      value: 1.0\n"
    )
}

/// A folder with a dataset, models and flux maps.
fn place() -> Place {
    let place = Place::with(|_| ());
    fs::write(place.path("m.yaml"), models("src", 2.0)).unwrap();
    place.works(&["tsmap", "in.fits", "-o", "flux.fits", "--backend", "cpu", "--kernel-width", "0.2deg", "--quiet"]);
    place
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Waits for the end of a process; a test must not hang.
#[track_caller]
fn within(child: &mut Child, limit: Duration) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > limit {
            child.kill().unwrap();
            panic!("it goes on after {limit:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

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
    let more = ["PERCENT", "EDGES", "LON,LAT", "RA,DEC", "MIN,MAX,N", "LIST"];
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
    fails(&["--downsampling-factor", "1000000000"], "downsampling_factor");
    fails(&["--downsampling-factor", "18446744073709551615"], "downsampling_factor");
    fails(&["--norm-scan", "0,5,100000000", "--selection", "stat_scan"], "norm_scan");
    fails(&["--norm-scan", "0,5,1000000000000", "--selection", "stat_scan"], "norm_scan");
    fails(&["--threads", "1000000"], "threads");
    fails(&["--memory", "1e300GB"], "memory");
    place.fails(
        &["tsmap", "in.fits", "-o", "out.fits", "--backend", "cpu", "--kernel-width", "5000deg"],
        2,
        &["kernel_width", "sky"],
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
                assert!(output.status.code() != Some(0) && stderr.contains("PSF"), "{what}");
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
    // What is no control stays.
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

// ------------------------------------------------------------------------------------------------------ outputs

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
                !overwrite || told(&output).contains("input") || told(&output).contains(".png or"),
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
        &["peaks", "flux.fits", "-o", "a.ecsv", "--regions", "./a.ecsv"],
        2,
        &["a.ecsv", "./a.ecsv", "one file"],
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
        place.fails(&[command, "no.fits", "-o", "a.fits", "--png", "a.gif"], 2, &["a.gif", ".png or .svg"]);
    }
    place.fails(&["plot", "no.fits", "-o", "a.gif"], 2, &["a.gif", ".png or .svg"]);
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
