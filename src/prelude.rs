//! The names of the common case: `use pevatron::prelude::*`.

pub use crate::compute::{Backend, BackendChoice, BackendOptions};
pub use crate::control::{Control, Progress};
pub use crate::datasets::{Dataset, Datasets, MapDataset, MapDatasetOnOff};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::estimators::{EnergyEdges, ExcessMapEstimator, NormScan, Selection, TsMapEstimator};
pub use crate::fit::{Fit, FitResult};
pub use crate::flux::{FluxMaps, FluxQuantity, SedType};
#[cfg(feature = "fits-system")]
pub use crate::io::WriteOptions;
pub use crate::maps::{Frame, Map, MapAxis, Mask, SkyPosition, WcsGeom};
pub use crate::models::{Model, Models, SkyModel};
pub use crate::units::{Angle, Energy};
