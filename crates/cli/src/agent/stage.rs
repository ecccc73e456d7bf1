//! Parts that plug into the agent. Each sees every event in its context and may answer with findings; adding one is a
//! file here and a row in [`all`].

use std::sync::Arc;

use rustix::thread::CapabilitySet;
use vedette_detect::RuleSet;
use vedette_event::{Action, Alert, Finding, RawEvent};
use vedette_sensor::bootstrap::Fact;
use vedette_state::View;

use super::activity::Activities;
use super::capture::Captures;
use super::config::Config;
use super::emit::Emit;
use super::guard::Policies;
use super::log::Log;
use super::metrics::Page;
use super::miner::Miners;

/// A part of the agent. All calls come from the one thread that handles events, so none of them may wait.
pub(crate) trait Stage {
    /// Conditions whose events this part needs, besides those of the rules.
    fn rules(&self) -> Option<&Arc<RuleSet>> {
        None
    }

    /// Capabilities that this part needs while it runs.
    fn needs(&self) -> CapabilitySet {
        CapabilitySet::empty()
    }

    /// What this part can do about an attack; `None` when it prevents nothing.
    fn prevention(&self) -> Option<Prevention> {
        None
    }

    /// Whether this part denies or kills, which the filter of system calls must let through.
    fn is_guard(&self) -> bool {
        false
    }

    /// Something that was there before the first event.
    fn before(&mut self, _fact: &Fact<'_>) {}

    /// An event, after the state has taken it in and before the rules see it. Events that introduce containers come too.
    fn event(&mut self, _event: &RawEvent<'_>, _view: &View<'_>, _emit: &mut Emit) {}

    /// A rule fired for the event that was seen last. What this part does about it joins what others did before.
    fn alert(
        &mut self,
        _alert: &Alert,
        _rules: &RuleSet,
        _view: &View<'_>,
        _actions: &mut Vec<Action>,
    ) {
    }

    /// Another part found something by itself, see [`Emit::propose`]; what this part does about it goes into the finding.
    fn found(&mut self, _finding: &mut Finding) {}

    /// No event is ready. Called many times a second when the machine is quiet, and at least once a second.
    fn idle(&mut self, _emit: &mut Emit) {}

    /// Rules and configuration were read again.
    fn reload(&mut self, _config: &Config) {}

    /// Adds figures to the metrics page; called once a second.
    fn metrics(&self, _page: &mut Page) {}

    /// The agent ends.
    fn finish(&mut self, _emit: &mut Emit) {}
}

/// How prevention stands.
#[derive(Clone, Debug)]
pub(crate) struct Prevention {
    /// `bpf_lsm`, `fanotify` or `kill`.
    pub(crate) tier: &'static str,
    /// The last proof, or why it failed.
    pub(crate) proved: Result<(), String>,
}

/// The parts that this configuration asks for. Made while the agent still has every privilege.
pub(crate) fn all(
    config: &Config,
    hostname: &Arc<str>,
    log: &Log,
) -> anyhow::Result<Vec<Box<dyn Stage>>> {
    let mut stages: Vec<Box<dyn Stage>> = Vec::new();
    if config.server.as_ref().is_some_and(|server| server.activity) {
        stages.push(Box::new(Activities::new(hostname)));
    }
    if config.miners {
        stages.push(Box::new(Miners::new(hostname, config.miners_window)));
    }
    if let Some(policies) = Policies::new(config, hostname, log)? {
        stages.push(Box::new(policies));
    }
    // after the policies, which may ask for one
    if let Some(capture) = &config.capture {
        stages.push(Box::new(Captures::new(capture, log)?));
    }
    Ok(stages)
}
