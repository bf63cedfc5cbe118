//! The house has floors: a room (a folder or file of `src/`) imports only from rooms on lower floors, and rooms on one
//! floor do not see each other. Heavy dependencies have one home each.
//!
//! To change a table below: one commit, with the reason.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Rooms by floor. `lib`, `low_level` and `prelude` only re-export, so they stand above all rooms.
const FLOORS: &[&[&str]] = &[
    &["error", "control", "math", "memory"],
    &["units"],
    &["time", "table", "kernels"],
    &["maps", "compute"],
    &["data", "irf", "models"],
    &["flux"],
    &["datasets"],
    &["fit", "simulate", "io", "plot"],
    &["estimators"],
    &["bench"],
    &["lib", "low_level", "prelude"],
];

/// The looks sideways: cancelling and memory that is not there are errors, so `control` and `memory` know `error` (and
/// `error` knows nobody).
const SIDEWAYS: &[(&str, &str)] = &[("control", "error"), ("memory", "error")];

/// What `lib.rs` re-exports at the root, and the room that it comes from.
const ROOT_NAMES: &[(&str, &str)] = &[
    ("Error", "error"),
    ("ErrorKind", "error"),
    ("Place", "error"),
    ("Result", "error"),
    ("Control", "control"),
    ("Progress", "control"),
];

/// Where a dependency may be named: files or folders (with `/`) below `src/`.
const HOMES: &[(&str, &[&str])] = &[
    ("spade", &["models/spatial/piecewise/"]),
    ("pevatron_fft", &["compute/cpu/"]),
    ("wgpu", &["compute/gpu/", "compute/backend.rs", "lib.rs"]),
    ("pollster", &["compute/gpu/"]),
    ("fitsio", &["io/fits/"]),
    ("fitsio_sys", &["io/fits/"]),
    ("flate2", &["io/fits/", "plot/pdf.rs", "plot/pdf/"]),
    ("pdf_writer", &["plot/pdf.rs", "plot/pdf/"]),
    ("serde_saphyr", &["io/"]),
    ("resvg", &["plot/"]),
    ("png", &["plot/"]),
    ("base64", &["plot/"]),
    ("clap", &["bin/"]),
    ("clap_complete", &["bin/"]),
    ("clap_mangen", &["bin/"]),
    ("indicatif", &["bin/"]),
    ("toml", &["bin/"]),
    ("ctrlc", &["bin/"]),
    ("sysinfo", &["bin/"]),
    ("libc", &["bin/"]),
];

/// Code without comments, and with empty strings and characters; line breaks stay.
fn without_comments_and_texts(source: &str) -> String {
    let chars: Vec<char> = source.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(source.len());
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            while i < chars.len() {
                if at(i) == '/' && at(i + 1) == '*' {
                    depth += 1;
                    i += 2;
                } else if at(i) == '*' && at(i + 1) == '/' {
                    depth -= 1;
                    i += 2;
                    if depth == 0 {
                        break;
                    }
                } else {
                    if at(i) == '\n' {
                        out.push('\n');
                    }
                    i += 1;
                }
            }
        } else if c == 'r' && (at(i + 1) == '"' || at(i + 1) == '#') && (i == 0 || !is_word(at(i - 1))) {
            let mut hashes = 0;
            while at(i + 1 + hashes) == '#' {
                hashes += 1;
            }
            if at(i + 1 + hashes) != '"' {
                out.push(c); // a raw identifier
                i += 1;
                continue;
            }
            i += 2 + hashes;
            while i < chars.len() && !(at(i) == '"' && (0..hashes).all(|k| at(i + 1 + k) == '#')) {
                if at(i) == '\n' {
                    out.push('\n');
                }
                i += 1;
            }
            i += 1 + hashes;
            out.push_str("\"\"");
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                if at(i) == '\n' {
                    out.push('\n');
                }
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
            out.push_str("\"\"");
        } else if c == '\'' && (at(i + 1) == '\\' || at(i + 2) == '\'') {
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && at(i) != '\'' {
                i += 1;
            }
            i += 1;
            out.push_str("' '");
        } else {
            out.push(c);
            i += 1;
        }
    }
    out
}

/// The first names that a path can go on with after `at`: one, or several in braces.
fn next_names(code: &str, at: usize) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let rest = code[at..].trim_start();
    let Some(inner) = rest.strip_prefix('{') else { return vec![word(rest)] };
    let mut names = Vec::new();
    let (mut depth, mut fresh) = (0, true);
    for (i, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            c if fresh && !c.is_whitespace() => {
                names.push(word(&inner[i..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn room_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path).trim_end_matches(".rs")
}

/// Modules between the root of the crate and the code of a file: `io/fits/map.rs` → 3, `io/mod.rs` → 1.
fn depth_of(path: &str) -> usize {
    let depth = path.split('/').count();
    if path.ends_with("/mod.rs") || path == "lib.rs" { depth - 1 } else { depth }
}

/// All rooms (or root names) that a file refers to, with their lines.
fn references(path: &str, code: &str) -> Vec<(usize, String)> {
    let line_of = |at: usize| code[..at].matches('\n').count() + 1;
    let starts_path = |at: usize| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").filter(|(at, _)| starts_path(*at)) {
        found.extend(next_names(code, at + 7).into_iter().map(|name| (line_of(at), name)));
    }
    // `super::super::…` that climbs to the root is the same as `crate::…`.
    for (at, _) in code.match_indices("super::").filter(|(at, _)| starts_path(*at)) {
        let mut end = at;
        let mut climbs = 0;
        while code[end..].starts_with("super::") {
            end += 7;
            climbs += 1;
        }
        let inline = code[..at].lines().any(|l| l.trim_start().starts_with("mod ") && l.trim_end().ends_with('{'));
        if climbs == depth_of(path) + usize::from(inline) {
            found.extend(next_names(code, end).into_iter().map(|name| (line_of(at), name)));
        }
    }
    found
}

/// What is wrong in files given by their path below `src/` and their text.
fn violations(files: &BTreeMap<String, String>) -> Vec<String> {
    let floor = |room: &str| FLOORS.iter().position(|rooms| rooms.contains(&room));
    let mut list = Vec::new();
    for (path, text) in files {
        let code = without_comments_and_texts(text);
        let room = room_of(path);
        for (dependency, homes) in HOMES {
            if homes.iter().any(|home| path == home || home.ends_with('/') && path.starts_with(home)) {
                continue;
            }
            for pattern in [format!("{dependency}::"), format!("use {dependency};")] {
                for (at, _) in code.match_indices(&pattern) {
                    if !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                        let line = code[..at].matches('\n').count() + 1;
                        list.push(format!(
                            "src/{path}:{line}: `{dependency}` has its home in src/{}",
                            homes.join(", src/")
                        ));
                    }
                }
            }
        }
        if room == "bin" {
            continue; // a guest: its `crate` is the binary, and it sees what the library makes public
        }
        let Some(own) = floor(room) else {
            list.push(format!("src/{path}: the room `{room}` is on no floor; give it one in tests/house/floors.rs"));
            continue;
        };
        for (line, name) in references(path, &code) {
            let target = ROOT_NAMES.iter().find(|(n, _)| *n == name).map_or(name.as_str(), |(_, room)| room);
            if target == room || own == FLOORS.len() - 1 || SIDEWAYS.contains(&(room, target)) {
                continue;
            }
            match floor(target) {
                Some(other) if other < own => {}
                Some(other) => list.push(format!(
                    "src/{path}:{line}: `{room}` (floor {own}) may not see `{target}` (floor {other}); the type is on \
                     the wrong floor, or the code is"
                )),
                None => list.push(format!("src/{path}:{line}: `{name}` is neither a room nor a name of the root")),
            }
        }
    }
    list
}

fn read(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            read(&entry.path(), &format!("{prefix}{name}/"), files);
        } else if name.ends_with(".rs") {
            files.insert(format!("{prefix}{name}"), fs::read_to_string(entry.path()).unwrap());
        }
    }
}

#[test]
fn imports_go_down_only() {
    let mut files = BTreeMap::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.len() > 50, "only {} files found", files.len());
    let list = violations(&files);
    assert!(list.is_empty(), "{} violations:\n{}", list.len(), list.join("\n"));
}

/// The rooms of `lib.rs` stand in floor order, so that its list reads as the table of contents.
#[test]
fn lib_lists_rooms_in_floor_order() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let mut last = 0;
    for line in text.lines() {
        let Some(room) = line.strip_prefix("pub mod ").and_then(|l| l.strip_suffix(';')) else { continue };
        let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
        let floor = floor.unwrap_or_else(|| panic!("`{room}` is on no floor"));
        assert!(floor >= last, "`{room}` (floor {floor}) stands below a room of floor {last} in lib.rs");
        last = floor;
    }
}

/// The checker itself: each planted violation is found, and what is allowed is not.
#[test]
fn planted_violations_are_found() {
    let check = |path: &str, text: &str| violations(&BTreeMap::from([(path.to_string(), text.to_string())]));
    for (path, text, what) in [
        ("maps/map.rs", "use crate::datasets::MapDataset;", "up"),
        ("maps/map.rs", "use crate::compute::Backend;", "sideways"),
        ("maps/wcs/mod.rs", "use crate::{error::Result, models::{SkyModel, spatial}};", "up, in braces"),
        ("maps/wcs/mod.rs", "use crate::{\n    error::Result,\n    flux,\n};", "up, over lines"),
        ("maps/map.rs", "fn f(x: &crate::flux::FluxMaps) {}", "up, without an import"),
        ("io/atomic.rs", "use super::super::estimators::TsMapEstimator;", "up, through super"),
        ("units/unit.rs", "mod tests {\n    use super::super::super::maps::Map;\n}", "up, through super in tests"),
        ("error.rs", "use crate::control::Control;", "sideways on the lowest floor"),
        ("math/root.rs", "use crate::Error;", "sideways through the root"),
        ("cellar/mod.rs", "", "a room on no floor"),
        ("maps/map.rs", "use crate::elsewhere::Thing;", "an unknown room"),
        ("compute/cpu/mod.rs", "use wgpu::Device;", "wgpu outside of its home"),
        ("models/sky.rs", "fn f() { fitsio::hello() }", "fitsio outside of its home"),
        ("estimators/mod.rs", "use clap;", "clap in the library"),
        ("bin/pevatron/main.rs", "let x = resvg::usvg::Tree::default();", "resvg outside of its home"),
    ] {
        assert_eq!(check(path, text).len(), 1, "{what}: {path}: {text}: {:?}", check(path, text));
    }
    for (path, text) in [
        ("maps/map.rs", "use crate::units::Unit;\nuse crate::{Error, Result, kernels::Cube};"),
        ("maps/map.rs", "// use crate::datasets::MapDataset;\n/* crate::flux */\n/// [`crate::flux::FluxMaps`]"),
        ("maps/map.rs", "let text = \"crate::flux\"; let raw = r#\"crate::flux \" \"#; let c = '\"'; // \"\n"),
        ("maps/wcs/projection.rs", "use super::super::frame::Frame; use super::WcsGeom;"),
        ("maps/map.rs", "mod tests {\n    use super::super::frame::Frame;\n}"),
        ("control.rs", "use crate::error::Error;"),
        ("prelude.rs", "pub use crate::estimators::TsMapEstimator;"),
        ("bin/pevatron/main.rs", "use crate::args::Cli; use pevatron::plot::png::Png; let png = 1;"),
        ("compute/gpu/device.rs", "use wgpu::Device; pollster::block_on(f())"),
        ("plot/png.rs", "let e = png::Encoder::new(w, 1, 1);"),
        ("lib.rs", "pub use wgpu;"),
    ] {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}: {text}");
    }
}
