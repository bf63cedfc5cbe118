//! Good time intervals and their time reference.

mod date;
mod gti;
mod reference;
mod scale;

pub use date::mjd_of_date;
pub use gti::Gti;
pub use reference::TimeReference;
pub use scale::convert_mjd;
