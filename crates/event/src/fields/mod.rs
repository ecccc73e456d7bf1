//! The catalogue, one file a class.

mod anomaly;
mod cloudtrail;
mod container;
mod event;
mod fd;
mod fdlist;
mod fs_path;
mod gcp_audit;
mod generic;
mod github;
mod group;
mod json;
mod k8s_audit;
mod k8smeta;
mod krsi;
mod okta;
mod process;
mod user;
mod util;
mod vedette;

use crate::field::FieldClass;

/// Every class, in the order in which listings show them.
pub(crate) static CLASSES: &[&FieldClass] = &[
    &generic::CLASS,
    &event::CLASS,
    &process::CLASS,
    &user::CLASS,
    &group::CLASS,
    &fd::CLASS,
    &fdlist::CLASS,
    &fs_path::CLASS,
    &util::CLASS,
    &container::CLASS,
    &k8smeta::CLASS,
    &krsi::CLASS,
    &k8s_audit::CLASS,
    &cloudtrail::CLASS,
    &json::CLASS,
    &gcp_audit::CLASS,
    &okta::CLASS,
    &github::CLASS,
    &anomaly::CLASS,
    &vedette::CLASS,
];
