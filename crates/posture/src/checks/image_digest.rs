//! Images are pinned to a digest.
//!
//! # What it ensures
//!
//! Every image ends in `@<algorithm>:<hex>` of a full length, apart from repositories that the settings exempt.
//!
//! # Why
//!
//! Only a digest says exactly which bytes run; whoever can push a tag can otherwise replace them.
//!
//! # Example
//!
//! ```yaml
//! image: app:1.2
//! ```
//!
//! # Fix
//!
//! Pin the digest that your registry shows for the tag.

use crate::check::{Check, Findings, Scope, Severity};
use crate::image::Image;
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "image-digest",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("image_digest.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let Some(text) = value::text(container.node, &["image"]) else {
                continue;
            };
            let image = Image::parse(text);
            let exempt = input.settings.unpinned.iter().any(|name| {
                image
                    .name
                    .strip_prefix(name.trim_end_matches('/'))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            });
            if !exempt && !image.pinned() {
                out.push(workload.container_finding(
                    &container,
                    "image",
                    "is not pinned to a digest",
                ));
            }
        }
    }
}
