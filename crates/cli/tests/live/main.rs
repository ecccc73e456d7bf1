//! The agent as users run it, against the running kernel and real container runtimes, as root. Without root, or where the
//! kernel refuses the sensor, each test prints one line and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test program: a failed step is a failed test, and what was skipped is said"
)]

mod containers;
mod cri;
mod hard;
mod image;
mod running;
mod session;
mod storm;
mod uring;
