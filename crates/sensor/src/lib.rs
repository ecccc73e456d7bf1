//! Live system calls through eBPF.
//!
//! The kernel side (`bpf/`, C, CO-RE) is one object that [`Sensor::start`] loads and attaches: one program on every
//! system call's return, which leaves at once unless the call is wanted, and programs on exec, fork and exit. Records
//! come through ring buffers in exactly the parameter layout of the event table, so that [`Sensor::poll`] hands out
//! [`vedette_event::RawEvent`]s that borrow the ring's memory: nothing is copied or converted, and the engines cannot
//! tell a live event from a recorded one.
//!
//! [`Sensor::probe`] says what this kernel allows. [`bootstrap`] reads what was there before, from `/proc`.
//!
//! Loss is counted, never hidden: see [`Stats`].

#![cfg_attr(
    not(feature = "live"),
    allow(
        dead_code,
        reason = "without the kernel side its tables have no reader"
    )
)]

pub mod bootstrap;
mod spec;
mod syscalls;
mod tables;

#[cfg(feature = "live")]
mod bell;
#[cfg(feature = "live")]
mod btf;
#[cfg(feature = "live")]
mod filter;
pub mod guard;
#[cfg(feature = "live")]
mod kernel;
#[cfg(feature = "live")]
mod merge;
#[cfg(feature = "live")]
mod probe;
#[cfg(feature = "live")]
mod ring;
#[cfg(feature = "live")]
mod sensor;

mod interest;
mod record;

pub use interest::{Interest, Outcome, Unwatchable, Watch};
#[cfg(feature = "live")]
pub use probe::{Capabilities, Hook, HookState, Tier};
pub use record::{Origin, parse as parse_record};
#[cfg(feature = "live")]
pub use sensor::{Config, Drops, Error, ProgramStats, Sensor, Stats};
