//! Room `flux`.
