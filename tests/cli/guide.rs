//! The guide, the gallery and the README run as they are printed: their blocks are taken out of the text and run from top to bottom, each
//! document in one empty folder, with the program on the path.
//!
//! Blocks of `sh` are run line by line, those of `python` where there is a Gammapy; blocks of other languages whose first
//! line is `# NAME` are files. The line above a block may say what it needs, in the words of [`Need`].
#![cfg(all(feature = "cli", feature = "fits-system", feature = "plot"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests stop at the first surprise")]

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::python_with;

/// A block of a document.
#[derive(Debug, PartialEq)]
struct Block {
    /// Number of its first line, counted from 1.
    line: usize,
    language: String,
    text: String,
    need: Need,
}

/// What a block needs that is not made by those before it.
#[derive(Debug, PartialEq)]
enum Need {
    Nothing,
    /// `*Needs `a`, `b` …:*`
    Files(Vec<String>),
    /// `*In the source tree:*`: what builds the program itself.
    Source,
    /// `*Takes minutes:*`: run with PEVATRON_SLOW.
    Minutes,
}

impl Need {
    /// From the last line before a block.
    fn of(line: &str) -> Self {
        let Some(said) = line.strip_prefix('*').and_then(|l| l.strip_suffix(":*")) else { return Self::Nothing };
        match said {
            "In the source tree" => Self::Source,
            "Takes minutes" => Self::Minutes,
            _ if said.starts_with("Needs ") => {
                Self::Files(said.split('`').skip(1).step_by(2).map(str::to_string).collect())
            }
            other => panic!("'{other}' is no need that this test knows"),
        }
    }
}

fn blocks(document: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    let mut above = "";
    for (number, line) in document.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let (language, text) = (language.trim().to_string(), String::new());
                open = Some(Block { line: number + 2, language, text, need: Need::of(above) });
                above = "";
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) if !line.trim().is_empty() => above = line.trim(),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block without an end");
    found
}

/// Commands of a block, with those that go over several lines in one piece.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_string).collect()
}

/// A file of that name in the shared data.
fn shared_file(name: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared");
    let shared = std::env::var_os("PEVATRON_SHARED").map_or(beside, PathBuf::from);
    let mut folders = VecDeque::from([shared.join("data")]);
    while let Some(folder) = folders.pop_front() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push_back(path);
            } else if entry.file_name() == name {
                return Some(path);
            }
        }
    }
    None
}

/// Whether there is all that a block needs; puts files where it expects them, and says what is left out.
fn is_there(block: &Block, folder: &Path) -> bool {
    let missing = match &block.need {
        Need::Nothing => None,
        Need::Source => Some("it builds the program".to_string()),
        Need::Minutes if std::env::var_os("PEVATRON_SLOW").is_some() => None,
        Need::Minutes => Some("it takes minutes (PEVATRON_SLOW runs it)".to_string()),
        Need::Files(names) => {
            assert!(!names.is_empty(), "line {}: no file is named", block.line);
            let copied = names.iter().find(|name| match shared_file(name) {
                Some(path) => fs::copy(path, folder.join(name)).is_err(),
                None => true,
            });
            copied.map(|name| format!("there is no {name}"))
        }
    };
    if let Some(reason) = &missing {
        println!("SKIPPED: the block at line {}: {reason}", block.line);
    }
    missing.is_none()
}

struct Shell {
    folder: tempfile::TempDir,
    path: OsString,
}

impl Shell {
    fn new() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_pevatron")).parent().unwrap().to_path_buf();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(program).chain(std::env::split_paths(&others))).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), path }
    }

    /// Runs in the folder, in which nothing but the documents' own files are.
    #[track_caller]
    fn run(&self, program: &std::ffi::OsStr, arguments: &[&str], what: &str) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null()).env("PATH", &self.path);
        command.env("MPLBACKEND", "Agg").env("XDG_RUNTIME_DIR", self.folder.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{what}\n{}\n{told}", output.status);
    }
}

/// Runs a document; gives the number of commands.
fn run(name: &str) -> usize {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let shell = Shell::new();
    let python = python_with("gammapy");
    let mut number = 0;
    for block in blocks(&text) {
        let line = block.line;
        match block.language.as_str() {
            "sh" if is_there(&block, shell.folder.path()) => {
                for command in commands(&block.text) {
                    shell.run("sh".as_ref(), &["-c", &command], &format!("{name}:{line}: {command}"));
                    number += 1;
                }
            }
            "python" => {
                if let Some(python) = &python {
                    shell.run(python, &["-W", "ignore", "-c", &block.text], &format!("{name}:{line}: {}", block.text));
                }
            }
            // Tested by rustdoc, where they are.
            "sh" | "rust" => {}
            "" => panic!("{name}:{line}: a block without a language"),
            _ => {
                let file = block.text.lines().next().and_then(|l| l.strip_prefix("# "));
                let file = file.unwrap_or_else(|| panic!("{name}:{line}: its first line is not '# NAME'"));
                assert!(!shell.folder.path().join(file).exists(), "{name}:{line}: {file} is there already");
                fs::write(shell.folder.path().join(file), &block.text).unwrap();
            }
        }
    }
    number
}

#[test]
fn the_guide_runs_as_printed() {
    let number = run("docs/guide.md");
    assert!(number >= 35, "{number} commands");
}

#[test]
fn the_readme_and_the_gallery_run_as_printed() {
    assert!(run("README.md") >= 2);
    assert!(run("docs/gallery.md") >= 10);
}

/// What is said of blocks above is what is read of them.
#[test]
fn blocks_are_found_with_what_they_need() {
    let text = "Text\n\n```sh\na \\\n  b # c\n# d\n\ne\n```\n*Needs `x.fits` and `y`, of a kind:*\n\n```sh\nf\n```\n\n\
                *Takes minutes:*\n```sh\ng\n```\n```yaml\n# m.yaml\nk: v\n```\n";
    let found = blocks(text);
    assert_eq!(found.iter().map(|b| b.line).collect::<Vec<_>>(), [4, 13, 18, 21]);
    assert_eq!(commands(&found[0].text), ["a    b # c", "e"]);
    assert_eq!(found[1].need, Need::Files(vec!["x.fits".to_string(), "y".to_string()]));
    assert_eq!((&found[0].need, &found[2].need, &found[3].need), (&Need::Nothing, &Need::Minutes, &Need::Nothing));
    assert_eq!(found[3].text, "# m.yaml\nk: v\n");
    assert!(std::panic::catch_unwind(|| Need::of("*Needs luck`:*")).is_ok());
    assert!(std::panic::catch_unwind(|| Need::of("*On Sundays:*")).is_err());
}
