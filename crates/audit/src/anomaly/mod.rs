//! What is unusual: a model of habits that learns while it watches, and says of each judgement how it came about.
//!
//! For every principal, for the group it belongs to, and for the whole cluster or account, fading counts tell how often
//! each value of a factor (call, namespace, client, network, image, role …) was seen. The surprise of a value is
//! `-log2` of its probability, in which the principal's own habits count as far as there are any, then the group's, then
//! the cluster's, with room for novelty as large as novelty is normal there (Witten and Bell's method). A record's score
//! is the weighted sum over its factors, plus bits for scope (secrets of every namespace, power over everything).
//!
//! The model ranks; it does not decide alone. Only calls of the families that GuardDuty has anomaly types for lead to a
//! finding, only above a floor, only as many a day as the budget allows, and the deterministic types stand beside it.
//! What looked like an attack is not learnt. Everything is deterministic: the same records give the same findings.

mod aws;
mod behaviour;
mod budget;
mod explain;
mod kubernetes;
mod names;
mod profile;
mod usage;

use serde::{Deserialize, Serialize};

use crate::findings::memory::Memory;
use crate::record::Record;
use crate::time::SECOND;
use behaviour::{Behaviour, Factor, behaviour};
use budget::Budget;
pub use explain::{Anomaly, Cause};
use profile::{Habits, Profile};
use usage::{DAY, Usage};

/// Most bits that one factor may add: nothing that a single oddity says should carry a finding alone.
const CAP: f64 = 12.0;

/// Namespaces whose founder is remembered, and for how long they count as his own.
const MAX_FOUNDED: usize = 10_000;
/// Seconds for which a namespace is fresh.
const FRESH: u64 = DAY;

/// Sessions (a principal, a kind, an hour) that are remembered, so that each counts once.
const MAX_SESSIONS: usize = 50_000;
/// Seconds of a session.
const SESSION: u64 = 3600;

/// Behaviours that were told and are therefore not learnt, at most.
const MAX_HELD: usize = 10_000;
/// A told behaviour is learnt after all when it came back on so many days …
const DAYS_TO_LEARN: u32 = 5;
/// … over so many seconds.
const TIME_TO_LEARN: u64 = 14 * DAY;

/// Bits of scope from which a behaviour is told when the day's budget is used up: an attacker who knows of the budget
/// could spend it on trifles first.
const ALWAYS: f64 = 6.0;

/// How the model judges.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Days of learning before anything is told.
    pub learning_days: u64,
    /// Findings a day that people can look at.
    pub budget: f64,
    /// Least score of a finding, in bits.
    pub floor: f64,
    /// Whether group and cluster stand in for a principal's own habits; off only to measure what that is worth.
    pub back_off: bool,
    /// Whether novelty is expected where it is normal; off only to measure what that is worth.
    pub novelty: bool,
    /// Whether only sensitive calls are judged; off only to measure what that is worth.
    pub gate: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            learning_days: 7,
            budget: 5.0,
            floor: 14.0,
            back_off: true,
            novelty: true,
            gate: true,
        }
    }
}

/// A told behaviour that is not learnt for now.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Held {
    first: u64,
    last: u64,
    days: u32,
}

/// The model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Model {
    settings: Settings,
    began: Option<u64>,
    habits: Habits,
    founded: Memory<(String, u64)>,
    sessions: Memory<f64>,
    held: Memory<Held>,
    budget: Budget,
    judged: u64,
    over_budget: u64,
}

impl Model {
    /// A model that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            began: None,
            habits: Habits::default(),
            founded: Memory::new(MAX_FOUNDED),
            sessions: Memory::new(MAX_SESSIONS),
            held: Memory::new(MAX_HELD),
            budget: Budget::default(),
            judged: 0,
            over_budget: 0,
        }
    }

    /// Judges by other settings from now on; what was learnt stays.
    pub fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// How it judges.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Principals and groups with habits of their own.
    pub fn profiles(&self) -> usize {
        self.habits.profiles()
    }

    /// Sessions of sensitive calls that were scored.
    pub fn judged(&self) -> u64 {
        self.judged
    }

    /// Sessions above every threshold that the budget had no room for.
    pub fn over_budget(&self) -> u64 {
        self.over_budget
    }

    /// True while nothing is told.
    pub fn is_learning(&self, ts: u64) -> bool {
        let now = ts / SECOND;
        self.began
            .is_none_or(|began| now.saturating_sub(began) < self.settings.learning_days * DAY)
    }

    /// Looks at a record, learns from it, and gives what is unusual about it. With `listed`, its source is on a list that
    /// makes it a stranger's, and nothing is learnt.
    pub fn observe(&mut self, record: &Record<'_>, listed: bool) -> Option<Anomaly> {
        let mut behaviour = behaviour(record)?;
        let now = record.time() / SECOND;
        self.began.get_or_insert(now);
        self.soften(&mut behaviour, now);
        let anomaly = self.judge(&behaviour, record.time());
        let told = anomaly.is_some();
        let trusted = behaviour.trusted && !listed;
        if trusted && (!told || self.came_back(&behaviour, now)) {
            self.habits.learn(&behaviour, now);
        }
        if let Some(namespace) = &behaviour.founds {
            self.founded
                .insert(namespace, (behaviour.principal.clone(), now));
        }
        anomaly
    }

    /// A namespace that the same principal just made is no strange place to him.
    fn soften(&self, behaviour: &mut Behaviour, now: u64) {
        for (factor, value) in &mut behaviour.factors {
            if *factor == Factor::Namespace
                && let Some((founder, at)) = self.founded.get(value)
                && *founder == behaviour.principal
                && now.saturating_sub(*at) < FRESH
            {
                "(just made by himself)".clone_into(value);
            }
        }
    }

    /// Probability of a value by the levels' habits, the later ones weighing more as far as they have any.
    fn probability(&self, levels: &[&Profile], factor: Factor, value: &str, now: u64) -> f64 {
        let known = self.habits.all().usage(factor).map_or(0, Usage::len);
        let name = self.habits.find(value);
        let mut probability = 1.0 / (known as f64 + 2.0);
        for usage in levels.iter().filter_map(|profile| profile.usage(factor)) {
            let total = usage.total(now);
            if total <= 0.0 {
                continue;
            }
            let novelty = if self.settings.novelty {
                usage.variety(now).max(1.0)
            } else {
                1.0
            };
            let count = name
                .and_then(|name| usage.get(name))
                .map_or(0.0, |value| value.count(now));
            probability = (count + novelty * probability) / (total + novelty);
        }
        probability.clamp(f64::MIN_POSITIVE, 1.0)
    }

    /// Whose habits a behaviour is compared with: the cluster's, the group's, the principal's.
    fn levels(&self, behaviour: &Behaviour) -> Vec<&Profile> {
        let back_off = self.settings.back_off;
        let others = [Some(self.habits.all()), self.habits.group(&behaviour.peers)];
        let others = others.into_iter().flatten().filter(|_| back_off);
        others
            .chain(self.habits.principal(&behaviour.principal))
            .collect()
    }

    fn judge(&mut self, behaviour: &Behaviour, ts: u64) -> Option<Anomaly> {
        let now = ts / SECOND;
        if behaviour.gate.is_none() && self.settings.gate {
            return None;
        }
        let kind = behaviour.gate.as_ref().map_or("", |gate| gate.kind);
        let mut parts: Vec<(Factor, &str, f64)> = Vec::new();
        let mut score = 0.0;
        let mut images = 0.0_f64;
        let levels = self.levels(behaviour);
        for (factor, value) in &behaviour.factors {
            let probability = self.probability(&levels, *factor, value, now);
            let bits = factor.weight() * (-probability.log2()).min(CAP);
            // Of several images the strangest counts: pods with many containers are not stranger for it.
            if *factor == Factor::Image {
                images = images.max(bits);
            } else {
                score += bits;
            }
            parts.push((*factor, value, bits));
        }
        let scope: f64 = behaviour.scope.iter().map(|(_, bits)| bits).sum();
        score += images + scope;

        let session = format!("{}|{kind}|{}", behaviour.principal, now / SESSION);
        let before = self.sessions.get(&session).copied();
        // A session counts with its highest score.
        if before.is_none_or(|before| score > before) {
            self.sessions.insert(&session, score);
        }
        let learning = self.is_learning(ts);
        let threshold = self
            .budget
            .threshold(self.settings.budget, now)
            .max(self.settings.floor);
        if before.is_none() {
            self.judged += 1;
            self.budget.note(score, now);
        }
        if learning || score < threshold {
            return None;
        }
        // What a session was told for once is told again without another piece of the budget.
        let told = before.is_some_and(|before| before >= threshold);
        if !told && scope < ALWAYS && !self.budget.spend(self.settings.budget, now) {
            self.over_budget += 1;
            return None;
        }
        let mut causes: Vec<Cause> = parts
            .into_iter()
            .map(|(factor, value, bits)| self.cause(behaviour, factor, value, bits, now))
            .collect();
        causes.sort_by(|a, b| b.bits.total_cmp(&a.bits).then(a.factor.cmp(b.factor)));
        Some(Anomaly {
            kind: kind.to_owned(),
            subject: behaviour
                .gate
                .as_ref()
                .map(|gate| gate.subject.clone())
                .unwrap_or_default(),
            severity: behaviour.gate.as_ref().and_then(|gate| gate.severity),
            principal: behaviour.principal.clone(),
            peers: behaviour.peers.clone(),
            score,
            threshold,
            causes,
            scope: behaviour
                .scope
                .iter()
                .map(|(what, bits)| ((*what).to_owned(), *bits))
                .collect(),
        })
    }

    /// True when a told behaviour came back so often and for so long that it is a habit. What an attacker goes on doing
    /// for two weeks was told every day until then.
    fn came_back(&mut self, behaviour: &Behaviour, now: u64) -> bool {
        let key = Self::key(behaviour);
        let mut held = self.held.get(&key).cloned().unwrap_or(Held {
            first: now,
            last: 0,
            days: 0,
        });
        if now / DAY != held.last / DAY {
            held.days += 1;
        }
        held.last = now;
        let habit = held.days >= DAYS_TO_LEARN && now.saturating_sub(held.first) >= TIME_TO_LEARN;
        self.held.insert(&key, held);
        habit
    }

    fn key(behaviour: &Behaviour) -> String {
        let mut key = behaviour.principal.clone();
        for (factor, value) in &behaviour.factors {
            if factor.weight() >= 0.6 {
                key.push('|');
                key.push_str(value);
            }
        }
        key
    }

    /// Says that what a finding told was meant: it is learnt from now on. `record` is the finding's evidence.
    pub fn confirm(&mut self, record: &Record<'_>) {
        if let Some(behaviour) = behaviour(record) {
            self.habits.learn(&behaviour, record.time() / SECOND);
        }
    }
}
