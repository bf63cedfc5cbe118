//! Good time intervals and their time reference.

mod gti;

pub use gti::{Gti, TimeReference};
