//! Requests and limits of containers.

use crate::check::Findings;
use crate::input::Input;
use crate::value;

/// Fails every container that does not set the quantity at `path`, or sets it to nothing.
pub(crate) fn missing(input: &Input<'_>, out: &mut Findings<'_>, path: &[&str], message: &str) {
    for workload in input.workloads() {
        for (container, _) in workload.containers() {
            // Ephemeral containers may not have resources; the API server refuses them.
            if container.list == "ephemeralContainers" {
                continue;
            }
            let set = value::text(container.node, path).is_some_and(|text| !zero(text));
            if !set {
                out.push(workload.container_finding(&container, &path.join("."), message));
            }
        }
    }
}

/// Whether a quantity is nothing: `0`, `0m`, `0Mi`.
fn zero(text: &str) -> bool {
    text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .parse::<f64>()
        .is_ok_and(|number| number == 0.0)
}
