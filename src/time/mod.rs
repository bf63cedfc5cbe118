//! Good time intervals and their time reference.

mod gti;
mod scale;

pub use gti::{Gti, TimeReference};
pub use scale::convert_mjd;
