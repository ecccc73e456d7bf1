//! Fewer rules for the same flows.

use super::{GeneratedPolicy, Generator, as_policy};
use crate::evaluate::{Assumptions, Decision, Party, Question, evaluate};
use crate::labels::LabelSelector;
use crate::model::{Direction, World};
use crate::traffic::Protocol;

impl Generator<'_> {
    /// Drops rules that other rules make superfluous: without them every recorded flow still goes through.
    pub(super) fn prune(&self, policies: &mut [GeneratedPolicy], assumptions: &Assumptions) {
        let mut world = self.world.clone();
        // Existing policies must not hide what the new ones let through.
        for tier in &mut world.tiers {
            tier.policies.clear();
        }
        for policy in policies.iter() {
            world.insert(as_policy(policy));
        }
        world.sort();
        let questions: Vec<Question> = self.asked().collect();
        let subjects: Vec<LabelSelector> = policies
            .iter()
            .map(|p| LabelSelector::of_labels(&p.subject))
            .collect();
        for (at, policy) in policies.iter_mut().enumerate() {
            if policy.rules.len() < 2 {
                continue;
            }
            // Only flows that end at the policy's pods in its direction can change.
            let own: Vec<&Question> = questions
                .iter()
                .filter(|q| {
                    let party = match policy.direction {
                        Direction::Egress => &q.from,
                        Direction::Ingress => &q.to,
                    };
                    matches!(party, Party::Pod(index) if {
                        let pod = &world.pods[*index];
                        pod.namespace == policy.namespace && subjects[at].matches(&pod.labels)
                    })
                })
                .collect();
            let before: Vec<Decision> = own
                .iter()
                .map(|q| evaluate(&world, assumptions, q).decision)
                .collect();
            let mut number = policy.rules.len();
            while number > 0 {
                number -= 1;
                if policy.rules.len() < 2
                    || policy.rules[number]
                        .comments
                        .iter()
                        .any(|c| c.starts_with("DNS, allowed"))
                {
                    continue;
                }
                let mut fewer = policy.clone();
                fewer.rules.remove(number);
                replace(&mut world, &fewer);
                let same = own
                    .iter()
                    .zip(&before)
                    .all(|(q, was)| evaluate(&world, assumptions, q).decision == *was);
                if same {
                    *policy = fewer;
                } else {
                    replace(&mut world, policy);
                }
            }
        }
    }

    fn asked(&self) -> impl Iterator<Item = Question> + '_ {
        let inside = self
            .questions
            .iter()
            .map(|&(a, b, protocol, port)| Question {
                from: Party::Pod(a),
                to: Party::Pod(b),
                protocol: Protocol(protocol),
                port,
            });
        let outside = self
            .outside
            .iter()
            .map(|&(pod, address, out, protocol, port)| {
                let (pod, address) = (Party::Pod(pod), Party::Address(address));
                let (from, to) = if out { (pod, address) } else { (address, pod) };
                Question {
                    from,
                    to,
                    protocol: Protocol(protocol),
                    port,
                }
            });
        inside.chain(outside)
    }
}

fn replace(world: &mut World, policy: &GeneratedPolicy) {
    let new = as_policy(policy);
    for tier in &mut world.tiers {
        for old in &mut tier.policies {
            if old.id == new.id {
                *old = new;
                return;
            }
        }
    }
}
