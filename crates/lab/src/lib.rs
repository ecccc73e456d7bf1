//! The attack lab's throw-away node.
//!
//! [`Node::start`] makes a machine of its own out of namespaces: processes, mounts, network, host name, over an overlay
//! root whose writable part lies in memory. In it run real pods, each in a network namespace on the node's bridge: made by the
//! machine's containerd over its interface for Kubernetes, or by runc alone with the annotations that containerd would give
//! them ([`Runtime`]). They are the vulnerable web service in one of its [`Profile`]s, or with one [`Control`] more, and its
//! victims. Around them stand a mirror, a metadata service, a mining pool and an API
//! server, at addresses that exist only there. Nothing leads out of that network.
//!
//! When the [`Node`] is dropped, or this process dies in any way, the kernel ends every process of the node and with them
//! goes all the rest; [`sweep`] removes what even the kernel leaves behind: empty control groups, and directories of
//! images.
//!
//! This crate makes and drives the node. It does not watch it: what happens there is for the sensor to see.

mod announce;
mod archive;
mod control;
mod cri;
mod gate;
mod image;
#[path = "../range/message.rs"]
mod message;
mod node;
mod pod;
mod prepare;
mod runtime;
mod spec;
mod sweep;
mod tools;

pub use control::Control;
pub use gate::{Gate, encode};
pub use node::{Error, Node, Settings};
pub use pod::{Capabilities, Pod, Profile, Security, pods};
pub use runtime::Runtime;
pub use sweep::sweep;
pub use tools::{Missing, missing, missing_for};

/// The program that plays every part, as a static executable; empty when it could not be built.
pub(crate) const PARTS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/parts"));

/// The program that plays every part in the lab, as a static executable; empty when it could not be built. Its part is
/// chosen by the name that it is started as.
pub fn parts() -> &'static [u8] {
    PARTS
}

/// How a lab's directory and control group begin.
pub(crate) const PREFIX: &str = "vedette-lab-";
