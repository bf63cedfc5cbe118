//! Room `io`.

mod yaml;
