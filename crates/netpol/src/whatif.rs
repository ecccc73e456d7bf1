//! What a change of policies would do to recorded flows.

use serde::Serialize;

use crate::evaluate::{Assumptions, Decision, Directory, Half, Question, evaluate};
use crate::flow::{Flow, parties};
use crate::model::{Direction, Policy, Staged, World};

/// What happens to a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Went through, would be dropped.
    NewlyDenied,
    /// Was dropped, would go through.
    NewlyAllowed,
    /// One of the two answers is not known.
    Undecidable,
    /// Would still be dropped.
    Denied,
    /// Would still go through.
    Allowed,
}

impl Effect {
    /// As a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly denied",
            Self::NewlyAllowed => "newly allowed",
            Self::Undecidable => "undecidable",
            Self::Denied => "denied",
            Self::Allowed => "allowed",
        }
    }
}

/// A flow and what happens to it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happens.
    pub effect: Effect,
    /// What decides afterwards, in words.
    pub reason: String,
    /// Policy, rule and clause that decide afterwards.
    pub by: Option<String>,
}

/// A world whose staged policies are enforced, as if an operator had said "apply".
pub fn enforce_staged(world: &mut World) {
    let mut gone: Vec<(bool, Policy)> = Vec::new();
    for tier in &mut world.tiers {
        for policy in &mut tier.policies {
            match policy.staged {
                Some(Staged::Set) => {
                    policy.staged = None;
                    gone.push((false, policy.clone()));
                }
                Some(Staged::Delete) => gone.push((true, policy.clone())),
                Some(Staged::Learn | Staged::Ignore) | None => {}
            }
        }
    }
    // A staged policy stands in for the enforced one of its name.
    for (_, staged) in gone {
        let kind = staged.id.kind.strip_prefix("Staged").unwrap_or_default();
        let kind = kind.strip_prefix("Kubernetes").unwrap_or(kind);
        for tier in &mut world.tiers {
            tier.policies.retain(|p| {
                *p.id.kind != *kind
                    || p.id.name != staged.id.name
                    || p.id.namespace != staged.id.namespace
            });
        }
    }
}

/// Takes policies out by `name`, `namespace/name` or `kind/namespace/name`; returns how many went.
pub fn remove(world: &mut World, wanted: &str) -> usize {
    let parts: Vec<&str> = wanted.split('/').collect();
    let meant = |p: &Policy| {
        let namespace = p.id.namespace.as_deref();
        match parts[..] {
            [name] => *p.id.name == *name,
            [first, name] => {
                *p.id.name == *name
                    && (namespace == Some(first)
                        || namespace.is_none() && p.id.kind.eq_ignore_ascii_case(first))
            }
            [kind, ns, name] => {
                *p.id.name == *name && namespace == Some(ns) && p.id.kind.eq_ignore_ascii_case(kind)
            }
            _ => false,
        }
    };
    let mut count = 0;
    for tier in &mut world.tiers {
        let before = tier.policies.len();
        tier.policies.retain(|p| !meant(p));
        count += before - tier.policies.len();
    }
    count
}

/// Asks both worlds about each flow. `None` stands for a flow whose ends are not in the inputs, with the reason.
pub fn what_if(
    before: &World,
    after: &World,
    assumptions: &Assumptions,
    flows: &[Flow],
) -> Vec<Result<Outcome, String>> {
    let directories = (Directory::new(before), Directory::new(after));
    flows
        .iter()
        .map(|flow| {
            let was = decide(before, &directories.0, assumptions, flow)?;
            let is = decide(after, &directories.1, assumptions, flow)?;
            let effect = match (was.0, is.0) {
                (Decision::Allowed, Decision::Allowed) => Effect::Allowed,
                (Decision::Denied, Decision::Denied) => Effect::Denied,
                (Decision::Allowed, Decision::Denied) => Effect::NewlyDenied,
                (Decision::Denied, Decision::Allowed) => Effect::NewlyAllowed,
                _ => Effect::Undecidable,
            };
            Ok(Outcome {
                effect,
                reason: is.1,
                by: is.2,
            })
        })
        .collect()
}

type Decided = (Decision, String, Option<String>);

fn decide(
    world: &World,
    directory: &Directory,
    assumptions: &Assumptions,
    flow: &Flow,
) -> Result<Decided, String> {
    let (from, targets) =
        parties(world, directory, assumptions, flow).map_err(|e| e.to_string())?;
    let mut out: Option<Decided> = None;
    for target in targets {
        let question = Question {
            from: from.clone(),
            to: target.party,
            protocol: flow.protocol,
            port: target.port,
        };
        let answer = evaluate(world, assumptions, &question);
        let (_, half): (Direction, &Half) = answer.deciding();
        let this = (answer.decision, half.reason.text.clone(), half.reason.by());
        out = Some(match out {
            None => this,
            Some(other) if other.0 == this.0 => other,
            Some(_) => (
                Decision::Undecidable,
                "it depends on which pod the Service picks".into(),
                None,
            ),
        });
    }
    out.ok_or_else(|| "the destination has no pod among the inputs".into())
}
