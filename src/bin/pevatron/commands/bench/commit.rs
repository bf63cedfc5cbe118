//! The commit that this program was built from.

use std::fs;
use std::path::{Path, PathBuf};

/// What the build said (`PEVATRON_COMMIT` in its environment), else that of the checkout that this program lies in:
/// `target/release/pevatron` is the usual place of one that was just built.
pub fn commit() -> Option<String> {
    if let Some(told) = option_env!("PEVATRON_COMMIT") {
        return Some(told.to_string());
    }
    let program = std::env::current_exe().ok()?;
    let checkout = program.ancestors().find(|folder| is_ours(folder))?;
    head(&checkout.join(".git"))
}

fn is_ours(folder: &Path) -> bool {
    folder.join(".git").exists()
        && fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|text| text.contains("name = \"pevatron\""))
}

/// Reads what `HEAD` stands for, without git.
fn head(git: &Path) -> Option<String> {
    let git = match fs::read_to_string(git) {
        // A worktree's `.git` is a file that names the folder.
        Ok(text) => PathBuf::from(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => git.to_path_buf(),
    };
    let text = fs::read_to_string(git.join("HEAD")).ok()?;
    let Some(name) = text.strip_prefix("ref:").map(str::trim) else { return short(&text) };
    let common = match fs::read_to_string(git.join("commondir")) {
        Ok(relative) => git.join(relative.trim()),
        Err(_) => git,
    };
    if let Ok(hash) = fs::read_to_string(common.join(name)) {
        return short(&hash);
    }
    let packed = fs::read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| line.strip_suffix(name)?.strip_suffix(' ').and_then(short))
}

fn short(hash: &str) -> Option<String> {
    let hash = hash.trim();
    (hash.len() >= 40 && hash.chars().all(|c| c.is_ascii_hexdigit())).then(|| hash[..12].to_string())
}
