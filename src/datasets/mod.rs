//! Room `datasets`.
