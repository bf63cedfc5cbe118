//! The command line of Pevatron.
fn main() {}
