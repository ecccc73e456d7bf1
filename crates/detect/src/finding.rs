//! From an alert and its event to a finding: the context a person asks for, the lineage, and why the rule fired.
//!
//! Only what fired is described, so none of this is on the hot path.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use vedette_event::{
    Alert, Clause, Extract, Extracted, FieldRef, Finding, Process, Value, Values, record_id,
};
use vedette_rules::naive::{self, ClauseKind, Naive, Seen, SeenValue};
use vedette_rules::output::Renderer;
use vedette_rules::typed::Expr;

/// Most ancestors of a lineage. Real trees have a dozen; an attacker can make them as deep as the process limit.
const MAX_LINEAGE: usize = 32;

/// Bytes of a comparison's own text that an explanation keeps: lists of rules can have thousands of items.
const MAX_CLAUSE: usize = 512;

/// Fields that every finding and activity record of system calls carries where they have a value.
const CONTEXT: &[&str] = &[
    "evt.type",
    "evt.num",
    "evt.cpu",
    "evt.res",
    "evt.args",
    "evt.arg.filename",
    "evt.arg.nstype",
    "evt.is_open_write",
    "proc.name",
    "proc.exepath",
    "proc.cmdline",
    "proc.pid",
    "proc.vpid",
    "proc.ppid",
    "proc.pname",
    "proc.pcmdline",
    "proc.sid",
    "proc.sname",
    "proc.cwd",
    "proc.tty",
    "proc.is_exe_upper_layer",
    "proc.is_exe_from_memfd",
    "user.name",
    "user.uid",
    "user.loginname",
    "user.loginuid",
    "group.gid",
    "fd.num",
    "fd.name",
    "fd.is_upper_layer",
    "fd.type",
    "fd.l4proto",
    "fd.cip",
    "fd.cport",
    "fd.sip",
    "fd.sport",
    "fs.path.name",
    "fs.path.source",
    "fs.path.target",
    "container.id",
    "container.full_id",
    "container.name",
    "container.type",
    "container.image",
    "container.image.repository",
    "container.image.tag",
    "container.image.digest",
    "container.image.id",
    "container.privileged",
    "container.start_ts",
    "container.ip",
    "k8s.ns.name",
    "k8s.pod.name",
    "k8s.pod.uid",
    "k8s.pod.labels",
];

/// The same for the Kubernetes audit log.
const CONTEXT_AUDIT: &[&str] = &[
    "ka.auditid",
    "ka.stage",
    "ka.user.name",
    "ka.user.groups",
    "ka.impuser.name",
    "ka.verb",
    "ka.uri",
    "ka.target.name",
    "ka.target.namespace",
    "ka.target.resource",
    "ka.target.subresource",
    "ka.response.code",
    "ka.sourceips",
    "ka.useragent",
    "ka.auth.decision",
    "ka.cluster.name",
];

/// The same for CloudTrail.
const CONTEXT_CLOUDTRAIL: &[&str] = &[
    "ct.id",
    "ct.name",
    "ct.src",
    "ct.user",
    "ct.user.arn",
    "ct.user.accountid",
    "ct.user.identitytype",
    "ct.region",
    "ct.srcip",
    "ct.useragent",
    "ct.error",
    "ct.readonly",
];

/// Makes findings of alerts. Keeps its buffers.
#[derive(Debug)]
pub struct Describer {
    syscall: Vec<FieldRef>,
    audit: Vec<FieldRef>,
    cloudtrail: Vec<FieldRef>,
    lineage: Lineage,
    renderer: Renderer,
    naive: Naive,
}

/// The fields of a process and of its ancestors.
#[derive(Debug)]
struct Lineage {
    own: ProcessFields,
    ancestors: Vec<ProcessFields>,
    room: Values,
}

#[derive(Debug)]
struct ProcessFields {
    pid: FieldRef,
    name: FieldRef,
    exepath: FieldRef,
    cmdline: FieldRef,
    started: Option<FieldRef>,
    user: Vec<FieldRef>,
}

fn fields(names: &[&str]) -> Vec<FieldRef> {
    names
        .iter()
        .filter_map(|name| FieldRef::parse(name).ok())
        .collect()
}

fn field(name: &str) -> FieldRef {
    FieldRef::parse(name).expect("a field of the catalogue; a test asks for each")
}

impl Default for Describer {
    fn default() -> Self {
        Self {
            syscall: fields(CONTEXT),
            audit: fields(CONTEXT_AUDIT),
            cloudtrail: fields(CONTEXT_CLOUDTRAIL),
            lineage: Lineage::default(),
            renderer: Renderer::default(),
            naive: Naive::default(),
        }
    }
}

impl Default for Lineage {
    fn default() -> Self {
        let ancestor = |n: usize| ProcessFields {
            pid: field(&format!("proc.apid[{n}]")),
            name: field(&format!("proc.aname[{n}]")),
            exepath: field(&format!("proc.aexepath[{n}]")),
            cmdline: field(&format!("proc.acmdline[{n}]")),
            started: (n == 1).then(|| field("proc.ppid.ts")),
            user: Vec::new(),
        };
        Self {
            own: ProcessFields {
                pid: field("proc.pid"),
                name: field("proc.name"),
                exepath: field("proc.exepath"),
                cmdline: field("proc.cmdline"),
                started: Some(field("proc.pid.ts")),
                user: fields(&["user.name", "user.uid"]),
            },
            ancestors: (1..=MAX_LINEAGE).map(ancestor).collect(),
            room: Values::default(),
        }
    }
}

impl Lineage {
    fn text<E: Extract + ?Sized>(&mut self, which: Which, event: &E) -> String {
        let field = match which {
            Which::Name(n) => &self.at(n).name,
            Which::ExePath(n) => &self.at(n).exepath,
            Which::CmdLine(n) => &self.at(n).cmdline,
        }
        .clone();
        text(&field, event, &mut self.room)
    }

    /// The process itself at 0, then its ancestors.
    fn at(&self, n: usize) -> &ProcessFields {
        n.checked_sub(1)
            .map_or(&self.own, |above| &self.ancestors[above])
    }

    fn process<E: Extract + ?Sized>(&mut self, n: usize, event: &E) -> Option<Process> {
        let pid = number(&self.at(n).pid.clone(), event, &mut self.room)?;
        if pid < 0 || (n > 0 && pid == 0) {
            return None;
        }
        let started = self.at(n).started.clone();
        let started = started
            .and_then(|field| number(&field, event, &mut self.room))
            .unwrap_or(0)
            .max(0) as u64;
        let mut user = String::new();
        for field in self.at(n).user.clone() {
            user = text(&field, event, &mut self.room);
            if !user.is_empty() {
                break;
            }
        }
        Some(Process {
            pid,
            name: self.text(Which::Name(n), event),
            exepath: self.text(Which::ExePath(n), event),
            cmdline: self.text(Which::CmdLine(n), event),
            started,
            user,
        })
    }
}

#[derive(Clone, Copy)]
enum Which {
    Name(usize),
    ExePath(usize),
    CmdLine(usize),
}

fn number<E: Extract + ?Sized>(field: &FieldRef, event: &E, room: &mut Values) -> Option<i64> {
    match event.extract(field, room) {
        Extracted::One(Value::I64(n)) => Some(n),
        Extracted::One(Value::U64(n)) => i64::try_from(n).ok(),
        _ => None,
    }
}

fn text<E: Extract + ?Sized>(field: &FieldRef, event: &E, room: &mut Values) -> String {
    match event.extract(field, room) {
        Extracted::One(Value::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        Extracted::One(Value::U64(n)) => n.to_string(),
        Extracted::One(Value::I64(n)) => n.to_string(),
        _ => String::new(),
    }
}

impl Describer {
    /// The finding behind an alert. `condition` is that of its rule, `lost` the events of the node known to be lost.
    pub fn finding<E: Extract + ?Sized>(
        &mut self,
        alert: &Alert,
        condition: Option<&Expr>,
        event: &E,
        lost: u64,
    ) -> Finding {
        let mut fields = self.context(&alert.source, event);
        if let Ok(Json::Object(own)) = serde_json::from_str(&alert.fields) {
            fields.extend(own.into_iter().filter(|(_, value)| !value.is_null()));
        }
        let lineage = if alert.source.as_ref() == vedette_rules::catalogue::SYSCALL {
            self.lineage(event)
        } else {
            Vec::new()
        };
        Finding {
            id: record_id(&[
                alert.hostname.as_bytes(),
                &alert.time.to_le_bytes(),
                &event.num().to_le_bytes(),
                alert.source.as_bytes(),
                alert.rule.as_bytes(),
            ]),
            time: alert.time,
            source: alert.source.to_string(),
            rule: alert.rule.to_string(),
            priority: alert.priority,
            message: alert.message().to_owned(),
            tags: alert.tags.to_vec(),
            node: alert.hostname.to_string(),
            fields,
            lineage,
            why: condition.map(|condition| clause(&self.naive.explain(condition, event))),
            policy: None,
            actions: Vec::new(),
            lost,
        }
    }

    /// The context fields of an event that have a value.
    pub fn context<E: Extract + ?Sized>(
        &mut self,
        source: &str,
        event: &E,
    ) -> BTreeMap<String, Json> {
        let fields = match source {
            "k8s_audit" => &self.audit,
            "aws_cloudtrail" => &self.cloudtrail,
            vedette_rules::catalogue::SYSCALL => &self.syscall,
            _ => return BTreeMap::new(),
        };
        let mut out = BTreeMap::new();
        for field in fields {
            let value = self.renderer.field(field, event);
            if !value.is_null() && value != Json::String(String::new()) {
                out.insert(field.text.to_string(), value);
            }
        }
        out
    }

    /// The process behind a system call, and its ancestors.
    pub fn lineage<E: Extract + ?Sized>(&mut self, event: &E) -> Vec<Process> {
        let mut out: Vec<Process> = Vec::new();
        for n in 0..=MAX_LINEAGE {
            match self.lineage.process(n, event) {
                // a damaged table could lead in a circle
                Some(process) if n < 2 || out.iter().all(|known| known.pid != process.pid) => {
                    out.push(process);
                }
                _ => break,
            }
        }
        out
    }
}

/// An explanation as findings carry it.
fn clause(clause: &naive::Clause<'_>) -> Clause {
    let (text, seen, clauses) = match &clause.kind {
        ClauseKind::And(parts) => (
            "and".to_owned(),
            None,
            parts.iter().map(self::clause).collect(),
        ),
        ClauseKind::Or(parts) => (
            "or".to_owned(),
            None,
            parts.iter().map(self::clause).collect(),
        ),
        ClauseKind::Not(part) => ("not".to_owned(), None, vec![self::clause(part)]),
        ClauseKind::Check { check, left, right } => {
            let mut text = check.to_string();
            shorten(&mut text);
            if let Some(right) = right.as_ref().and_then(seen) {
                text.push_str(" [");
                text.push_str(&right);
                text.push(']');
            }
            (text, seen(left), Vec::new())
        }
    };
    Clause {
        text,
        holds: clause.verdict,
        seen,
        clauses,
    }
}

/// Cuts at a character boundary and says so.
fn shorten(text: &mut String) {
    if text.len() > MAX_CLAUSE {
        let mut end = MAX_CLAUSE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
}

fn seen(seen: &Seen) -> Option<String> {
    let one = |value: &SeenValue| match value {
        SeenValue::Plain(text) => text.clone(),
        SeenValue::Text(text) => String::from_utf8_lossy(text).into_owned(),
    };
    match seen {
        Seen::Missing => None,
        Seen::One(value) => Some(one(value)),
        Seen::Many(values, count) => {
            let mut text = values.iter().map(one).collect::<Vec<_>>().join(", ");
            if *count > values.len() {
                text.push_str(", …");
            }
            Some(format!("({text})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_context_field_is_in_the_catalogue() {
        for name in [CONTEXT, CONTEXT_AUDIT, CONTEXT_CLOUDTRAIL].concat() {
            assert!(FieldRef::parse(name).is_ok(), "{name}");
        }
    }
}
