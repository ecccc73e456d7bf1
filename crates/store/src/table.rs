//! The two tables, their columns, and how values of columns are written in dictionaries.

use std::borrow::Cow;

use vedette_event::{Activity, Finding, Process};
use vedette_history::{ColumnValue, Place, Status, Subject, WorkloadKind};

/// A table of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    Findings,
    Activity,
}

/// Where a record belongs, as one value: what Insights counts by. Filters cannot name it.
const PLACE: &str = "@place";

/// Kept beside the segments because it changes; behind the columns in the numbering that plans use.
const STATUS: &str = "status";

const FINDINGS: &[&str] = &[
    "severity",
    "rule",
    PLACE,
    "priority",
    "source",
    "node",
    "policy",
    "tag",
    "action",
    "workload",
    "k8s.ns.name",
    "k8s.pod.name",
    "container.id",
    "container.name",
    "container.image.repository",
    "user.name",
    "proc.name",
    "evt.type",
    "ka.user.name",
    STATUS,
];

const ACTIVITY: &[&str] = &[
    "kind",
    "session",
    PLACE,
    "node",
    "workload",
    "k8s.ns.name",
    "k8s.pod.name",
    "container.id",
    "container.name",
    "container.image.repository",
    "user.name",
    "proc.name",
    "proc.pname",
    "ka.user.name",
];

/// What facets may be asked for: the columns of findings that people understand.
pub(crate) const FACETS: &[&str] = &[
    "severity",
    "rule",
    "priority",
    "source",
    "node",
    "policy",
    "tag",
    "action",
    "workload",
    "k8s.ns.name",
    "k8s.pod.name",
    "container.id",
    "container.name",
    "container.image.repository",
    "user.name",
    "proc.name",
    "evt.type",
    "ka.user.name",
    STATUS,
];

impl Table {
    pub(crate) const ALL: [Self; 2] = [Self::Findings, Self::Activity];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Findings => "findings",
            Self::Activity => "activity",
        }
    }

    /// Number in the database.
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Findings => 0,
            Self::Activity => 1,
        }
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.number() == number)
    }

    /// Columns that segments hold.
    pub(crate) fn stored(self) -> &'static [&'static str] {
        match self {
            Self::Findings => &FINDINGS[..FINDINGS.len() - 1],
            Self::Activity => ACTIVITY,
        }
    }

    /// Columns that plans may use.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Findings => FINDINGS,
            Self::Activity => ACTIVITY,
        }
    }

    /// Index of a column.
    pub(crate) fn column(self, name: &str) -> Option<usize> {
        self.columns().iter().position(|column| *column == name)
    }
}

/// Index of [`Table::Findings`]' severity.
pub(crate) const SEVERITY: usize = 0;
/// Index of [`Table::Findings`]' rule.
pub(crate) const RULE: usize = 1;
/// Index of both tables' places.
pub(crate) const PLACE_COLUMN: usize = 2;
/// Index of [`Table::Findings`]' actions.
pub(crate) const ACTION: usize = 8;
/// Index of [`Table::Activity`]'s kind.
pub(crate) const KIND: usize = 0;
/// Index of [`Table::Activity`]'s session.
pub(crate) const SESSION: usize = 1;
/// Index of [`Table::Activity`]'s user.
pub(crate) const USER: usize = 10;

/// The statuses as a dictionary in the order of their numbers.
pub(crate) fn status_value(status: Status) -> String {
    format!("t{}", status.name())
}

/// A value as dictionaries hold it: nothing for a missing one, `t` and the text, or `l` and a JSON list of texts.
pub(crate) fn encode(value: &ColumnValue<'_>, out: &mut String) {
    match value {
        ColumnValue::Missing => {}
        ColumnValue::Text(text) => {
            out.push('t');
            out.push_str(text);
        }
        ColumnValue::Texts(texts) => {
            let list: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            out.push('l');
            // Texts always have a JSON form.
            out.push_str(&serde_json::to_string(&list).unwrap_or_default());
        }
    }
}

/// Reads what [`encode`] wrote; anything else is a missing value.
pub(crate) fn decode(text: &str) -> ColumnValue<'_> {
    match text.split_at_checked(1) {
        Some(("t", text)) => ColumnValue::from(text),
        Some(("l", list)) => match serde_json::from_str::<Vec<String>>(list) {
            Ok(list) => ColumnValue::Texts(list.into_iter().map(Cow::Owned).collect()),
            Err(_) => ColumnValue::Missing,
        },
        _ => ColumnValue::Missing,
    }
}

/// Separates the parts of a place; names of Kubernetes objects and hosts cannot hold it.
const BETWEEN: char = '\u{1f}';

/// A place as its column holds it.
pub(crate) fn encode_place(place: &Place, out: &mut String) {
    let Place {
        node,
        namespace,
        kind,
        workload,
        pod,
        container,
    } = place;
    out.push(match kind {
        WorkloadKind::None => '-',
        WorkloadKind::Deployment => 'd',
        WorkloadKind::StatefulSet => 's',
        WorkloadKind::PerNodeOrJob => 'n',
        WorkloadKind::ReplicaSet => 'r',
        WorkloadKind::Pod => 'p',
    });
    for part in [node, namespace, workload, pod, container] {
        out.push(BETWEEN);
        // A name that does hold the separator loses it: places must be read back in one way.
        out.extend(part.chars().filter(|c| *c != BETWEEN));
    }
}

/// Reads what [`encode_place`] wrote.
pub(crate) fn decode_place(text: &str) -> Place {
    let mut parts = text.split(BETWEEN);
    let kind = match parts.next() {
        Some("d") => WorkloadKind::Deployment,
        Some("s") => WorkloadKind::StatefulSet,
        Some("n") => WorkloadKind::PerNodeOrJob,
        Some("r") => WorkloadKind::ReplicaSet,
        Some("p") => WorkloadKind::Pod,
        _ => WorkloadKind::None,
    };
    let mut next = || parts.next().unwrap_or_default().to_owned();
    Place {
        kind,
        node: next(),
        namespace: next(),
        workload: next(),
        pod: next(),
        container: next(),
    }
}

/// Texts in one piece of memory: a record has twenty values, and twenty allocations would cost more than they hold.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    text: String,
    ends: Vec<u32>,
}

impl Texts {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let bounds = starts.zip(&self.ends);
        bounds.map(|(start, end)| &self.text[start as usize..*end as usize])
    }
}

/// The values of a record's columns, in the order of [`Table::stored`].
pub(crate) fn values(table: Table, subject: Subject<'_>) -> Texts {
    let place = subject.place();
    let names = table.stored();
    let mut out = Texts {
        // What the columns of a record in Kubernetes take.
        text: String::with_capacity(512),
        ends: Vec::with_capacity(names.len()),
    };
    for name in names {
        match *name {
            PLACE => encode_place(&place, &mut out.text),
            "workload" if place.workload.is_empty() => {}
            "workload" => encode(&ColumnValue::from(&*place.workload), &mut out.text),
            name => encode(&subject.text(name), &mut out.text),
        }
        out.ends.push(out.text.len() as u32);
    }
    out
}

/// A number that stands for a process; different ones may share it, so whoever finds one by it looks again.
/// 32 bits of 64-bit FNV-1a.
pub(crate) fn process_key(pid: i64, started: u64) -> u32 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let bytes = pid.to_le_bytes().into_iter().chain(started.to_le_bytes());
    let hash = bytes.fold(OFFSET, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(PRIME)
    });
    (hash ^ hash >> 32) as u32
}

fn key(process: Option<&Process>) -> u32 {
    process.map_or(0, |process| process_key(process.pid, process.started))
}

/// Keys of the process behind a finding and of its parent.
pub(crate) fn finding_keys(finding: &Finding) -> (u32, u32) {
    (key(finding.lineage.first()), key(finding.lineage.get(1)))
}

/// Keys of the process behind an activity and of its parent.
pub(crate) fn activity_keys(activity: &Activity) -> (u32, u32) {
    (key(Some(&activity.process)), key(Some(&activity.parent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_name_what_they_say() {
        let findings = Table::Findings.columns();
        assert_eq!(
            [findings[SEVERITY], findings[RULE], findings[ACTION]],
            ["severity", "rule", "action"]
        );
        let activity = Table::Activity.columns();
        assert_eq!(
            [activity[KIND], activity[SESSION], activity[USER]],
            ["kind", "session", "user.name"]
        );
        for table in Table::ALL {
            assert_eq!(table.columns()[PLACE_COLUMN], PLACE);
        }
        assert!(FACETS.iter().all(|name| findings.contains(name)));
    }

    #[test]
    fn values_are_read_back() {
        for value in [
            ColumnValue::Missing,
            ColumnValue::from(""),
            ColumnValue::from("t"),
            ColumnValue::Texts(vec![]),
            ColumnValue::Texts(vec!["a\u{1f}\"".into(), "é".into()]),
        ] {
            let mut text = String::new();
            encode(&value, &mut text);
            assert_eq!(decode(&text), value);
        }
        let place = Place {
            node: "n".into(),
            namespace: "shop".into(),
            kind: WorkloadKind::Deployment,
            workload: "web".into(),
            pod: "web-0".into(),
            container: String::new(),
        };
        let mut text = String::new();
        encode_place(&place, &mut text);
        assert_eq!(decode_place(&text), place);
        assert_eq!(decode_place(""), Place::default());
    }
}
