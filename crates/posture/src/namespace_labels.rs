//! Pod Security labels of namespaces.

use crate::check::{Finding, Findings};
use crate::input::Input;
use crate::pss::admission::LABEL;
use crate::value;

/// Namespaces of the system itself, whose pods are privileged by nature.
pub(crate) fn of_the_system(name: &str) -> bool {
    matches!(name, "kube-system" | "kube-public" | "kube-node-lease")
}

/// Fails every namespace whose enforce level is not among `levels`; the fix sets `wanted`.
pub(crate) fn enforces(
    input: &Input<'_>,
    out: &mut Findings<'_>,
    levels: &[&str],
    wanted: &'static str,
) {
    let key = format!("{LABEL}enforce");
    for (index, namespace) in input.of_kind("Namespace") {
        let level = value::pairs(&namespace.node, &["metadata", "labels"])
            .find(|(label, _)| *label == key)
            .map(|(_, level)| level);
        if of_the_system(&namespace.name) || level.is_some_and(|level| levels.contains(&level)) {
            continue;
        }
        out.push(
            Finding::new(
                index,
                format!("metadata.labels[{key}]"),
                format!("the namespace does not enforce the {wanted} level"),
            )
            .set(wanted)
            .caution("what the label would refuse: `vedette posture pss --impact` says it"),
        );
    }
}
