//! The sensor against the running kernel, as root: each test performs real system calls and compares the events' bytes.
//! Without root each prints one line and passes.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_ptr_alignment,
    reason = "a test program: a failed step is a failed test, and what was skipped is said"
)]

mod calls;
mod compat;
mod identity;
mod meaning;
mod network;
mod overlay;
mod prefilter;
mod processes;
mod running;
mod uring;
mod watch;
