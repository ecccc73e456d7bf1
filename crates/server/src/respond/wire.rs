//! What server and agent say to each other beside records: orders, how they went, and the bundle of rules and policies.

use ring::digest;
use serde::{Deserialize, Serialize};
use vedette_event::Outcome;

/// What a person can have done about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Kill the process behind the finding.
    KillProcess,
    /// Freeze its container.
    PauseContainer,
    /// Let a frozen container go on.
    ResumeContainer,
    /// Ask its container to end, then kill it.
    StopContainer,
    /// Kill every process of its container.
    KillContainer,
}

impl Deed {
    /// Every deed, the gentlest that helps first.
    pub const ALL: [Self; 5] = [
        Self::PauseContainer,
        Self::ResumeContainer,
        Self::KillProcess,
        Self::StopContainer,
        Self::KillContainer,
    ];

    /// The word of the wire format, which is that of policies where these have the same.
    pub fn word(self) -> &'static str {
        match self {
            Self::KillProcess => "kill_process",
            Self::PauseContainer => "pause_container",
            Self::ResumeContainer => "resume_container",
            Self::StopContainer => "stop_container",
            Self::KillContainer => "kill_container",
        }
    }

    /// Whether it is about a container and not about one process.
    pub fn is_for_container(self) -> bool {
        self != Self::KillProcess
    }
}

/// What a deed is aimed at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aim {
    /// Process id in the host's namespace.
    pub pid: u32,
    /// When it started, in nanoseconds since the Unix epoch; 0 when the finding does not say.
    pub started: u64,
    /// Path of its executable when the finding was made.
    pub exe: String,
    /// Id of its container, at least 12 digits; empty on the host.
    pub container: String,
}

/// An order as an agent gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id: an order that comes twice is carried out once.
    pub id: String,
    /// What to do.
    pub deed: Deed,
    /// Only say what would be done.
    pub dry_run: bool,
    /// To what.
    pub aim: Aim,
    /// Rule of the finding, for the agent's log.
    pub rule: String,
    /// Who gave it.
    pub by: String,
}

/// What waits for an agent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Orders, oldest first.
    pub orders: Vec<Order>,
    /// Version of the bundle that it should have.
    pub bundle: String,
}

/// A process that a deed reached, or would reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// Process id in the host's namespace.
    pub pid: u32,
    /// Its name (`comm`).
    pub name: String,
    /// Path of its executable; empty when it cannot be read.
    #[serde(default)]
    pub exe: String,
}

/// How an order went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// In a word.
    pub outcome: Outcome,
    /// In a sentence.
    pub detail: String,
    /// Processes that were reached, or would be; the first of them.
    #[serde(default)]
    pub processes: Vec<Touched>,
    /// How many there are in all.
    #[serde(default)]
    pub total: u64,
}

/// A text with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Named {
    /// Name of the rule or policy.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// Custom rules and policies that agents carry out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// See [`Bundle::digest`].
    pub version: String,
    /// Rule files, in loading order.
    pub rules: Vec<Named>,
    /// Policy files.
    pub policies: Vec<Named>,
}

impl Bundle {
    /// Stands for the content: SHA-256 in hexadecimal digits over every name and text, each behind its length, and each
    /// list behind the number of its texts. What an agent holds on disk is sound when its version is its digest.
    pub fn digest(&self) -> String {
        let mut hash = digest::Context::new(&digest::SHA256);
        for list in [&self.rules, &self.policies] {
            hash.update(&(list.len() as u64).to_be_bytes());
            for named in list {
                for text in [&named.name, &named.text] {
                    hash.update(&(text.len() as u64).to_be_bytes());
                    hash.update(text.as_bytes());
                }
            }
        }
        let hash = hash.finish();
        hash.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, text: &str) -> Named {
        Named {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn words_are_those_of_the_wire() {
        for deed in Deed::ALL {
            assert_eq!(serde_json::json!(deed), deed.word());
        }
    }

    #[test]
    fn the_digest_tells_where_a_text_ends() {
        let of = |rules: &[Named], policies: &[Named]| {
            Bundle {
                rules: rules.to_vec(),
                policies: policies.to_vec(),
                ..Bundle::default()
            }
            .digest()
        };
        let all = [
            of(&[], &[]),
            of(&[named("a", "bc")], &[]),
            of(&[named("ab", "c")], &[]),
            of(&[], &[named("a", "bc")]),
            of(&[named("a", "b"), named("c", "")], &[]),
        ];
        for (index, one) in all.iter().enumerate() {
            assert_eq!(one.len(), 64);
            assert!(!all[index + 1..].contains(one));
        }
    }
}
