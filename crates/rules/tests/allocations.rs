//! Once everything has been seen, evaluation allocates nothing: not for events that match nothing, not for others.

mod fake;

use std::sync::Arc;

use fake::world::World;
use fake::{Event, Own, Process};
use vedette_event::{Scope, StateKey};
use vedette_rules::program::{Evaluator, Mode, Program};

const SETS: u64 = 40;
const RULES: usize = 24;
const EVENTS: u64 = 200;

/// Text that is not UTF-8 has to be rewritten before it meets a regular expression, which allocates.
fn is_utf8(own: &Own) -> bool {
    match own {
        Own::Text(text) => std::str::from_utf8(text).is_ok(),
        _ => true,
    }
}

#[test]
fn steady_evaluation_allocates_nothing() {
    let counted = allocation_counter::measure(|| drop(vec![SETS]));
    assert_eq!(counted.count_total, 1, "the counter counts");
    let mut events_measured = 0;
    for seed in 0..SETS {
        let mut world = World::new(seed);
        let rules: Vec<_> = (0..RULES).map(|_| world.rule()).collect();
        let mut facts = |scope| {
            let mut facts = world.facts(scope);
            facts.retain(|(_, given)| match given {
                fake::Given::One(own) => is_utf8(own),
                fake::Given::Many(list) => list.iter().all(is_utf8),
            });
            facts
        };
        let mut processes: Vec<_> = (0..20)
            .map(|slot| Process {
                key: StateKey { slot, version: 0 },
                facts: facts(Scope::Process),
            })
            .collect();
        let shown: Vec<_> = (0..EVENTS).map(|_| facts(Scope::Event)).collect();
        let mut evaluator = Evaluator::new(Arc::new(Program::compile(&rules)));
        let mut found = Vec::with_capacity(RULES);
        // All processes change with every round, as if the whole machine started anew. In the first rounds the order of
        // evaluation settles and buffers find their size; the last must do without an allocation.
        for round in 0..8 {
            for process in &mut processes {
                process.key.version += 1;
            }
            let events: Vec<_> = shown
                .iter()
                .enumerate()
                .map(|(num, facts)| {
                    let kind = world.kinds[num % world.kinds.len()];
                    Event::new(kind, num as u64 + 1, &processes[num % 20], facts.clone())
                })
                .collect();
            let mut matches = 0;
            let info = allocation_counter::measure(|| {
                for event in &events {
                    evaluator.matches(event, Mode::All, &mut found);
                    matches += found.len();
                }
            });
            if round == 7 {
                assert_eq!(
                    info.count_total, 0,
                    "set {seed}: {info:?}, {matches} matches"
                );
                events_measured += events.len();
            }
        }
    }
    println!("{events_measured} events evaluated without an allocation");
}
