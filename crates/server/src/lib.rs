//! The server: HTTP API, live stream, sign-in, agents' way in, notifications and the embedded screens.
//!
//! Builds on the traits of `vedette-history`; which database stands behind them is not its business. Every route is a row
//! (see `http::route`) from which router, access control and the committed `openapi.json` are made. Handlers are plain
//! functions on threads that may block; only connections and streams are asynchronous.

mod activity;
mod app;
mod audit;
mod auth;
pub mod clock;
mod config;
mod diagnostics;
mod fields;
mod findings;
mod http;
mod ingest;
mod library;
mod live;
mod log;
mod metrics;
mod nodes;
mod notify;
mod openapi;
mod overview;
mod people;
mod policies;
mod problem;
mod queries;
mod respond;
mod serve;
mod settings;
mod setup;
mod tree;

pub use app::{Parts, Policies, Stop, Stops};
pub use auth::Role;
pub use auth::oidc::Config as OidcConfig;
pub use config::{Config, Tls};
pub use diagnostics::{Remark, remark};
pub use log::{Log, Sink};
pub use nodes::{Heartbeat, enrol, record_heartbeat};
pub use notify::target::{Network, NotANetwork, Targets};
pub use openapi::document;
pub use respond::wire::{Account, Aim, Bundle, Deed, Named, Order, Orders, Touched};
pub use serve::{Server, ServerError};
pub use setup::{FirstStart, first_start};

/// An error with everything behind it, for the log.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
