//! Writing.

/// Who made a file, from what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Provenance {
    /// Command or estimator with its options, by name.
    pub options: Vec<(String, String)>,
    /// Input files with their sizes in bytes.
    pub inputs: Vec<(String, u64)>,
}

/// How to write a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteOptions {
    /// Replace an existing file.
    pub overwrite: bool,
    /// Written as HISTORY.
    pub provenance: Provenance,
}
