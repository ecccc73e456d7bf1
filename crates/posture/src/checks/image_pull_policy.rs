//! Images that may change are pulled at every start.
//!
//! # What it ensures
//!
//! `imagePullPolicy` is `Always` where the image is not pinned to a digest.
//!
//! # Why
//!
//! A cached image skips the registry's check of credentials, and nodes run different versions of one tag.
//!
//! # Example
//!
//! ```yaml
//! image: app:1.2
//! imagePullPolicy: IfNotPresent
//! ```
//!
//! # Fix
//!
//! Set `imagePullPolicy: Always`.

use crate::check::{Check, Findings, Scope, Severity};
use crate::image::Image;
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "image-pull-policy",
    severity: Severity::Low,
    scope: Scope::Workload,
    maps: &[],
    stops: &[],
    source: include_str!("image_pull_policy.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let image = Image::parse(value::text(container.node, &["image"]).unwrap_or_default());
            let policy = value::text(container.node, &["imagePullPolicy"]);
            let always = match policy {
                Some(policy) => policy == "Always",
                None => matches!(image.tag, None | Some("latest")) && !image.name.is_empty(),
            };
            if !always && image.digest.is_none() {
                out.push(
                    workload
                        .container_finding(&container, "imagePullPolicy", "may run a cached image")
                        .set("Always")
                        .caution("nodes that cannot reach the registry"),
                );
            }
        }
    }
}
