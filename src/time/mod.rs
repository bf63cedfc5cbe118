//! Room `time`.
