//! What people and attackers ask of an API server, request by request in the shape in which a real one (1.36) recorded
//! such requests, each under four audit policies: everything, no answers, nothing but metadata, and without the stage in
//! which a request is received.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod commands;
mod rights;
mod workloads;

use serde_json::{Value, json};
use vedette_audit::findings::{Detector, Hit, Origin};
use vedette_audit::lists::Lists;
use vedette_audit::{Source, Splitter};

const EXEC: &str = "Execution:Kubernetes/ExecInKubeSystemPod";
const PRIVILEGED: &str = "PrivilegeEscalation:Kubernetes/PrivilegedContainer";
const MOUNT: &str = "Persistence:Kubernetes/ContainerWithSensitiveMount";
const ADMIN: &str = "Policy:Kubernetes/AdminAccessToDefaultServiceAccount";
const ANONYMOUS: &str = "Policy:Kubernetes/AnonymousAccessGranted";
const DASHBOARD: &str = "Policy:Kubernetes/ExposedDashboard";

/// A request.
#[derive(Clone)]
struct Ask {
    verb: &'static str,
    resource: &'static str,
    sub: &'static str,
    namespace: &'static str,
    name: &'static str,
    path: Option<&'static str>,
    query: &'static str,
    user: &'static str,
    impersonated: Option<&'static str>,
    address: &'static str,
    code: u64,
    request: Value,
    answer: Value,
}

/// A request for a resource (`pods/exec` with its subresource) that succeeds.
fn ask(
    verb: &'static str,
    resource: &'static str,
    namespace: &'static str,
    name: &'static str,
) -> Ask {
    let (resource, sub) = resource.split_once('/').unwrap_or((resource, ""));
    Ask {
        verb,
        resource,
        sub,
        namespace,
        name,
        path: None,
        query: "",
        user: "kubernetes-admin",
        impersonated: None,
        address: "10.0.0.7",
        code: if verb == "create" { 201 } else { 200 },
        request: Value::Null,
        answer: Value::Null,
    }
}

/// A request for a path that is no resource.
fn path(verb: &'static str, path: &'static str) -> Ask {
    Ask {
        path: Some(path),
        ..ask(verb, "", "", "")
    }
}

impl Ask {
    fn by(mut self, user: &'static str) -> Self {
        self.user = user;
        self
    }

    fn anonymous(self) -> Self {
        self.by("system:anonymous")
    }

    fn impersonating(mut self, user: &'static str) -> Self {
        self.impersonated = Some(user);
        self
    }

    fn from(mut self, address: &'static str) -> Self {
        self.address = address;
        self
    }

    fn code(mut self, code: u64) -> Self {
        self.code = code;
        self
    }

    fn query(mut self, query: &'static str) -> Self {
        self.query = query;
        self
    }

    /// What was sent; the answer is the same object where nothing else is said.
    fn sends(mut self, object: Value) -> Self {
        if self.answer.is_null() {
            self.answer = object.clone();
        }
        self.request = object;
        self
    }

    /// What was sent as a patch, and the whole object that came of it.
    fn patches(mut self, patch: Value, whole: Value) -> Self {
        (self.request, self.answer) = (patch, whole);
        self
    }

    /// The stages that the server records, with these stages and members left out.
    fn events(&self, number: usize, policy: &Policy) -> Vec<String> {
        let uri = self.path.map_or_else(
            || {
                let part = |name: &str| {
                    if name.is_empty() {
                        String::new()
                    } else {
                        format!("/{name}")
                    }
                };
                let place = if self.namespace.is_empty() {
                    String::new()
                } else {
                    format!("/namespaces/{}", self.namespace)
                };
                let name = if self.verb == "create" && self.sub.is_empty() {
                    ""
                } else {
                    self.name
                };
                format!(
                    "/api/v1{place}/{}{}{}",
                    self.resource,
                    part(name),
                    part(self.sub)
                )
            },
            str::to_owned,
        );
        let mark = if self.query.is_empty() { "" } else { "?" };
        let groups = if self.user == "system:anonymous" {
            "system:unauthenticated"
        } else {
            "system:authenticated"
        };
        let stamp = format!(
            "2026-11-21T21:{:02}:{:02}.017045Z",
            number / 60,
            number % 60
        );
        let mut event = json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": policy.level,
            "auditID": format!("00000000-0000-4000-8000-{number:012}"),
            "requestURI": format!("{uri}{mark}{}", self.query), "verb": self.verb,
            "user": {"username": self.user, "groups": [groups]},
            "sourceIPs": [self.address],
            "userAgent": "kubectl/v1.37.1 (linux/amd64) kubernetes/f78e722",
            "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
        });
        if let Some(user) = self.impersonated {
            event["impersonatedUser"] =
                json!({"username": user, "groups": ["system:authenticated"]});
        }
        if self.path.is_none() {
            let mut target = json!({"resource": self.resource, "apiVersion": "v1"});
            for (key, value) in [
                ("namespace", self.namespace),
                ("name", self.name),
                ("subresource", self.sub),
            ] {
                if !value.is_empty() {
                    target[key] = json!(value);
                }
            }
            event["objectRef"] = target;
        }
        let mut stages = vec![("RequestReceived", event.clone())];
        event["responseStatus"] = json!({"metadata": {}, "code": self.code});
        event["annotations"] = json!({"authorization.k8s.io/decision": if self.code == 403 { "forbid" } else { "allow" }});
        if matches!(self.sub, "exec" | "attach" | "portforward" | "proxy") || self.verb == "watch" {
            stages.push(("ResponseStarted", event.clone()));
        }
        for (key, value) in [
            ("requestObject", &self.request),
            ("responseObject", &self.answer),
        ] {
            if !value.is_null() && policy.keeps.contains(&key) {
                event[key] = value.clone();
            }
        }
        stages.push(("ResponseComplete", event));
        let kept = stages
            .into_iter()
            .filter(|(stage, _)| !policy.omits.contains(stage));
        kept.map(|(stage, mut event)| {
            event["stage"] = json!(stage);
            event.to_string()
        })
        .collect()
    }
}

/// What an audit policy keeps.
struct Policy {
    level: &'static str,
    keeps: &'static [&'static str],
    omits: &'static [&'static str],
}

const FULL: Policy = Policy {
    level: "RequestResponse",
    keeps: &["requestObject", "responseObject"],
    omits: &[],
};
const REQUEST: Policy = Policy {
    level: "Request",
    keeps: &["requestObject"],
    omits: &["RequestReceived"],
};
const METADATA: Policy = Policy {
    level: "Metadata",
    keeps: &[],
    omits: &["RequestReceived", "ResponseStarted"],
};

fn hits(asks: &[Ask], policy: &Policy, lists: Lists) -> Vec<Hit> {
    let mut detector = Detector::new(Origin::default(), lists);
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let mut hits = Vec::new();
    for (number, ask) in asks.iter().enumerate() {
        for line in ask.events(number, policy) {
            splitter.feed((line + "\n").as_bytes(), false, &mut |record| {
                detector.observe(record.unwrap(), &mut hits);
            });
        }
    }
    hits
}

fn kinds(asks: &[Ask], policy: &Policy) -> Vec<String> {
    let hits = hits(asks, policy, Lists::new());
    hits.into_iter().map(|hit| hit.kind).collect()
}

/// Holds requests to the findings that they give, one by one, under the full policy, at level Request and at Metadata.
fn check(name: &str, asks: &[Ask], full: &[&str], request: &[&str], metadata: &[&str]) {
    assert_eq!(kinds(asks, &FULL), full, "{name}");
    assert_eq!(kinds(asks, &REQUEST), request, "{name}, level Request");
    assert_eq!(kinds(asks, &METADATA), metadata, "{name}, level Metadata");
    let without = Policy {
        omits: &["RequestReceived"],
        ..FULL
    };
    assert_eq!(kinds(asks, &without), full, "{name}, fewer stages");
}

fn quiet(name: &str, asks: &[Ask]) {
    check(name, asks, &[], &[], &[]);
}

/// A pod whose container has these members more, and the pod these.
fn pod(container: &Value, spec: &Value) -> Value {
    workload("Pod", container, spec)
}

fn workload(kind: &str, container: &Value, spec: &Value) -> Value {
    let mut own = json!({"name": "c", "image": "registry.example/web:1"});
    for (key, value) in container.as_object().unwrap() {
        own[key] = value.clone();
    }
    let mut inner = json!({"containers": [own], "restartPolicy": "Always"});
    for (key, value) in spec.as_object().unwrap() {
        inner[key] = value.clone();
    }
    let spec = match kind {
        "Pod" => inner,
        "CronJob" => {
            json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": inner}}}})
        }
        _ => {
            json!({"replicas": 1, "template": {"metadata": {"labels": {"app": "web"}}, "spec": inner}})
        }
    };
    json!({"kind": kind, "apiVersion": "v1", "metadata": {"name": "web", "namespace": "dev"}, "spec": spec, "status": {}})
}

fn privileged() -> Value {
    json!({"securityContext": {"privileged": true}})
}

fn mounts() -> Value {
    json!({"volumeMounts": [{"name": "v", "mountPath": "/host"}]})
}

fn host(path: &str) -> Value {
    json!({"volumes": [{"name": "v", "hostPath": {"path": path, "type": ""}}]})
}
