//! What people and attackers ask of an API server, request by request in the shape in which a real one (1.36) recorded
//! such requests, each under four audit policies: everything, no answers, nothing but metadata, and without the stage in
//! which a request is received.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use serde_json::{Value, json};
use vedette_audit::findings::{Detector, Hit, Origin};
use vedette_audit::lists::{Format, List, ListKind, Lists, parse};
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

#[test]
fn commands_in_containers() {
    let exec = |verb| ask(verb, "pods/exec", "kube-system", "proxy-1");
    let id = "command=id&stdin=true&stdout=true&tty=true";
    for (name, asks) in [
        ("SPDY", vec![exec("create").query(id).code(101)]),
        ("WebSocket", vec![exec("get").query(id).code(101)]),
        (
            "WebSocket refused, SPDY instead",
            vec![exec("get").code(403), exec("create").code(101)],
        ),
        (
            "kubectl cp",
            vec![
                ask("get", "pods", "kube-system", "proxy-1"),
                exec("get")
                    .query("command=tar&command=xmf&command=-")
                    .code(101),
            ],
        ),
        (
            "in somebody else's name",
            vec![
                exec("get")
                    .impersonating("system:serviceaccount:dev:ci")
                    .code(101),
            ],
        ),
        (
            "by a workload of the system's namespace",
            vec![
                exec("create")
                    .by("system:serviceaccount:kube-system:backup-controller")
                    .code(101),
            ],
        ),
    ] {
        check(name, &asks, &[EXEC], &[EXEC], &[EXEC]);
    }
    quiet(
        "refused",
        &[exec("create").code(403), exec("get").code(404)],
    );
    quiet(
        "elsewhere",
        &[ask("get", "pods/exec", "dev", "web").code(101)],
    );
    for sub in ["pods/attach", "pods/portforward", "pods/log", "pods/proxy"] {
        quiet(sub, &[ask("get", sub, "kube-system", "proxy-1").code(101)]);
    }
    quiet(
        "the node's proxy",
        &[ask("create", "nodes/proxy", "", "n1").code(200)],
    );
}

#[test]
fn debugging() {
    let add = |container: Value, of: Value| {
        let mut whole = of;
        whole["spec"]["ephemeralContainers"] = json!([container]);
        ask("patch", "pods/ephemeralcontainers", "dev", "web")
            .patches(json!({"spec": {"ephemeralContainers": [container]}}), whole)
    };
    let shell = json!({"name": "debugger-1", "image": "busybox", "command": ["sh"]});
    let sysadmin =
        json!({"name": "debugger-2", "image": "busybox", "securityContext": {"privileged": true}});
    let mut container = mounts();
    container["securityContext"] = json!({"privileged": true});
    // What the pod could do before is not what was added to it.
    quiet(
        "of a pod of the node",
        &[add(shell.clone(), pod(&container, &host("/")))],
    );
    quiet("plain", &[add(shell, pod(&json!({}), &json!({})))]);
    let asks = [add(sysadmin, pod(&json!({}), &json!({})))];
    check("profile sysadmin", &asks, &[PRIVILEGED], &[PRIVILEGED], &[]);
    let mounting = json!({"name": "d", "image": "busybox", "volumeMounts": [{"name": "v", "mountPath": "/h"}]});
    let asks = [add(mounting, pod(&json!({}), &host("/etc")))];
    check("a volume of the pod", &asks, &[MOUNT], &[], &[]);

    let mut node = pod(&mounts(), &host("/"));
    node["spec"]["hostPID"] = json!(true);
    node["spec"]["nodeName"] = json!("n1");
    let debug = |node: Value| ask("create", "pods", "default", "node-debugger-n1-x").sends(node);
    check("a node", &[debug(node)], &[MOUNT], &[MOUNT], &[]);
    let asks = [debug(pod(&container, &host("/")))];
    let both = [PRIVILEGED, MOUNT];
    check("a node, profile sysadmin", &asks, &both, &both, &[]);
}

#[test]
fn workloads_in_every_way_in_which_they_are_written() {
    let deployment = |c: &Value, s: &Value| workload("Deployment", c, s);
    let whole = deployment(&privileged(), &json!({}));
    let patch =
        |sent: Value| ask("patch", "deployments", "dev", "web").patches(sent, whole.clone());
    let at = "/spec/template/spec/containers/0/securityContext";
    for (name, sent) in [
        (
            "strategic",
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": true}}]}}}}),
        ),
        (
            "JSON, the member",
            json!([{"op": "add", "path": format!("{at}/privileged"), "value": true}]),
        ),
        (
            "JSON, what holds the member",
            json!([{"op": "replace", "path": at, "value": {"privileged": true}}]),
        ),
        (
            "JSON, a container more",
            json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "d", "image": "x", "securityContext": {"privileged": true}}}]),
        ),
        ("apply by the server", whole.clone()),
    ] {
        check(name, &[patch(sent)], &[PRIVILEGED], &[PRIVILEGED], &[]);
    }
    for (name, sent) in [
        ("scaled", json!({"spec": {"replicas": 3}})),
        (
            "scaled, JSON",
            json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]),
        ),
        ("labelled", json!({"metadata": {"labels": {"a": "b"}}})),
    ] {
        quiet(name, &[patch(sent)]);
    }
    let asks = [ask("update", "deployments", "dev", "web").sends(whole.clone())];
    check("replaced", &asks, &[PRIVILEGED], &[PRIVILEGED], &[]);
    let asks = [ask("patch", "daemonsets", "dev", "web")
        .code(201)
        .query("fieldManager=kubectl&force=false")
        .sends(workload(
            "DaemonSet",
            &mounts(),
            &host("/var/run/docker.sock"),
        ))];
    check(
        "made by apply of the server",
        &asks,
        &[MOUNT],
        &[MOUNT],
        &[],
    );

    let cron = workload("CronJob", &privileged(), &json!({}));
    let asks = [
        ask("create", "cronjobs", "dev", "web").sends(cron.clone()),
        ask("create", "jobs", "dev", "web-1")
            .by("system:serviceaccount:kube-system:cronjob-controller")
            .sends(workload("Job", &privileged(), &json!({}))),
        ask("create", "pods", "dev", "web-1-x")
            .by("system:serviceaccount:kube-system:job-controller")
            .sends(pod(&privileged(), &json!({}))),
    ];
    check(
        "a cron job and what comes of it",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
    let mut suspended = ask("patch", "cronjobs", "dev", "web");
    suspended = suspended.patches(json!({"spec": {"suspend": true}}), cron);
    quiet("a cron job suspended", &[suspended]);

    let bad = |code| {
        ask("create", "pods", "dev", "web")
            .code(code)
            .sends(pod(&privileged(), &host("/")))
    };
    quiet("refused by Pod Security", &[bad(403)]);
    quiet("there already", &[bad(409)]);
    quiet(
        "a dry run",
        &[bad(201).query("dryRun=All&fieldManager=kubectl-run")],
    );
    let asks = [bad(201).by("system:serviceaccount:kube-system:evil-controller")];
    check(
        "no controller of the system",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
    let evicted = ask("create", "pods/eviction", "dev", "web").sends(json!({"kind": "Eviction"}));
    quiet("evicted", &[evicted]);
    let mut generated = pod(&privileged(), &json!({}));
    generated["metadata"] = json!({"generateName": "web-", "namespace": "dev"});
    let mut whole = generated.clone();
    whole["metadata"]["name"] = json!("web-x7k2p");
    let asks = [ask("create", "pods", "dev", "").patches(generated, whole)];
    for (policy, subject) in [(FULL, "pods dev/web-x7k2p"), (REQUEST, "pods dev/web-")] {
        let hits = hits(&asks, &policy, Lists::new());
        assert_eq!(hits[0].subject, subject);
    }
    let mut known = pod(&privileged(), &json!({}));
    known["metadata"]["name"] = json!("other");
    let asks = [
        ask("create", "pods", "dev", "web").sends(known.clone()),
        ask("create", "pods", "dev", "other").sends(known),
    ];
    check(
        "an image that was privileged before",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
}

#[test]
fn directories_of_the_node() {
    let made = |container: &Value, spec: &Value| {
        ask("create", "pods", "dev", "web").sends(pod(container, spec))
    };
    for path in [
        "/",
        "/etc/kubernetes",
        "/var/lib/kubelet/pods",
        "/run/containerd/containerd.sock",
        "/root/.ssh",
    ] {
        check(
            path,
            &[made(&mounts(), &host(path))],
            &[MOUNT],
            &[MOUNT],
            &[],
        );
    }
    for path in ["/var/log", "/mnt/data", "/etc/localtime"] {
        quiet(path, &[made(&mounts(), &host(path))]);
    }
    quiet("not mounted", &[made(&json!({}), &host("/"))]);
    let read = json!({"volumeMounts": [{"name": "v", "mountPath": "/h", "readOnly": true}]});
    quiet("to read only", &[made(&read, &host("/"))]);

    let claimed = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]});
    let volume =
        |spec: Value| json!({"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec});
    let claim = |spec: Value| json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec});
    let binder = "system:serviceaccount:kube-system:persistent-volume-binder";
    let make = |spec: Value| ask("create", "persistentvolumes", "", "pv").sends(volume(spec));
    let asking = ask("create", "persistentvolumeclaims", "dev", "c")
        .sends(claim(json!({"storageClassName": "x"})));
    let bind = |spec: Value| {
        let mut spec = spec;
        spec["claimRef"] =
            json!({"kind": "PersistentVolumeClaim", "namespace": "dev", "name": "c"});
        ask("update", "persistentvolumes", "", "pv")
            .by(binder)
            .sends(volume(spec))
    };
    let bound = ask("update", "persistentvolumeclaims", "dev", "c")
        .by(binder)
        .sends(claim(json!({"volumeName": "pv"})));
    let root = json!({"hostPath": {"path": "/"}});
    let asks = [
        make(root.clone()),
        asking.clone(),
        bind(root.clone()),
        bound.clone(),
        made(&mounts(), &claimed),
    ];
    check("behind a claim", &asks, &[MOUNT], &[MOUNT], &[]);
    let asks = [
        make(root.clone()),
        asking.clone(),
        made(&mounts(), &claimed),
        bind(root.clone()),
        bound.clone(),
        bound.clone(),
    ];
    check(
        "behind a claim that is bound later",
        &asks,
        &[MOUNT],
        &[MOUNT],
        &[],
    );
    let hit = &hits(&asks, &FULL, Lists::new())[0];
    assert_eq!(
        (hit.subject.as_str(), hit.actor.as_str()),
        ("pods dev/web", "kubernetes-admin")
    );
    let disk = json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}});
    let asks = [
        asking,
        made(&mounts(), &claimed),
        make(disk.clone()),
        bind(disk),
        bound,
    ];
    quiet("a disk behind a claim", &asks);
}

#[test]
fn bindings() {
    let binding = |role: &str, subjects: Value| {
        json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        })
    };
    let bind = |role: &str, subjects: Value| {
        ask("create", "clusterrolebindings", "", "b").sends(binding(role, subjects))
    };
    let subject =
        |kind: &str, name: &str| json!([{"kind": kind, "name": name, "namespace": "dev"}]);
    let default = || subject("ServiceAccount", "default");
    let whole = "system:serviceaccount:dev:default";
    for (name, asks) in [
        ("cluster-admin", vec![bind("cluster-admin", default())]),
        ("by its whole name", vec![bind("cluster-admin", subject("User", whole))]),
        (
            "admin in a namespace",
            vec![ask("create", "rolebindings", "dev", "b").sends(binding("admin", default()))],
        ),
        (
            "a role of one's own that allows everything",
            vec![
                ask("create", "clusterroles", "", "all").sends(json!({"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})),
                bind("all", default()),
            ],
        ),
    ] {
        check(name, &asks, &[ADMIN], &[ADMIN], &[]);
    }
    for (name, asks) in [
        ("to look", vec![bind("view", default())]),
        (
            "a person",
            vec![bind("cluster-admin", subject("User", "ada"))],
        ),
        (
            "another account",
            vec![bind("cluster-admin", subject("ServiceAccount", "ci"))],
        ),
        ("refused", vec![bind("cluster-admin", default()).code(403)]),
        (
            "a dry run",
            vec![bind("cluster-admin", default()).query("dryRun=All")],
        ),
        (
            "deleted",
            vec![ask("delete", "clusterrolebindings", "", "b")],
        ),
        (
            "what the server makes at its start",
            vec![
                bind(
                    "system:public-info-viewer",
                    subject("Group", "system:unauthenticated"),
                )
                .by("system:apiserver"),
            ],
        ),
        (
            "labelled",
            vec![ask("patch", "clusterrolebindings", "", "b").patches(
                json!({"metadata": {"labels": {"a": "b"}}}),
                binding("cluster-admin", default()),
            )],
        ),
    ] {
        quiet(name, &asks);
    }
    for (kind, who) in [
        ("User", "system:anonymous"),
        ("Group", "system:unauthenticated"),
    ] {
        let asks = [bind("view", subject(kind, who))];
        check(who, &asks, &[ANONYMOUS], &[ANONYMOUS], &[]);
    }
    // A JSON patch adds the subject; the role is remembered from when the binding was made.
    let asks = [
        bind("cluster-admin", subject("User", "ada")),
        ask("patch", "clusterrolebindings", "", "b").patches(
            json!([{"op": "add", "path": "/subjects/-", "value": {"kind": "ServiceAccount", "name": "default", "namespace": "dev"}}]),
            binding("cluster-admin", default()),
        ),
    ];
    check("patched", &asks, &[ADMIN], &[ADMIN], &[]);
}

#[test]
fn requests_of_nobody() {
    const WHAT: &str = "SuccessfulAnonymousAccess";
    for probe in [
        "/version",
        "/version/",
        "/healthz",
        "/livez/ping",
        "/readyz?verbose",
        "/healthz/etcd",
    ] {
        quiet(probe, &[path("get", probe).anonymous()]);
    }
    let refused = [
        path("get", "/api").anonymous().code(403),
        path("get", "/metrics").anonymous().code(403),
        ask("list", "secrets", "", "").anonymous().code(403),
        ask("list", "pods", "", "").anonymous().code(401),
    ];
    quiet("refused", &refused);
    quiet(
        "in nobody's name, by somebody",
        &[ask("list", "pods", "dev", "").impersonating("system:anonymous")],
    );
    for (asked, tactic) in [
        (path("get", "/api/v1"), "Discovery"),
        (path("get", "/openapi/v2"), "Discovery"),
        (ask("list", "namespaces", "", ""), "Discovery"),
        (ask("watch", "pods", "dev", ""), "Discovery"),
        (
            ask("get", "configmaps", "kube-public", "cluster-info"),
            "Discovery",
        ),
        (
            ask("create", "selfsubjectaccessreviews", "", ""),
            "Discovery",
        ),
        (
            ask("list", "secrets", "kube-system", ""),
            "CredentialAccess",
        ),
        (
            ask("create", "serviceaccounts/token", "dev", "ci"),
            "CredentialAccess",
        ),
        (
            ask("create", "certificatesigningrequests", "", "x"),
            "CredentialAccess",
        ),
        (ask("get", "pods/exec", "dev", "web").code(101), "Impact"),
        (ask("create", "nodes/proxy", "", "n1"), "Impact"),
        (ask("delete", "pods", "dev", "web"), "Impact"),
        (
            ask("deletecollection", "events", "dev", ""),
            "DefenseEvasion",
        ),
        (
            ask("delete", "validatingwebhookconfigurations", "", "x"),
            "DefenseEvasion",
        ),
        (ask("create", "cronjobs", "dev", "web"), "Persistence"),
    ] {
        let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
        let kind = format!("{tactic}:Kubernetes/{WHAT}");
        let kind = [kind.as_str()];
        check(&name, &[asked.anonymous()], &kind, &kind, &kind);
    }
}

#[test]
fn dashboards() {
    let service = |kind: &str, more: Value| {
        let mut service = json!({
            "kind": "Service", "apiVersion": "v1",
            "metadata": {"name": "kubernetes-dashboard", "namespace": "kubernetes-dashboard", "labels": {"k8s-app": "kubernetes-dashboard"}},
            "spec": {"type": kind, "selector": {"k8s-app": "kubernetes-dashboard"}, "ports": [{"port": 443}]},
        });
        for (pointer, value) in more.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            service.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        service
    };
    let create = |object: Value| {
        ask(
            "create",
            "services",
            "kubernetes-dashboard",
            "kubernetes-dashboard",
        )
        .sends(object)
    };
    let public = service("LoadBalancer", json!({}));
    check(
        "made",
        &[create(public.clone())],
        &[DASHBOARD],
        &[DASHBOARD],
        &[],
    );
    let patched = ask(
        "patch",
        "services",
        "kubernetes-dashboard",
        "kubernetes-dashboard",
    )
    .patches(json!({"spec": {"type": "LoadBalancer"}}), public.clone());
    check("patched", &[patched], &[DASHBOARD], &[DASHBOARD], &[]);
    let exposed = service(
        "LoadBalancer",
        json!({"/metadata/name": "dash", "/metadata/labels": {}}),
    );
    let asks = [ask("create", "services", "kubernetes-dashboard", "dash").sends(exposed)];
    check("kubectl expose", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    let chart = service(
        "LoadBalancer",
        json!({
            "/metadata/name": "kubernetes-dashboard-kong-proxy", "/metadata/labels": {},
            "/spec/selector": {"app.kubernetes.io/name": "kong", "app.kubernetes.io/instance": "kubernetes-dashboard"},
        }),
    );
    let asks = [ask(
        "create",
        "services",
        "tools",
        "kubernetes-dashboard-kong-proxy",
    )
    .sends(chart)];
    check("the chart's proxy", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    let ranges = |ranges: Value| json!({"/spec/loadBalancerSourceRanges": ranges});
    let asks = [create(service(
        "LoadBalancer",
        ranges(json!(["10.0.0.0/8", "0.0.0.0/0"])),
    ))];
    check("for everybody too", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    for (name, object) in [
        ("inside the cluster", service("ClusterIP", json!({}))),
        ("on the nodes", service("NodePort", json!({}))),
        (
            "inside the network",
            service(
                "LoadBalancer",
                json!({"/metadata/annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}}),
            ),
        ),
        (
            "for private networks",
            service(
                "LoadBalancer",
                ranges(json!(["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"])),
            ),
        ),
    ] {
        quiet(name, &[create(object)]);
    }
    let labelled = ask(
        "patch",
        "services",
        "kubernetes-dashboard",
        "kubernetes-dashboard",
    )
    .patches(json!({"metadata": {"labels": {"a": "b"}}}), public.clone());
    quiet("labelled", &[labelled]);
    quiet("refused", &[create(public).code(403)]);
    let proxied = ask(
        "get",
        "services/proxy",
        "kubernetes-dashboard",
        "https:kubernetes-dashboard:",
    );
    quiet("through the server's proxy", &[proxied]);
}

#[test]
fn what_gives_no_finding_by_itself() {
    let group = json!({"kind": "APIService", "metadata": {"name": "v1.metrics"}, "spec": {"group": "metrics.k8s.io"}});
    for asked in [
        ask("create", "certificatesigningrequests", "", "x"),
        ask("update", "certificatesigningrequests/approval", "", "x"),
        ask("create", "serviceaccounts/token", "dev", "ci"),
        ask("create", "apiservices", "", "v1.metrics").sends(group),
        ask("list", "pods", "", "").impersonating("system:serviceaccount:dev:ci"),
        ask("create", "mutatingwebhookconfigurations", "", "x"),
        ask("delete", "validatingwebhookconfigurations", "", "x"),
        ask("create", "selfsubjectrulesreviews", "", ""),
        ask("list", "secrets", "", ""),
        ask("create", "cronjobs", "dev", "web").sends(workload("CronJob", &json!({}), &json!({}))),
        ask("patch", "nodes", "", "n1").sends(json!({"spec": {"unschedulable": true}})),
        path("get", "/apis/metrics.k8s.io/v1beta1/nodes"),
        path("get", "/version").by("").code(401),
    ] {
        let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
        quiet(&name, &[asked]);
    }
}

#[test]
fn requests_from_a_listed_address_fall_under_their_tactics() {
    const EXIT: &str = "203.0.113.50";
    for (asked, tactic) in [
        (path("get", "/version"), "Discovery"),
        (path("get", "/api"), "Discovery"),
        (
            ask("create", "selfsubjectrulesreviews", "", ""),
            "Discovery",
        ),
        (ask("list", "secrets", "", ""), "CredentialAccess"),
        (
            ask("create", "serviceaccounts/token", "dev", "ci"),
            "CredentialAccess",
        ),
        (
            ask("create", "certificatesigningrequests", "", "x"),
            "CredentialAccess",
        ),
        (
            ask("update", "certificatesigningrequests/approval", "", "x"),
            "CredentialAccess",
        ),
        (
            ask("get", "pods/portforward", "dev", "web").code(101),
            "Impact",
        ),
        (ask("get", "nodes/proxy", "", "n1"), "Impact"),
        (ask("create", "serviceaccounts", "dev", "x"), "Impact"),
        (ask("patch", "deployments/scale", "dev", "web"), "Impact"),
        (
            ask("list", "pods", "dev", "").impersonating("ada"),
            "DefenseEvasion",
        ),
        (
            ask("delete", "mutatingwebhookconfigurations", "", "x"),
            "DefenseEvasion",
        ),
        (
            ask("delete", "networkpolicies", "dev", "x"),
            "DefenseEvasion",
        ),
        (ask("create", "cronjobs", "dev", "web"), "Persistence"),
        (ask("create", "clusterrolebindings", "", "b"), "Persistence"),
        (
            ask("patch", "pods/ephemeralcontainers", "dev", "web"),
            "Persistence",
        ),
    ] {
        for policy in [FULL, REQUEST, METADATA] {
            let (entries, _) = parse(
                Format::Txt,
                format!("ExitAddress {EXIT} 2026-11-21 00:00:00\n").as_bytes(),
            );
            let mut lists = Lists::new();
            lists.add(List::new("exits", ListKind::Tor, entries));
            let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
            let hits = hits(&[asked.clone().from(EXIT)], &policy, lists);
            let kinds: Vec<&str> = hits.iter().map(|hit| hit.kind.as_str()).collect();
            assert_eq!(
                kinds,
                [format!("{tactic}:Kubernetes/TorIPCaller")],
                "{name}"
            );
        }
    }
}
