//! The names of the common case.
