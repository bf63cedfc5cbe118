//! The repository itself: floors, licences, the folders of tests, and the tests that docs/coverage.md names.

mod coverage;
mod floors;
mod licences;
mod messages;
mod subjects;
