//! Lists of datasets of which one at a time is in memory.

use std::path::Path;
use std::sync::Arc;

use super::datasets::{Entry, entries};
use super::lazy::{LazyDataset, Slot};
use crate::datasets::{Dataset, Datasets};
use crate::error::Result;

/// A list of datasets whose files are opened when they are first asked for, and their parts read as [`LazyDataset`] says
/// (Gammapy's `Datasets.read(lazy=True)`).
///
/// ```
/// use pevatron::datasets::{Datasets, IrfAxes, MapDataset};
/// use pevatron::io::WriteOptions;
/// use pevatron::maps::{MapAxis, SkyPosition, WcsGeom};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("runs.yaml");
/// let axis = MapAxis::energy_bounds(1.0, 10.0, 4, "energy")?;
/// let geom = WcsGeom::create(SkyPosition::icrs(83.63, 22.01), 20, 20, (0.1, 0.1), "TAN", vec![axis])?;
/// let run = |name| MapDataset::create(name, &geom, &IrfAxes::default());
/// Datasets::new([run("a")?, run("b")?])?.write(&path, None, &WriteOptions::default())?;
///
/// let list = Datasets::open_lazy(&path, false)?;
/// assert_eq!(list.names(), ["a", "b"]);
/// let b = list.get("b")?.ok_or("b is there").unwrap();
/// assert_eq!(b.geom()?.data_shape(), [4, 20, 20]);
/// // One after the other is read, added and forgotten.
/// assert_eq!(list.stack_reduce("sum")?.name(), "sum");
/// # Ok::<(), pevatron::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "lazy")]
pub struct LazyDatasets {
    list: Vec<(Entry, String, Slot<LazyDataset>)>,
    cache: bool,
}

impl Datasets {
    /// Opens a list of datasets (see [`Datasets::read`]) without reading them; a file is opened when its dataset is first
    /// asked for, or at once where the list gives it no name. `cache`: as in [`Dataset::open_lazy`].
    ///
    /// # Errors
    /// [`crate::Error::Input`] with the line for what is not a list of datasets or for two of one name,
    /// [`crate::Error::Unsupported`] for datasets of other kinds; for those without a name as [`Dataset::open_lazy`].
    #[doc(alias = "lazy")]
    pub fn open_lazy(path: impl AsRef<Path>, cache: bool) -> Result<LazyDatasets> {
        let mut list: Vec<(Entry, String, Slot<LazyDataset>)> = Vec::new();
        for entry in entries(path.as_ref())? {
            let slot = Slot::default();
            let name = match &entry.name {
                Some(name) => name.clone(),
                None => {
                    let opened = slot.get_or(|| entry.open(cache).map(Some))?;
                    opened.map(|d| d.name().to_string()).unwrap_or_default()
                }
            };
            if list.iter().any(|(_, other, _)| *other == name) {
                return Err(entry.doubled(&name));
            }
            list.push((entry, name, slot));
        }
        Ok(LazyDatasets { list, cache })
    }
}

impl LazyDatasets {
    /// Number of datasets.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True without datasets; lists in files are never empty.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Names in order.
    pub fn names(&self) -> Vec<&str> {
        self.list.iter().map(|(_, name, _)| name.as_str()).collect()
    }

    /// The dataset of a name, which is opened if it is not yet; `None` without one of that name.
    ///
    /// # Errors
    /// As [`Dataset::open_lazy`].
    pub fn get(&self, name: &str) -> Result<Option<Arc<LazyDataset>>> {
        self.list.iter().find(|(_, n, _)| n == name).map_or(Ok(None), |entry| self.open(entry))
    }

    fn open(&self, (entry, _, slot): &(Entry, String, Slot<LazyDataset>)) -> Result<Option<Arc<LazyDataset>>> {
        slot.get_or(|| entry.open(self.cache).map(Some))
    }

    /// The datasets in order, each opened when the iterator comes to it.
    pub fn iter(&self) -> impl Iterator<Item = Result<Arc<LazyDataset>>> + '_ {
        self.list.iter().filter_map(|entry| self.open(entry).transpose())
    }

    /// The datasets in order, each read as a whole when the iterator comes to it, and not kept: whoever drops one before
    /// the next has one in memory.
    pub fn load_each(&self) -> impl Iterator<Item = Result<Dataset>> + '_ {
        self.list.iter().map(|(entry, _, slot)| match slot.get() {
            Some(opened) => opened.load(),
            // Compressed files are decompressed once in this way.
            None => entry.read(),
        })
    }

    /// All datasets in memory, as [`Datasets::read`].
    ///
    /// # Errors
    /// As [`Dataset::read`]; [`crate::Error::Input`] for a file that was changed since it was opened.
    pub fn load(&self) -> Result<Datasets> {
        let mut datasets = Datasets::default();
        for dataset in self.load_each() {
            datasets.push(dataset?)?;
        }
        Ok(datasets)
    }

    /// [`Datasets::stack_reduce`], with the sum and one dataset in memory.
    ///
    /// # Errors
    /// As [`LazyDatasets::load`] and [`Datasets::stack_reduce`].
    pub fn stack_reduce(&self, name: &str) -> Result<Dataset> {
        Datasets::stack_each(name, self.load_each())
    }
}
