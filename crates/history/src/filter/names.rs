//! Fields without a dot: what every record has beside the fields of the catalogue.
//!
//! The type checker of the rules language knows the catalogue only, so each of these is checked in place of a catalogue
//! field of its type; evaluation then goes by the name.

use vedette_event::{FieldId, FieldRef, ParamType, Priority, Severity};

use crate::Subject;

/// A field without a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Severity,
    Rule,
    Priority,
    Source,
    Tag,
    Node,
    Status,
    Policy,
    Message,
    Action,
    Workload,
    Id,
    Kind,
    Session,
}

/// Names with what they are, for completion, in the order in which they are shown.
pub const NAMES: &[(&str, &str)] = &[
    (
        "severity",
        "How urgent: info < low < medium < high < critical",
    ),
    ("rule", "Name of the rule or finding type"),
    ("priority", "Priority of the rule: Debug < … < Emergency"),
    ("source", "Event source or detector"),
    ("tag", "Tags of the rule; one of them is enough"),
    ("node", "Host it happened on"),
    (
        "status",
        "Where a finding stands: open, acknowledged or closed",
    ),
    ("policy", "Policy whose rule it is"),
    (
        "message",
        "What happened, in a sentence; the command line of an activity",
    ),
    (
        "action",
        "What was done (deny, kill_process, …); deny:dry_run, deny:failed, deny:withheld when it was not",
    ),
    ("workload", "Name of the workload"),
    ("id", "Id of the record"),
    (
        "kind",
        "Kind of activity: command, connection, file or kubernetes",
    ),
    ("session", "Interactive session of an activity"),
];

const ORDER: [Named; 14] = [
    Named::Severity,
    Named::Rule,
    Named::Priority,
    Named::Source,
    Named::Tag,
    Named::Node,
    Named::Status,
    Named::Policy,
    Named::Message,
    Named::Action,
    Named::Workload,
    Named::Id,
    Named::Kind,
    Named::Session,
];

/// The field of this name.
pub(crate) fn find(name: &str) -> Option<Named> {
    // Fields of the catalogue have a dot, and most questions are about those.
    if name.contains('.') {
        return None;
    }
    let index = NAMES.iter().position(|(known, _)| *known == name)?;
    ORDER.get(index).copied()
}

/// The catalogue field in whose place it is checked.
pub(crate) fn stand_in(named: Named) -> &'static str {
    match named {
        Named::Severity | Named::Priority => "evt.num",
        _ => "proc.name",
    }
}

/// A reference to it, for the evaluator.
pub(crate) fn reference(name: &str, named: Named) -> Option<FieldRef> {
    Some(FieldRef {
        id: FieldId::by_name(stand_in(named))?,
        arg: vedette_event::FieldArg::None,
        text: name.into(),
    })
}

/// True when the field's values are texts, and so come from [`Subject::text`].
pub(crate) fn is_text(field: &FieldRef) -> bool {
    matches!(
        field.info().ty,
        ParamType::CharBuf | ParamType::FsPath | ParamType::FsRelPath
    )
}

pub(crate) fn severity_rank(subject: Subject<'_>) -> Option<u64> {
    match subject {
        Subject::Finding(finding, _) => Some(Severity::from(finding.priority) as u64),
        Subject::Activity(_) => None,
    }
}

pub(crate) fn priority_rank(subject: Subject<'_>) -> Option<u64> {
    match subject {
        Subject::Finding(finding, _) => Some(rank_of(finding.priority)),
        Subject::Activity(_) => None,
    }
}

/// More urgent is more, as for severities.
fn rank_of(priority: Priority) -> u64 {
    Priority::Debug as u64 - priority as u64
}

/// The number that a word stands for in comparisons with the field; the error says what could have stood there.
/// `None` for fields that compare texts.
pub(crate) fn word_rank(named: Named, word: &str) -> Option<Result<u64, String>> {
    match named {
        Named::Severity => Some(
            word.parse::<Severity>()
                .map(|severity| severity as u64)
                .map_err(|why| why.to_string()),
        ),
        Named::Priority => Some(word.parse::<Priority>().map(rank_of).map_err(|_| {
            let names: Vec<&str> = Priority::ALL.iter().map(|p| p.name()).collect();
            format!("expected one of {}", names.join(", "))
        })),
        _ => None,
    }
}
