//! The records.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every event that makes the step complete was seen.
    Allowed,
    /// It was tried and something refused it.
    Blocked,
    /// A step that it builds on was not done.
    NotReached,
    /// There is no evidence for any of these.
    Unknown,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 4] = [
        Self::Allowed,
        Self::Blocked,
        Self::NotReached,
        Self::Unknown,
    ];

    /// The word in files, tables and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Blocked => "blocked",
            Self::NotReached => "not_reached",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One request to the vulnerable service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// `GET PATH`: read a file.
    Get(String),
    /// `POST PATH`: write a file.
    Post {
        /// The file.
        path: String,
        /// What is written.
        content: String,
    },
    /// `POST /exec`: run a command in a shell.
    Exec(String),
}

/// Events that belong to a step that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clue {
    /// What it shows, in a few words.
    pub shows: String,
    /// A condition of the rules language over one event.
    pub condition: String,
}

/// Events that show that a step was refused, and by what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Who or what refused.
    pub by: String,
    /// A condition of the rules language over one event.
    pub condition: String,
}

/// A way in which the vulnerable workload is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// Its name on the command line.
    pub name: String,
    /// What is special about it.
    pub title: String,
    /// Namespace of the workload.
    pub namespace: String,
    /// The controls that it puts in place, by the names that proofs give them.
    pub controls: Vec<String>,
}

/// A step of the attack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its number, from 1, without gaps.
    pub id: u8,
    /// A short name.
    pub name: String,
    /// What the attacker does.
    pub title: String,
    /// What is sent to the service, in order.
    pub requests: Vec<Request>,
    /// Earlier steps without which this one cannot be done.
    pub needs: Vec<u8>,
    /// All of these make the step done.
    pub evidence: Vec<Clue>,
    /// Any of these shows that it was refused.
    pub blocked: Vec<Stop>,
    /// Shipped rules that must fire when the step is done.
    pub detections: Vec<String>,
    /// ATT&CK techniques.
    pub attack: Vec<String>,
    /// What is expected in each profile.
    pub expected: BTreeMap<String, Verdict>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Profiles in the order in which they are run.
    pub profiles: Vec<Profile>,
    /// Steps in the order in which they are taken.
    pub steps: Vec<Step>,
}

/// The name of a run of a profile with one more control.
pub fn with_control(profile: &str, control: &str) -> String {
    format!("{profile}+{control}")
}

impl Steps {
    /// A profile by name.
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// A step by number.
    pub fn step(&self, id: u8) -> Option<&Step> {
        self.steps.iter().find(|step| step.id == id)
    }
}
