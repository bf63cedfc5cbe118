//! Lists of datasets: a YAML file that names them, each a FITS file beside it, and the models of all in another one.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use super::lazy::{LazyDataset, Wanted};
use super::ogip::Chosen;
use super::writer::WriteOptions;
use crate::datasets::{Dataset, Datasets, FluxPointsDataset, MapDataset, MapDatasetOnOff, PointsStatistic};
use crate::error::{Error, Place, Result};
use crate::io::atomic::{check_output, write_atomic};
use crate::io::input::read_text;
use crate::io::yaml::node::Node;
use crate::models::Models;

/// Kinds of datasets that are read.
const KINDS: [&str; 5] =
    ["MapDataset", "MapDatasetOnOff", "SpectrumDataset", "SpectrumDatasetOnOff", "FluxPointsDataset"];

/// Larger files are not lists of datasets.
const MOST_BYTES: u64 = 16 << 20;

impl Datasets {
    /// Reads a list of datasets as Gammapy's `Datasets.write` makes it; files are looked for beside the list. With
    /// `models`, their YAML, which all datasets share.
    ///
    /// # Errors
    /// [`Error::Input`] with the line for what is not a list of datasets, and what reading a dataset or the models
    /// returns;
    /// [`Error::Unsupported`] for datasets of other kinds.
    pub fn read(path: impl AsRef<Path>, models: Option<&Path>) -> Result<Self> {
        let mut datasets = Datasets::default();
        for entry in entries(path.as_ref())? {
            entry.push(&mut datasets)?;
        }
        if let Some(models) = models {
            datasets.set_models(&Models::read(models)?);
        }
        Ok(datasets)
    }

    /// Writes each dataset beside the list as `NAME.fits`, the list itself, and with `models` the models of all datasets,
    /// for Gammapy's `Datasets.read` and [`Datasets::read`]. Outputs are checked before any is written.
    ///
    /// # Errors
    /// [`Error::Options`] where a file exists and is not to be replaced or a folder is missing, [`Error::Input`] for a
    /// name that is not a file name; [`Error::Io`] where writing fails.
    pub fn write(&self, path: impl AsRef<Path>, models: Option<&Path>, options: &WriteOptions) -> Result<()> {
        let path = path.as_ref();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut yaml = String::from(if self.is_empty() { "datasets: []\n" } else { "datasets:\n" });
        let mut files: Vec<PathBuf> = Vec::new();
        for dataset in self.iter() {
            let name = file_name(dataset.name())?;
            // Writing to a String cannot fail.
            let _ = writeln!(yaml, "-   name: {}", text(dataset.name()));
            let _ = writeln!(yaml, "    type: {}", dataset.kind());
            let _ = writeln!(yaml, "    filename: {}", text(&name));
            // Gammapy's lists do not say how points are compared, and its reader overlooks it.
            if let Dataset::FluxPoints(points) = dataset
                && points.stat_type != PointsStatistic::default()
            {
                let _ = writeln!(yaml, "    stat_type: {}", points.stat_type.name());
            }
            let file = folder.join(name);
            if files.contains(&file) {
                let problem = format!("two datasets would be written to '{}'", file.display());
                return Err(Error::input("datasets", problem));
            }
            files.push(file);
        }
        yaml.push_str(concat!("metadata:\n    creator: Pevatron ", env!("CARGO_PKG_VERSION"), "\n"));
        for output in files.iter().map(PathBuf::as_path).chain([path]).chain(models) {
            check_output(output, options.overwrite)?;
        }
        let all = self.models();
        if models.is_some() {
            // Templates without a file name are found out before anything is written.
            all.to_yaml()?;
        }
        for (dataset, file) in self.iter().zip(&files) {
            dataset.write(file, options)?;
        }
        write_atomic(path, options.overwrite, |file| file.write_all(yaml.as_bytes()))?;
        models.map_or(Ok(()), |models| all.write(models, options))
    }
}

/// A text in YAML: what JSON makes of it is that, too.
fn text(value: &str) -> String {
    serde_json::Value::from(value).to_string()
}

/// As Gammapy names the file of a dataset.
fn file_name(name: &str) -> Result<String> {
    let stem = name.replace(' ', "_");
    if stem.is_empty() || stem.starts_with('.') || stem.contains(['/', '\\', '\0']) {
        return Err(Error::input("datasets", format!("the name '{name}' makes no file name")).with_help_for(
            "copy(name) gives a dataset another name",
            "`pevatron stack ONE -o OUT.fits --name NAME` writes a dataset under another name",
        ));
    }
    Ok(format!("{stem}.fits"))
}

/// A dataset of a list, as the list has it.
#[derive(Debug)]
pub(super) struct Entry {
    /// The list.
    place: Place,
    node: Node,
    kind: Kind,
    file: PathBuf,
    pub(super) name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    WithBackground,
    WithOff,
    /// In either of its layouts.
    SpectrumWithOff,
    Points(Option<PointsStatistic>),
}

/// What a list names, in order; files are not opened.
///
/// # Errors
/// [`Error::Input`] with the line for what is not a list of datasets or an empty one; [`Error::Unsupported`] for
/// datasets of other kinds.
pub(super) fn entries(path: &Path) -> Result<Vec<Entry>> {
    let place = Place::file(path);
    if std::fs::metadata(path).is_ok_and(|found| found.len() > MOST_BYTES || found.is_dir()) {
        return Err(Error::input_at(place, "this is not a list of datasets"));
    }
    let yaml = read_text(path, "this is not a list of datasets: it is not text")?;
    parse(&yaml, path, &place).map_err(|e| e.at(&place))
}

fn parse(yaml: &str, path: &Path, place: &Place) -> Result<Vec<Entry>> {
    let root = Node::parse(yaml)?;
    let mut list = Vec::new();
    for node in root.require("datasets")?.list()? {
        let kind = node.require("type")?;
        let file = locate(path, &node.require("filename")?.text()?);
        let name = node.get("name").map(Node::text).transpose()?;
        let kind = match kind.text()?.as_str() {
            "MapDataset" | "SpectrumDataset" => Kind::WithBackground,
            "MapDatasetOnOff" => Kind::WithOff,
            "SpectrumDatasetOnOff" => Kind::SpectrumWithOff,
            "FluxPointsDataset" => Kind::Points(match node.get("stat_type") {
                Some(node) => Some(node.text()?.parse().map_err(|e: Error| node.error(e.to_string()))?),
                None => None,
            }),
            other => {
                let what = format!("line {}: a dataset of type '{other}', only {KINDS:?} are read", kind.line);
                return Err(Error::unsupported(what));
            }
        };
        list.push(Entry { place: place.clone(), node: node.clone(), kind, file, name });
    }
    if list.is_empty() {
        return Err(Error::input("datasets", "the list is empty"));
    }
    Ok(list)
}

impl Entry {
    /// Reads the dataset at once.
    pub(super) fn read(&self) -> Result<Dataset> {
        let dataset = match self.kind {
            Kind::WithBackground => MapDataset::read(&self.file).map(Dataset::Map),
            Kind::WithOff => MapDatasetOnOff::read(&self.file).map(Dataset::OnOff),
            Kind::SpectrumWithOff => Dataset::read(&self.file),
            Kind::Points(_) => self.points().map(Dataset::FluxPoints),
        };
        let mut dataset = dataset.map_err(|e| e.at(&self.place))?;
        if let Some(name) = &self.name {
            dataset.set_name(name);
        }
        Ok(dataset)
    }

    /// Opens it.
    pub(super) fn open(&self, cache: bool) -> Result<LazyDataset> {
        let open = |wanted| LazyDataset::open(&self.file, cache, wanted);
        let dataset = match self.kind {
            Kind::WithBackground => open(Wanted::WithBackground),
            Kind::WithOff => open(Wanted::WithOff),
            Kind::SpectrumWithOff => open(Wanted::Any),
            Kind::Points(_) => self.points().map(|points| LazyDataset::points(&self.file, points)),
        };
        let mut dataset = dataset.map_err(|e| e.at(&self.place))?;
        if let Some(name) = &self.name {
            dataset.set_name(name);
        }
        Ok(dataset)
    }

    fn points(&self) -> Result<FluxPointsDataset> {
        let mut points = FluxPointsDataset::read(&self.file)?;
        if let Kind::Points(Some(stat_type)) = self.kind {
            points.stat_type = stat_type;
        }
        Ok(points)
    }

    /// Reads the dataset and puts it behind others.
    fn push(&self, datasets: &mut Datasets) -> Result<()> {
        let dataset = self.read()?;
        let name = dataset.name().to_string();
        datasets.push(dataset).map_err(|_| self.doubled(&name))
    }

    /// The error of a name that another dataset has.
    pub(super) fn doubled(&self, name: &str) -> Error {
        self.node.error(format!("two datasets have the name '{name}'")).at(&self.place)
    }
}

/// Beside the list; else as the name says.
fn locate(list: &Path, filename: &str) -> PathBuf {
    let beside = list.parent().map(|folder| folder.join(filename)).unwrap_or_default();
    // A part of a file may be chosen.
    if Chosen::parse(&beside).path.exists() { beside } else { PathBuf::from(filename) }
}
