//! Tests are one binary per subject, since each binary links the whole library with its C code, shaders and fonts:
//! `tests/SUBJECT/main.rs` and its modules, with the Python scripts that they call beside them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders of a folder, in order; without those that version control or Python left behind empty of sources.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let mut list: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    list.retain(|path| !path.is_dir() || name(path) == "data" || !entries(path).is_empty());
    list.retain(|path| path.extension().is_none_or(|e| e != "pyc"));
    list.sort();
    list
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Names of the modules that a source declares, each in a line of its own.
fn modules(source: &str) -> BTreeSet<&str> {
    let lines = source.lines().map(str::trim);
    lines.filter_map(|l| l.strip_prefix("pub ").unwrap_or(l).strip_prefix("mod ")?.strip_suffix(';')).collect()
}

/// What is wrong with a folder whose root (main.rs, mod.rs, or the file of the folder's name) has this text.
fn faults(folder: &Path, root: &str, list: &mut Vec<String>) {
    let declared = modules(root);
    let texts: String = entries(folder).iter().filter_map(|p| fs::read_to_string(p).ok()).collect();
    for path in entries(folder) {
        let file = name(&path);
        let shown = path.display();
        if path.is_dir() {
            match fs::read_to_string(path.with_extension("rs")) {
                Ok(root) => faults(&path, &root, list),
                Err(_) => list.push(format!("{shown}: there is no {file}.rs beside it that declares its files")),
            }
        } else if let Some(module) = file.strip_suffix(".rs") {
            if !["main", "mod"].contains(&module) && !declared.contains(module) {
                list.push(format!("{shown}: nothing declares it (`mod {module};`), so its tests do not run"));
            }
        } else if file.ends_with(".py") && texts.matches(file).count() == 0 {
            list.push(format!("{shown}: no test beside it names it"));
        }
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

/// The binaries, by name.
fn subjects() -> BTreeSet<String> {
    let folders = entries(&tests()).into_iter().filter(|p| p.join("main.rs").is_file());
    folders.map(|p| name(&p).to_string()).collect()
}

#[test]
fn every_file_belongs_to_a_subject() {
    let mut list = Vec::new();
    for path in entries(&tests()) {
        let root = match name(&path) {
            "data" | "embedding" => continue,
            "support" => "mod.rs",
            _ => "main.rs",
        };
        match fs::read_to_string(path.join(root)) {
            Ok(root) => faults(&path, &root, &mut list),
            Err(_) => list.push(format!("{}: a test belongs into the folder of its subject", path.display())),
        }
    }
    assert!(list.is_empty(), "{}", list.join("\n"));
    assert!(subjects().len() >= 10, "{:?}", subjects());
}

/// The checker itself.
#[test]
fn files_that_do_not_run_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("main.rs", "");
    put("a.rs", "mod deep;\nconst SCRIPT: &str = \"used.py\";\n");
    put("b.rs", "// mod a;");
    put("a/deep.rs", "");
    put("a/lost.rs", "");
    put("c/far.rs", "");
    put("used.py", "");
    put("unused.py", "");
    let mut list = Vec::new();
    faults(folder.path(), "//! Text.\nmod a;\n// mod b;\n", &mut list);
    let found: Vec<&str> =
        list.iter().map(|f| &f[folder.path().as_os_str().len() + 1..f.find(": ").unwrap()]).collect();
    assert_eq!(found, ["a/lost.rs", "b.rs", "c", "unused.py"], "{list:?}");
}

/// What texts and scripts tell people to run is there.
#[test]
fn named_binaries_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = 0;
    for file in [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        "docs/validation.md",
        "docs/benchmarks.md",
        "fuzz/README.md",
        "tests/data/README.md",
        ".ci/run",
    ] {
        // What is published lacks some of them.
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        for rest in text.split("--test ").skip(1) {
            let binary: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            if binary.is_empty() {
                continue;
            }
            assert!(
                subjects().contains(&binary),
                "{file} names --test {binary}, and there is no tests/{binary}/main.rs"
            );
            named += 1;
        }
    }
    assert!(named >= 3, "{named}");
}
