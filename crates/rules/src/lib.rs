//! The Falco rules language: load rule files, check them against the field catalogue, compile, evaluate, format.
//!
//! Pure: text and events in, diagnostics and matches out.

pub mod naive;
pub mod ops;
pub mod program;
mod show;
pub mod transform;
pub mod typed;
