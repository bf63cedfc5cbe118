//! Room `maps`.
