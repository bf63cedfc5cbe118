//! Names of files as spectra and their users write them: with what is chosen of the file behind its name.

use std::path::{Path, PathBuf};

use super::super::check::Hdu;
use crate::error::{Error, Place, Result};

/// A file, and what is chosen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::io) struct Chosen {
    pub(in crate::io) path: PathBuf,
    /// `file[EXT]`, `file[2]`, `file[EXT,2]`, `file+2`: an HDU by its name, by its number, or the second of its name.
    pub(super) hdu: Option<String>,
    /// `file{3}`: one of several spectra or responses, counted from 1.
    pub(super) number: Option<usize>,
}

impl Chosen {
    /// A file as a whole.
    pub(super) fn whole(path: &Path) -> Self {
        Self { path: path.to_path_buf(), hdu: None, number: None }
    }

    /// The name of a file that is there, else the file and what is chosen of it.
    pub(in crate::io) fn parse(path: &Path) -> Self {
        match path.to_str() {
            Some(text) if !path.exists() => Self::split(text),
            _ => Self::whole(path),
        }
    }

    /// As [`Chosen::parse`], without looking for the file.
    pub(super) fn split(text: &str) -> Self {
        let mut chosen = Self { path: PathBuf::new(), hdu: None, number: None };
        let mut name = text.trim();
        loop {
            if let Some((rest, number)) = enclosed(name, '{', '}')
                && chosen.number.is_none()
                && let Ok(number) = number.parse()
            {
                (name, chosen.number) = (rest, Some(number));
            } else if let Some((rest, hdu)) = enclosed(name, '[', ']')
                && chosen.hdu.is_none()
                && !hdu.is_empty()
            {
                (name, chosen.hdu) = (rest, Some(hdu.to_string()));
            } else {
                break;
            }
        }
        if let Some((rest, number)) = name.rsplit_once('+')
            && chosen.hdu.is_none()
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
        {
            (name, chosen.hdu) = (rest, Some(number.to_string()));
        }
        chosen.path = PathBuf::from(name);
        chosen
    }

    /// True where a part of a file is chosen.
    pub(in crate::io) fn is_part(&self) -> bool {
        self.hdu.is_some() || self.number.is_some()
    }

    /// Those HDUs that the name between brackets chooses; all without one.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none, with the names that there are.
    pub(super) fn hdus<'a>(&self, hdus: &'a [Hdu]) -> Result<Vec<&'a Hdu>> {
        let Some(wanted) = &self.hdu else { return Ok(hdus.iter().collect()) };
        let (name, version) = match wanted.split_once([',', ';']) {
            Some((name, version)) => (name.trim(), version.trim().parse::<usize>().ok()),
            None => (wanted.trim(), None),
        };
        let mut found: Vec<&Hdu> = hdus.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).collect();
        if let Some(version) = version {
            let by_keyword = found.iter().find(|h| h.header.int("EXTVER") == i64::try_from(version).ok());
            found = by_keyword.or_else(|| found.get(version.wrapping_sub(1))).copied().into_iter().collect();
        }
        if found.is_empty()
            && let Some(hdu) = name.parse::<usize>().ok().and_then(|n| hdus.get(n))
        {
            found.push(hdu);
        }
        if found.is_empty() {
            let names: Vec<String> = hdus.iter().map(Hdu::label).collect();
            let problem = format!("there is no such HDU, only [{}]", names.join(", "));
            return Err(Error::input_at(Place::file(&self.path).hdu(wanted.clone()), problem));
        }
        Ok(found)
    }

    /// The one that `{n}` chooses of several, counted from 0; the only one without it.
    ///
    /// # Errors
    /// [`Error::Input`] for a number that there is not; `None` of several without a number.
    pub(super) fn of(&self, several: usize, what: &str) -> Result<Option<usize>> {
        match self.number {
            None => Ok((several == 1).then_some(0)),
            Some(n) if (1..=several).contains(&n) => Ok(Some(n - 1)),
            Some(n) => {
                let problem = format!("there is no {what} {n}, they are counted from 1 to {several}");
                Err(Error::input_at(Place::file(&self.path).item(format!("{{{n}}}")), problem))
            }
        }
    }
}

/// What stands before the last pair of brackets, and between them.
fn enclosed(text: &str, open: char, close: char) -> Option<(&str, &str)> {
    let inner = text.strip_suffix(close)?;
    let at = inner.rfind(open).filter(|at| *at > 0)?;
    Some((inner[..at].trim_end(), inner[at + open.len_utf8()..].trim()))
}

/// Where a file that a spectrum names lies: beside the spectrum, else where the name says, else, of a name with folders
/// of another machine, beside the spectrum after all, which is told by `true`.
pub(super) fn locate(spectrum: &Path, name: &str) -> Option<(Chosen, bool)> {
    let folder = folder(spectrum);
    [Chosen::whole(Path::new(name)), Chosen::split(name)].into_iter().find_map(|chosen| {
        let name = &chosen.path;
        let last = name.file_name().map(|last| folder.join(last));
        let said = either(&folder.join(name)).or_else(|| either(name)).map(|path| (path, false));
        let (path, moved) = said.or_else(|| last.and_then(|last| either(&last)).map(|path| (path, true)))?;
        Some((Chosen { path, ..chosen }, moved))
    })
}

/// The file that a user named, compressed or not.
pub(super) fn given(name: &Path) -> Option<Chosen> {
    let chosen = Chosen::parse(name);
    either(&chosen.path).map(|path| Chosen { path, ..chosen })
}

fn folder(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// The file of that name, else the compressed one, or the one that is no longer so.
fn either(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path.to_path_buf());
    }
    let text = path.to_str()?;
    let other = text.strip_suffix(".gz").map_or_else(|| format!("{text}.gz"), str::to_string);
    Some(PathBuf::from(other)).filter(|path| path.is_file())
}

/// The file of the same name as the spectrum's with another ending, which `%match%` stands for.
pub(super) fn matching(spectrum: &Path, endings: &[&str]) -> Option<Chosen> {
    let name = spectrum.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let (stem, ending) = name.rsplit_once('.').unwrap_or((name, ""));
    endings.iter().find_map(|part| {
        let plain = format!("{stem}.{part}");
        let beside = format!("{stem}_{part}.{ending}");
        [plain, beside].iter().find_map(|name| either(&folder(spectrum).join(name))).map(|path| Chosen::whole(&path))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_chosen_stands_behind_the_name() {
        let chosen = |text: &str| {
            let c = Chosen::split(text);
            (c.path.display().to_string(), c.hdu, c.number)
        };
        let hdu = |name: &str| Some(name.to_string());
        assert_eq!(chosen(" a.pha "), ("a.pha".into(), None, None));
        assert_eq!(chosen("b/a.pha{3}"), ("b/a.pha".into(), None, Some(3)));
        assert_eq!(chosen("a.pha[SPECTRUM,2]"), ("a.pha".into(), hdu("SPECTRUM,2"), None));
        assert_eq!(chosen("a.pha [2]{4}"), ("a.pha".into(), hdu("2"), Some(4)));
        assert_eq!(chosen("a.pha{4}[BKG]"), ("a.pha".into(), hdu("BKG"), Some(4)));
        assert_eq!(chosen("a.pha+1"), ("a.pha".into(), hdu("1"), None));
        assert_eq!(chosen("a.pha{x}"), ("a.pha{x}".into(), None, None));
        assert_eq!(chosen("c+x.pha"), ("c+x.pha".into(), None, None));
        assert_eq!(chosen("[2]"), ("[2]".into(), None, None));
    }
}
