//! Checks on what a policy does: DNS, isolation, promises in its title, peers that do not let in.

use super::{Finding, Level, Subject};
use crate::evaluate::{Decision, Party, Question, Tri, binding, evaluate};
use crate::generate::is_dns_pod;
use crate::model::{Action, Direction, NamespaceMatch, Peer, PortMatch, Rule, TierEnd};
use crate::traffic::Protocol;

/// The port of DNS.
const DNS_PORT: u16 = 53;

pub(super) fn check(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    dns(subject, out);
    isolation(subject, out);
    title(subject, out);
    peers(subject, out);
}

/// Whether a rule lets (protocol, 53) out to pods or to anybody.
fn allows_dns(rule: &Rule, protocol: Protocol) -> bool {
    rule.action == Action::Allow
        && rule.traffic.protocol.is_none_or(|p| p == protocol)
        && rule.traffic.not_protocol != Some(protocol)
        && (rule.traffic.ports.is_empty()
            || rule.traffic.ports.iter().any(|term| {
                term.protocol.is_none_or(|p| p == protocol)
                    && match &term.port {
                        PortMatch::Any => true,
                        // 5353 is where OpenShift's DNS pods listen.
                        PortMatch::Range(first, last) => {
                            (*first..=*last).contains(&DNS_PORT) || (*first..=*last).contains(&5353)
                        }
                        PortMatch::Named(name) => name.starts_with("dns"),
                    }
            }))
        && (rule.peers.is_empty() || rule.peers.iter().any(|p| !matches!(p, Peer::Nodes(_))))
}

/// Rules of all policies that bind a pod's egress.
fn egress_rules<'w>(subject: &Subject<'w>, pod: usize) -> Vec<&'w Rule> {
    let view = subject.matcher.pod_view(&subject.world().pods[pod]);
    binding(&subject.matcher, &view, Direction::Egress)
        .into_iter()
        .filter(|(.., selected)| *selected == Tri::Yes)
        .flat_map(|(_, policy, _)| policy.rules(Direction::Egress).unwrap_or_default())
        .collect()
}

fn dns(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    if !subject.isolates(Direction::Egress)
        || subject.tier.end != TierEnd::Deny
        || subject.policy.staged.is_some()
    {
        return;
    }
    let own: Vec<&Rule> = subject.policy.egress.iter().flatten().collect();
    // Several policies add up; another one may bring the DNS rule. Without pods the policy stands alone.
    let sets: Vec<Vec<&Rule>> = if subject.pods.is_empty() {
        vec![own.clone()]
    } else {
        subject
            .pods
            .iter()
            .map(|&pod| egress_rules(subject, pod))
            .collect()
    };
    let cut = sets
        .iter()
        .filter(|rules| !rules.iter().any(|r| allows_dns(r, Protocol::UDP)))
        .count();
    if cut > 0 {
        let some = own.iter().any(|r| r.action == Action::Allow);
        let rest = if some {
            format!(
                "Only what its rules list is allowed out ({}); everything else is dropped, DNS lookups (UDP and TCP port 53) included. ",
                listed(&own)
            )
        } else {
            "It allows nothing out, DNS lookups (UDP and TCP port 53) included. ".into()
        };
        let level = if some { Level::Error } else { Level::Info };
        out.push(subject.finding(
            "dns-cut",
            level,
            format!("the policy cuts DNS for the pods it selects. {rest}Programs will fail with \"could not resolve host\" although the port they want is open; only connections to bare addresses work"),
            "add an egress rule to the pods of the cluster's DNS (namespace kube-system, label k8s-app=kube-dns) for UDP and TCP port 53",
        ));
        return;
    }
    for rule in own {
        if !rule.traffic.ports.is_empty() && allows_dns(rule, Protocol::UDP) {
            let tcp = sets
                .iter()
                .all(|rules| rules.iter().any(|r| allows_dns(r, Protocol::TCP)));
            if !tcp {
                out.push(subject.finding_at(
                    "dns-partial",
                    Level::Warning,
                    &rule.place,
                    "DNS is allowed over UDP but not over TCP: long answers come over TCP, and such lookups will fail now and then".into(),
                    "allow TCP port 53 beside UDP port 53",
                ));
            }
            let everywhere = rule.peers.is_empty()
                || rule.peers.iter().any(|p| {
                    matches!(p, Peer::Pods(NamespaceMatch::Selected(ns), pods) if ns.is_everything() && pods.is_everything())
                });
            let ports_only_dns = rule.traffic.ports.iter().all(|t| {
                matches!(t.port, PortMatch::Range(first, last) if first == last && (first == DNS_PORT || first == 5353))
            });
            if everywhere && ports_only_dns {
                out.push(subject.finding_at(
                    "dns-partial",
                    Level::Info,
                    &rule.place,
                    "the rule for DNS allows port 53 to everybody, not only to the cluster's DNS: a way out for data hidden in lookups to any server".into(),
                    "name the pods of the cluster's DNS as the peer",
                ));
            }
        }
    }
}

fn listed(rules: &[&Rule]) -> String {
    /// More are not shown in one sentence.
    const SHOWN: usize = 3;
    let mut parts: Vec<String> = rules
        .iter()
        .filter(|r| r.action == Action::Allow)
        .take(SHOWN)
        .map(|r| crate::evaluate::describe_traffic(&r.traffic))
        .collect();
    if rules.len() > SHOWN {
        parts.push("…".into());
    }
    parts.join("; ")
}

/// A direction that is cut off whole beside rules for the other one.
fn isolation(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    let policy = subject.policy;
    let kubernetes = *policy.id.kind == *"NetworkPolicy" && policy.tier.as_ref() == "default";
    if !kubernetes || policy.staged.is_some() {
        return;
    }
    for (direction, other) in [
        (Direction::Ingress, Direction::Egress),
        (Direction::Egress, Direction::Ingress),
    ] {
        let empty = policy.rules(direction).is_some_and(<[Rule]>::is_empty);
        let has_others = policy.rules(other).is_some_and(|rules| !rules.is_empty());
        if empty && has_others {
            let (what, effect) = match direction {
                Direction::Ingress => (
                    "ingress",
                    "nobody can reach its pods, through a NodePort or load balancer neither",
                ),
                Direction::Egress => ("egress", "its pods cannot reach anything, DNS included"),
            };
            out.push(subject.finding(
                "unintended-isolation",
                Level::Warning,
                format!("the policy has {other} rules, and beside them it cuts all {what}: {effect}. A direction that is in policyTypes (Ingress also when policyTypes is missing) and has no rule allows nothing"),
                "list in policyTypes only the directions the policy is about, or add rules for the other one",
            ));
        }
    }
}

/// Words in a name or description that promise denial where the policy allows, and the other way round.
fn title(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    const DENY: [&str; 5] = ["deny", "block", "drop", "forbid", "isolate"];
    const ALLOW: [&str; 4] = ["allow", "permit", "enable", "accept"];
    let policy = subject.policy;
    if subject.tier.end != TierEnd::Deny || *policy.id.kind != *"NetworkPolicy" {
        return;
    }
    let text = format!(
        "{} {}",
        policy.id.name,
        policy.title.as_deref().unwrap_or_default()
    )
    .to_lowercase();
    let words: Vec<&str> = text
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let has = |list: &[&str]| words.iter().any(|w| list.iter().any(|l| w.starts_with(l)));
    let numbers: Vec<u16> = words.iter().filter_map(|w| w.parse().ok()).collect();
    let rules = || policy.ingress.iter().chain(&policy.egress).flatten();
    let allowing = || rules().filter(|r| r.action == Action::Allow);
    let port = allowing()
        .flat_map(|r| &r.traffic.ports)
        .find_map(|term| match term.port {
            PortMatch::Range(first, last) => {
                numbers.iter().find(|n| (first..=last).contains(n)).copied()
            }
            _ => None,
        });
    let open = allowing().any(|r| r.peers.is_empty() && r.traffic.ports.is_empty());
    let denies = has(&DENY) && !has(&ALLOW);
    if denies && let Some(port) = port {
        out.push(subject.finding(
            "title-contradicts",
            Level::Error,
            format!("the title speaks of blocking port {port}, but the policy ALLOWS port {port} and blocks everything else: rules of a NetworkPolicy only ever allow, and selecting a pod is what denies the rest"),
            "a NetworkPolicy cannot deny one port; allow all other ports by ranges (1-79 and 81-65535 for 80), or use a policy kind that can deny (ClusterNetworkPolicy, Calico)",
        ));
    } else if denies && open {
        out.push(
            subject.finding(
                "title-contradicts",
                Level::Error,
                "the title promises to deny, but a rule without peers and ports allows everything"
                    .into(),
                "remove the empty rule: no rule at all is what denies",
            ),
        );
    } else if has(&ALLOW) && !has(&DENY) && rules().next().is_none() {
        out.push(subject.finding(
            "title-contradicts",
            Level::Warning,
            "the title promises to allow, but the policy has no rule and denies everything in its directions".into(),
            "add the rule that allows what the title says",
        ));
    }
}

/// Egress is allowed here, but the other side's policies let nothing of it in.
fn peers(subject: &Subject<'_>, out: &mut Vec<Finding>) {
    /// So many pairs of a rule are asked; one that gets through settles it.
    const PAIRS: usize = 2_000;
    if subject.policy.staged.is_some() {
        return;
    }
    let world = subject.world();
    for rule in subject.policy.egress.iter().flatten() {
        if rule.action != Action::Allow || rule.peers.is_empty() {
            continue;
        }
        let Some((protocol, port)) = rule.traffic.ports.iter().find_map(|term| match term.port {
            PortMatch::Range(first, _) => Some((term.protocol.or(rule.traffic.protocol)?, first)),
            _ => None,
        }) else {
            continue;
        };
        let receivers: Vec<usize> = (0..world.pods.len())
            .filter(|&index| {
                let view = subject.matcher.pod_view(&world.pods[index]);
                rule.peers.iter().any(|p| {
                    subject
                        .matcher
                        .peer(p, &view, false, Some((protocol, port)))
                        == Tri::Yes
                })
            })
            .collect();
        let mut denied = None;
        let mut pairs = 0;
        'pairs: for (from, _) in subject.views() {
            for &to in &receivers {
                if from == to {
                    continue;
                }
                pairs += 1;
                if pairs > PAIRS {
                    denied = None;
                    break 'pairs;
                }
                let question = Question {
                    from: Party::Pod(from),
                    to: Party::Pod(to),
                    protocol,
                    port,
                };
                let answer = evaluate(world, subject.matcher.assumptions, &question);
                if answer.ingress.decision != Decision::Denied {
                    denied = None;
                    break 'pairs;
                }
                denied.get_or_insert((from, to, answer.ingress.reason.text));
            }
        }
        if let Some((from, to, why)) = denied {
            let name = |index: usize| subject.matcher.name(&Party::Pod(index));
            let dns = is_dns_pod(&world.pods[to]);
            out.push(subject.finding_at(
                "peer-denies",
                if dns { Level::Error } else { Level::Warning },
                &rule.place,
                format!(
                    "{} may send {protocol} {port} to {}, but nobody there lets it in: {why}",
                    name(from),
                    name(to)
                ),
                "a connection needs both sides: add an ingress rule at the receiving pods",
            ));
        }
    }
}
