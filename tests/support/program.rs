//! The program in a folder of its own: what must work, and what must fail soberly.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::fits_file::FitsFile;

/// A small dataset of our own.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn dataset() -> FitsFile {
    FitsFile::read(data("sim-tan-1.fits.gz"))
}

/// A folder to work in, and the program that is run there.
pub struct Place {
    pub folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a broken (or whole) dataset as `in.fits`.
    pub fn with(change: impl FnOnce(&mut FitsFile)) -> Self {
        let place = Self::new();
        let mut file = dataset();
        change(&mut file);
        file.write(place.path("in.fits"));
        place
    }

    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pevatron"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        // Without it, graphics drivers complain on stderr in words of their own.
        command.env("XDG_RUNTIME_DIR", self.folder.path());
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs what must go wrong: the exit code, one `error:` line with all of `words`, no panic, no new files.
    #[track_caller]
    pub fn fails(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let before = self.names();
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let told = format!("pevatron {}\n{stderr}", arguments.join(" "));
        assert_eq!(output.status.code(), Some(code), "exit code of {told}");
        assert_sober(&stderr, &told);
        let errors: Vec<&str> = stderr.lines().filter(|l| l.starts_with("error: ")).collect();
        assert_eq!(errors.len(), 1, "lines that begin with error: in {told}");
        for line in stderr.lines() {
            // Indented lines belong to the one above (the picture of a TOML error).
            let known =
                ["error: ", "help: ", "backend: ", "warning: ", "  "].iter().any(|start| line.starts_with(start));
            // What the parser of options refuses comes with the usage.
            let usage = stderr.contains("\nUsage: ")
                && (line.is_empty() || line.starts_with("Usage: ") || line.starts_with("For more information"));
            assert!(known || usage, "a line of no kind: '{line}' in {told}");
        }
        for word in words {
            assert!(errors[0].contains(word), "'{word}' is not in {told}");
        }
        assert!(output.stdout.is_empty(), "stdout of {told}");
        assert_eq!(self.names(), before, "files left by {told}");
    }

    /// Runs what must go right, and gives its stdout.
    #[track_caller]
    pub fn works(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let told = format!("pevatron {}\n{stderr}", arguments.join(" "));
        assert_eq!(output.status.code(), Some(0), "exit code of {told}");
        assert_sober(&stderr, &told);
        String::from_utf8(output.stdout).unwrap()
    }
}

#[track_caller]
pub fn assert_sober(stderr: &str, told: &str) {
    for word in ["panicked", "RUST_BACKTRACE", "stack backtrace", "unwrap()", "src/"] {
        assert!(!stderr.contains(word), "'{word}' in {told}");
    }
}
