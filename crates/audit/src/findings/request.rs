//! A request to the API server: its parts as texts, and in GuardDuty's shape.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::Origin;
use super::object::{containers, image_prefix, pod_spec, result};
use super::tactic::{Facts, Tactic, WORKLOADS, tactic};
use crate::json::Json;

/// A request, its parts as texts.
pub(crate) struct Call<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) verb: String,
    pub(crate) user: String,
    pub(crate) resource: String,
    pub(crate) subresource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uri: String,
    pub(crate) code: u64,
}

impl<'a> Call<'a> {
    pub(crate) fn new(json: Json<'a>, code: u64) -> Self {
        let text = |keys: &[&str]| {
            json.text_at(keys)
                .map(crate::json::Text::to_owned_string)
                .unwrap_or_default()
        };
        // A name that the server makes up stands in its answer only; without the answer, its beginning must do.
        let name = [
            ["objectRef", "name"].as_slice(),
            &["responseObject", "metadata", "name"],
            &["requestObject", "metadata", "name"],
            &["requestObject", "metadata", "generateName"],
        ]
        .into_iter()
        .map(text)
        .find(|name| !name.is_empty())
        .unwrap_or_default();
        Self {
            json,
            verb: text(&["verb"]),
            user: text(&["user", "username"]),
            resource: text(&["objectRef", "resource"]),
            subresource: text(&["objectRef", "subresource"]),
            namespace: text(&["objectRef", "namespace"]),
            name,
            uri: text(&["requestURI"]),
            code,
        }
    }

    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.code, 101 | 200..=299)
    }

    /// Nothing is stored: only the URI tells.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.uri
            .split_once('?')
            .is_some_and(|(_, query)| query.split('&').any(|pair| pair.starts_with("dryRun=")))
    }

    pub(crate) fn writes(&self) -> bool {
        matches!(self.verb.as_str(), "create" | "update" | "patch")
    }

    /// `resource namespace/name`, what a finding is about.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}/{}", self.resource, self.namespace, self.name)
    }

    pub(crate) fn tactic(&self) -> Tactic {
        let security_label = self.resource == "namespaces"
            && self.json.get("requestObject").is_some_and(|request| {
                memchr::memmem::find(request.raw(), b"pod-security.kubernetes.io/").is_some()
            });
        tactic(Facts {
            verb: &self.verb,
            resource: &self.resource,
            subresource: &self.subresource,
            namespace: &self.namespace,
            security_label,
            impersonated: self.json.get("impersonatedUser").is_some(),
        })
    }
}

/// The address of the peer. Clients write the entries before the last themselves (`X-Forwarded-For`), so only the last
/// one counts.
pub(crate) fn peer(json: Json<'_>) -> Option<IpAddr> {
    let last = json.get("sourceIPs")?.items().last()?;
    last.to_text()?.parse().ok()
}

/// `resource` of the GuardDuty shape.
pub(crate) fn resource(call: &Call<'_>, origin: &Origin) -> Value {
    let json = call.json;
    let texts = |keys: &[&str]| -> Vec<String> {
        json.path(keys)
            .into_iter()
            .flat_map(Json::items)
            .filter_map(Json::to_text)
            .collect()
    };
    let mut user = Map::new();
    user.insert("username".into(), json!(call.user));
    if let Some(uid) = json.text_at(&["user", "uid"]) {
        user.insert("uid".into(), json!(uid.to_owned_string()));
    }
    user.insert("groups".into(), json!(texts(&["user", "groups"])));
    let sessions = texts(&["user", "extra", "sessionName"]);
    if !sessions.is_empty() {
        user.insert("sessionName".into(), json!(sessions));
    }
    if let Some(name) = json.text_at(&["impersonatedUser", "username"]) {
        let groups = texts(&["impersonatedUser", "groups"]);
        user.insert(
            "impersonatedUser".into(),
            json!({"username": name.to_owned_string(), "groups": groups}),
        );
    }
    let mut details = Map::new();
    details.insert("kubernetesUserDetails".into(), Value::Object(user));
    if let Some(workload) = workload(call) {
        details.insert("kubernetesWorkloadDetails".into(), workload);
    }
    let Origin {
        account,
        region,
        cluster,
        ..
    } = origin;
    json!({
        "resourceType": "EKSCluster",
        "eksClusterDetails": {
            "name": cluster,
            "arn": format!("arn:aws:eks:{region}:{account}:cluster/{cluster}"),
        },
        "kubernetesDetails": details,
    })
}

/// The workload that a request is about, with its containers where the record shows them.
fn workload(call: &Call<'_>) -> Option<Value> {
    if !WORKLOADS.contains(&call.resource.as_str()) || call.name.is_empty() {
        return None;
    }
    let mut workload = Map::new();
    workload.insert("name".into(), json!(call.name));
    workload.insert("type".into(), json!(call.resource));
    workload.insert("namespace".into(), json!(call.namespace));
    let Some(object) = result(call.json) else {
        return Some(Value::Object(workload));
    };
    if let Some(uid) = object.text_at(&["metadata", "uid"]) {
        workload.insert("uid".into(), json!(uid.to_owned_string()));
    }
    if let Some(spec) = pod_spec(object, &call.resource) {
        for key in ["hostNetwork", "hostIPC", "hostPID"] {
            if let Some(value) = spec.get(key).and_then(Json::as_bool) {
                workload.insert(key.into(), json!(value));
            }
        }
        if let Some(account) = spec.text_at(&["serviceAccountName"]) {
            workload.insert(
                "serviceAccountName".into(),
                json!(account.to_owned_string()),
            );
        }
        let containers: Vec<Value> = containers(spec).map(container).collect();
        workload.insert("containers".into(), json!(containers));
        let volumes: Vec<Value> = spec
            .get("volumes")
            .into_iter()
            .flat_map(Json::items)
            .filter_map(|volume| {
                let path = volume.path(&["hostPath", "path"])?.to_text()?;
                let name = volume.get("name")?.to_text()?;
                Some(json!({"name": name, "hostPath": {"path": path}}))
            })
            .collect();
        workload.insert("volumes".into(), json!(volumes));
    }
    Some(Value::Object(workload))
}

fn container(container: Json<'_>) -> Value {
    let text = |key: &str| {
        container
            .get(key)
            .and_then(Json::to_text)
            .unwrap_or_default()
    };
    let mut security = Map::new();
    for key in ["privileged", "allowPrivilegeEscalation"] {
        let value = container.path(&["securityContext", key]);
        if let Some(value) = value.and_then(Json::as_bool) {
            security.insert(key.into(), json!(value));
        }
    }
    let mounts: Vec<Value> = container
        .get("volumeMounts")
        .into_iter()
        .flat_map(Json::items)
        .filter_map(|mount| {
            let name = mount.get("name")?.to_text()?;
            let path = mount.get("mountPath")?.to_text()?;
            Some(json!({"name": name, "mountPath": path}))
        })
        .collect();
    json!({
        "name": text("name"),
        "image": text("image"),
        "imagePrefix": image_prefix(container).unwrap_or_default(),
        "volumeMounts": mounts,
        "securityContext": security,
    })
}

/// `service.action` of the GuardDuty shape.
pub(crate) fn action(call: &Call<'_>) -> Value {
    let json = call.json;
    let mut api = Map::new();
    for (key, value) in [
        ("requestUri", &call.uri),
        ("verb", &call.verb),
        ("resource", &call.resource),
        ("subresource", &call.subresource),
        ("namespace", &call.namespace),
        ("resourceName", &call.name),
    ] {
        if !value.is_empty() {
            api.insert(key.into(), json!(value));
        }
    }
    let sources: Vec<String> = json
        .get("sourceIPs")
        .into_iter()
        .flat_map(Json::items)
        .filter_map(Json::to_text)
        .collect();
    api.insert("sourceIPs".into(), json!(sources));
    if let Some(address) = peer(json) {
        api.insert("remoteIpDetails".into(), remote(address));
    }
    if let Some(agent) = json.text_at(&["userAgent"]) {
        api.insert("userAgent".into(), json!(agent.to_owned_string()));
    }
    api.insert("statusCode".into(), json!(call.code));
    let mut action = Map::new();
    action.insert("actionType".into(), json!("KUBERNETES_API_CALL"));
    action.insert("kubernetesApiCallAction".into(), Value::Object(api));
    if call.resource.ends_with("rolebindings") {
        let binding = result(json);
        let text = |keys: &[&str]| {
            binding
                .and_then(|binding| binding.path(keys))
                .and_then(Json::to_text)
                .unwrap_or_default()
        };
        let kind = if call.resource == "rolebindings" {
            "RoleBinding"
        } else {
            "ClusterRoleBinding"
        };
        action.insert(
            "kubernetesRoleBindingDetails".into(),
            json!({
                "kind": kind,
                "name": call.name,
                "uid": text(&["metadata", "uid"]),
                "roleRefName": text(&["roleRef", "name"]),
                "roleRefKind": text(&["roleRef", "kind"]),
            }),
        );
    }
    Value::Object(action)
}

/// `remoteIpDetails` of the GuardDuty shape, for either family.
pub(crate) fn remote(address: IpAddr) -> Value {
    match address {
        IpAddr::V4(address) => json!({"ipAddressV4": address.to_string()}),
        IpAddr::V6(address) => json!({"ipAddressV6": address.to_string()}),
    }
}
