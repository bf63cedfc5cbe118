//! Every dependency, on every platform, offers a licence that `deny.toml` allows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The list `allow` of `deny.toml`.
fn allowed() -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml")).unwrap();
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    list.lines().filter_map(|l| l.split('"').nth(1)).map(str::to_string).collect()
}

/// Whether an SPDX expression (`/` is an old way to write OR) can be met with the allowed licences.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any_of(&tokens, &mut at, allowed);
    assert_eq!(at, tokens.len(), "'{expression}' is not a licence expression");
    met
}

fn any_of(tokens: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = all_of(tokens, at, allowed);
    while tokens.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all_of(tokens, at, allowed);
    }
    met
}

fn all_of(tokens: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut met = one(tokens, at, allowed);
    while tokens.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(tokens, at, allowed);
    }
    met
}

fn one(tokens: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let token = tokens[*at];
    *at += 1;
    if token == "(" {
        let met = any_of(tokens, at, allowed);
        assert_eq!(tokens.get(*at), Some(&")"), "{tokens:?}");
        *at += 1;
        return met;
    }
    let mut met = allowed.iter().any(|a| a == token);
    if tokens.get(*at) == Some(&"WITH") {
        // An exception grants more, but is a licence of its own to the list.
        met = allowed.contains(&format!("{token} WITH {}", tokens[*at + 1]));
        *at += 2;
    }
    met
}

fn metadata() -> Option<Value> {
    let run = |extra: &[&str]| {
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--offline", "--locked", "--all-features"])
            .args(extra)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    };
    run(&[]).or_else(|| {
        println!("only this platform's dependencies are here (`cargo fetch` gets the others)");
        let host = Command::new(env!("CARGO")).args(["-vV"]).output().unwrap();
        let text = String::from_utf8(host.stdout).unwrap();
        let host = text.lines().find_map(|l| l.strip_prefix("host: ")).unwrap().to_string();
        run(&["--filter-platform", &host])
    })
}

#[test]
fn all_dependencies_have_an_allowed_licence() {
    let Some(metadata) = metadata() else {
        assert!(std::env::var_os("CI").is_none(), "cargo metadata gives no list");
        println!("SKIPPED: cargo metadata gives no list (the dependencies are not on this machine)");
        return;
    };
    let allowed = allowed();
    let packages = metadata["packages"].as_array().unwrap();
    let mut wrong = Vec::new();
    for package in packages {
        let name = format!("{} {}", package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
        match package["license"].as_str() {
            Some(expression) if is_met(expression, &allowed) => {}
            Some(expression) => wrong.push(format!("{name}: {expression}")),
            None => wrong.push(format!("{name}: no licence in its manifest")),
        }
    }
    println!("{} packages", packages.len());
    assert!(wrong.is_empty(), "not allowed by deny.toml:\n{}", wrong.join("\n"));
}

#[test]
fn expressions_are_read() {
    let allowed = allowed();
    assert!(allowed.len() > 5 && allowed.iter().any(|a| a == "MIT"), "{allowed:?}");
    for yes in
        ["MIT", "MIT/Apache-2.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0", "MIT OR GPL-2.0 AND GPL-3.0"]
    {
        assert!(is_met(yes, &allowed), "{yes}");
    }
    for no in ["GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "(MIT OR ISC) AND LGPL-3.0", "Apache-2.0 WITH LLVM-exception"] {
        assert!(!is_met(no, &allowed), "{no}");
    }
}

/// Our own terms are in the folder, in full.
#[test]
fn own_licences_are_there() {
    for (file, words) in [("LICENSE-MIT", "The Pevatron developers"), ("LICENSE-APACHE", "END OF TERMS AND CONDITIONS")]
    {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        assert!(text.contains(words), "{file}");
    }
}
