//! Images come from approved registries.
//!
//! # What it ensures
//!
//! Every image starts with one of the registries in the settings; without such a list the check says nothing.
//!
//! # Why
//!
//! An unknown registry is somebody else's code.
//!
//! # Example
//!
//! ```yaml
//! image: docker.io/somebody/app:1
//! ```
//!
//! # Fix
//!
//! Copy the image into an approved registry and name that copy.

use crate::check::{Check, Findings, Scope, Severity};
use crate::image::Image;
use crate::input::Input;
use crate::value;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "image-registry",
    severity: Severity::Medium,
    scope: Scope::Registries,
    maps: &[
        "cis-eks-1.4:5.1.4",
        "cis-eks-1.5:5.1.4",
        "cis-eks-1.7:5.1.4",
        "cis-eks-1.8:5.1.4",
    ],
    stops: &[],
    source: include_str!("image_registry.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    if input.settings.registries.is_empty() {
        return;
    }
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            let Some(text) = value::text(container.node, &["image"]) else {
                continue;
            };
            let full = Image::parse(text).full_name();
            let approved = input.settings.registries.iter().any(|registry| {
                let registry = registry.trim_end_matches('/');
                [full.as_str(), text].iter().any(|name| {
                    name.strip_prefix(registry)
                        .is_some_and(|rest| rest.starts_with('/') || rest.is_empty())
                })
            });
            if !approved {
                out.push(workload.container_finding(
                    &container,
                    "image",
                    "comes from a registry that is not approved",
                ));
            }
        }
    }
}
