//! User and group ids of containers, as checks compare them with those of the node.

use crate::check::Findings;
use crate::input::Input;
use crate::value;

/// Ids up to this one are in use on nodes or by images; distributions give out none above.
const HIGHEST_COMMON_ID: i64 = 10_000;

/// Fails every container whose id under `field`, its own or its pod's, is missing or common.
pub(crate) fn high_ids(input: &Input<'_>, out: &mut Findings<'_>, field: &str, what: &str) {
    for workload in input.workloads() {
        let on_pod = workload.pod.security(&[field]).and_then(value::number);
        for (container, _) in workload.containers() {
            let id = container
                .security(&[field])
                .and_then(value::number)
                .or(on_pod);
            if id.is_none_or(|id| id <= HIGHEST_COMMON_ID) {
                let message = match id {
                    Some(id) => format!("runs with {what} id {id}"),
                    None => format!("runs with the {what} id of its image"),
                };
                out.push(workload.container_finding(
                    &container,
                    &format!("securityContext.{field}"),
                    &message,
                ));
            }
        }
    }
}
