//! Workloads that may do to the node what they like: privileged containers, and directories of the node to write to.

use serde::{Deserialize, Serialize};

use super::Hit;
use super::k8s::{MAX_REMEMBERED, Out, SystemActor};
use super::memory::Memory;
use super::object::{
    containers, image_prefix, is_privileged, is_sensitive, pod_spec, result, template, touches_at,
    writable_mounts,
};
use super::request::Call;
use crate::json::Json;

/// Pods that wait for their claim to be bound. It takes the controller a moment, so that few wait at a time.
const MAX_WAITING: usize = 1000;

/// What was seen of volumes and images.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct State {
    /// Images that ran privileged.
    privileged_images: Memory<()>,
    /// Paths of the node behind volumes, by name; empty for volumes that are elsewhere.
    volumes: Memory<String>,
    /// Volumes that claims are bound to, by namespace and name.
    claims: Memory<String>,
    /// Findings that hold when a claim turns out to lead to a sensitive path, by the claim.
    waiting: Memory<Option<Hit>>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            privileged_images: Memory::new(MAX_REMEMBERED),
            volumes: Memory::new(MAX_REMEMBERED),
            claims: Memory::new(MAX_REMEMBERED),
            waiting: Memory::new(MAX_WAITING),
        }
    }
}

impl State {
    /// The node's path behind a claim, when both ends of the way to it are known; empty for a volume that is elsewhere.
    fn claimed(&self, claim: &str) -> Option<&str> {
        let volume = self.claims.get(claim)?;
        self.volumes.get(volume).map(String::as_str)
    }
}

/// Remembers what is behind a volume and which claim leads to it: a host path may be two objects away from the pod, and
/// the claim may be bound after the pod was made.
pub(super) fn learn_volume(out: &mut Out<'_, '_>, state: &mut State) {
    let call = out.call;
    let Some(object) = result(call.json) else {
        return;
    };
    let text = |keys: &[&str]| object.path(keys).and_then(Json::to_text);
    let mut claim = None;
    if call.resource == "persistentvolumeclaims" {
        if let Some(volume) = text(&["spec", "volumeName"]) {
            let own = format!("{}/{}", call.namespace, call.name);
            state.claims.insert(&own, volume);
            claim = Some(own);
        }
    } else {
        let path = text(&["spec", "hostPath", "path"])
            .or_else(|| text(&["spec", "local", "path"]))
            .unwrap_or_default();
        let namespace = text(&["spec", "claimRef", "namespace"]);
        if let (Some(namespace), Some(name)) = (namespace, text(&["spec", "claimRef", "name"])) {
            let bound = format!("{namespace}/{name}");
            state.claims.insert(&bound, call.name.clone());
            claim = Some(bound);
        }
        state.volumes.insert(&call.name, path);
    }
    let Some(claim) = claim else {
        return;
    };
    let path = state.claimed(&claim).filter(|path| is_sensitive(path));
    if let Some(path) = path.map(str::to_owned)
        && let Some(Some(mut hit)) = state.waiting.get(&claim).cloned()
    {
        state.waiting.insert(&claim, None);
        hit.extra.push(("hostPath".to_owned(), path));
        out.hits.push(hit);
    }
}

/// Looks at a workload that was written.
pub(super) fn judge_workload(out: &mut Out<'_, '_>, state: &mut State) {
    let call = out.call;
    if call.verb != "create" && !touches_at(call.json, template(&call.resource)) {
        return;
    }
    let request = call.json.get("requestObject");
    let whole = result(call.json);
    let object = whole.or_else(|| request.filter(|patch| patch.is_object()));
    let system = SystemActor::is(&call.user);
    let Some(spec) = object.and_then(|object| pod_spec(object, &call.resource)) else {
        // A JSON patch whose answer is not kept: the operations are all there is.
        if !system && request.is_some_and(grants_privilege) {
            out.hit("PrivilegeEscalation:Kubernetes/PrivilegedContainer");
        }
        return;
    };
    let judged = written(call, spec);
    let mut new_image = None;
    for container in judged.iter().copied().filter(|c| is_privileged(*c)) {
        // A patch whose answer is not kept need not name the image.
        let image = image_prefix(container).unwrap_or_else(|| {
            let name = container.get("name").and_then(Json::to_text);
            format!("of {} {}", call.subject(), name.unwrap_or_default())
        });
        if state.privileged_images.insert(&image, ()) {
            new_image.get_or_insert(image);
        }
    }
    if system {
        return;
    }
    if let Some(image) = new_image {
        let hit = out.hit("PrivilegeEscalation:Kubernetes/PrivilegedContainer");
        hit.extra.push(("image".to_owned(), image));
    }
    judge_mounts(out, state, spec, &judged);
}

/// The containers that a request is about: of a pod that is debugged, those that were added to it.
fn written<'a>(call: &Call<'a>, spec: Json<'a>) -> Vec<Json<'a>> {
    if call.subresource != "ephemeralcontainers" {
        return containers(spec).collect();
    }
    let list = |spec: Option<Json<'a>>| {
        spec.and_then(|spec| spec.get("ephemeralContainers"))
            .into_iter()
            .flat_map(Json::items)
    };
    let asked: Vec<String> = list(call.json.path(&["requestObject", "spec"]))
        .filter_map(|container| container.get("name")?.to_text())
        .collect();
    list(Some(spec))
        .filter(|container| {
            let name = container.get("name");
            asked.is_empty()
                || asked
                    .iter()
                    .any(|n| name.is_some_and(|name| name.is_text(n)))
        })
        .collect()
}

fn judge_mounts(out: &mut Out<'_, '_>, state: &mut State, spec: Json<'_>, judged: &[Json<'_>]) {
    const KIND: &str = "Persistence:Kubernetes/ContainerWithSensitiveMount";
    let namespace = &out.call.namespace;
    let mut unbound = Vec::new();
    let mut found = None;
    for volume in writable_mounts(spec, judged) {
        if let Some(path) = volume.path(&["hostPath", "path"]).and_then(Json::to_text) {
            found = Some(path).filter(|path| is_sensitive(path));
        } else if let Some(name) = volume.path(&["persistentVolumeClaim", "claimName"]) {
            let claim = format!("{namespace}/{}", name.to_text().unwrap_or_default());
            match state.claimed(&claim) {
                Some(path) => found = is_sensitive(path).then(|| path.to_owned()),
                None => unbound.push(claim),
            }
        }
        if found.is_some() {
            break;
        }
    }
    if let Some(path) = found {
        let hit = out.hit(KIND);
        hit.extra.push(("hostPath".to_owned(), path));
        return;
    }
    for claim in unbound {
        out.hit(KIND);
        state.waiting.insert(&claim, out.hits.pop());
    }
}

/// True for the operations of a JSON patch that make a container privileged.
fn grants_privilege(patch: Json<'_>) -> bool {
    let privileged =
        |value: Json<'_>| value.get("privileged").and_then(Json::as_bool) == Some(true);
    patch.items().any(|operation| {
        let path = operation.get("path").and_then(Json::to_text);
        let (path, Some(value)) = (path.unwrap_or_default(), operation.get("value")) else {
            return false;
        };
        if path.ends_with("/securityContext/privileged") {
            value.as_bool() == Some(true)
        } else if path.ends_with("/securityContext") {
            privileged(value)
        } else {
            is_privileged(value) || value.items().any(is_privileged)
        }
    })
}
