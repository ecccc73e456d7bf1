//! Containers run as a user other than root.
//!
//! # What it ensures
//!
//! `runAsNonRoot: true` holds for every container, on the pod or on the container, or a `runAsUser` other than 0
//! is set.
//!
//! # Why
//!
//! Root in a container owns every file of the image and is root on the node the moment an isolation flaw lets it
//! out; a different user cannot even write to `/usr/bin` or read `/etc/shadow`.
//!
//! # Example
//!
//! ```yaml
//! containers:
//! - name: app
//!   image: app:1
//! ```
//!
//! # Fix
//!
//! Set `runAsNonRoot: true` (and a `runAsUser` when the image's user is a name). The image must have such a user.

use crate::check::{Check, Findings, Scope, Severity};
use crate::check::{Edit, Finding};
use crate::input::Input;
use crate::input::Workload;
use crate::pss::Container;
use crate::value;
use vedette_yaml::Node;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "run-as-non-root",
    severity: Severity::High,
    scope: Scope::Workload,
    maps: &[
        "cis-eks-1.4:4.5.2",
        "cis-eks-1.5:4.5.2",
        "cis-k8s-1.12:5.7.3",
        "cis-eks-1.4:4.2.6",
        "cis-k8s-1.12:5.2.7",
        "nsa:non-root",
    ],
    stops: &[1, 2, 3],
    source: include_str!("run_as_non_root.rs"),
    run,
};

fn run(input: &Input<'_>, out: &mut Findings<'_>) {
    for workload in input.workloads() {
        let on_pod = outcome(
            workload.pod.security(&["runAsNonRoot"]),
            workload.pod.security(&["runAsUser"]),
        );
        for (container, _) in workload.containers() {
            let here = outcome(
                container.security(&["runAsNonRoot"]),
                container.security(&["runAsUser"]),
            );
            let field = match here.or(on_pod) {
                Some(Root::No) => continue,
                Some(Root::Yes) if here.is_none() => {
                    out.push(
                        Finding::new(
                            workload.object,
                            format!("{}.securityContext.runAsNonRoot", workload.pod.path),
                            format!(
                                "container {:?} may run as root, because its pod says so",
                                container.name()
                            ),
                        )
                        .of(container.name()),
                    );
                    continue;
                }
                _ => "securityContext.runAsNonRoot",
            };
            out.push(mended(workload, &container, field));
        }
    }
}

#[derive(Clone, Copy)]
enum Root {
    Yes,
    No,
}

/// What two fields say together; a user id decides when `runAsNonRoot` is not there.
fn outcome(non_root: Option<&Node>, user: Option<&Node>) -> Option<Root> {
    match (
        non_root.and_then(value::truth),
        user.and_then(value::number),
    ) {
        (Some(true), _) => Some(Root::No),
        (None, Some(id)) if id > 0 => Some(Root::No),
        (None, None) => None,
        _ => Some(Root::Yes),
    }
}

fn mended(workload: &Workload<'_>, container: &Container<'_>, field: &str) -> Finding {
    let mut finding = workload
        .container_finding(container, field, "may run as root")
        .set("true")
        .caution("the image must run as a user that is not root; files and ports below 1024 that it uses");
    if container.security(&["runAsUser"]).and_then(value::number) == Some(0) {
        let user = format!(
            "{}.securityContext.runAsUser",
            container.path(&workload.pod)
        );
        finding = finding.edit(Edit::Remove(user));
    }
    finding
}
