//! Compiled programs against the naive evaluator: random rule sets that share parts, over random streams of events.
//!
//! Every set runs with the usual memory and with one so small that everything in it collides, over processes whose
//! state comes, stays, changes and goes. Whatever is remembered, both must find the same rules as the naive evaluator.

mod fake;

use std::sync::Arc;

use fake::world::World;
use fake::{Event, Process};
use vedette_event::{Scope, StateKey};
use vedette_rules::naive::Naive;
use vedette_rules::program::{Evaluator, Limits, Mode, Program};

/// Rule sets, rules in each, and events that each set sees: more than a million pairs of condition and event.
const SETS: u64 = 600;
const RULES: usize = 12;
const EVENTS: u64 = 160;

#[test]
fn compiled_programs_equal_the_naive_evaluator() {
    let mut pairs = 0_u64;
    let mut matched = 0_u64;
    for seed in 0..SETS {
        let mut world = World::new(seed);
        let rules: Vec<_> = (0..RULES).map(|_| world.rule()).collect();
        let program = Arc::new(Program::compile(&rules));
        let tiny = Limits {
            process_bytes: 1,
            texts: 2,
            text_bytes: 8,
        };
        let few = Limits {
            process_bytes: 2000,
            texts: 4,
            text_bytes: 64,
        };
        let mut evaluators = [
            (Mode::All, Evaluator::new(Arc::clone(&program))),
            (
                Mode::All,
                Evaluator::with_limits(Arc::clone(&program), &tiny),
            ),
            (
                Mode::All,
                Evaluator::with_limits(Arc::clone(&program), &few),
            ),
            (Mode::First, Evaluator::new(Arc::clone(&program))),
        ];
        let mut naive = Naive::default();
        let mut processes: Vec<Process> = (0..9)
            .map(|slot| Process {
                // Slots far apart as well, so that they share places.
                key: StateKey {
                    slot: slot * slot * 11,
                    version: 0,
                },
                facts: world.facts(Scope::Process),
            })
            .collect();
        let mut found = Vec::new();
        for num in 1..=EVENTS {
            let turn = world.dice.below(processes.len());
            if world.dice.one_in(12) {
                processes[turn].key.version += 1;
                processes[turn].facts = world.facts(Scope::Process);
            }
            let kind = *world.dice.pick(&world.kinds.clone());
            let mut event = Event::new(kind, num, &processes[turn], world.facts(Scope::Event));
            event.keyed = !world.dice.one_in(10);
            let expected: Vec<u32> = (0..rules.len() as u32)
                .filter(|index| {
                    let rule = &rules[*index as usize];
                    rule.kinds.contains(&kind) && naive.matches(&rule.condition, &event)
                })
                .collect();
            pairs += rules.len() as u64;
            matched += expected.len() as u64;
            for (which, (mode, evaluator)) in evaluators.iter_mut().enumerate() {
                evaluator.matches(&event, *mode, &mut found);
                let expected = match mode {
                    Mode::All => &expected[..],
                    Mode::First => &expected[..expected.len().min(1)],
                };
                assert_eq!(
                    found, expected,
                    "set {seed}, event {num}, evaluator {which}"
                );
            }
            if num % 16 == 0 {
                for rule in &rules {
                    let clause = naive.explain(&rule.condition, &event);
                    assert_eq!(clause.verdict, naive.matches(&rule.condition, &event));
                }
            }
        }
    }
    println!("{pairs} pairs of condition and event compared, {matched} of them true");
    assert!(pairs >= 100_000 && matched > pairs / 20 && matched < pairs * 19 / 20);
}
