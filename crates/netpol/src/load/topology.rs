//! Everything that is no policy: pods and what makes them, namespaces, nodes, Services, ways in from outside.

use std::net::IpAddr;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use vedette_manifest::{Object, pod_part};
use vedette_yaml::Node as Yaml;

use super::cursor::{At, Doc};
use crate::labels::{LabelSelector, Labels};
use crate::model::{
    ContainerPort, DEFAULT_NAMESPACE, IngressBackend, NAMESPACE_NAME_LABEL, Namespace, Node, Pod,
    PortRef, Service, ServiceAccount, ServicePort, World,
};
use crate::traffic::Protocol;

/// The annotation by which pods ask for attachments to further networks.
const ATTACHMENTS: &str = "k8s.v1.cni.cncf.io/networks";

/// Reads an object of one of the kinds; false when it is of none.
pub(super) fn read(doc: &mut Doc<'_>, world: &mut World) -> bool {
    match doc.object.kind.as_str() {
        "Namespace" => namespace(doc, world),
        "Node" => node(doc, world),
        "Service" => service(doc, world),
        "ServiceAccount" => account(doc, world),
        "Ingress" => ingress(doc, world),
        "Route" => route(doc, world),
        _ => return pod(doc, world),
    }
    true
}

fn own_namespace(doc: &Doc<'_>) -> Arc<str> {
    doc.object
        .namespace
        .as_deref()
        .unwrap_or(DEFAULT_NAMESPACE)
        .into()
}

fn metadata_labels(doc: &mut Doc<'_>) -> Labels {
    let root = doc.root();
    let Some(metadata) = root.key("metadata") else {
        return Labels::default();
    };
    metadata
        .key("labels")
        .map_or_else(Labels::default, |at| at.labels(doc, false))
}

fn namespace(doc: &mut Doc<'_>, world: &mut World) {
    let mut labels = metadata_labels(doc);
    let name: Arc<str> = doc.object.name.as_str().into();
    labels.set(NAMESPACE_NAME_LABEL.into(), name.clone());
    world.namespaces.push(Namespace {
        name,
        labels,
        declared: true,
    });
}

fn node(doc: &mut Doc<'_>, world: &mut World) {
    let labels = metadata_labels(doc);
    let root = doc.root();
    let ips = root
        .key("status")
        .map_or_else(Vec::new, |status| status.addresses("addresses", "address"));
    world.nodes.push(Node {
        name: doc.object.name.as_str().into(),
        labels,
        ips,
    });
}

fn account(doc: &mut Doc<'_>, world: &mut World) {
    let labels = metadata_labels(doc);
    world.accounts.push(ServiceAccount {
        namespace: own_namespace(doc),
        name: doc.object.name.as_str().into(),
        labels,
    });
}

fn pod(doc: &mut Doc<'_>, world: &mut World) -> bool {
    let object = doc.object;
    let machine = matches!(
        object.kind.as_str(),
        "VirtualMachine" | "VirtualMachineInstance"
    );
    let lenient; // A Pod under a wrong group is still meant as a Pod.
    let part = match pod_part(object) {
        Some(part) => Some(part),
        None if object.kind == "Pod" && !object.group().is_empty() => {
            lenient = Object {
                api_version: "v1".into(),
                ..object.clone()
            };
            let root = doc.root();
            doc.warn(&root, "expected `apiVersion: v1` for a Pod");
            pod_part(&lenient)
        }
        None => None,
    };
    let root = doc.root();
    let (metadata, spec) = if machine {
        let Some(spec) = object.at(&["spec"]) else {
            return false;
        };
        match object.at(&["spec", "template"]) {
            Some(template) => (template.get("metadata"), template.get("spec")),
            None => (object.at(&["metadata"]), Some(spec)),
        }
    } else {
        let Some(part) = &part else {
            return makes_pods(doc);
        };
        (part.metadata, Some(part.spec))
    };
    let Some(spec) = spec.filter(|s| s.as_map().is_some()) else {
        doc.error(&root, "expected a pod `spec` that is a map");
        return true;
    };
    let at = |node| At::detached(node, &root, "metadata");
    let labels = match metadata
        .and_then(|m| m.get("labels"))
        .filter(|l| !l.is_null())
    {
        Some(node) => at(node).labels(doc, false),
        None => Labels::default(),
    };
    let owner_labels = match object.kind.as_str() {
        "Pod" | "CronJob" | "Job" => Labels::default(),
        "ReplicationController" => object
            .at(&["spec", "selector"])
            .map_or_else(Labels::default, lenient_labels),
        _ => object
            .at(&["spec", "selector", "matchLabels"])
            .map_or_else(Labels::default, lenient_labels),
    };
    let (mut attachments, mut attached_ips) = metadata
        .and_then(|m| m.get("annotations")?.get(ATTACHMENTS)?.as_str())
        .map_or_else(Default::default, |text| {
            read_attachments(text, &own_namespace(doc))
        });
    if machine {
        let networks = spec.get("networks").and_then(Yaml::as_seq);
        for network in networks.unwrap_or_default() {
            let name = network.get("multus").and_then(|m| m.get("networkName"));
            if let Some(name) = name.and_then(Yaml::as_str) {
                attachments.extend(read_attachments(name, &own_namespace(doc)).0);
            }
        }
        // Which interface a cloud-init address is for is known only when there is one attachment.
        if let [only] = &attachments[..] {
            let ips = cloud_init_addresses(spec);
            attached_ips.extend(ips.into_iter().map(|ip| (only.clone(), ip)));
        }
    }
    let ports = ports(doc, &At::detached(spec, &root, "spec"));
    if doc.failed() {
        return true;
    }
    let flag = |name: &str| spec.get(name).and_then(Yaml::as_bool) == Some(true);
    let owner = object
        .at(&["metadata", "ownerReferences"])
        .and_then(Yaml::as_seq)
        .and_then(|refs| {
            refs.iter()
                .find(|r| r.get("controller").and_then(Yaml::as_bool) == Some(true))
                .or_else(|| refs.first())
        })
        .and_then(|r| {
            let kind = r.get("kind")?.as_str()?;
            let name = r.get("name")?.as_str()?;
            Some((Arc::from(kind), Arc::from(name)))
        })
        .filter(|(kind, _): &(Arc<str>, Arc<str>)| &**kind != "Node");
    let status = root.key("status");
    let mut ips = Vec::new();
    let mut host_ips = Vec::new();
    if let Some(status) = status {
        ips = status.addresses("podIPs", "ip");
        if ips.is_empty() {
            ips = one_address(status.node, "podIP");
        }
        host_ips = status.addresses("hostIPs", "ip");
        if host_ips.is_empty() {
            host_ips = one_address(status.node, "hostIP");
        }
    }
    let text = |node: &Yaml, key: &str| {
        node.get(key)
            .and_then(Yaml::as_str)
            .filter(|t| !t.is_empty())
            .map(Arc::<str>::from)
    };
    let phase = status.and_then(|s| text(s.node, "phase"));
    world.pods.push(Pod {
        namespace: own_namespace(doc),
        name: object.name.as_str().into(),
        kind: object.kind.as_str().into(),
        owner,
        labels,
        owner_labels,
        ports,
        ips,
        node: text(spec, "nodeName"),
        host_ips,
        service_account: text(spec, "serviceAccountName")
            .or_else(|| text(spec, "serviceAccount"))
            .unwrap_or_else(|| "default".into()),
        host_network: flag("hostNetwork"),
        privileged: flag("hostPID") || containers(spec, "containers").any(is_privileged),
        terminated: matches!(phase.as_deref(), Some("Succeeded" | "Failed")),
        attachments,
        attached_ips,
        place: doc.place(&object.node),
    });
    true
}

/// A workload kind whose template is missing is worth a word; other kinds are none of our business.
fn makes_pods(doc: &mut Doc<'_>) -> bool {
    const KINDS: [&str; 8] = [
        "Pod",
        "Deployment",
        "DaemonSet",
        "ReplicaSet",
        "StatefulSet",
        "Job",
        "CronJob",
        "ReplicationController",
    ];
    let object = doc.object;
    if KINDS.contains(&object.kind.as_str()) {
        let root = doc.root();
        doc.error(&root, "expected a pod template with a `spec`");
        return true;
    }
    false
}

fn one_address(status: &Yaml, key: &str) -> Vec<IpAddr> {
    status
        .get(key)
        .and_then(Yaml::as_str)
        .and_then(|text| text.parse().ok())
        .into_iter()
        .collect()
}

fn lenient_labels(node: &Yaml) -> Labels {
    let pairs = node.as_map().unwrap_or_default();
    Labels::new(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((key.as_str()?.into(), value.as_str()?.into()))),
    )
}

fn containers<'n>(spec: &'n Yaml, key: &str) -> impl Iterator<Item = &'n Yaml> {
    spec.get(key)
        .and_then(Yaml::as_seq)
        .unwrap_or_default()
        .iter()
}

fn is_privileged(container: &Yaml) -> bool {
    container
        .get("securityContext")
        .and_then(|c| c.get("privileged"))
        .and_then(Yaml::as_bool)
        == Some(true)
}

/// Ports of the containers that live as long as the pod: all regular ones and init containers that restart.
fn ports(doc: &mut Doc<'_>, spec: &At<'_>) -> Vec<ContainerPort> {
    let mut out = Vec::new();
    for key in ["containers", "initContainers"] {
        let Some(list) = spec.key(key) else { continue };
        for container in list.items(doc) {
            let restarts = container.node.get("restartPolicy").and_then(Yaml::as_str);
            if key == "initContainers" && restarts != Some("Always") {
                continue;
            }
            let Some(ports) = container.key("ports") else {
                continue;
            };
            for port in ports.items(doc) {
                let Some(number) = port.key("containerPort").and_then(|at| at.port(doc)) else {
                    continue;
                };
                let protocol = port
                    .node
                    .get("protocol")
                    .and_then(Yaml::as_str)
                    .and_then(Protocol::parse)
                    .unwrap_or(Protocol::TCP);
                let name = port.node.get("name").and_then(Yaml::as_str);
                out.push(ContainerPort {
                    name: name.map(Arc::from),
                    protocol,
                    number,
                });
            }
        }
    }
    out
}

/// Attachments, and the addresses fixed on them.
type Attachments = (Vec<Arc<str>>, Vec<(Arc<str>, IpAddr)>);

/// Attachments as a comma-separated list of `[namespace/]name[@interface]`, or as a JSON list of maps.
fn read_attachments(text: &str, own: &str) -> Attachments {
    let full = |namespace: Option<&str>, name: &str| -> Arc<str> {
        Arc::from(format!("{}/{name}", namespace.unwrap_or(own)))
    };
    let mut out = Attachments::default();
    if text.trim_start().starts_with('[') {
        let list: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        for item in list.as_array().map(Vec::as_slice).unwrap_or_default() {
            let namespace = item.get("namespace").and_then(serde_json::Value::as_str);
            let Some(name) = item.get("name").and_then(serde_json::Value::as_str) else {
                continue;
            };
            let name = full(namespace, name);
            let ips = item.get("ips").and_then(serde_json::Value::as_array);
            for ip in ips
                .into_iter()
                .flatten()
                .filter_map(|ip| host(ip.as_str()?))
            {
                out.1.push((name.clone(), ip));
            }
            out.0.push(name);
        }
        return out;
    }
    out.0 = text
        .split(',')
        .map(|part| part.trim().split('@').next().unwrap_or_default())
        .filter(|part| !part.is_empty())
        .map(|part| match part.split_once('/') {
            Some((namespace, name)) => full(Some(namespace), name),
            None => full(None, part),
        })
        .collect();
    out
}

/// The address in `address/prefix`.
fn host(text: &str) -> Option<IpAddr> {
    text.split('/').next()?.parse().ok()
}

/// Addresses that cloud-init gives a virtual machine's interfaces.
fn cloud_init_addresses(spec: &Yaml) -> Vec<IpAddr> {
    let volumes = spec
        .get("volumes")
        .and_then(Yaml::as_seq)
        .unwrap_or_default();
    let mut out = Vec::new();
    for volume in volumes {
        let data = ["cloudInitNoCloud", "cloudInitConfigDrive"]
            .iter()
            .find_map(|kind| volume.get(kind)?.get("networkData")?.as_str());
        let Some(data) = data else { continue };
        for document in vedette_yaml::parse(data).documents {
            let interfaces = document.root.get("ethernets").and_then(Yaml::as_map);
            for (_, interface) in interfaces.unwrap_or_default() {
                let addresses = interface.get("addresses").and_then(Yaml::as_seq);
                out.extend(
                    addresses
                        .unwrap_or_default()
                        .iter()
                        .filter_map(|a| host(a.as_str()?)),
                );
            }
        }
    }
    out
}

fn port_ref(node: &Yaml) -> Option<PortRef> {
    match node.as_i64() {
        Some(number) => u16::try_from(number).ok().map(PortRef::Number),
        None => node.as_str().map(|name| match name.parse() {
            Ok(number) => PortRef::Number(number),
            Err(_) => PortRef::Name(name.into()),
        }),
    }
}

fn service(doc: &mut Doc<'_>, world: &mut World) {
    let root = doc.root();
    let Some(spec) = root.key("spec") else { return };
    let mut out = Vec::new();
    if let Some(list) = spec.key("ports") {
        for port in list.items(doc) {
            let Some(number) = port.key("port").and_then(|at| at.port(doc)) else {
                continue;
            };
            let protocol = port
                .node
                .get("protocol")
                .and_then(Yaml::as_str)
                .and_then(Protocol::parse)
                .unwrap_or(Protocol::TCP);
            out.push(ServicePort {
                name: port.node.get("name").and_then(Yaml::as_str).map(Arc::from),
                protocol,
                port: number,
                target: port
                    .node
                    .get("targetPort")
                    .filter(|t| !t.is_null())
                    .and_then(port_ref)
                    .unwrap_or(PortRef::Number(number)),
            });
        }
    }
    let selector = spec
        .key("selector")
        .map(|at| lenient_labels(at.node))
        .filter(|labels| !labels.is_empty())
        .map(|labels| LabelSelector::of_labels(&labels));
    let mut ips: Vec<IpAddr> = spec
        .node
        .get("clusterIPs")
        .and_then(Yaml::as_seq)
        .unwrap_or_default()
        .iter()
        .filter_map(|ip| ip.as_str()?.parse().ok())
        .collect();
    if ips.is_empty() {
        ips = one_address(spec.node, "clusterIP");
    }
    let kind = spec.node.get("type").and_then(Yaml::as_str);
    world.services.push(Service {
        namespace: own_namespace(doc),
        name: doc.object.name.as_str().into(),
        selector,
        ports: out,
        ips,
        exposed: matches!(kind, Some("NodePort" | "LoadBalancer")),
    });
}

fn ingress(doc: &mut Doc<'_>, world: &mut World) {
    let namespace = own_namespace(doc);
    let Some(spec) = doc.object.at(&["spec"]) else {
        return;
    };
    let mut add = |backend: &Yaml| {
        let (service, port) = match backend.get("service") {
            Some(service) => (
                service.get("name"),
                service
                    .get("port")
                    .and_then(|p| p.get("number").or_else(|| p.get("name"))),
            ),
            // The form of `extensions/v1beta1`.
            None => (backend.get("serviceName"), backend.get("servicePort")),
        };
        if let Some(service) = service.and_then(Yaml::as_str) {
            world.backends.push(IngressBackend {
                namespace: namespace.clone(),
                service: service.into(),
                port: port.and_then(port_ref),
            });
        }
    };
    for key in ["defaultBackend", "backend"] {
        if let Some(backend) = spec.get(key) {
            add(backend);
        }
    }
    let rules = spec.get("rules").and_then(Yaml::as_seq).unwrap_or_default();
    for rule in rules {
        let paths = rule.get("http").and_then(|http| http.get("paths"));
        for path in paths.and_then(Yaml::as_seq).unwrap_or_default() {
            if let Some(backend) = path.get("backend") {
                add(backend);
            }
        }
    }
}

fn route(doc: &mut Doc<'_>, world: &mut World) {
    let namespace = own_namespace(doc);
    let Some(spec) = doc.object.at(&["spec"]) else {
        return;
    };
    let port = spec
        .get("port")
        .and_then(|p| p.get("targetPort"))
        .and_then(port_ref);
    let alternates = spec.get("alternateBackends").and_then(Yaml::as_seq);
    for target in spec
        .get("to")
        .into_iter()
        .chain(alternates.unwrap_or_default())
    {
        let is_service = target
            .get("kind")
            .and_then(Yaml::as_str)
            .is_none_or(|kind| kind == "Service");
        if let Some(name) = target
            .get("name")
            .and_then(Yaml::as_str)
            .filter(|_| is_service)
        {
            world.backends.push(IngressBackend {
                namespace: namespace.clone(),
                service: name.into(),
                port: port.clone(),
            });
        }
    }
}

/// Gives pods their controller's selector, and a ReplicaSet's pods the Deployment above it when that is known.
pub(super) fn finish(world: &mut World, objects: &[Object]) {
    let mut selectors: FxHashMap<(&str, &str, &str), &Yaml> = FxHashMap::default();
    for object in objects {
        let namespace = object.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
        if let Some(node) = object.at(&["spec", "selector", "matchLabels"]) {
            selectors.insert((&object.kind, namespace, &object.name), node);
        }
    }
    for pod in &mut world.pods {
        let Some((kind, name)) = &pod.owner else {
            continue;
        };
        if pod.owner_labels.is_empty()
            && let Some(node) = selectors.get(&(&**kind, &*pod.namespace, &**name))
        {
            pod.owner_labels = lenient_labels(node);
        }
    }
}
