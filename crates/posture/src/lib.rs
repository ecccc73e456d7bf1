//! Posture checks over Kubernetes manifests and cluster dumps.
//!
//! The engine takes objects ([`vedette_manifest::Object`]) and says which controls fail, where and with which
//! value; it never touches a file, the network or a clock.

pub mod output;
pub mod pss;
pub mod value;
