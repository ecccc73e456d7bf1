//! Findings in Kubernetes audit records: the deterministic types, and the list types.

use serde::{Deserialize, Serialize};

use super::memory::Memory;
use super::object::{result, touches};
use super::request::{Call, action, peer, resource};
use super::seen::Seen;
use super::service::judge_service;
use super::tactic::WORKLOADS;
use super::workload::{self, judge_workload};
use super::{Hit, Origin, catalogue};
use crate::json::Json;
use crate::lists::{ListKind, Lists, Verdict};
use crate::record::Record;
use crate::source::Source;

/// Bindings, roles, volumes and images that are remembered of each kind. A cluster with more has the oldest forgotten,
/// which costs a patched binding its role and a privileged image its being known.
pub(super) const MAX_REMEMBERED: usize = 50_000;

/// Roles that every cluster has and that give power over everything, or over everything in a namespace.
const ADMIN_ROLES: [&str; 2] = ["cluster-admin", "admin"];

/// What is remembered of a cluster.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Role of each binding, by kind, namespace and name. A binding's role cannot change, and a patch does not show it.
    roles: Memory<String>,
    /// Whether a role allows everything.
    wildcard_roles: Memory<bool>,
    /// What workloads were seen to run and to mount.
    pub(super) workloads: workload::State,
    /// The namespace of Kubeflow was seen, so that Istio's gateway leads to its dashboard.
    pub(super) kubeflow: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            roles: Memory::new(MAX_REMEMBERED),
            wildcard_roles: Memory::new(MAX_REMEMBERED),
            workloads: workload::State::default(),
            kubeflow: false,
        }
    }
}

/// Service accounts of the controller manager's controllers, all in `kube-system`. By name, since anybody may call a
/// service account of his own something that ends in `-controller`.
const CONTROLLERS: [&str; 44] = [
    "attachdetach-controller",
    "bootstrap-signer",
    "certificate-controller",
    "clusterrole-aggregation-controller",
    "cronjob-controller",
    "daemon-set-controller",
    "deployment-controller",
    "device-taint-eviction-controller",
    "disruption-controller",
    "endpoint-controller",
    "endpointslice-controller",
    "endpointslicemirroring-controller",
    "ephemeral-volume-controller",
    "expand-controller",
    "generic-garbage-collector",
    "horizontal-pod-autoscaler",
    "job-controller",
    "kube-apiserver-serving-clustertrustbundle-publisher",
    "legacy-service-account-token-cleaner",
    "namespace-controller",
    "node-controller",
    "persistent-volume-binder",
    "pod-garbage-collector",
    "podcertificaterequestcleaner",
    "pv-protection-controller",
    "pvc-protection-controller",
    "replicaset-controller",
    "replication-controller",
    "resource-claim-controller",
    "resourcequota-controller",
    "root-ca-cert-publisher",
    "route-controller",
    "selinux-warning-controller",
    "service-account-controller",
    "service-cidrs-controller",
    "service-controller",
    "statefulset-controller",
    "storage-version-migrator-controller",
    "taint-eviction-controller",
    "token-cleaner",
    "ttl-after-finished-controller",
    "ttl-controller",
    "validatingadmissionpolicy-status-controller",
    "volumeattributesclass-protection-controller",
];

/// Parts of the control plane that do what others asked for: a finding is about who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemActor;

impl SystemActor {
    /// True for controllers, kubelets and the API server itself. Users of this name exist only inside the cluster: the
    /// namespace is `kube-system`, or the name is one that only a certificate of the cluster's own CA carries.
    pub fn is(user: &str) -> bool {
        matches!(
            user,
            "system:kube-controller-manager" | "system:kube-scheduler" | "system:apiserver"
        ) || user.starts_with("system:node:")
            || user
                .strip_prefix("system:serviceaccount:kube-system:")
                .is_some_and(|name| CONTROLLERS.binary_search(&name).is_ok())
    }
}

/// Looks at a record.
pub(super) fn observe(
    record: &Record<'_>,
    origin: &Origin,
    lists: &mut Lists,
    state: &mut State,
    seen: &mut Seen,
    hits: &mut Vec<Hit>,
) {
    let json = record.json;
    // A request is judged at its first answer: a watch or exec answers long before it completes, a refused token gives
    // no completion at all.
    let Some(code) = json
        .path(&["responseStatus", "code"])
        .and_then(Json::as_u64)
    else {
        return;
    };
    let verb = json.text_at(&["verb"]);
    let reads = verb.is_some_and(|v| v.is(b"get") || v.is(b"list") || v.is(b"watch"));
    let anonymous = json
        .text_at(&["user", "username"])
        .is_some_and(|user| user.is(b"system:anonymous"));
    // Most records are reads by known users: they end here.
    let plain_read = reads
        && !anonymous
        && lists.is_empty()
        && json.text_at(&["objectRef", "subresource"]).is_none();
    if plain_read {
        return;
    }
    let call = Call::new(json, code);
    let before = hits.len();
    let mut out = Out {
        call: &call,
        record,
        origin,
        hits,
    };
    judge_address(&mut out, lists);
    if call.succeeded() {
        if anonymous {
            judge_anonymous(&mut out);
        }
        judge_exec(&mut out);
        if call.writes() && !call.is_dry_run() {
            judge_write(&mut out, state);
        }
    }
    if hits.len() > before && !seen.first_audit(record) {
        hits.truncate(before);
    }
}

/// Where the judges leave what they find.
pub(super) struct Out<'o, 'a> {
    pub(super) call: &'o Call<'a>,
    record: &'o Record<'a>,
    origin: &'o Origin,
    pub(super) hits: &'o mut Vec<Hit>,
}

impl Out<'_, '_> {
    pub(super) fn hit(&mut self, kind: &str) -> &mut Hit {
        let call = self.call;
        let caller = caller_pod(call.json);
        self.hits.push(Hit {
            kind: kind.to_owned(),
            severity: catalogue::severity(kind),
            subject: call.subject(),
            actor: call.user.clone(),
            ts: self.record.ts,
            source: Source::K8sAudit,
            record_id: call
                .json
                .get("auditID")
                .and_then(Json::to_text)
                .unwrap_or_default(),
            resource: resource(call, self.origin).into(),
            action: action(call).into(),
            lists: Vec::new(),
            extra: caller
                .map(|pod| ("callerPod".to_owned(), pod))
                .into_iter()
                .collect(),
            detection: None,
        });
        self.hits.last_mut().expect("it was pushed above")
    }
}

/// The pod that a service account's token is bound to: `user.extra` names it since tokens are bound.
fn caller_pod(json: Json<'_>) -> Option<String> {
    let first = |key: &str| {
        json.path(&["user", "extra", key])?
            .items()
            .next()?
            .to_text()
    };
    let pod = first("authentication.kubernetes.io/pod-name")?;
    let user = json.text_at(&["user", "username"])?.to_owned_string();
    let (namespace, _) = user
        .strip_prefix("system:serviceaccount:")?
        .split_once(':')?;
    Some(format!("{namespace}/{pod}"))
}

fn judge_address(out: &mut Out<'_, '_>, lists: &mut Lists) {
    if lists.is_empty() || out.call.code == 401 {
        return;
    }
    let Some(address) = peer(out.call.json) else {
        return;
    };
    let Verdict::Listed(matches) = lists.judge(address) else {
        return;
    };
    let tactic = out.call.tactic().name();
    let anonymous = out.call.user == "system:anonymous";
    for (kind, names) in matches {
        let family = match kind {
            // Calls without a user are told as anonymous access.
            ListKind::Threat if !anonymous => "MaliciousIPCaller",
            ListKind::Custom => "MaliciousIPCaller.Custom",
            ListKind::Tor => "TorIPCaller",
            _ => continue,
        };
        let hit = out.hit(&format!("{tactic}:Kubernetes/{family}"));
        hit.lists = names;
        // One finding for a caller and a tactic, not one for each object it touches.
        hit.subject = address.to_string();
    }
}

fn judge_anonymous(out: &mut Out<'_, '_>) {
    let path = out.call.uri.split('?').next().unwrap_or_default();
    let open = ["/healthz", "/livez", "/readyz", "/version"];
    if out.call.resource.is_empty()
        && open.iter().any(|open| {
            path.strip_prefix(open)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    {
        return;
    }
    let tactic = out.call.tactic().name();
    out.hit(&format!("{tactic}:Kubernetes/SuccessfulAnonymousAccess"));
}

fn judge_exec(out: &mut Out<'_, '_>) {
    let call = out.call;
    // Over WebSocket an exec is a `get` that answers 101, over SPDY a `create`.
    if call.resource == "pods" && call.subresource == "exec" && call.namespace == "kube-system" {
        out.hit("Execution:Kubernetes/ExecInKubeSystemPod");
    }
}

fn judge_write(out: &mut Out<'_, '_>, state: &mut State) {
    let call = out.call;
    match call.resource.as_str() {
        "namespaces" if call.name == "kubeflow" => state.kubeflow = true,
        "rolebindings" | "clusterrolebindings" => judge_binding(out, state),
        "roles" | "clusterroles" => learn_role(call, state),
        "persistentvolumes" | "persistentvolumeclaims" if call.subresource.is_empty() => {
            workload::learn_volume(out, &mut state.workloads);
        }
        "services" if call.subresource.is_empty() => judge_service(out, state.kubeflow),
        resource
            if WORKLOADS.contains(&resource)
                && matches!(call.subresource.as_str(), "" | "ephemeralcontainers") =>
        {
            judge_workload(out, &mut state.workloads);
        }
        _ => {}
    }
}

fn learn_role(call: &Call<'_>, state: &mut State) {
    let Some(role) = result(call.json) else {
        return;
    };
    let has = |rule: Json<'_>, key: &str, wanted: &str| {
        rule.get(key)
            .into_iter()
            .flat_map(Json::items)
            .any(|item| item.is_text(wanted))
    };
    let everything = role
        .get("rules")
        .into_iter()
        .flat_map(Json::items)
        .any(|rule| {
            has(rule, "verbs", "*") && has(rule, "resources", "*") && has(rule, "apiGroups", "*")
        });
    state.wildcard_roles.insert(&call.subject(), everything);
}

/// True when the role of a binding gives power over everything.
fn is_admin(role: &str, call: &Call<'_>, state: &State) -> bool {
    let wildcard = |key: String| state.wildcard_roles.get(&key) == Some(&true);
    ADMIN_ROLES.contains(&role)
        || wildcard(format!("clusterroles /{role}"))
        || wildcard(format!("roles {}/{role}", call.namespace))
}

fn judge_binding(out: &mut Out<'_, '_>, state: &mut State) {
    let call = out.call;
    let binding = result(call.json);
    let key = call.subject();
    let role = binding
        .and_then(|binding| binding.path(&["roleRef", "name"]))
        .and_then(Json::to_text);
    if let Some(role) = &role {
        state.roles.insert(&key, role.clone());
    }
    // At its start the API server makes the bindings that every cluster has, one of them for everybody.
    if call.verb != "create" && !touches(call.json, "subjects") || call.user == "system:apiserver" {
        return;
    }
    let role = role.or_else(|| state.roles.get(&key).cloned());
    // Without the answer, the subjects that a patch adds stand in the patch.
    let patched = call.json.get("requestObject").filter(|_| binding.is_none());
    let subjects = binding
        .into_iter()
        .chain(patched.filter(|patch| patch.is_object()))
        .filter_map(|object| object.get("subjects"))
        .flat_map(Json::items)
        .chain(
            patched
                .into_iter()
                .flat_map(Json::items)
                .filter_map(|operation| operation.get("value"))
                .flat_map(subjects_in),
        );
    let (mut anonymous, mut default) = (false, false);
    for subject in subjects {
        let is =
            |key: &str, value: &str| subject.get(key).is_some_and(|found| found.is_text(value));
        anonymous |= is("kind", "User") && is("name", "system:anonymous")
            || is("kind", "Group") && is("name", "system:unauthenticated");
        default |= is("kind", "ServiceAccount") && is("name", "default")
            || is("kind", "User") && subject.get("name").is_some_and(is_default_account);
    }
    if anonymous {
        out.hit("Policy:Kubernetes/AnonymousAccessGranted");
    }
    if default && role.is_some_and(|role| is_admin(&role, call, state)) {
        out.hit("Policy:Kubernetes/AdminAccessToDefaultServiceAccount");
    }
}

/// True for the name as which the default service account of a namespace makes requests: a binding may name it so.
fn is_default_account(name: Json<'_>) -> bool {
    let name = name.to_text().unwrap_or_default();
    name.strip_prefix("system:serviceaccount:")
        .and_then(|name| name.split_once(':'))
        .is_some_and(|(_, account)| account == "default")
}

/// The subjects that the value of a patch operation is or holds.
fn subjects_in(value: Json<'_>) -> Vec<Json<'_>> {
    if value.is_array() {
        value.items().collect()
    } else {
        vec![value]
    }
}
