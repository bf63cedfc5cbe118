//! Progress and cancellation of long work, passed down by reference.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::error::{Error, Result};

/// How far a piece of work is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// What is being done, e.g. `"fit"`.
    pub stage: &'static str,
    /// Units done so far in this stage (pixels for fits).
    pub done: u64,
    /// All units of this stage.
    pub total: u64,
}

type Observer = dyn Fn(Progress) + Send + Sync;

/// Observer and cancel token of a run. Cloning shares both.
///
/// ```
/// use pevatron::Control;
/// let control = Control::new();
/// assert!(control.check().is_ok());
/// control.cancel();
/// assert!(control.check().is_err());
/// ```
#[derive(Clone, Default)]
pub struct Control {
    cancelled: Arc<AtomicBool>,
    observer: Option<Arc<Observer>>,
    deadline: Option<Instant>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("cancelled", &self.is_cancelled())
            .field("observed", &self.observer.is_some())
            .finish()
    }
}

impl Control {
    /// Neither observed nor cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls `observer` now and then, from any thread.
    pub fn with_observer(mut self, observer: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Cancels by itself from that moment on; clones made before do not.
    ///
    /// ```
    /// use pevatron::Control;
    /// let (control, now) = (Control::new(), std::time::Instant::now());
    /// assert!(control.clone().with_deadline(now).check().is_err() && control.check().is_ok());
    /// ```
    pub fn with_deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Asks the work to stop; it ends with [`Error::Cancelled`] at its next check.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }

    /// True once [`Control::cancel`] was called on this or a clone, or the deadline has passed.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed) || self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// [`Error::Cancelled`] if the work is to stop.
    ///
    /// # Errors
    /// When cancelled.
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Tells the observer, if there is one.
    pub fn report(&self, stage: &'static str, done: u64, total: u64) {
        if let Some(observer) = &self.observer {
            observer(Progress { stage, done, total });
        }
    }
}
