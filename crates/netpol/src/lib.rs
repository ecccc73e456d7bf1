//! Who may talk to whom in a Kubernetes cluster, and which clause of which policy decided.
//!
//! The engine takes objects ([`vedette_manifest`]) and gives answers; it touches no file, network or clock.
//!
//! - [`load`] builds a [`model::World`] from objects and says what it left out.
//! - [`evaluate`] answers one question and explains the answer; it is plain on purpose and serves as the oracle.
//! - [`compile`] turns a world into sets that answer millions of questions and whole connectivity maps.
//! - [`list`], [`diff`], [`check`], [`flow`] and [`whatif`] are the questions people ask.
//! - [`lint`] finds policies that do not do what their author thinks; [`generate`] writes least-privilege ones.

pub mod check;
pub mod compile;
pub mod diff;
pub mod evaluate;
pub mod expression;
pub mod flow;
pub mod generate;
pub mod labels;
pub mod lint;
pub mod list;
pub mod load;
pub mod model;
pub mod net;
pub mod networks;
mod policy;
pub mod traffic;
pub mod whatif;
