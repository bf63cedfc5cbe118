//! What damaged input is given to: the bodies of `tests/fuzz.rs` (stable Rust, random mutations) and of the libFuzzer
//! targets in `fuzz/`. An error is fine, a panic, an abort or a run without end is not.

use pevatron::Error;
use pevatron::datasets::MapDataset;
use pevatron::io::fits::check_bytes;
use pevatron::models::Models;

/// The bytes of a FITS file: the walk over its headers, then the whole reading of a dataset.
pub fn fits(bytes: &[u8]) {
    let headers = check_bytes(bytes);
    let dataset = MapDataset::from_fits_bytes(bytes.to_vec());
    assert!(headers.is_ok() || dataset.is_err(), "a file is read whose headers are refused");
    if let Ok(dataset) = dataset {
        let _ = dataset.check();
        let _ = dataset.mask();
        let _ = dataset.npred_background();
    }
}

/// The text of a models file. What is read can be written and read again.
pub fn yaml(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let no_maps = |name: &str| Err(Error::input(name, "there are no maps here"));
    let Ok(models) = Models::from_yaml(text, &no_maps) else { return };
    match models.to_yaml() {
        Ok(written) => {
            let again = Models::from_yaml(&written, &no_maps);
            assert!(again.is_ok(), "{:?} of\n{written}\nfrom\n{text}", again.err());
        }
        Err(error) => drop(error),
    }
}
