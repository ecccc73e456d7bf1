//! Recorded flows: one line of JSON for each connection, or for many alike.
//!
//! ```json
//! {"time":"2026-03-01T10:00:00Z","source":{"namespace":"shop","workload":"web","kind":"Deployment"},
//!  "destination":{"namespace":"shop","workload":"db","port":5432},"protocol":"TCP","process":"web","verdict":"allowed"}
//! ```
//!
//! An end is a map with `namespace` and `workload` (or `pod`), and `kind` and `labels` when the recorder knows them;
//! or a map with `address`, and `name` when it was looked up by DNS; or a string, as in a probe. `port` is the
//! destination's own, after any Service. `count` says how many connections a line stands for.
//! Unknown fields are passed over, so that recorders may add theirs.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::Value;

use crate::evaluate::{
    Assumptions, Directory, Matcher, Party, ResolveError, Resolved, Target, resolve,
};
use crate::labels::Labels;
use crate::model::{Namespace, Place, Pod, PortRef, World};
use crate::traffic::Protocol;

/// Longest line that is read, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// Most labels of an end that are kept: more than any workload has.
const MAX_LABELS: usize = 128;

/// One end of a recorded flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FlowEnd {
    /// A workload or a pod.
    Workload {
        /// Namespace.
        namespace: Arc<str>,
        /// Name.
        name: Arc<str>,
        /// Kind, when known.
        kind: Option<Arc<str>>,
        /// Labels of its pods, when known.
        labels: Labels,
    },
    /// An address, with the DNS name it was reached by when known.
    Address(IpAddr, Option<Arc<str>>),
    /// A reference as in a probe.
    Reference(Arc<str>),
}

impl std::fmt::Display for FlowEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Workload {
                namespace, name, ..
            } => write!(f, "{namespace}/{name}"),
            Self::Address(address, _) => write!(f, "{address}"),
            Self::Reference(text) => f.write_str(text),
        }
    }
}

/// A recorded flow.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow {
    /// When, as written.
    pub time: Option<Arc<str>>,
    /// Who connected.
    pub source: FlowEnd,
    /// To whom.
    pub destination: FlowEnd,
    /// Over what.
    pub protocol: Protocol,
    /// To which port; `None` for protocols without ports.
    pub port: Option<u16>,
    /// Name of the process at the source.
    pub process: Option<Arc<str>>,
    /// Whether it went through when it was recorded.
    pub allowed: Option<bool>,
    /// How many connections the line stands for.
    pub count: u64,
}

/// Why a line is no flow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FlowError {
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

impl Flow {
    /// Reads a line.
    pub fn parse(line: &str) -> Result<Self, FlowError> {
        if line.len() > MAX_LINE {
            return Err(FlowError::TooLong);
        }
        let value: Value =
            serde_json::from_str(line).map_err(|e| FlowError::Json(e.to_string()))?;
        if !value.is_object() {
            return Err(FlowError::Json("found something else".into()));
        }
        let get = |key: &str| value.get(key).filter(|v| !v.is_null());
        let source = get("source").or_else(|| get("from"));
        let destination = get("destination").or_else(|| get("to"));
        let protocol = match get("protocol") {
            None => Protocol::TCP,
            Some(v) => v
                .as_str()
                .and_then(Protocol::parse)
                .or_else(|| {
                    let number = u8::try_from(v.as_u64()?).ok()?;
                    (number > 0).then_some(Protocol(number))
                })
                .ok_or(FlowError::Field(
                    "protocol",
                    "a name such as TCP, or a number",
                ))?,
        };
        let port = get("port").or_else(|| destination.and_then(|d| d.get("port")));
        let port = match port {
            None if protocol.has_ports() => {
                return Err(FlowError::Field("port", "a number from 1 to 65535"));
            }
            None => None,
            Some(v) => Some(
                v.as_u64()
                    .and_then(|n| u16::try_from(n).ok())
                    .filter(|n| *n > 0)
                    .ok_or(FlowError::Field("port", "a number from 1 to 65535"))?,
            ),
        };
        let allowed = match get("verdict").and_then(Value::as_str) {
            None => None,
            Some("allowed" | "allow" | "forwarded") => Some(true),
            Some("denied" | "deny" | "dropped") => Some(false),
            Some(_) => return Err(FlowError::Field("verdict", "allowed or denied")),
        };
        let text = |key: &str| get(key).and_then(Value::as_str).map(Arc::from);
        Ok(Self {
            time: text("time"),
            source: end(source).ok_or(FlowError::Field("source", END_WORDS))?,
            destination: end(destination).ok_or(FlowError::Field("destination", END_WORDS))?,
            protocol,
            port,
            process: text("process"),
            allowed,
            count: get("count").and_then(Value::as_u64).unwrap_or(1),
        })
    }
}

const END_WORDS: &str =
    "a map with `namespace` and `workload`, a map with `address`, or a string such as `ns/pod`";

fn end(value: Option<&Value>) -> Option<FlowEnd> {
    let value = value?;
    if let Some(text) = value.as_str().filter(|t| !t.is_empty()) {
        return Some(match text.parse() {
            Ok(address) => FlowEnd::Address(address, None),
            Err(_) => FlowEnd::Reference(text.into()),
        });
    }
    let get = |key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
    };
    let name = get("workload").or_else(|| get("pod"));
    if let (Some(namespace), Some(name)) = (get("namespace"), name) {
        let pairs = value.get("labels").and_then(Value::as_object);
        return Some(FlowEnd::Workload {
            namespace: namespace.into(),
            name: name.into(),
            kind: get("kind").map(Arc::from),
            labels: Labels::new(
                pairs
                    .into_iter()
                    .flatten()
                    .take(MAX_LABELS)
                    .filter_map(|(k, v)| Some((k.as_str().into(), v.as_str()?.into()))),
            ),
        });
    }
    let address = get("address").or_else(|| get("ip"))?.parse().ok()?;
    Some(FlowEnd::Address(address, get("name").map(Arc::from)))
}

/// Adds workloads that only the flows know, as far as these carry labels.
pub fn complete(world: &mut World, flows: &[Flow]) {
    let mut known: rustc_hash::FxHashSet<(Arc<str>, Arc<str>)> = world
        .pods
        .iter()
        .flat_map(|pod| {
            let owner = pod
                .owner
                .as_ref()
                .map(|(_, name)| (pod.namespace.clone(), name.clone()));
            std::iter::once((pod.namespace.clone(), pod.name.clone())).chain(owner)
        })
        .collect();
    for end in flows.iter().flat_map(|f| [&f.source, &f.destination]) {
        let FlowEnd::Workload {
            namespace,
            name,
            kind,
            labels,
        } = end
        else {
            continue;
        };
        if labels.is_empty() || !known.insert((namespace.clone(), name.clone())) {
            continue;
        }
        if world.namespace(namespace).is_none() {
            world.namespaces.push(Namespace {
                name: namespace.clone(),
                labels: Labels::new([(
                    crate::model::NAMESPACE_NAME_LABEL.into(),
                    namespace.clone(),
                )]),
                declared: false,
            });
            world.namespaces.sort_by(|a, b| a.name.cmp(&b.name));
        }
        world.pods.push(Pod {
            namespace: namespace.clone(),
            name: name.clone(),
            kind: kind.clone().unwrap_or_else(|| "Pod".into()),
            owner: None,
            labels: labels.clone(),
            owner_labels: Labels::default(),
            ports: Vec::new(),
            ips: Vec::new(),
            node: None,
            host_ips: Vec::new(),
            service_account: "default".into(),
            host_network: false,
            privileged: false,
            terminated: false,
            attachments: Vec::new(),
            attached_ips: Vec::new(),
            place: Place::default(),
        });
    }
}

/// The parties of a flow: one source, and every pod the destination can mean.
pub fn parties(
    world: &World,
    directory: &Directory,
    assumptions: &Assumptions,
    flow: &Flow,
) -> Result<(Party, Vec<Target>), ResolveError> {
    let find = |end: &FlowEnd| match end {
        FlowEnd::Workload {
            namespace,
            name,
            kind,
            ..
        } => {
            let exact = kind.as_ref().and_then(|k| {
                directory
                    .find(world, &format!("{namespace}/{k}/{name}"))
                    .ok()
            });
            match exact {
                Some(place) => Ok(place),
                None => directory.find(world, &format!("{namespace}/{name}")),
            }
        }
        FlowEnd::Address(address, _) => directory.find(world, &address.to_string()),
        FlowEnd::Reference(text) => directory.find(world, text),
    };
    let Resolved::One(source) = find(&flow.source)? else {
        return Err(ResolveError::Unknown(
            flow.source.to_string(),
            "; a Service is no source".into(),
        ));
    };
    let destination = find(&flow.destination)?;
    let matcher = Matcher { world, assumptions };
    let port = PortRef::Number(flow.port.unwrap_or(1));
    let targets = resolve(&matcher, &destination, flow.protocol, &port)?;
    Ok((source, targets))
}
