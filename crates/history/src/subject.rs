//! Records as something that conditions can be asked about.
//!
//! [`Subject::text`] is the one place that says what a field of text has for a value at a record. Stores index what it
//! gives, and filters evaluate what it gives, so the two cannot disagree.

use std::borrow::Cow;
use std::net::IpAddr;

use serde_json::Value as Json;
use vedette_event::{
    Activity, EventType, Extract, Extracted, FieldArg, FieldRef, Finding, Outcome, ParamType,
    Process, Record, Severity, StateKey, Value, Values,
};

use crate::filter::names::{self, Named};
use crate::{Place, Status};

/// A record, with where it stands.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A finding.
    Finding(&'a Finding, Status),
    /// An activity.
    Activity(&'a Activity),
}

/// Value of a field of text at a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnValue<'a> {
    /// None.
    Missing,
    /// One.
    Text(Cow<'a, str>),
    /// Several; comparisons want one of them.
    Texts(Vec<Cow<'a, str>>),
}

impl<'a> From<&'a str> for ColumnValue<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl<'a> From<Option<&'a str>> for ColumnValue<'a> {
    fn from(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, Self::from)
    }
}

impl<'a> From<Cow<'a, str>> for ColumnValue<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl ColumnValue<'_> {
    /// The value as the rules engine wants it.
    pub fn extracted<'s>(&self, room: &'s mut Values) -> Extracted<'s> {
        room.clear();
        match self {
            Self::Missing => Extracted::Missing,
            Self::Text(text) => {
                room.push(Value::Text(text.as_bytes()));
                room.get(0).map_or(Extracted::Missing, Extracted::One)
            }
            Self::Texts(texts) => {
                for text in texts {
                    room.push(Value::Text(text.as_bytes()));
                }
                Extracted::Many(room)
            }
        }
    }
}

impl<'a> Subject<'a> {
    /// A record that nobody has seen to yet.
    pub fn of(record: &'a Record) -> Self {
        match record {
            Record::Finding(finding) => Self::Finding(finding, Status::Open),
            Record::Activity(activity) => Self::Activity(activity),
        }
    }

    /// Where it belongs.
    pub fn place(self) -> Place {
        match self {
            Self::Finding(finding, _) => Place::of(&finding.node, &finding.fields),
            Self::Activity(activity) => Place::of(&activity.node, &activity.fields),
        }
    }

    fn node(self) -> &'a str {
        match self {
            Self::Finding(finding, _) => &finding.node,
            Self::Activity(activity) => &activity.node,
        }
    }

    fn time(self) -> u64 {
        match self {
            Self::Finding(finding, _) => finding.time,
            Self::Activity(activity) => activity.time,
        }
    }

    /// The process `index` generations up: 0 is the one behind the event.
    fn process(self, index: usize) -> Option<&'a Process> {
        match (self, index) {
            (Self::Finding(finding, _), _) => finding.lineage.get(index),
            (Self::Activity(activity), 0) => Some(&activity.process),
            (Self::Activity(activity), 1) => Some(&activity.parent),
            (Self::Activity(_), _) => None,
        }
        // What is not known is written as the default.
        .filter(|process| process.pid != 0 || !process.name.is_empty())
    }

    fn recorded(self, name: &str) -> Option<&'a Json> {
        let fields = match self {
            Self::Finding(finding, _) => &finding.fields,
            Self::Activity(activity) => &activity.fields,
        };
        fields.get(name).filter(|value| !value.is_null())
    }

    /// Value of a field without a dot (see [`names`]) or of a catalogue field of type text, by its name as written.
    pub fn text(self, name: &str) -> ColumnValue<'a> {
        if let Some(named) = names::find(name) {
            return self.named(named);
        }
        let recorded = self.recorded(name).or_else(|| match name {
            "k8s.ns.name" => self.recorded("k8smeta.ns.name"),
            "k8s.pod.name" => self.recorded("k8smeta.pod.name"),
            "k8s.deployment.name" => self.recorded("k8smeta.deployment.name"),
            _ => None,
        });
        match recorded {
            Some(value) => texts(value),
            None => self.implied(name).into(),
        }
    }

    fn named(self, named: Named) -> ColumnValue<'a> {
        match (named, self) {
            (Named::Node, _) => self.node().into(),
            (Named::Workload, _) => match self.place().workload {
                name if name.is_empty() => ColumnValue::Missing,
                name => Cow::<str>::Owned(name).into(),
            },
            (Named::Id, Self::Finding(finding, _)) => finding.id.as_str().into(),
            (Named::Id, Self::Activity(activity)) => activity.id.as_str().into(),
            (Named::Rule, Self::Finding(finding, _)) => finding.rule.as_str().into(),
            (Named::Source, Self::Finding(finding, _)) => finding.source.as_str().into(),
            (Named::Message, Self::Finding(finding, _)) => finding.message.as_str().into(),
            (Named::Message, Self::Activity(activity)) => activity.process.cmdline.as_str().into(),
            (Named::Policy, Self::Finding(finding, _)) => finding.policy.as_deref().into(),
            (Named::Status, Self::Finding(_, status)) => status.name().into(),
            (Named::Tag, Self::Finding(finding, _)) => {
                ColumnValue::Texts(finding.tags.iter().map(|t| t.as_str().into()).collect())
            }
            (Named::Action, Self::Finding(finding, _)) => ColumnValue::Texts(
                finding
                    .actions
                    .iter()
                    .map(|action| match action.outcome {
                        Outcome::Done => action.kind.as_str().into(),
                        Outcome::DryRun => Cow::Owned(format!("{}:dry_run", action.kind)),
                        Outcome::Failed => Cow::Owned(format!("{}:failed", action.kind)),
                        Outcome::Withheld => Cow::Owned(format!("{}:withheld", action.kind)),
                    })
                    .collect(),
            ),
            (Named::Severity, Self::Finding(finding, _)) => {
                Severity::from(finding.priority).name().into()
            }
            (Named::Priority, Self::Finding(finding, _)) => finding.priority.name().into(),
            (Named::Kind, Self::Activity(activity)) => activity.kind.name().into(),
            (Named::Session, Self::Activity(activity)) if !activity.session.is_empty() => {
                activity.session.as_str().into()
            }
            _ => ColumnValue::Missing,
        }
    }

    /// What the processes of the record say when the field itself was not recorded.
    fn implied(self, name: &str) -> Option<&'a str> {
        let known = |text: &'a str| (!text.is_empty()).then_some(text);
        match name {
            "proc.name" => self.process(0).and_then(|p| known(&p.name)),
            "proc.exepath" => self.process(0).and_then(|p| known(&p.exepath)),
            "proc.cmdline" => self.process(0).and_then(|p| known(&p.cmdline)),
            "user.name" => self.process(0).and_then(|p| known(&p.user)),
            "proc.pname" => self.process(1).and_then(|p| known(&p.name)),
            "proc.pexepath" => self.process(1).and_then(|p| known(&p.exepath)),
            "proc.pcmdline" => self.process(1).and_then(|p| known(&p.cmdline)),
            "evt.hostname" => known(self.node()),
            "evt.source" => match self {
                Self::Finding(finding, _) => known(&finding.source),
                Self::Activity(_) => None,
            },
            _ => None,
        }
    }

    /// Numbers and ancestors that the processes of the record say.
    fn implied_values(self, field: &FieldRef, room: &mut Values) {
        let process = |index| self.process(index);
        let index = match field.arg {
            FieldArg::Index(index) => Some(index as usize),
            _ => None,
        };
        match (field.info().name, index) {
            ("proc.pid", _) => process(0)
                .into_iter()
                .for_each(|p| room.push(Value::I64(p.pid))),
            ("proc.ppid", _) => process(1)
                .into_iter()
                .for_each(|p| room.push(Value::I64(p.pid))),
            ("evt.rawtime", _) => room.push(Value::U64(self.time())),
            (name @ ("proc.aname" | "proc.aexepath" | "proc.acmdline" | "proc.apid"), index) => {
                let generations = match index {
                    Some(index) => index..index.saturating_add(1),
                    None => 1..MAX_ANCESTORS,
                };
                for ancestor in generations.map_while(process) {
                    room.push(match name {
                        "proc.aname" => Value::Text(ancestor.name.as_bytes()),
                        "proc.aexepath" => Value::Text(ancestor.exepath.as_bytes()),
                        "proc.acmdline" => Value::Text(ancestor.cmdline.as_bytes()),
                        _ => Value::I64(ancestor.pid),
                    });
                }
            }
            ("fd.ip", None) => self.sides(&["fd.cip", "fd.sip", "fd.lip", "fd.rip"], field, room),
            ("fd.net", None) => {
                let sides = ["fd.cnet", "fd.snet", "fd.cip", "fd.sip", "fd.lip", "fd.rip"];
                self.sides(&sides, field, room);
            }
            ("fd.cnet" | "fd.snet" | "fd.lnet" | "fd.rnet", None) => {
                let address = field.info().name.replace("net", "ip");
                self.sides(&[address.as_str()], field, room);
            }
            ("fd.port", None) => {
                self.sides(
                    &["fd.cport", "fd.sport", "fd.lport", "fd.rport"],
                    field,
                    room,
                );
            }
            _ => {}
        }
    }

    fn sides(self, names: &[&str], field: &FieldRef, room: &mut Values) {
        for value in names.iter().filter_map(|name| self.recorded(name)) {
            push(field.info().ty, value, room);
        }
    }
}

/// Ancestors that a comparison with all of them looks at; more than kernels nest processes in practice.
const MAX_ANCESTORS: usize = 256;

impl Extract for Subject<'_> {
    fn kind(&self) -> EventType {
        EventType(0)
    }

    fn num(&self) -> u64 {
        0
    }

    fn ts(&self) -> u64 {
        self.time()
    }

    fn state_key(&self) -> Option<StateKey> {
        None
    }

    fn extract<'s>(&'s self, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
        match names::find(&field.text) {
            Some(Named::Severity) => return rank(names::severity_rank(*self), room),
            Some(Named::Priority) => return rank(names::priority_rank(*self), room),
            _ => {}
        }
        if names::is_text(field) {
            let value = self.text(&field.text);
            if value != ColumnValue::Missing || names::find(&field.text).is_some() {
                return value.extracted(room);
            }
        }
        room.clear();
        let recorded = self
            .recorded(&field.text)
            .or_else(|| self.recorded(&other_spelling(field)?));
        match recorded {
            Some(value) => push(field.info().ty, value, room),
            None => self.implied_values(field, room),
        }
        let list = matches!(recorded, Some(Json::Array(_))) || recorded.is_none() && room.len() > 1;
        match room.len() {
            0 => Extracted::Missing,
            1 if !list => room.get(0).map_or(Extracted::Missing, Extracted::One),
            _ => Extracted::Many(room),
        }
    }
}

fn rank(rank: Option<u64>, room: &mut Values) -> Extracted<'_> {
    room.clear();
    match rank {
        Some(rank) => {
            room.push(Value::U64(rank));
            room.get(0).map_or(Extracted::Missing, Extracted::One)
        }
        None => Extracted::Missing,
    }
}

/// `evt.arg.flags` for `evt.arg[flags]` and the other way round.
fn other_spelling(field: &FieldRef) -> Option<String> {
    let arg = match &field.arg {
        FieldArg::None => return None,
        FieldArg::Index(index) => index.to_string(),
        FieldArg::Key(key) => key.to_string(),
    };
    let name = field.info().name;
    Some(if field.text.ends_with(']') {
        format!("{name}.{arg}")
    } else {
        format!("{name}[{arg}]")
    })
}

/// A recorded value as texts.
fn texts(value: &Json) -> ColumnValue<'_> {
    fn one(value: &Json) -> Option<Cow<'_, str>> {
        match value {
            Json::String(text) => Some(text.as_str().into()),
            Json::Number(number) => Some(number.to_string().into()),
            Json::Bool(flag) => Some(if *flag { "true" } else { "false" }.into()),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }
    match value {
        Json::Array(items) => ColumnValue::Texts(items.iter().filter_map(one).collect()),
        other => one(other).map_or(ColumnValue::Missing, ColumnValue::Text),
    }
}

/// A recorded value as what the field's type says. What does not fit the type is no value.
fn push(ty: ParamType, value: &Json, room: &mut Values) {
    use ParamType as T;
    if let Json::Array(items) = value {
        for item in items.iter().filter(|item| !item.is_array()) {
            push(ty, item, room);
        }
        return;
    }
    let signed = || match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let unsigned = || match value {
        Json::Number(number) => number.as_u64().or(number.as_i64().map(|v| v as u64)),
        Json::String(text) => text.parse().ok(),
        _ => None,
    };
    let converted = match ty {
        T::I8 | T::I16 | T::I32 | T::I64 | T::Errno | T::Fd | T::Fd32 | T::Pid | T::Pid32 => {
            signed().map(Value::I64)
        }
        T::Double => match value {
            Json::Number(number) => number.as_f64().map(Value::F64),
            Json::String(text) => text.parse().ok().map(Value::F64),
            _ => None,
        },
        T::Bool => match value {
            Json::Bool(flag) => Some(Value::Bool(*flag)),
            Json::String(text) => text.parse().ok().map(Value::Bool),
            Json::Number(number) => number.as_u64().map(|n| Value::Bool(n != 0)),
            _ => None,
        },
        T::Ipv4Addr | T::Ipv6Addr | T::IpAddr | T::IpNet => value
            .as_str()
            .and_then(|text| text.parse::<IpAddr>().ok())
            .map(Value::Ip),
        T::ByteBuf => value.as_str().map(|text| Value::Bytes(text.as_bytes())),
        T::CharBuf | T::FsPath | T::FsRelPath | T::Dyn => {
            return match texts(value) {
                ColumnValue::Text(text) => room.push(Value::Text(text.as_bytes())),
                ColumnValue::Missing | ColumnValue::Texts(_) => {}
            };
        }
        _ => unsigned().map(Value::U64),
    };
    if let Some(value) = converted {
        room.push(value);
    }
}
