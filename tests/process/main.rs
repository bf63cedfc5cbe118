//! The program among other processes: what surrounds it, what it leaves when it is killed, what it is piped. Signals and
//! moments count here, so these tests have a process of their own.

mod outputs;
mod streams;
#[path = "../support/mod.rs"]
mod support;
mod surroundings;
