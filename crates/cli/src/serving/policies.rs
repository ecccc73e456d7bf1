//! Policies that are written at the server, checked by what agents read them with.

use vedette_detect::policy;
use vedette_server::{Policies, Remark, remark};

/// The reader of the detection room.
pub(super) struct Reader;

impl Policies for Reader {
    fn check(&self, text: &str) -> Vec<Remark> {
        let (policies, problems) = policy::read(text, "policy");
        let mut remarks: Vec<Remark> = problems
            .into_iter()
            .map(|problem| {
                let severity = if problem.fatal { "error" } else { "warning" };
                remark(severity, problem.span, text, problem.message)
            })
            .collect();
        if policies.is_empty() && remarks.is_empty() {
            let start = vedette_yaml::Span {
                start: 0,
                end: 0,
                line: 1,
                column: 1,
            };
            remarks.push(remark(
                "error",
                start,
                text,
                "the text has no policy".to_owned(),
            ));
        }
        remarks
    }
}
