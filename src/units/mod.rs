//! Units as they stand in files, and the typed quantities of options.

mod atoms;
mod parse;
mod quantity;
mod unit;

pub use quantity::{Angle, Energy, Quantity, parse_list};
pub use unit::Unit;
