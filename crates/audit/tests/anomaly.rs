//! The model of habits, measured as honestly as made traffic allows: split in time, thresholds frozen by the budget,
//! attacks injected afterwards, a change of season reported apart, parts switched off to see what they are worth, and the
//! industry's usual "first seen in ten days" beside it. The figures are printed, and docs/findings.md has them.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it measured"
)]

mod shared;
mod soak;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use shared::conformance;
use soak::{CHANGE, Call, DAY, DAYS, attacks, soak, start};
use vedette_audit::anomaly::{Anomaly, Model, Settings};
use vedette_audit::{Record, Source, Splitter};

const SEEDS: u64 = 5;

/// Requests, each with its line of the log.
type Log = Vec<(Call, String)>;

fn log(mut calls: Vec<Call>) -> Log {
    calls.sort_by_key(|call| call.at);
    let lines = calls.into_iter().enumerate();
    lines
        .map(|(number, call)| {
            let line = call.line(number) + "\n";
            (call, line)
        })
        .collect()
}

/// Calls `each` with every request as a record.
fn replay(log: &Log, mut each: impl FnMut(&Call, &Record<'_>)) {
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    for (call, line) in log {
        splitter.feed(line.as_bytes(), false, &mut |record| {
            each(call, record.unwrap());
        });
    }
}

/// What came of a run: findings (joined by type, actor and subject within a day) by day, and attacks that were told.
#[derive(Debug, Default)]
struct Outcome {
    /// Findings of everyday work, by day.
    noise: BTreeMap<u64, BTreeSet<String>>,
    caught: BTreeSet<&'static str>,
}

impl Outcome {
    fn add(&mut self, call: &Call, key: String) {
        if let Some(attack) = call.attack {
            self.caught.insert(attack);
        } else {
            let day = (call.at - start()) / DAY;
            self.noise.entry(day).or_default().insert(key);
        }
    }

    /// Findings a day over these days.
    fn rate(&self, days: std::ops::Range<u64>) -> f64 {
        let count: usize = self
            .noise
            .range(days.clone())
            .map(|(_, all)| all.len())
            .sum();
        count as f64 / (days.end - days.start) as f64
    }

    fn total(&self) -> usize {
        self.noise.values().map(BTreeSet::len).sum()
    }
}

fn week_of_attacks() -> u64 {
    DAYS - 7
}

fn mixed(seed: u64) -> Log {
    let mut calls = soak(seed);
    calls.extend(attacks(week_of_attacks()));
    log(calls)
}

fn run(calls: &Log, settings: Settings) -> Outcome {
    let mut model = Model::new(settings);
    let mut outcome = Outcome::default();
    replay(calls, |call, record| {
        if let Some(Anomaly {
            kind,
            subject,
            principal,
            ..
        }) = model.observe(record, false)
        {
            outcome.add(call, format!("{kind} {principal} {subject}"));
        }
    });
    outcome
}

/// The industry's usual: who did what where for the first time in ten days, sensitive calls only, after a week of
/// looking.
fn new_terms(calls: &Log) -> Outcome {
    let mut last: HashMap<String, u64> = HashMap::new();
    let mut outcome = Outcome::default();
    for (call, _) in calls {
        let sensitive = call.resource == "secrets" && call.verb != "update"
            || call.sub == "exec"
            || call.verb != "get" && call.verb != "list" && call.resource != "namespaces";
        let key = format!(
            "{} {} {} {} {}",
            call.user, call.verb, call.resource, call.sub, call.namespace
        );
        let before = last.insert(key.clone(), call.at);
        let new = before.is_none_or(|before| call.at - before > 10 * DAY);
        if sensitive && new && call.at >= start() + 7 * DAY {
            outcome.add(call, key);
        }
    }
    outcome
}

fn mean(values: &[f64]) -> String {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(0.0, f64::max);
    format!("{mean:.2} ({low:.2}-{high:.2})")
}

#[test]
fn evaluation() {
    let seeds: Vec<Log> = (1..=SEEDS).map(mixed).collect();
    let techniques = attacks(0).len();
    println!(
        "{SEEDS} seeds, {DAYS} days, {} requests each, {techniques} techniques",
        seeds[0].len()
    );
    println!(
        "variant | findings a day, steady | in the week of change | caught of {techniques} | precision in the attack week"
    );
    let mut table: Vec<(String, Vec<Outcome>)> = Vec::new();
    for budget in [1.0, 5.0, 20.0] {
        let settings = Settings {
            budget,
            ..Settings::default()
        };
        let outcomes = seeds
            .iter()
            .map(|calls| run(calls, settings.clone()))
            .collect();
        table.push((format!("budget {budget}"), outcomes));
    }
    let base = Settings::default();
    for (name, settings) in [
        (
            "no back-off",
            Settings {
                back_off: false,
                ..base.clone()
            },
        ),
        (
            "no room for novelty",
            Settings {
                novelty: false,
                ..base.clone()
            },
        ),
        (
            "no gate",
            Settings {
                gate: false,
                ..base.clone()
            },
        ),
    ] {
        let outcomes = seeds
            .iter()
            .map(|calls| run(calls, settings.clone()))
            .collect();
        table.push((name.to_owned(), outcomes));
    }
    table.push((
        "new terms, 10 days".to_owned(),
        seeds.iter().map(new_terms).collect(),
    ));
    for (name, outcomes) in &table {
        let all = |figure: &dyn Fn(&Outcome) -> f64| {
            mean(&outcomes.iter().map(figure).collect::<Vec<_>>())
        };
        println!(
            "{name} | {} | {} | {} | {}",
            all(&|o| o.rate(7..CHANGE)),
            all(&|o| o.rate(CHANGE..week_of_attacks())),
            all(&|o| o.caught.len() as f64),
            all(&|o| {
                let noise = o.rate(week_of_attacks()..DAYS) * 7.0;
                o.caught.len() as f64 / (noise + o.caught.len() as f64).max(1.0)
            }),
        );
    }
    let five = &table[1].1;
    for attack in attacks(0) {
        let attack = attack.attack.unwrap();
        let caught = five.iter().filter(|o| o.caught.contains(attack)).count();
        println!("{caught}/{SEEDS} {attack}");
    }
    for outcome in five {
        assert!(outcome.rate(7..CHANGE) <= 5.0, "the budget is kept");
        assert!(outcome.caught.len() >= 9, "{:?}", outcome.caught);
    }
    let terms = &table.last().unwrap().1;
    let worse = terms.iter().map(Outcome::total).sum::<usize>();
    let ours = five.iter().map(Outcome::total).sum::<usize>();
    assert!(
        ours < worse,
        "{ours} findings of everyday work, the usual method has {worse}"
    );
}

#[test]
fn the_same_records_give_the_same_findings_also_from_a_saved_state() {
    let calls = mixed(1);
    let told = |cut: Option<usize>| -> Vec<String> {
        let mut model = Model::new(Settings::default());
        let mut told = Vec::new();
        let mut at = 0;
        replay(&calls, |_, record| {
            at += 1;
            if Some(at) == cut {
                let text = serde_json::to_vec(&model).unwrap();
                println!(
                    "state of {} profiles: {} kB",
                    model.profiles(),
                    text.len() / 1000
                );
                model = serde_json::from_slice(&text).unwrap();
            }
            told.extend(model.observe(record, false).map(|anomaly| anomaly.text()));
        });
        told
    };
    let whole = told(None);
    assert!(!whole.is_empty());
    assert_eq!(told(None), whole);
    assert_eq!(told(Some(calls.len() / 2)), whole);
}

#[test]
fn what_was_told_is_not_learnt_before_two_weeks_of_coming_back() {
    let mut calls = soak(1);
    let attack = attacks(0)[0].clone();
    // Every day from the tenth on.
    for day in 10..DAYS {
        let mut again = attack.clone();
        again.at = start() + day * DAY + 12 * 3600;
        calls.push(again);
    }
    let calls = log(calls);
    let mut model = Model::new(Settings::default());
    let mut days = BTreeSet::new();
    replay(&calls, |call, record| {
        let told = model.observe(record, false).is_some();
        if told && call.attack.is_some() {
            days.insert((call.at - start()) / DAY);
        }
    });
    println!("told on days {days:?}");
    assert!((10..24).all(|day| days.contains(&day)), "{days:?}");
}

#[test]
fn memory_is_bounded_with_a_million_principals() {
    let mut model = Model::new(Settings::default());
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    let mut calls = attacks(0);
    let template = calls.swap_remove(1);
    // A tenth here; the benchmark has the million.
    for n in 0..100_000usize {
        let mut call = template.clone();
        call.user = format!("system:serviceaccount:ns{}:sa{n}", n % 5000);
        call.namespace = format!("ns{}", n % 5000);
        call.at += n as u64;
        let line = call.line(n) + "\n";
        splitter.feed(line.as_bytes(), false, &mut |record| {
            model.observe(record.unwrap(), false);
        });
    }
    assert!(model.profiles() <= 40_000, "{}", model.profiles());
    let size = serde_json::to_vec(&model).unwrap().len();
    println!("{} profiles, saved in {} MB", model.profiles(), size >> 20);
    assert!(size < 100 << 20);
}

#[test]
fn the_recorded_benign_trace() {
    let Some(folder) = conformance("k8s_audit_benign") else {
        return;
    };
    // Four minutes of bulk installs: the first half is learnt, the second judged. It says nothing about daily rates.
    let mut records = 0;
    let mut sessions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let total: usize = {
        let mut total = 0;
        read(&folder, |_| total += 1);
        total
    };
    for (name, settings) in [
        ("all parts", Settings::default()),
        (
            "no back-off",
            Settings {
                back_off: false,
                ..Settings::default()
            },
        ),
    ] {
        let mut model = Model::new(Settings {
            learning_days: 0,
            budget: 1000.0,
            ..settings
        });
        records = 0;
        read(&folder, |record| {
            records += 1;
            let told = model.observe(record, false);
            if records > total / 2
                && let Some(anomaly) = told
            {
                sessions
                    .entry(name)
                    .or_default()
                    .insert(format!("{} {}", anomaly.principal, anomaly.kind));
            }
        });
    }
    println!("{records} records; sessions told in the second half:");
    for (name, told) in &sessions {
        println!("{name}: {}", told.len());
    }
    let told = sessions.get("all parts").map_or(0, BTreeSet::len);
    assert!(told <= 20, "{:?}", sessions["all parts"]);
}

fn read(folder: &std::path::Path, mut each: impl FnMut(&Record<'_>)) {
    let text = std::fs::read_to_string(folder.join("audit-logs.csv")).unwrap();
    let mut splitter = Splitter::new(Some(Source::K8sAudit));
    for line in text.lines().skip(1) {
        let Some(event) = shared::benign_event(line) else {
            continue;
        };
        splitter.feed((event + "\n").as_bytes(), false, &mut |record| {
            if let Ok(record) = record {
                each(record);
            }
        });
    }
}
