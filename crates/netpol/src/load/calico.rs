//! Calico v3: NetworkPolicy, GlobalNetworkPolicy, their staged twins, tiers, network sets and host endpoints.
//!
//! How a namespaced rule's selectors are confined to the policy's namespace follows Calico's own conversion:
//! a rule end with any selector, and no namespace selector, looks only into the policy's namespace.

use std::sync::Arc;

use super::cursor::{At, Doc};
use super::network_policy::{self, identity};
use crate::expression::Expression;
use crate::labels::Labels;
use crate::model::{
    Action, DEFAULT_NAMESPACE, DEFAULT_TIER, Entity, HostEndpoint, NetworkSet, Peer, Policy,
    PortMatch, PortTerm, Rule, Scope, Staged, Subject, Tier, TierEnd, Traffic, World,
};
use crate::traffic::Protocol;

/// Most rules of one direction. Source: the API's validation.
const MAX_RULES: usize = 1024;

pub(super) fn read(doc: &mut Doc<'_>, world: &mut World, kind: &str) -> bool {
    match kind {
        "NetworkPolicy" => policy(doc, world, true, false),
        "GlobalNetworkPolicy" => policy(doc, world, false, false),
        "StagedNetworkPolicy" => policy(doc, world, true, true),
        "StagedGlobalNetworkPolicy" => policy(doc, world, false, true),
        "StagedKubernetesNetworkPolicy" => staged_kubernetes(doc, world),
        "Tier" => tier(doc, world),
        "NetworkSet" => network_set(doc, world, true),
        "GlobalNetworkSet" => network_set(doc, world, false),
        "HostEndpoint" => host_endpoint(doc, world),
        "Profile" => {
            let root = doc.root();
            doc.warn(
                &root,
                "profiles are taken to be the ones Calico keeps for namespaces, which allow everything; this one is left out",
            );
        }
        _ => return false,
    }
    true
}

fn expression(doc: &mut Doc<'_>, at: &At<'_>) -> Option<Expression> {
    let text = at.string(doc)?;
    match Expression::parse(text) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            doc.error(at, format!("`{text}` is no selector: {error}"));
            None
        }
    }
}

fn expression_of(doc: &mut Doc<'_>, at: &At<'_>, key: &str) -> Option<Expression> {
    let at = at.key(key)?;
    expression(doc, &at).filter(|_| at.node.as_str().is_some_and(|t| !t.trim().is_empty()))
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

fn number(doc: &mut Doc<'_>, at: &At<'_>, key: &str) -> f64 {
    let Some(at) = at.key(key) else {
        return f64::INFINITY;
    };
    match at.node.as_str().and_then(|text| text.parse::<f64>().ok()) {
        Some(order) if order.is_finite() => order,
        _ => {
            doc.error(
                &at,
                format!("expected a number, found {}", at.node.describe()),
            );
            f64::INFINITY
        }
    }
}

fn tier(doc: &mut Doc<'_>, world: &mut World) {
    let root = doc.root();
    let name: Arc<str> = doc.object.name.as_str().into();
    let (mut order, mut end) = (f64::INFINITY, TierEnd::Deny);
    if let Some(spec) = root.key("spec")
        && spec.map(doc, &["order", "defaultAction"])
    {
        order = number(doc, &spec, "order");
        if let Some(at) = spec.key("defaultAction") {
            end = at
                .word(doc, &[("Deny", TierEnd::Deny), ("Pass", TierEnd::Pass)])
                .unwrap_or(end);
        }
    }
    if doc.failed() {
        return;
    }
    if let Some(known) = world.tiers.iter_mut().find(|t| t.name == name) {
        // The built-in tiers keep their place; only the end of `default` may be changed.
        if order.is_finite() {
            known.order = order;
        }
        known.end = end;
        return;
    }
    world.tiers.push(Tier {
        name,
        order,
        end,
        policies: Vec::new(),
    });
}

fn network_set(doc: &mut Doc<'_>, world: &mut World, namespaced: bool) {
    let labels = metadata_labels(doc);
    let root = doc.root();
    let nets = match root.key("spec") {
        Some(spec) if spec.map(doc, &["nets", "allowedEgressDomains"]) => {
            spec.cidrs(doc, "nets", true)
        }
        _ => Vec::new(),
    };
    if doc.failed() {
        return;
    }
    let own = doc.object.namespace.as_deref().unwrap_or(DEFAULT_NAMESPACE);
    world.network_sets.push(NetworkSet {
        name: doc.object.name.as_str().into(),
        namespace: namespaced.then(|| own.into()),
        labels,
        nets,
    });
}

fn host_endpoint(doc: &mut Doc<'_>, world: &mut World) {
    let labels = metadata_labels(doc);
    let root = doc.root();
    let Some(spec) = root.need(doc, "spec") else {
        return;
    };
    let node = spec
        .key("node")
        .and_then(|at| at.string(doc))
        .unwrap_or_default();
    let ips = spec
        .strings(doc, "expectedIPs")
        .iter()
        .filter_map(|ip| ip.parse().ok())
        .collect();
    world.host_endpoints.push(HostEndpoint {
        name: doc.object.name.as_str().into(),
        labels,
        node: node.into(),
        ips,
    });
}

fn staged_action(doc: &mut Doc<'_>, spec: &At<'_>) -> Staged {
    spec.key("stagedAction").map_or(Staged::Set, |at| {
        at.word(
            doc,
            &[
                ("Set", Staged::Set),
                ("Delete", Staged::Delete),
                ("Learn", Staged::Learn),
                ("Ignore", Staged::Ignore),
            ],
        )
        .unwrap_or(Staged::Ignore)
    })
}

fn staged_kubernetes(doc: &mut Doc<'_>, world: &mut World) {
    let root = doc.root();
    let Some(spec) = root.need(doc, "spec") else {
        return;
    };
    let action = staged_action(doc, &spec);
    if let Some(mut policy) = network_policy::policy(doc) {
        policy.staged = Some(action);
        world.insert(policy);
    }
}

fn policy(doc: &mut Doc<'_>, world: &mut World, namespaced: bool, staged: bool) {
    const COMMON: [&str; 10] = [
        "tier",
        "order",
        "selector",
        "serviceAccountSelector",
        "types",
        "ingress",
        "egress",
        "performanceHints",
        "stagedAction",
        "namespaceSelector",
    ];
    const GLOBAL: [&str; 3] = ["doNotTrack", "preDNAT", "applyOnForward"];
    let root = doc.root();
    let (id, title) = identity(doc, namespaced);
    let Some(spec) = root.need(doc, "spec") else {
        return;
    };
    let known: Vec<&str> = COMMON
        .into_iter()
        .filter(|name| staged || *name != "stagedAction")
        .filter(|name| !namespaced || *name != "namespaceSelector")
        .chain(GLOBAL.into_iter().filter(|_| !namespaced))
        .collect();
    if !spec.map(doc, &known) {
        return;
    }
    let own = id.namespace.clone();
    let ingress = rules(doc, &spec, "ingress", own.as_ref());
    let egress = rules(doc, &spec, "egress", own.as_ref());
    let (binds_ingress, binds_egress) = match spec.key("types") {
        Some(types) if types.node.as_seq().is_none_or(|items| !items.is_empty()) => {
            let mut binds = (false, false);
            for item in types.items(doc) {
                match item.word(doc, &[("Ingress", true), ("Egress", false)]) {
                    Some(true) => binds.0 = true,
                    Some(false) => binds.1 = true,
                    None => {}
                }
            }
            binds
        }
        // Without types: ingress unless there are only egress rules; egress when there are egress rules.
        _ => (!ingress.is_empty() || egress.is_empty(), !egress.is_empty()),
    };
    let scope = match (&own, expression_of(doc, &spec, "namespaceSelector")) {
        (Some(own), _) => Scope::Namespace(own.clone()),
        (None, Some(Expression::Global)) => Scope::Global,
        (None, Some(expression)) => Scope::Namespaces(expression),
        (None, None) => Scope::Anywhere,
    };
    let subject = Subject::Calico {
        scope,
        selector: expression_of(doc, &spec, "selector").unwrap_or(Expression::All),
        accounts: expression_of(doc, &spec, "serviceAccountSelector"),
    };
    let order = number(doc, &spec, "order");
    let tier = spec
        .key("tier")
        .and_then(|at| at.string(doc))
        .filter(|t| !t.is_empty())
        .unwrap_or(DEFAULT_TIER.0);
    let staged = staged.then(|| staged_action(doc, &spec));
    for field in ["doNotTrack", "preDNAT"] {
        if spec.node.get(field).and_then(vedette_yaml::Node::as_bool) == Some(true) {
            doc.warn(
                &spec,
                format!(
                    "with `{field}` the policy binds host endpoints only; it is left out for pods"
                ),
            );
            return;
        }
    }
    if !world.tiers.iter().any(|t| *t.name == *tier) && !doc.failed() {
        doc.warn(
            &spec,
            format!(
                "no Tier object describes `{tier}`; it is taken to come last and to end in Deny"
            ),
        );
    }
    if doc.failed() {
        return;
    }
    world.insert(Policy {
        id,
        tier: tier.into(),
        order,
        subject,
        ingress: binds_ingress.then_some(ingress),
        egress: binds_egress.then_some(egress),
        staged,
        network: None,
        title,
        place: doc.place(root.node),
    });
}

fn rules(doc: &mut Doc<'_>, spec: &At<'_>, direction: &str, own: Option<&Arc<str>>) -> Vec<Rule> {
    let Some(list) = spec.key(direction) else {
        return Vec::new();
    };
    let items = list.items(doc);
    if items.len() > MAX_RULES {
        doc.error(
            &list,
            format!("expected at most {MAX_RULES} rules, found {}", items.len()),
        );
    }
    items
        .iter()
        .filter_map(|item| rule(doc, item, direction == "ingress", own))
        .collect()
}

fn rule(doc: &mut Doc<'_>, at: &At<'_>, ingress: bool, own: Option<&Arc<str>>) -> Option<Rule> {
    const FIELDS: [&str; 11] = [
        "action",
        "ipVersion",
        "protocol",
        "notProtocol",
        "icmp",
        "notICMP",
        "source",
        "destination",
        "http",
        "metadata",
        "name",
    ];
    if !at.map(doc, &FIELDS) {
        return None;
    }
    let action = at.need(doc, "action").and_then(|at| {
        at.word(
            doc,
            &[
                ("Allow", Action::Allow),
                ("Deny", Action::Deny),
                ("Pass", Action::Pass),
                ("Log", Action::Log),
            ],
        )
    });
    let mut traffic = Traffic {
        protocol: protocol(doc, at, "protocol"),
        not_protocol: protocol(doc, at, "notProtocol"),
        ..Traffic::default()
    };
    if let Some(version) = at.key("ipVersion") {
        match version.integer(doc) {
            Some(4) => traffic.family = Some(false),
            Some(6) => traffic.family = Some(true),
            _ => doc.error(&version, "expected 4 or 6"),
        }
    }
    let source = at.key("source");
    let destination = at.key("destination");
    let source_entity = source.map_or_else(Entity::anything, |at| entity(doc, &at, own));
    let destination_entity = destination.map_or_else(Entity::anything, |at| entity(doc, &at, own));
    if let Some(destination) = destination {
        traffic.ports = ports(doc, &destination, "ports");
        traffic.not_ports = ports(doc, &destination, "notPorts");
        let named = !traffic.ports.is_empty() || !traffic.not_ports.is_empty();
        let carries = traffic.protocol.is_some_and(Protocol::has_ports);
        if named && !carries {
            doc.error(
                at,
                "expected `protocol` TCP, UDP or SCTP in a rule that names ports",
            );
        }
    }
    let mut caveats = Vec::new();
    if source.is_some_and(|s| s.key("ports").is_some() || s.key("notPorts").is_some()) {
        caveats.push("the source port");
    }
    if at.key("icmp").is_some_and(|i| i.node.as_map().is_some())
        || at.key("notICMP").is_some_and(|i| i.node.as_map().is_some())
    {
        caveats.push("the ICMP type");
    }
    if at.key("http").is_some() {
        caveats.push("the HTTP request");
    }
    if !caveats.is_empty() {
        traffic.caveat = Some(caveats.join(" and ").into());
    }
    let (peer, this) = if ingress {
        (source_entity, destination_entity)
    } else {
        (destination_entity, source_entity)
    };
    Some(Rule {
        name: at.key("name").and_then(|at| at.string(doc)).map(Arc::from),
        action: action?,
        peers: if peer.is_anything() {
            Vec::new()
        } else {
            vec![Peer::Entity(Box::new(peer))]
        },
        own: (!this.is_anything()).then(|| Box::new(this)),
        traffic,
        place: doc.place(at.node),
    })
}

fn protocol(doc: &mut Doc<'_>, at: &At<'_>, key: &str) -> Option<Protocol> {
    let at = at.key(key)?;
    let found = at.node.as_str().and_then(Protocol::parse);
    if found.is_none() {
        doc.error(
            &at,
            "expected TCP, UDP, ICMP, ICMPv6, SCTP, UDPLite or a number from 1 to 255",
        );
    }
    found
}

fn entity(doc: &mut Doc<'_>, at: &At<'_>, own: Option<&Arc<str>>) -> Entity {
    let mut out = Entity::anything();
    let known = [
        "nets",
        "notNets",
        "ports",
        "notPorts",
        "selector",
        "notSelector",
        "namespaceSelector",
        "serviceAccounts",
        "services",
    ];
    if !at.map(doc, &known) {
        return out;
    }
    out.nets = at.cidrs(doc, "nets", true);
    out.not_nets = at.cidrs(doc, "notNets", true);
    out.selector = expression_of(doc, at, "selector");
    out.not_selector = expression_of(doc, at, "notSelector");
    let namespaces = expression_of(doc, at, "namespaceSelector");
    if let Some(accounts) = at.key("serviceAccounts")
        && accounts.map(doc, &["names", "selector"])
    {
        out.account_names = accounts.strings(doc, "names");
        out.account_selector = expression_of(doc, &accounts, "selector");
    }
    let by_account = !out.account_names.is_empty() || out.account_selector.is_some();
    let positive = out.selector.is_some() || by_account || namespaces.is_some();
    out.scope = match (namespaces, own) {
        (Some(Expression::Global), _) => Scope::Global,
        (Some(expression), _) => Scope::Namespaces(expression),
        (None, Some(own)) if positive || out.not_selector.is_some() => {
            Scope::Namespace(own.clone())
        }
        _ => Scope::Anywhere,
    };
    if out.selector.is_none() && (by_account || out.scope != Scope::Anywhere) {
        out.selector = Some(Expression::All);
    }
    if let Some(services) = at.key("services")
        && services.map(doc, &["name", "namespace"])
    {
        let name = services.need(doc, "name").and_then(|at| at.string(doc));
        let namespace = match services.key("namespace") {
            Some(at) => at.string(doc).map(Arc::from),
            None => own.cloned(),
        };
        if positive
            || out.not_selector.is_some()
            || !out.nets.is_empty()
            || !out.not_nets.is_empty()
        {
            doc.error(
                &services,
                "expected `services` without selectors and nets beside it",
            );
        }
        match (namespace, name) {
            (Some(namespace), Some(name)) => out.service = Some((namespace, name.into())),
            (None, _) => doc.error(&services, "expected `namespace` in a global policy"),
            _ => {}
        }
    }
    out
}

fn ports(doc: &mut Doc<'_>, at: &At<'_>, key: &str) -> Vec<PortTerm> {
    let Some(list) = at.key(key) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for item in list.items(doc) {
        let Some(text) = item.node.as_str() else {
            doc.error(
                &item,
                format!("expected a port, found {}", item.node.describe()),
            );
            continue;
        };
        let range = match text.split_once(':') {
            Some((first, last)) => first.parse().ok().zip(last.parse().ok()),
            None => text.parse().ok().map(|port: u16| (port, port)),
        };
        let numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b':');
        let port = match range {
            Some((first, last)) if first <= last => PortMatch::Range(first.max(1), last),
            None if !numeric && !text.is_empty() => PortMatch::Named(text.into()),
            _ => {
                doc.error(
                    &item,
                    format!("expected a port, a range such as 1:1024 or a name, found `{text}`"),
                );
                continue;
            }
        };
        out.push(PortTerm {
            protocol: None,
            port,
        });
    }
    out
}
