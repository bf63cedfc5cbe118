//! What an engine's device can say about itself, for benchmarks: its own clock, its transfers and its ceilings.

use crate::control::Control;
use crate::error::Result;

/// Instruments of an engine that works on a device of its own. Watching costs time (transfers are waited for one by
/// one), so wall times are taken without.
pub trait Instruments {
    /// Compiles all pipelines that are not there yet.
    ///
    /// # Errors
    /// The device's.
    fn compile(&self) -> Result<()>;

    /// Starts to watch the device, from zero.
    ///
    /// # Errors
    /// The device's.
    fn start(&self) -> Result<()>;

    /// Ends the watch and says what was seen; all zero where it was not started.
    ///
    /// # Errors
    /// The device's.
    fn stop(&self) -> Result<DeviceWork>;

    /// Measures what the device reaches at best, with at most `bytes` per buffer.
    ///
    /// # Errors
    /// Memory, device or [`crate::Error::Cancelled`].
    fn ceilings(&self, bytes: u64, control: &Control) -> Result<DeviceCeilings>;
}

/// What a device did between start and stop.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DeviceWork {
    /// Time inside of compute passes by the device's clock; `None` where it has none.
    pub device_seconds: Option<f64>,
    /// Number of compute passes.
    pub passes: u64,
    /// Host to device.
    pub into: Transfer,
    /// Device to host.
    pub out: Transfer,
}

/// Bytes moved one way, and the wall time that it took.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Transfer {
    /// Bytes moved.
    pub bytes: u64,
    /// From the call until they are there.
    pub seconds: f64,
}

/// What a device reaches at best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DeviceCeilings {
    /// Single-precision operations per second; a fused multiply-add counts as two.
    pub flops_per_second: f64,
    /// Bytes per second of a copy on the device, read and written.
    pub copy_bytes_per_second: f64,
    /// Bytes per second to the device.
    pub in_bytes_per_second: f64,
    /// Bytes per second from the device.
    pub out_bytes_per_second: f64,
    /// True where the device's own clock was used, not the host's.
    pub device_clock: bool,
}
