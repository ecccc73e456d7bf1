//! Where log records come in, and the journal that keeps them until they are judged.
//!
//! Every source (the API server's webhook, followed files, pulls from AWS) appends what it takes in to one [`Journal`]
//! and says "taken" to the other side only when that is on disk. Whoever judges records reads the journal. After a crash,
//! the journal and the positions in it say where each source goes on, so that nothing is lost and nothing comes twice.
//!
//! This crate moves bytes; what they mean is for `vedette-audit`.

pub mod aws;
mod checkpoint;
pub mod fetch;

mod journal;
mod outbox;
mod source;
mod tail;
mod webhook;

pub use checkpoint::Checkpoint;
pub use journal::{Entry, Journal, JournalError, Limits, Position, Reader};
pub use outbox::Outbox;
pub use source::{Health, Meta, Stop};
pub use tail::{TailOptions, Tailer};
pub use webhook::{Patience, Tls, TlsError, Webhook, WebhookOptions, WebhookStats};
