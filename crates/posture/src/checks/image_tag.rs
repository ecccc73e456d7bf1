//! Images name a fixed version.
//!
//! # What it ensures
//!
//! Every image has a digest or a tag other than `latest`.
//!
//! # Why
//!
//! A moving tag runs code that nobody reviewed, and a rollback returns to whatever the tag means today.
//!
//! # Example
//!
//! ```yaml
//! image: app:latest
//! ```
//!
//! # Fix
//!
//! Name a version, better a digest.

use crate::check::{Check, Findings, Scope, Severity};
use crate::image::Image;
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "image-tag",
    severity: Severity::Medium,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("image_tag.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let image = Image::parse(value::text(container.node, &["image"]).unwrap_or_default());
            if image.digest.is_none() && matches!(image.tag, None | Some("latest" | "")) {
                out.push(workload.container_finding(
                    &container,
                    "image",
                    "runs a version that may change at any time",
                ));
            }
        }
    }
}
