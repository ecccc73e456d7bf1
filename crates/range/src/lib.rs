//! The attack lab's steps: what is asked, what must have happened before, which events prove that a step was done or was
//! refused, and which rules should have seen it.
//!
//! One data file ([`STEPS`], `lab/steps.yaml` in the repository) drives the run, the pages, the tests and the proof.
//! [`Steps::parse`] reads it; [`Steps::rules`] turns its conditions into rules of the ordinary language, so that the same
//! compiled engine looks for evidence in live events and in recordings; [`Judge`] takes what those rules found, in the
//! order of the events, and gives a [`Verdict`] for each step.
//!
//! A verdict never comes from an answer to a request: a server may say `200` to a command that was refused.

mod judge;
mod read;
mod rules;
mod steps;

pub use judge::{Evidence, Judge, Outcome};
pub use read::Problem;
pub use rules::{MARKS, mark_condition, marks, of_lab};
pub use steps::{Clue, Profile, Request, Step, Steps, Stop, Verdict, with_control};

/// The ten steps as they are shipped.
pub const STEPS: &str = include_str!("../../../lab/steps.yaml");
