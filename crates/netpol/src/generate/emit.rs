//! Generated policies as YAML: Kubernetes, Calico (enforced or staged) and Cilium. The same input gives the same bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{GeneratedPolicy, GeneratedRule, Remote};
use crate::model::{Direction, NAMESPACE_NAME_LABEL};
use crate::traffic::Protocol;

/// The language of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `networking.k8s.io/v1` NetworkPolicy.
    Kubernetes,
    /// `projectcalico.org/v3` NetworkPolicy.
    Calico,
    /// `projectcalico.org/v3` StagedNetworkPolicy: watched, not enforced.
    CalicoStaged,
    /// `cilium.io/v2` CiliumNetworkPolicy.
    Cilium,
}

/// Writes policies as a stream of YAML documents.
pub fn emit(policies: &[GeneratedPolicy], format: Format) -> String {
    let mut out = String::new();
    for policy in policies {
        out += "---\n";
        match format {
            Format::Kubernetes => kubernetes(&mut out, policy),
            Format::Calico => calico(&mut out, policy, false),
            Format::CalicoStaged => calico(&mut out, policy, true),
            Format::Cilium => cilium(&mut out, policy),
        }
    }
    out
}

/// A scalar in double quotes: labels may look like numbers or booleans, and names may be anything.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out += "\\\"",
            '\\' => out += "\\\\",
            c if c.is_control() => out += &format!("\\u{:04x}", c as u32),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn head(out: &mut String, api: &str, kind: &str, policy: &GeneratedPolicy) {
    *out += &format!(
        "apiVersion: {api}\nkind: {kind}\nmetadata:\n  name: {}\n  namespace: {}\nspec:\n",
        quoted(&policy.name),
        quoted(&policy.namespace)
    );
}

fn comments(out: &mut String, indent: &str, rule: &GeneratedRule) {
    for comment in &rule.comments {
        // A comment must stay on its line whatever a process or a host calls itself.
        let line: String = comment
            .chars()
            .map(|c| if breaks_line(c) { '?' } else { c })
            .collect();
        *out += &format!("{indent}# {line}\n");
    }
}

/// Characters that end a YAML line or turn the reading direction around.
fn breaks_line(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{feff}'
        )
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

fn labels(out: &mut String, indent: &str, pairs: &[(Arc<str>, Arc<str>)]) {
    for (key, value) in pairs {
        *out += &format!("{indent}{}: {}\n", quoted(key), quoted(value));
    }
}

fn keys(direction: Direction) -> (&'static str, &'static str, &'static str) {
    match direction {
        Direction::Ingress => ("Ingress", "ingress", "from"),
        Direction::Egress => ("Egress", "egress", "to"),
    }
}

fn kubernetes(out: &mut String, policy: &GeneratedPolicy) {
    let (kind, direction, peers) = keys(policy.direction);
    head(out, "networking.k8s.io/v1", "NetworkPolicy", policy);
    *out += "  podSelector:\n    matchLabels:\n";
    labels(out, "      ", policy.subject.pairs());
    *out += &format!("  policyTypes:\n  - {kind}\n  {direction}:\n");
    for rule in &policy.rules {
        comments(out, "  ", rule);
        *out += &format!("  - {peers}:\n");
        match &rule.remote {
            Remote::Pods {
                namespace,
                labels: pods,
            } => {
                *out += &format!(
                    "    - namespaceSelector:\n        matchLabels:\n          {NAMESPACE_NAME_LABEL}: {}\n",
                    quoted(namespace)
                );
                if !pods.is_empty() {
                    *out += "      podSelector:\n        matchLabels:\n";
                    labels(out, "          ", pods);
                }
            }
            Remote::Block(block) => {
                *out += &format!(
                    "    - ipBlock:\n        cidr: {}\n",
                    quoted(&block.to_string())
                );
            }
        }
        *out += "    ports:\n";
        for (protocol, port) in &rule.ports {
            *out += &format!("    - protocol: {protocol}\n      port: {port}\n");
        }
    }
}

/// Calico's rules take one protocol each.
fn by_protocol(rule: &GeneratedRule) -> BTreeMap<Protocol, Vec<u16>> {
    let mut out: BTreeMap<Protocol, Vec<u16>> = BTreeMap::new();
    for (protocol, port) in &rule.ports {
        out.entry(*protocol).or_default().push(*port);
    }
    out
}

/// A Calico selector for labels. Label syntax has no quotes, so nothing needs escaping.
fn selector(pairs: &[(Arc<str>, Arc<str>)]) -> String {
    let parts: Vec<String> = pairs.iter().map(|(k, v)| format!("{k} == '{v}'")).collect();
    if parts.is_empty() {
        "all()".into()
    } else {
        parts.join(" && ")
    }
}

fn calico(out: &mut String, policy: &GeneratedPolicy, staged: bool) {
    let kind = if staged {
        "StagedNetworkPolicy"
    } else {
        "NetworkPolicy"
    };
    let (type_name, direction, _) = keys(policy.direction);
    head(out, "projectcalico.org/v3", kind, policy);
    if staged {
        *out += "  stagedAction: Set\n";
    }
    *out += &format!(
        "  selector: {}\n  types:\n  - {type_name}\n  {direction}:\n",
        quoted(&selector(policy.subject.pairs()))
    );
    for rule in &policy.rules {
        for (protocol, ports) in by_protocol(rule) {
            comments(out, "  ", rule);
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let ports = format!("      ports: [{}]\n", ports.join(", "));
            let remote = match &rule.remote {
                Remote::Pods { namespace, labels } => format!(
                    "      namespaceSelector: {}\n      selector: {}\n",
                    quoted(&format!("{NAMESPACE_NAME_LABEL} == '{namespace}'")),
                    quoted(&selector(labels))
                ),
                Remote::Block(block) => {
                    format!("      nets:\n      - {}\n", quoted(&block.to_string()))
                }
            };
            *out += &format!("  - action: Allow\n    protocol: {protocol}\n");
            *out += &match policy.direction {
                Direction::Egress => format!("    destination:\n{remote}{ports}"),
                Direction::Ingress => format!("    source:\n{remote}    destination:\n{ports}"),
            };
        }
    }
}

fn cilium(out: &mut String, policy: &GeneratedPolicy) {
    let (_, direction, _) = keys(policy.direction);
    let (endpoints, blocks) = match policy.direction {
        Direction::Ingress => ("fromEndpoints", "fromCIDR"),
        Direction::Egress => ("toEndpoints", "toCIDR"),
    };
    head(out, "cilium.io/v2", "CiliumNetworkPolicy", policy);
    *out += "  endpointSelector:\n    matchLabels:\n";
    labels(out, "      ", policy.subject.pairs());
    *out += &format!("  {direction}:\n");
    for rule in &policy.rules {
        comments(out, "  ", rule);
        match &rule.remote {
            Remote::Pods {
                namespace,
                labels: pods,
            } => {
                *out += &format!(
                    "  - {endpoints}:\n    - matchLabels:\n        k8s:io.kubernetes.pod.namespace: {}\n",
                    quoted(namespace)
                );
                labels(out, "        ", pods);
            }
            Remote::Block(block) => {
                *out += &format!("  - {blocks}:\n    - {}\n", quoted(&block.to_string()));
            }
        }
        *out += "    toPorts:\n    - ports:\n";
        for (protocol, port) in &rule.ports {
            *out += &format!("      - port: \"{port}\"\n        protocol: {protocol}\n");
        }
    }
}
