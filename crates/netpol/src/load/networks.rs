//! Networks beside the pod network: OVN-Kubernetes user-defined networks and Multus attachments.

use std::sync::Arc;

use vedette_manifest::{Object, Problem};
use vedette_yaml::Node as Yaml;

use super::Input;
use super::cursor::{Diagnostic, Doc, Severity};
use crate::model::{DEFAULT_NAMESPACE, ExtraNetwork, World};

/// The label that a namespace must have for a primary user-defined network to take effect in it.
const PRIMARY_LABEL: &str = "k8s.ovn.org/primary-user-defined-network";

/// Reads the network; which namespaces it covers is settled once all namespaces are known.
pub(super) fn read(doc: &mut Doc<'_>, world: &mut World) {
    let object = doc.object;
    let root = doc.root();
    let name: Arc<str> = object.name.as_str().into();
    let own: Arc<str> = object
        .namespace
        .as_deref()
        .unwrap_or(DEFAULT_NAMESPACE)
        .into();
    if object.kind == "NetworkAttachmentDefinition" {
        let config = object
            .at(&["spec", "config"])
            .and_then(Yaml::as_str)
            .and_then(|text| serde_json::from_str::<serde_json::Value>(&relaxed(text)).ok());
        let config_name = config
            .as_ref()
            .and_then(|c| c.get("name")?.as_str())
            .map(Arc::from);
        world.networks.push(ExtraNetwork {
            name,
            namespace: Some(own.clone()),
            label: "NAD",
            primary: false,
            namespaces: vec![own],
            config_name,
        });
        return;
    }
    let cluster = object.kind == "ClusterUserDefinedNetwork";
    let Some(spec) = root.key("spec") else {
        doc.error(&root, "expected the field `spec`");
        return;
    };
    if !cluster {
        if *name == *"default" {
            doc.error(&root, "expected a name other than `default`");
        }
        if *own == *DEFAULT_NAMESPACE || own.starts_with("openshift-") || own.starts_with("kube-") {
            doc.error(
                &root,
                format!("expected an ordinary namespace, found `{own}`: system namespaces keep the pod network"),
            );
        }
    }
    let holder = if cluster {
        spec.key("network")
    } else {
        Some(spec)
    };
    let Some(holder) = holder else {
        doc.error(&spec, "expected the field `network`");
        return;
    };
    let topology = holder.need(doc, "topology").and_then(|at| {
        at.word(
            doc,
            &[
                ("Layer2", "layer2"),
                ("Layer3", "layer3"),
                ("Localnet", "localnet"),
            ],
        )
    });
    let mut primary = false;
    if let Some(topology) = topology {
        match holder.key(topology) {
            None => doc.error(
                &holder,
                format!("expected the field `{topology}`, as `topology` says"),
            ),
            Some(layer) => {
                if let Some(role) = layer.need(doc, "role") {
                    primary = role
                        .word(doc, &[("Primary", true), ("Secondary", false)])
                        .unwrap_or(false);
                }
            }
        }
        for other in ["layer2", "layer3", "localnet"] {
            if other != topology
                && let Some(at) = holder.key(other)
            {
                doc.error(
                    &at,
                    format!("expected only `{topology}`, as `topology` says"),
                );
            }
        }
    }
    if doc.failed() {
        return;
    }
    world.networks.push(ExtraNetwork {
        name,
        namespace: (!cluster).then(|| own.clone()),
        label: if cluster { "CUDN" } else { "UDN" },
        primary,
        namespaces: if cluster { Vec::new() } else { vec![own] },
        config_name: None,
    });
}

/// CNI configurations are JSON that some people end with a comma; their plugins read that too.
fn relaxed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if !quoted && c == ',' {
            let rest = text[at + 1..].trim_start();
            if rest.starts_with(['}', ']']) {
                continue;
            }
        }
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = c == '\\' && !escaped;
        out.push(c);
    }
    out
}

/// Settles which namespaces a cluster-wide network covers, and that none has two primary networks.
pub(super) fn finish(input: &mut Input, objects: &[Object]) {
    let mut owner: Vec<(Arc<str>, Arc<str>)> = Vec::new();
    let world = &mut input.world;
    for network in &mut world.networks {
        let kind = match network.label {
            "CUDN" => "ClusterUserDefinedNetwork",
            "UDN" => "UserDefinedNetwork",
            _ => continue,
        };
        let Some(object) = objects.iter().find(|o| {
            o.kind == kind
                && *o.name == *network.name
                && (network.label == "CUDN"
                    || o.namespace.as_deref() == network.namespace.as_deref())
        }) else {
            continue;
        };
        let mut doc = Doc::new(object);
        let root = doc.root();
        if network.label == "CUDN" {
            let Some(spec) = root.key("spec") else {
                continue;
            };
            let Some(at) = spec.key("namespaceSelector") else {
                doc.error(&spec, "expected the field `namespaceSelector`");
                input.diagnostics.append(&mut doc.found);
                continue;
            };
            let selector = at.selector(&mut doc);
            network.namespaces = world
                .namespaces
                .iter()
                .filter(|ns| ns.declared && selector.matches(&ns.labels))
                .map(|ns| ns.name.clone())
                .collect();
            if network.namespaces.is_empty() {
                doc.warn(&at, "no namespace matches: the network is used by nobody");
            }
        }
        if network.primary {
            let world_namespaces = &world.namespaces;
            network.namespaces.retain(|name| {
                let labelled = world_namespaces
                    .iter()
                    .any(|ns| ns.name == *name && ns.labels.get(PRIMARY_LABEL).is_some());
                if !labelled {
                    doc.warn(
                        &root,
                        format!("namespace {name} lacks the label `{PRIMARY_LABEL}`, so its pods stay on the pod network"),
                    );
                }
                labelled
            });
            for name in &network.namespaces {
                if let Some((_, other)) = owner.iter().find(|(ns, _)| ns == name) {
                    let span = object.node.span;
                    input.diagnostics.push(Diagnostic {
                        severity: Severity::Error,
                        object: object.title(),
                        problem: Problem {
                            source: object.source.name.clone(),
                            document: object.document,
                            path: String::new(),
                            span,
                            message: format!(
                                "namespace {name} already has the primary network `{other}`; it can have one"
                            ),
                        },
                    });
                } else {
                    owner.push((name.clone(), network.name.clone()));
                }
            }
        }
        input.diagnostics.append(&mut doc.found);
    }
}
