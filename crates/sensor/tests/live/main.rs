//! The sensor against the running kernel, as root: each test performs real system calls and compares the events' bytes.
//! Without root each prints one line and passes.

mod calls;
mod compat;
mod network;
mod processes;
mod running;
mod uring;
mod watch;
