//! Room `estimators`.
