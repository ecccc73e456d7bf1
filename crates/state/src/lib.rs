//! What a sequence of events means: which process did it, in which container, as which user, to which file or peer.
//!
//! Feed a [`State`] with what was there before ([`State::boot`]), then with every event in order ([`State::apply`]), and
//! ask the [`View`] of each event for fields through [`vedette_event::Extract`]. What an event ends (a thread, a
//! descriptor) is still there while the event is looked at and goes when the next one comes.
//!
//! Pure: no clock, no files, no network. Tables are bounded, and what did not fit is counted in [`Stats`].
#![allow(
    clippy::single_match_else,
    reason = "what a field's argument means reads best as a table, also when it has two rows"
)]

mod apply;
mod args;
mod container_info;
mod containers;
mod errno;
mod fd;
mod fields;
mod fields_account;
mod fields_container;
mod fields_event;
mod fields_fd;
mod fields_fdlist;
mod fields_path;
mod fields_process;
mod flags;
mod kinds;
mod number;
mod parse_account;
mod parse_exec;
mod parse_file;
mod parse_net;
mod parse_process;
mod path;
mod sock;
mod state;
mod stats;
mod syscalls;
mod text;
mod text_match;
mod thread;
mod threads;
mod time;
mod users;
mod view;
mod wire;

pub use flags::flag_value;
pub use state::{Boot, Settings, State};
pub use stats::Stats;
pub use view::View;
