//! The way of an event through the agent: containers, state, stages, rules, alerts.

use std::sync::Arc;

use vedette_container::{Observer, Runtimes};
use vedette_detect::{Detector, RuleSet};
use vedette_event::{Extract, Extracted, FieldRef, RawEvent, Value, Values};
use vedette_sensor::Watch;
use vedette_sensor::bootstrap::Fact;
use vedette_state::{Boot, State, View};

use super::config::Config;
use super::emit::Emit;
use super::stage::Stage;
use crate::{live, replay};

/// Everything that handles events, on one thread.
pub(crate) struct Pipeline {
    pub(crate) state: State,
    pub(crate) observer: Observer,
    pub(crate) detector: Detector,
    rules: Arc<RuleSet>,
    pub(crate) stages: Vec<Box<dyn Stage>>,
    pub(crate) emit: Emit,
    /// Events handled.
    pub(crate) events: u64,
    /// Events handled, by the number of their type.
    pub(crate) kinds: Vec<u64>,
    /// Time of the last one, nanoseconds since the Unix epoch.
    pub(crate) last: u64,
    /// Asks whose event it is.
    own: Option<FieldRef>,
}

impl Pipeline {
    /// Has seen nothing yet.
    pub(crate) fn new(
        config: &Config,
        hostname: &str,
        rules: Arc<RuleSet>,
        stages: Vec<Box<dyn Stage>>,
    ) -> Self {
        Self {
            state: State::new(replay::settings(hostname)),
            observer: Observer::new(Runtimes::new(&config.containers_root))
                .with_wait(config.containers_wait),
            detector: Detector::new(Arc::clone(&rules)),
            rules,
            stages,
            emit: Emit::new(config),
            events: 0,
            kinds: vec![0; vedette_event::EVENT_TYPES],
            last: 0,
            own: FieldRef::parse("proc.pid").ok(),
        }
    }

    /// Goes on with other rules from the next event on.
    pub(crate) fn swap(&mut self, rules: Arc<RuleSet>) {
        self.rules = Arc::clone(&rules);
        self.detector.swap(rules);
    }

    /// What the sensor is to watch for these rules and all stages.
    pub(crate) fn watch(&self, rules: &RuleSet) -> Watch {
        let stages = self.stages.iter().filter_map(|stage| stage.rules());
        live::needed(std::iter::once(rules).chain(stages.map(|rules| &**rules)))
    }

    /// Something that was there before the first event.
    pub(crate) fn before(&mut self, fact: &Fact<'_>) {
        if let Fact::Process(process) = fact
            && let Some(container) = self.observer.introduce_at_start(process.cgroups)
        {
            self.state.apply(&container);
            let view = self.state.view(&container);
            for stage in &mut self.stages {
                stage.event(&container, &view, &mut self.emit);
            }
        }
        self.state.boot(&boot(fact));
        for stage in &mut self.stages {
            stage.before(fact);
        }
    }

    /// An event.
    pub(crate) fn event(&mut self, event: &RawEvent<'_>) {
        self.events += 1;
        if let Some(count) = self.kinds.get_mut(usize::from(event.kind.0)) {
            *count += 1;
        }
        self.last = event.ts;
        // A container's metadata goes before its first event, as its runtime left it on disk.
        if let Some(container) = self.observer.observe(event) {
            self.state.apply(&container);
            let view = self.state.view(&container);
            for stage in &mut self.stages {
                stage.event(&container, &view, &mut self.emit);
            }
        }
        self.state.apply(event);
        let view = self.state.view(event);
        for stage in &mut self.stages {
            stage.event(event, &view, &mut self.emit);
        }
        let Self {
            detector,
            rules,
            stages,
            emit,
            own,
            ..
        } = self;
        detector.observe(&view, |alert| {
            // Reading /proc at the start looks like an attacker's looking around.
            if own.as_ref().is_some_and(|field| is_own(&view, field)) {
                return;
            }
            let mut actions = Vec::new();
            for stage in stages.iter_mut() {
                stage.alert(&alert, rules, &view, &mut actions);
            }
            let condition = rules.condition(&alert.rule);
            emit.alert(alert, condition, actions, &view);
        });
    }

    /// An event that happened earlier and that no rule could match then: news to the state, not to the rules, to whom
    /// the process may look otherwise by now.
    pub(crate) fn earlier(&mut self, event: &RawEvent<'_>) {
        self.state.apply(event);
    }

    /// No event is ready.
    pub(crate) fn idle(&mut self) {
        for stage in &mut self.stages {
            stage.idle(&mut self.emit);
        }
        for mut finding in self.emit.proposed() {
            for stage in &mut self.stages {
                stage.found(&mut finding);
            }
            self.emit.finding(finding);
        }
    }
}

/// Whether the agent did this itself.
fn is_own(view: &View<'_>, pid: &FieldRef) -> bool {
    let mut room = Values::default();
    let own = i64::from(std::process::id());
    matches!(view.extract(pid, &mut room), Extracted::One(Value::I64(pid)) if pid == own)
}

fn boot<'a>(fact: &Fact<'a>) -> Boot<'a> {
    match *fact {
        Fact::Machine(machine) => Boot::Machine(machine),
        Fact::User(user) => Boot::User(user),
        Fact::Group(group) => Boot::Group(group),
        Fact::Process(process) => Boot::Process(process),
        Fact::Descriptor(tid, entry) => Boot::Fd { tid, entry },
    }
}
