//! What the sources say to people: no word twice, and no name of a Rust item where the command line would print it.
#![allow(clippy::unwrap_used, reason = "tests stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

/// A text of a source file, with what stands in front of it.
struct Literal {
    place: String,
    before: String,
    text: String,
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && path.file_name().unwrap() != "tests.rs" {
            found.push(path);
        }
    }
}

/// The texts in double quotes of a file, without its comments and tests.
fn literals(path: &Path) -> Vec<Literal> {
    let source = fs::read_to_string(path).unwrap();
    let end = source.find("#[cfg(test)]\nmod tests {").unwrap_or(source.len());
    let code: Vec<char> = source[..end].chars().collect();
    let starts = |i: usize, word: &str| word.chars().enumerate().all(|(n, c)| code.get(i + n) == Some(&c));
    let mut found = Vec::new();
    let (mut i, mut line) = (0, 1);
    let mut before = String::new();
    while i < code.len() {
        let c = code[i];
        if starts(i, "//") {
            while i < code.len() && code[i] != '\n' {
                i += 1;
            }
            continue;
        }
        let raw =
            c == 'r' && (starts(i, "r\"") || starts(i, "r#\"")) && !before.ends_with(|c: char| c.is_alphanumeric());
        if c == '"' || raw {
            let hash = raw && code[i + 1] == '#';
            let mut text = String::new();
            i += if hash { 3 } else { 1 + usize::from(raw) };
            let at = line;
            while i < code.len() && !(if hash { starts(i, "\"#") } else { code[i] == '"' }) {
                line += usize::from(code[i] == '\n');
                if code[i] == '\\' && !raw {
                    i += 1;
                    if code[i] == '\n' {
                        line += 1;
                        while code[i + 1].is_whitespace() {
                            i += 1;
                        }
                    } else {
                        text.push(' ');
                    }
                } else {
                    text.push(code[i]);
                }
                i += 1;
            }
            i += 1 + usize::from(hash);
            let tail: String = before.chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
            found.push(Literal { place: format!("{}:{at}", path.display()), before: tail, text });
            before.push('"');
            continue;
        }
        // A letter in single quotes, not a lifetime.
        if c == '\'' && (code.get(i + 1) == Some(&'\\') || code.get(i + 2) == Some(&'\'')) {
            i += if code[i + 1] == '\\' { 2 } else { 1 };
            while code[i] != '\'' || code[i + 1] == '\'' {
                i += 1;
            }
            i += 1;
            continue;
        }
        line += usize::from(c == '\n');
        if !c.is_whitespace() {
            before.push(c);
        }
        i += 1;
    }
    found
}

fn all() -> Vec<Literal> {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let found: Vec<Literal> = files.iter().flat_map(|f| literals(f)).filter(|l| l.text.contains(' ')).collect();
    assert!(found.len() > 2000, "{} texts", found.len());
    found
}

/// The first word that stands there twice in a row.
fn doubled(text: &str) -> Option<&str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_word = |w: &str| w.len() > 1 && w.chars().all(char::is_alphabetic);
    // A mark of the sentence may follow the second one.
    let plain = |w: &str| w.trim_end_matches([':', ',', '.', ';', '?']).to_lowercase();
    words.windows(2).find(|w| is_word(w[0]) && w[0].to_lowercase() == plain(w[1])).map(|w| w[0])
}

/// An item of the library, as `Map::slice_by_idx` or `copy(name)`.
fn names_an_item(text: &str) -> bool {
    let path = text.match_indices("::").any(|(i, _)| {
        let (left, right) = (text[..i].chars().next_back(), text[i + 2..].chars().next());
        left.is_some_and(char::is_alphanumeric) && right.is_some_and(char::is_alphabetic)
    });
    let call = text.match_indices("(name)").any(|(i, _)| text[..i].ends_with(|c: char| c.is_lowercase()));
    path || call
}

#[test]
fn the_rules_find_what_they_are_for() {
    assert_eq!(doubled("there is is none"), Some("is"));
    assert_eq!(doubled("The the map"), Some("The"));
    assert_eq!(doubled("what it is is: 5 5, --name NAME"), Some("is"));
    assert_eq!(doubled("5 5 {a} {a}"), None);
    assert!(names_an_item("read it with FluxMaps::read") && names_an_item("copy(name) does"));
    assert!(!names_an_item("at 5::6 sqrt(ts), {0}::{1}"));
}

#[test]
fn no_word_stands_twice_in_a_row() {
    let wrong: Vec<String> =
        all().iter().filter_map(|l| Some(format!("{}: {} in '{}'", l.place, doubled(&l.text)?, l.text))).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn items_of_the_library_are_named_to_its_callers_only() {
    let told = |l: &&Literal| {
        let before = l.before.trim_end_matches("format!(");
        // The words of the library, which has others for the command line; docs that a macro makes; attributes.
        let is_for_callers = before.ends_with("with_help_for(") || l.text.contains('`') || before.ends_with("reason=");
        names_an_item(&l.text) && !is_for_callers
    };
    let wrong: Vec<String> = all().iter().filter(told).map(|l| format!("{}: '{}'", l.place, l.text)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let library = all().iter().filter(|l| l.before.ends_with("with_help_for(") && names_an_item(&l.text)).count();
    assert!(library > 5, "{library}");
}
