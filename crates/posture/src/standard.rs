//! Checks that are one part of the Pod Security Standards: the same judgement, with a finding for each field.

use crate::check::{Finding, Findings};
use crate::input::Input;
use crate::pss;

/// Fails every field that violates the part `id` of the standards. `mend` adds the fix.
pub(crate) fn standard(
    input: &Input<'_>,
    out: &mut Findings<'_>,
    id: &str,
    message: &str,
    mend: impl Fn(Finding) -> Finding,
) {
    for workload in input.workloads() {
        let Some(violation) = pss::judge(&workload.pod, id) else {
            continue;
        };
        for field in violation.fields {
            let container = workload
                .containers()
                .find(|(_, path)| {
                    field
                        .strip_prefix(path.as_str())
                        .is_some_and(|rest| rest.starts_with('.'))
                })
                .map(|(container, _)| container.name());
            let text = match container {
                Some(name) => format!("container {name:?} {message}"),
                None => format!("the pod {message}"),
            };
            let mut finding = mend(Finding::new(workload.object, field, text));
            finding.container = container.map(str::to_owned);
            out.push(finding);
        }
    }
}
