//! Posture checks over Kubernetes manifests and cluster dumps.
//!
//! The engine takes objects ([`vedette_manifest::Object`]) and says which controls fail, where and with which
//! value; it never touches a file, the network or a clock.
//!
//! - [`pss`] answers for the Pod Security admission plugin.
//! - [`checks`] holds the registry of checks, one file each.
//! - [`rbac`] answers who may do what.

pub mod benchmark;
pub mod check;
pub mod checks;
pub mod eks;
pub mod exception;
pub mod fix;
mod identity;
pub mod image;
pub mod input;
mod mounts;
mod namespace_labels;
pub mod node;
pub mod output;
pub mod pss;
pub mod rbac;
pub mod resources;
pub mod result;
mod standard;
pub mod user;
pub mod value;
