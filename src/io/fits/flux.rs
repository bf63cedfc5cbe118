//! Flux maps.
