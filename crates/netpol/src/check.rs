//! Questions as people and CI files ask them: one line of JSON in, one line of JSON out.
//!
//! In: `{"from":"ns/pod or address","to":…,"port":…,"protocol":…,"expect":…}`. `port` is a number or a name and may be
//! missing, which asks for all ports; `protocol` is TCP when missing; `expect` is optional.
//! Out: [`Line`].

use serde::Serialize;
use serde_json::Value;

use crate::compile::Compiled;
use crate::evaluate::{
    Answer, Assumptions, Decision, Directory, Half, Matcher, Question, Resolved, Target, evaluate,
    resolve,
};
use crate::model::{Direction, PortRef, World};
use crate::traffic::{ConnSet, Protocol};

/// Longest line of a batch that is read, in bytes: far beyond any real probe.
pub const MAX_LINE: usize = 64 * 1024;

/// A question before names are resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Who connects, as written.
    pub from: String,
    /// To whom, as written.
    pub to: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Port; `None` asks for all of them.
    pub port: Option<PortRef>,
    /// What the author expects.
    pub expect: Option<bool>,
}

/// Why a line is no probe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProbeError {
    /// Not JSON.
    #[error("expected a JSON object: {0}")]
    Json(String),
    /// A field of the wrong kind.
    #[error("field `{0}`: expected {1}")]
    Field(&'static str, &'static str),
    /// Too long.
    #[error("expected a line of at most {MAX_LINE} bytes")]
    TooLong,
}

impl Probe {
    /// Reads a line of a batch.
    pub fn parse(line: &str) -> Result<Self, ProbeError> {
        if line.len() > MAX_LINE {
            return Err(ProbeError::TooLong);
        }
        let value: Value =
            serde_json::from_str(line).map_err(|e| ProbeError::Json(e.to_string()))?;
        if !value.is_object() {
            return Err(ProbeError::Json("found something else".into()));
        }
        let text = |key: &'static str| {
            value
                .get(key)
                .and_then(Value::as_str)
                .filter(|t| !t.is_empty())
                .map(str::to_owned)
                .ok_or(ProbeError::Field(
                    key,
                    "`namespace/pod`, an address, a Service or a DNS name",
                ))
        };
        let protocol = match value.get("protocol") {
            None | Some(Value::Null) => Protocol::TCP,
            Some(Value::String(name)) => Protocol::parse(name).ok_or(ProbeError::Field(
                "protocol",
                "TCP, UDP, SCTP, ICMP, ICMPv6 or a number",
            ))?,
            Some(number) => number
                .as_u64()
                .and_then(|n| u8::try_from(n).ok())
                .filter(|n| *n > 0)
                .map(Protocol)
                .ok_or(ProbeError::Field(
                    "protocol",
                    "a name or a number from 1 to 255",
                ))?,
        };
        let port = match value.get("port") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                Some(read_port(text).ok_or(ProbeError::Field("port", PORT_WORDS))?)
            }
            Some(number) => Some(PortRef::Number(
                number
                    .as_u64()
                    .and_then(|n| u16::try_from(n).ok())
                    .filter(|n| *n > 0)
                    .ok_or(ProbeError::Field("port", PORT_WORDS))?,
            )),
        };
        let expect = match value.get("expect") {
            None | Some(Value::Null) => None,
            Some(Value::Bool(expect)) => Some(*expect),
            Some(Value::String(word)) => match word.to_ascii_lowercase().as_str() {
                "allow" | "allowed" | "true" => Some(true),
                "deny" | "denied" | "block" | "blocked" | "false" => Some(false),
                _ => {
                    return Err(ProbeError::Field(
                        "expect",
                        "true, false, allowed or denied",
                    ));
                }
            },
            Some(_) => {
                return Err(ProbeError::Field(
                    "expect",
                    "true, false, allowed or denied",
                ));
            }
        };
        Ok(Self {
            from: text("from")?,
            to: text("to")?,
            protocol,
            port,
            expect,
        })
    }
}

const PORT_WORDS: &str = "a number from 1 to 65535 or the name of a port";

/// Reads a port as written on a command line.
pub fn read_port(text: &str) -> Option<PortRef> {
    match text.parse::<u16>() {
        Ok(0) => None,
        Ok(number) => Some(PortRef::Number(number)),
        Err(_) if text.is_empty() || text.bytes().all(|b| b.is_ascii_digit()) => None,
        Err(_) => Some(PortRef::Name(text.into())),
    }
}

/// One direction of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct HalfLine {
    /// Null when the inputs do not say.
    pub allowed: Option<bool>,
    /// Policy, rule and clause that decided; null when no policy did.
    pub by: Option<String>,
    /// A sentence.
    pub reason: String,
    /// File, line and column of the rule or policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

impl HalfLine {
    fn new(half: &Half) -> Self {
        Self {
            allowed: half.decision.allowed(),
            by: half.reason.by(),
            reason: half.reason.text.clone(),
            at: half.reason.place.as_ref().map(ToString::to_string),
        }
    }
}

/// An answer as a line of JSON.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Line {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// As asked; null when all ports were asked for.
    pub port: Option<Value>,
    /// As asked.
    pub protocol: String,
    /// Whether it goes through; null when the inputs do not say.
    pub allowed: Option<bool>,
    /// `allowed`, `denied`, `undecidable`, or `error` for a line that could not be asked.
    pub verdict: &'static str,
    /// Policy, rule and clause that decided; null when no policy did.
    pub by: Option<String>,
    /// A sentence.
    pub reason: String,
    /// What the source's policies say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub egress: Option<HalfLine>,
    /// What the destination's policies say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<HalfLine>,
    /// What else one should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// As asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<bool>,
    /// Whether the answer is what was expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ok: Option<bool>,
}

impl Line {
    /// A line that could not be read.
    pub fn broken(line: &str, error: &ProbeError) -> Self {
        // The text is given back so that one can find it; a long one only in part.
        const SHOWN: usize = 200;
        Self {
            from: line.chars().take(SHOWN).collect(),
            protocol: String::new(),
            verdict: "error",
            reason: error.to_string(),
            ..Self::default()
        }
    }

    fn settle(mut self, decision: Decision) -> Self {
        self.allowed = decision.allowed();
        self.verdict = match decision {
            Decision::Allowed => "allowed",
            Decision::Denied => "denied",
            Decision::Undecidable => "undecidable",
        };
        self.ok = self.expect.map(|expect| self.allowed == Some(expect));
        self
    }
}

/// Answers probes over one world.
#[derive(Debug)]
pub struct Checker<'w> {
    world: &'w World,
    assumptions: &'w Assumptions,
    directory: Directory,
    compiled: Option<Compiled<'w>>,
}

impl<'w> Checker<'w> {
    /// Over a world.
    pub fn new(world: &'w World, assumptions: &'w Assumptions) -> Self {
        Self {
            world,
            assumptions,
            directory: Directory::new(world),
            compiled: None,
        }
    }

    /// Answers a probe.
    pub fn answer(&mut self, probe: &Probe) -> Line {
        let line = Line {
            from: probe.from.clone(),
            to: probe.to.clone(),
            port: probe.port.as_ref().map(|port| match port {
                PortRef::Number(number) => Value::from(*number),
                PortRef::Name(name) => Value::from(&**name),
            }),
            protocol: probe.protocol.to_string(),
            expect: probe.expect,
            ..Line::default()
        };
        let world = self.world;
        let ends = self
            .directory
            .find(world, &probe.from)
            .and_then(|from| Ok((from, self.directory.find(world, &probe.to)?)));
        let (from, to) = match ends {
            Ok(ends) => ends,
            Err(error) => return failed(line, &error.to_string()),
        };
        let Resolved::One(from) = from else {
            return failed(line, "a Service is no source: name one of its pods");
        };
        let matcher = Matcher {
            world,
            assumptions: self.assumptions,
        };
        if probe.port.is_none() && probe.protocol.has_ports() {
            return self.all_ports(probe, line, &from, &to);
        }
        let port = probe.port.clone().unwrap_or(PortRef::Number(1));
        let targets = match &to {
            // Protocols without ports do not go through a Service; its pods are asked one by one.
            Resolved::Service(index) if !probe.protocol.has_ports() => {
                crate::evaluate::backends(world, &world.services[*index])
                    .map(|(pod, _)| Target {
                        party: crate::evaluate::Party::Pod(pod),
                        port: 1,
                    })
                    .collect()
            }
            place => match resolve(&matcher, place, probe.protocol, &port) {
                Ok(targets) => targets,
                Err(error) => return failed(line, &error.to_string()),
            },
        };
        let answers: Vec<(Target, Answer)> = targets
            .into_iter()
            .map(|target| {
                let question = Question {
                    from: from.clone(),
                    to: target.party.clone(),
                    protocol: probe.protocol,
                    port: target.port,
                };
                let answer = evaluate(world, self.assumptions, &question);
                (target, answer)
            })
            .collect();
        summarise(&matcher, line, &to, &answers)
    }

    /// Without a port the question is about every port.
    fn all_ports(
        &mut self,
        probe: &Probe,
        line: Line,
        from: &crate::evaluate::Party,
        to: &Resolved,
    ) -> Line {
        let Resolved::One(to) = to else {
            return failed(line, "name a port of the Service");
        };
        let compiled = self
            .compiled
            .get_or_insert_with(|| Compiled::new(self.world, self.assumptions));
        let (Some(a), Some(b)) = (compiled.end(from), compiled.end(to)) else {
            return failed(
                line,
                "name a port: only pods and addresses can be asked for all of them",
            );
        };
        let found = compiled.connections(a, b);
        let all = ConnSet::protocol(probe.protocol);
        let sure = all.and(&found.allowed);
        let doubtful = all.and(&found.doubtful);
        // One port shows the reasons: the first that is not allowed when there is one.
        let ports = |set: &ConnSet| set.ports_of(probe.protocol).ranges().first().map(|r| r.0);
        let port = ports(&all.minus(&sure)).unwrap_or(1);
        let question = Question {
            from: from.clone(),
            to: to.clone(),
            protocol: probe.protocol,
            port,
        };
        let answer = evaluate(self.world, self.assumptions, &question);
        let mut line = fill(line, &answer);
        if sure == all {
            return line.settle(Decision::Allowed);
        }
        if sure.is_empty() && doubtful.is_empty() {
            return line.settle(Decision::Denied);
        }
        line.by = None;
        line.reason = if doubtful.is_empty() {
            format!("it depends on the port: {sure} is allowed")
        } else {
            format!("it depends on the port: {sure} is allowed, {doubtful} is in doubt")
        };
        line.settle(Decision::Undecidable)
    }
}

fn failed(mut line: Line, reason: &str) -> Line {
    reason.clone_into(&mut line.reason);
    line.verdict = "error";
    line.ok = line.expect.map(|_| false);
    line
}

fn fill(mut line: Line, answer: &Answer) -> Line {
    let (_, half) = answer.deciding();
    line.by = half.reason.by();
    line.reason.clone_from(&half.reason.text);
    line.egress = Some(HalfLine::new(&answer.egress));
    line.ingress = Some(HalfLine::new(&answer.ingress));
    line.notes.clone_from(&answer.notes);
    line
}

/// Several pods behind a Service: the answer is theirs when they agree.
fn summarise(
    matcher: &Matcher<'_>,
    line: Line,
    to: &Resolved,
    answers: &[(Target, Answer)],
) -> Line {
    let worst = answers
        .iter()
        .min_by_key(|(_, answer)| match answer.decision {
            Decision::Denied => 0,
            Decision::Undecidable => 1,
            Decision::Allowed => 2,
        });
    let Some((target, worst)) = worst else {
        return failed(line, "the Service has no pod among the inputs to lead to");
    };
    let mut line = fill(line, worst);
    if let Resolved::Service(_) = to {
        line.notes.push(format!(
            "the Service leads to {} port {} before policies are asked",
            matcher.name(&target.party),
            target.port
        ));
    }
    let mixed = answers
        .iter()
        .any(|(_, answer)| answer.decision != worst.decision);
    if mixed {
        line.reason = format!(
            "it depends on which pod the Service picks; for {}: {}",
            matcher.name(&target.party),
            line.reason
        );
        line.by = None;
        return line.settle(Decision::Undecidable);
    }
    line.settle(worst.decision)
}

/// An answer in words, for a terminal.
pub fn explain(line: &Line) -> String {
    let port = line.port.as_ref().map_or_else(String::new, |port| {
        format!(
            " {}",
            port.as_str()
                .map_or_else(|| port.to_string(), str::to_owned)
        )
    });
    let mut out = format!(
        "{}: {} -> {} {}{port}\n",
        line.verdict.to_uppercase(),
        line.from,
        line.to,
        line.protocol
    );
    out += &format!("  {}\n", line.reason);
    for (direction, half) in [
        (Direction::Egress, &line.egress),
        (Direction::Ingress, &line.ingress),
    ] {
        let Some(half) = half else { continue };
        let verdict = match half.allowed {
            Some(true) => "allowed",
            Some(false) => "denied",
            None => "undecidable",
        };
        out += &format!("  {direction}: {verdict}: {}\n", half.reason);
        if let Some(at) = &half.at {
            out += &format!("      at {at}\n");
        }
    }
    for note in &line.notes {
        out += &format!("  note: {note}\n");
    }
    out
}
