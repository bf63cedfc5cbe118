//! An HDU, or a whole file, in memory.

use super::check::Hdu;
use super::values::{self, Cell, Real};
use crate::error::{Place, Result};

/// The bytes of HDUs that [`super::check`] has walked; an [`Hdu`] says where in them it stands.
#[derive(Debug)]
pub(super) struct MemoryFile {
    bytes: Vec<u8>,
}

impl MemoryFile {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// All values of an image, scaled by BSCALE and BZERO; undefined ones are NaN.
    pub(super) fn image<T: Real>(&self, hdu: &Hdu, place: &Place) -> Result<Vec<T>> {
        if hdu.values() == 0 {
            return Ok(Vec::new());
        }
        values::image(hdu, self.data(hdu), place)
    }

    /// All values of a numeric column, row by row, scaled.
    pub(super) fn column<T: Cell>(&self, hdu: &Hdu, column: usize, place: &Place) -> Result<Vec<T>> {
        values::column(hdu, column, self.data(hdu), place)
    }

    /// The data of an HDU as they stand in the file.
    pub(super) fn data(&self, hdu: &Hdu) -> &[u8] {
        self.bytes.get(hdu.data_start..hdu.data_end()).unwrap_or_default()
    }

    /// The bytes of a column, row by row, as they stand in the file.
    pub(super) fn raw_column(&self, hdu: &Hdu, column: usize) -> Vec<Vec<u8>> {
        let info = &hdu.columns[column];
        let row_bytes = hdu.dims[0];
        if info.bytes == 0 {
            return Vec::new();
        }
        (0..hdu.rows())
            .map(|row| {
                let start = hdu.data_start + row * row_bytes + info.offset;
                self.bytes.get(start..start + info.bytes).unwrap_or_default().to_vec()
            })
            .collect()
    }
}
