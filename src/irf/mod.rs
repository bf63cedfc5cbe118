//! Room `irf`.
