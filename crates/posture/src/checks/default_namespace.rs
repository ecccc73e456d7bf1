//! Nothing lives in the default namespace.
//!
//! # What it ensures
//!
//! No namespaced object is in `default`, whether by name or by saying nothing.
//!
//! # Why
//!
//! Policies, quotas and roles are given per namespace; what lies in `default` has none.
//!
//! # Example
//!
//! ```yaml
//! metadata:
//!   name: app
//!   namespace: default
//! ```
//!
//! # Fix
//!
//! Make a namespace for the application.

use crate::check::Finding;
use crate::check::{Check, Findings, Scope, Severity};
use crate::input::Input;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "default-namespace",
    severity: Severity::Low,
    scope: Scope::Namespaced,
    maps: &[
        "cis-eks-1.4:4.5.3",
        "cis-eks-1.5:4.5.3",
        "cis-eks-1.7:4.5.2",
        "cis-eks-1.8:4.5.2",
        "cis-k8s-1.12:5.7.4",
    ],
    stops: &[],
    source: include_str!("default_namespace.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for (index, object) in input.objects.iter().enumerate() {
        let own = matches!(
            (object.kind.as_str(), object.name.as_str()),
            ("Service" | "Endpoints" | "EndpointSlice", "kubernetes")
                | ("ServiceAccount", "default")
                | ("ConfigMap", "kube-root-ca.crt")
        );
        let covered = Scope::Namespaced.covers(&object.kind, vedette_manifest::makes_pods(object));
        if covered && !own && crate::input::namespace(object) == "default" {
            out.push(Finding::new(
                index,
                "metadata.namespace",
                "the object is in the default namespace",
            ));
        }
    }
}
