//! Data of observations before they are binned: event lists.

mod events;

pub use events::{DetectorColumns, EventColumns, EventList, EventMeta, TrueColumns};
