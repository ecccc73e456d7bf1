//! Policies that do not do what their author thinks, in words that a beginner understands.
//!
//! Each check looks at one policy (or workload) in its world. Checks are listed in [`CHECKS`], sorted by id; adding
//! one is a row there and a function.

mod effect;
mod shape;

use std::fmt;

use serde::Serialize;

use crate::evaluate::{Assumptions, Matcher, Tri, View};
use crate::model::{Direction, Place, Pod, Policy, Tier, World};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Probably not what was meant.
    Warning,
    /// Breaks something, or protects nothing.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Id of the check, such as `dns-cut`.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// The policy or workload.
    pub object: String,
    /// Where it stands.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub advice: String,
}

/// One kind of finding.
#[derive(Clone, Copy, Debug)]
pub struct Check {
    /// Id.
    pub id: &'static str,
    /// What it looks for.
    pub summary: &'static str,
}

/// All checks, sorted by id.
pub const CHECKS: &[Check] = &[
    Check {
        id: "broad-cidr",
        summary: "a rule opens to a very large part of the address space",
    },
    Check {
        id: "dns-cut",
        summary: "egress is isolated and no rule lets DNS lookups through",
    },
    Check {
        id: "dns-partial",
        summary: "DNS is allowed over UDP only, or to more pods than the cluster's DNS",
    },
    Check {
        id: "peer-denies",
        summary: "egress to a peer is allowed here, but the peer's ingress policies deny it",
    },
    Check {
        id: "peer-matches-nothing",
        summary: "a rule's peer selects no pod and no namespace of the inputs",
    },
    Check {
        id: "port-without-effect",
        summary: "a port that no pod it is about declares: a Service's port, or a name that nothing has",
    },
    Check {
        id: "selects-nothing",
        summary: "the policy selects no pod",
    },
    Check {
        id: "split-selectors",
        summary: "namespaceSelector and podSelector stand as two peers, which means either instead of both",
    },
    Check {
        id: "title-contradicts",
        summary: "the policy's name or description promises something else than it does",
    },
    Check {
        id: "unbound-workload",
        summary: "a workload that network policies cannot hold: hostNetwork or privileged",
    },
    Check {
        id: "unintended-isolation",
        summary: "a direction is cut off entirely, probably without being meant",
    },
    Check {
        id: "volatile-label",
        summary: "a selector rests on a label that the next deployment will change",
    },
];

/// A policy with what the checks need to know about it.
pub(crate) struct Subject<'w> {
    pub(crate) matcher: Matcher<'w>,
    pub(crate) tier: &'w Tier,
    pub(crate) policy: &'w Policy,
    /// Pods that it selects, by index.
    pub(crate) pods: Vec<usize>,
}

impl<'w> Subject<'w> {
    pub(crate) fn world(&self) -> &'w World {
        self.matcher.world
    }

    pub(crate) fn finding(
        &self,
        check: &'static str,
        level: Level,
        message: String,
        advice: &str,
    ) -> Finding {
        self.finding_at(check, level, &self.policy.place, message, advice)
    }

    pub(crate) fn finding_at(
        &self,
        check: &'static str,
        level: Level,
        place: &Place,
        message: String,
        advice: &str,
    ) -> Finding {
        Finding {
            check,
            level,
            object: self.policy.id.to_string(),
            place: place.clone(),
            message,
            advice: advice.into(),
        }
    }

    /// The pods it selects, and what conditions see of them.
    pub(crate) fn views(&self) -> impl Iterator<Item = (usize, View<'w>)> + '_ {
        self.pods
            .iter()
            .map(|&index| (index, self.matcher.pod_view(&self.world().pods[index])))
    }

    pub(crate) fn isolates(&self, direction: Direction) -> bool {
        self.policy.rules(direction).is_some()
    }
}

/// Looks at every policy and workload of a world.
pub fn lint(world: &World, assumptions: &Assumptions) -> Vec<Finding> {
    let matcher = Matcher { world, assumptions };
    let mut out = Vec::new();
    for tier in &world.tiers {
        for policy in tier.policies.iter().filter(|p| p.network.is_none()) {
            let pods = world
                .pods
                .iter()
                .enumerate()
                .filter(|(_, pod)| matcher.selects(policy, &matcher.pod_view(pod)) != Tri::No)
                .map(|(index, _)| index)
                .collect();
            let subject = Subject {
                matcher,
                tier,
                policy,
                pods,
            };
            shape::check(&subject, &mut out);
            effect::check(&subject, &mut out);
        }
    }
    for pod in &world.pods {
        unbound(world, pod, &mut out);
    }
    out.sort_by(|a, b| {
        (&a.place, a.check, &a.object, &a.message).cmp(&(&b.place, b.check, &b.object, &b.message))
    });
    out.dedup();
    out
}

/// Workloads that a policy meant to hold them cannot hold.
fn unbound(world: &World, pod: &Pod, out: &mut Vec<Finding>) {
    let policed = world.policies().any(|policy| {
        let plain = Assumptions {
            host_network_bound: true,
            ..Assumptions::default()
        };
        let matcher = Matcher {
            world,
            assumptions: &plain,
        };
        matcher.selects(policy, &matcher.pod_view(pod)) == Tri::Yes
    });
    if !policed {
        return;
    }
    let (what, advice) = if pod.host_network {
        (
            "shares the network of its node (hostNetwork): no network policy holds it, neither as sender nor as receiver, and others can name it only by its node's address",
            "drop hostNetwork, or protect the node's address with host policies",
        )
    } else if pod.privileged {
        (
            "can leave its container (privileged or hostPID): a process that breaks out to the node is no longer held by any network policy",
            "drop privileged and hostPID; network policy is no barrier for this workload",
        )
    } else {
        return;
    };
    out.push(Finding {
        check: "unbound-workload",
        level: Level::Warning,
        object: pod.workload().to_string(),
        place: pod.place.clone(),
        message: format!("{} {what}", pod.workload()),
        advice: advice.into(),
    });
}

#[cfg(test)]
mod tests {
    use super::CHECKS;

    #[test]
    fn checks_are_sorted_and_each_is_there_once() {
        assert!(CHECKS.is_sorted_by(|a, b| a.id < b.id));
    }
}
