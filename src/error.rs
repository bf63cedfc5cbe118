//! The one error type of the crate, its classes, and the place a problem was found at.

pub mod warnings;
pub(crate) mod words;

use std::fmt;
use std::path::{Path, PathBuf};

/// The next step after an error: in the library's words and, where these name what only a caller of the library has, in
/// those of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    library: String,
    program: Option<String>,
}

impl Help {
    /// The words for a caller of the library.
    pub fn library(&self) -> &str {
        &self.library
    }

    /// The words for somebody at the command line.
    pub fn program(&self) -> &str {
        self.program.as_deref().unwrap_or(&self.library)
    }
}

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Where in an input a problem stands: a file, an HDU, a keyword, column, axis or model.
///
/// Prints as `obs.fits[EXPOSURE] CUNIT3`; each part may be absent.
///
/// ```
/// use pevatron::Place;
/// let place = Place::file("obs.fits").hdu("EXPOSURE").item("CUNIT3");
/// assert_eq!(place.to_string(), "obs.fits[EXPOSURE] CUNIT3");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    file: Option<PathBuf>,
    hdu: Option<String>,
    item: Option<String>,
}

impl Place {
    /// A place that is not in a file (an array argument, a model in memory).
    pub fn item_only(item: impl Into<String>) -> Self {
        Self { item: Some(item.into()), ..Self::default() }
    }

    /// A file as a whole.
    pub fn file(path: impl AsRef<Path>) -> Self {
        Self { file: Some(path.as_ref().to_path_buf()), ..Self::default() }
    }

    /// The same place, in the named HDU (or other section of the file).
    pub fn hdu(mut self, name: impl Into<String>) -> Self {
        self.hdu = Some(name.into());
        self
    }

    /// The same place, at the named keyword, column, axis or bin.
    pub fn item(mut self, name: impl Into<String>) -> Self {
        self.item = Some(name.into());
        self
    }

    /// True where the place is in a file.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Fills the parts that this place does not know from `outer`.
    fn or(self, outer: &Place) -> Self {
        Self {
            file: self.file.or_else(|| outer.file.clone()),
            hdu: self.hdu.or_else(|| outer.hdu.clone()),
            item: self.item.or_else(|| outer.item.clone()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut space = "";
        if let Some(file) = &self.file {
            write!(f, "{}", file.display())?;
            space = " ";
        }
        if let Some(hdu) = &self.hdu {
            write!(f, "[{hdu}]")?;
            space = " ";
        }
        if let Some(item) = &self.item {
            write!(f, "{space}{item}")?;
        }
        Ok(())
    }
}

/// The class of an [`Error`]: what a caller can do about it. The command line maps it to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An option or argument is wrong.
    Options,
    /// A file or array is wrong.
    Input,
    /// Right, but not possible here or in this build.
    Unsupported,
    /// Reading or writing failed on the way.
    Io,
    /// The GPU failed.
    Device,
    /// More memory is needed than allowed or there.
    Memory,
    /// Cancelled by the caller.
    Cancelled,
}

/// Longer lists of names are cut short in messages.
const MOST_NAMES: usize = 40;

/// The name that is most like the one wanted; `None` where none is like it.
fn nearest<'a>(wanted: &str, names: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| -> Vec<char> {
        text.chars().filter(|c| c.is_alphanumeric()).take(64).collect::<String>().to_lowercase().chars().collect()
    };
    let wanted = plain(wanted);
    let near = names.iter().map(|name| {
        let name_plain = plain(name);
        // A name that is part of the other is a shortened one, which counts as one edit.
        let within = |a: &[char], b: &[char]| a.len() > 2 && b.windows(a.len()).any(|w| w == a);
        let part = within(&wanted, &name_plain) || within(&name_plain, &wanted);
        (if part { edits(&wanted, &name_plain).min(1) } else { edits(&wanted, &name_plain) }, *name)
    });
    near.min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= 1 + wanted.len() / 4)
        .map(|(_, name)| name)
}

/// How many letters must be put in, taken out or exchanged to make one word of another (Levenshtein).
fn edits(a: &[char], b: &[char]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut corner = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let exchange = corner + usize::from(x != y);
            corner = row[j + 1];
            row[j + 1] = exchange.min(corner + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

/// What went wrong, by what can be done about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option has a value that cannot be used.
    #[error("{option}: {problem}")]
    Options {
        /// Name of the option, as the estimator spells it.
        option: String,
        /// What is wrong and what would be right.
        problem: String,
        /// The next step, if there is one.
        help: Option<Box<Help>>,
    },
    /// An input file or array holds something that cannot be used.
    #[error("{place}: {problem}")]
    Input {
        /// Where it stands.
        place: Place,
        /// What is wrong and what would be right.
        problem: String,
        /// The next step, if there is one.
        help: Option<Box<Help>>,
    },
    /// A valid wish that this build or this data cannot fulfil.
    #[error("{what}")]
    Unsupported {
        /// What is not supported.
        what: String,
        /// The next step, if there is one.
        help: Option<Box<Help>>,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The GPU, its driver or a shader failed.
    #[error("{adapter}: {problem}")]
    Device {
        /// Adapter and driver.
        adapter: String,
        /// What happened.
        problem: String,
    },
    /// Memory: needed against available, in bytes.
    #[error("{what} needs {}", memory_text(*needed_bytes, *available_bytes))]
    Memory {
        /// What needs it.
        what: String,
        /// Bytes needed.
        needed_bytes: u64,
        /// Bytes available.
        available_bytes: u64,
    },
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
}

/// What is needed and what is there; both may be unknown.
fn memory_text(needed: u64, available: u64) -> String {
    match (needed, available) {
        (u64::MAX, _) => "more memory than any machine has".to_string(),
        (_, 0 | u64::MAX) => format!("{needed} bytes of memory, which are not there"),
        _ => format!("{needed} bytes of memory, {available} are allowed"),
    }
}

impl Error {
    /// An [`Error::Options`] without help.
    pub fn options(option: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Options { option: option.into(), problem: problem.into(), help: None }
    }

    /// An [`Error::Options`] for a name that is not known: it lists those that are, and the help names the nearest one.
    ///
    /// ```
    /// let error = pevatron::Error::not_one_of("quantity", "sqrt_tz", ["ts", "sqrt_ts"]);
    /// assert_eq!(error.to_string(), "quantity: 'sqrt_tz' is not one of ts, sqrt_ts");
    /// assert_eq!(error.help(), Some("did you mean 'sqrt_ts'?"));
    /// ```
    pub fn not_one_of<'a>(option: impl Into<String>, wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let names: Vec<&str> = names.into_iter().collect();
        let error = match names.as_slice() {
            [] => Self::options(option, format!("'{wanted}' is not there, nor anything else")),
            names if names.len() > MOST_NAMES => {
                let shown = names[..MOST_NAMES].join(", ");
                Self::options(option, format!("'{wanted}' is not one of {shown}, … ({} in all)", names.len()))
            }
            names => Self::options(option, format!("'{wanted}' is not one of {}", names.join(", "))),
        };
        match nearest(wanted, &names) {
            Some(name) => error.with_help(format!("did you mean '{name}'?")),
            None => error,
        }
    }

    /// An [`Error::Input`] whose place is filled in by the rooms above (see [`Error::at`]).
    pub fn input(item: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Input { place: Place::item_only(item), problem: problem.into(), help: None }
    }

    /// An [`Error::Input`] at a known place.
    pub fn input_at(place: Place, problem: impl Into<String>) -> Self {
        Self::Input { place, problem: problem.into(), help: None }
    }

    /// An [`Error::Unsupported`] without help.
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported { what: what.into(), help: None }
    }

    /// An [`Error::Io`].
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_path_buf(), source }
    }

    /// Adds the next step to an options, input or unsupported error.
    pub fn with_help(self, text: impl Into<String>) -> Self {
        self.put_help(Some(Box::new(Help { library: text.into(), program: None })))
    }

    /// The same where the command line has another way than the library.
    ///
    /// ```
    /// use pevatron::Error;
    /// let error = Error::options("output", "'a.fits' exists").with_help_for("set overwrite", "add --overwrite");
    /// assert_eq!((error.help(), error.program_help()), (Some("set overwrite"), Some("add --overwrite")));
    /// ```
    pub fn with_help_for(self, library: impl Into<String>, program: impl Into<String>) -> Self {
        self.put_help(Some(Box::new(Help { library: library.into(), program: Some(program.into()) })))
    }

    /// The next step of another error, which this one takes the place of.
    pub fn with_help_of(self, other: &Error) -> Self {
        match other.next_step() {
            Some(step) => self.put_help(Some(Box::new(step.clone()))),
            None => self,
        }
    }

    fn put_help(mut self, step: Option<Box<Help>>) -> Self {
        if let Self::Options { help, .. } | Self::Input { help, .. } | Self::Unsupported { help, .. } = &mut self {
            *help = step;
        }
        self
    }

    /// Fills in what an input error does not know of its place: lower rooms name the item, `io` the file and HDU.
    pub fn at(mut self, outer: &Place) -> Self {
        if let Self::Input { place, .. } = &mut self {
            *place = std::mem::take(place).or(outer);
        }
        self
    }

    /// The next step, if there is one.
    pub fn help(&self) -> Option<&str> {
        self.next_step().map(Help::library)
    }

    /// The next step in the words of the command line.
    pub fn program_help(&self) -> Option<&str> {
        self.next_step().map(Help::program)
    }

    fn next_step(&self) -> Option<&Help> {
        match self {
            Self::Options { help, .. } | Self::Input { help, .. } | Self::Unsupported { help, .. } => help.as_deref(),
            _ => None,
        }
    }

    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Options { .. } => ErrorKind::Options,
            Self::Input { .. } => ErrorKind::Input,
            Self::Unsupported { .. } => ErrorKind::Unsupported,
            Self::Io { .. } => ErrorKind::Io,
            Self::Device { .. } => ErrorKind::Device,
            Self::Memory { .. } => ErrorKind::Memory,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outer_place_fills_only_what_is_unknown() {
        let error =
            Error::input("CUNIT3", "unit 'foo' is not known").at(&Place::file("a.fits").hdu("EXPOSURE").item("x"));
        assert_eq!(error.to_string(), "a.fits[EXPOSURE] CUNIT3: unit 'foo' is not known");
        assert_eq!(error.kind(), ErrorKind::Input);
    }

    #[test]
    fn help_stays_with_the_error() {
        let error = Error::options("kernel_width", "must be positive").with_help("give e.g. 1 deg");
        assert_eq!(error.help(), Some("give e.g. 1 deg"));
    }
}
