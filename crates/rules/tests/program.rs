//! What a program promises beside truth: order, what it wants, what it counts, and that nothing is too deep for it.

mod fake;

use std::collections::BTreeSet;
use std::sync::Arc;

use fake::{Event, Given, Own, Process, field};
use vedette_event::{EventType, Priority, StateKey};
use vedette_rules::naive::Naive;
use vedette_rules::program::{Cost, Evaluator, Mode, Program};
use vedette_rules::typed::{Check, Expr, Literal, Op, Operand, Rhs, Rule};

fn text(name: &str, op: Op, text: &str) -> Expr {
    Expr::Check(Check {
        lhs: Operand::Field(field(name)),
        op,
        rhs: Rhs::One(Literal::Text(text.as_bytes().into())),
    })
}

fn rule(condition: Expr, kinds: &[&str]) -> Rule {
    Rule {
        name: String::new(),
        desc: String::new(),
        priority: Priority::Notice,
        source: "syscall".into(),
        tags: BTreeSet::new(),
        condition,
        kinds: kinds.iter().map(|symbol| kind(symbol)).collect(),
        output: String::new(),
        capture: false,
        capture_duration: 0,
    }
}

fn kind(symbol: &str) -> EventType {
    EventType::by_symbol(symbol).expect(symbol)
}

fn process(name: &str, version: u64) -> Process {
    Process {
        key: StateKey { slot: 3, version },
        facts: vec![(field("proc.name"), Given::One(Own::Text(name.into())))],
    }
}

fn opening<'p>(process: &'p Process, path: &str) -> Event<'p> {
    let facts = vec![(field("fd.name"), Given::One(Own::Text(path.into())))];
    Event::new(kind(OPEN), 1, process, facts)
}

const OPEN: &str = "SYSCALL_OPENAT_2_X";
const CLOSE: &str = "SYSCALL_CLOSE_X";

fn three_rules() -> Vec<Rule> {
    vec![
        rule(text("fd.name", Op::StartsWith, "/etc/"), &[OPEN]),
        rule(
            Expr::And(vec![
                text("proc.name", Op::Eq, "cat"),
                text("fd.name", Op::EndsWith, "passwd"),
                text("evt.type", Op::Eq, "openat"),
            ]),
            &[OPEN, CLOSE],
        ),
        rule(text("proc.name", Op::Ne, "cat"), &[OPEN]),
    ]
}

#[test]
fn rules_match_in_definition_order_and_follow_the_process() {
    let mut evaluator = Evaluator::new(Arc::new(Program::compile(&three_rules())));
    let mut found = Vec::new();
    let mut of = |event: &Event<'_>, mode| {
        evaluator.matches(event, mode, &mut found);
        found.clone()
    };
    let cat = process("cat", 1);
    for _ in 0..4 {
        assert_eq!(of(&opening(&cat, "/etc/passwd"), Mode::All), [0, 1]);
        assert_eq!(of(&opening(&cat, "/etc/passwd"), Mode::First), [0]);
        assert_eq!(of(&opening(&cat, "/x/passwd"), Mode::First), [1]);
        assert!(of(&opening(&cat, "/x"), Mode::All).is_empty());
    }
    let ls = process("ls", 2);
    for _ in 0..4 {
        assert_eq!(of(&opening(&ls, "/etc/passwd"), Mode::All), [0, 2]);
        assert_eq!(of(&opening(&ls, "/x/passwd"), Mode::All), [2]);
    }
    // A third rule set of the process with a state that nobody vouches for.
    let mut event = opening(&ls, "/x/passwd");
    event.keyed = false;
    assert_eq!(of(&event, Mode::All), [2]);
}

#[test]
fn a_program_knows_what_it_wants() {
    let program = Program::compile(&three_rules());
    // At `close`, `evt.type = openat` is false: no rule is left.
    assert_eq!(program.kinds().collect::<Vec<_>>(), [kind(OPEN)]);
    assert!(program.wants(kind(OPEN)));
    assert!(!program.wants(kind(CLOSE)));
    assert!(!program.wants(EventType(u16::MAX)));
    let fields: Vec<_> = program.fields().iter().map(|field| &*field.text).collect();
    assert_eq!(fields, ["fd.name", "proc.name", "evt.type"]);
    assert_eq!(program.rules(), 3);
    let nothing = Program::compile(&[]);
    assert_eq!(nothing.kinds().count(), 0);
    let mut found = vec![7];
    let cat = process("cat", 1);
    let event = opening(&cat, "/x");
    Evaluator::new(Arc::new(nothing)).matches(&event, Mode::All, &mut found);
    assert!(found.is_empty());
}

#[test]
fn costs_are_counted_when_asked_for() {
    let mut evaluator = Evaluator::new(Arc::new(Program::compile(&three_rules())));
    assert_eq!(evaluator.costs(), None);
    evaluator.count_costs(true);
    let cat = process("cat", 1);
    let mut found = Vec::new();
    for _ in 0..5 {
        evaluator.matches(&opening(&cat, "/etc/passwd"), Mode::All, &mut found);
    }
    let cost = |evaluated, matched| Cost { evaluated, matched };
    // The third rule is found to be false for this process at the second event and not looked at again.
    assert_eq!(
        evaluator.costs(),
        Some(&[cost(5, 5), cost(5, 5), cost(1, 0)][..])
    );
    evaluator.count_costs(false);
    assert_eq!(evaluator.costs(), None);
}

#[test]
fn nesting_as_deep_as_the_language_allows_fits_the_stack() {
    let mut expr = text("fd.name", Op::Contains, "passwd");
    for level in 0..1000 {
        let other = text("proc.name", Op::Eq, &format!("name-{level}"));
        expr = match level % 3 {
            0 => Expr::Or(vec![expr, other]),
            1 => Expr::And(vec![Expr::Not(Box::new(other)), expr]),
            _ => Expr::Not(Box::new(Expr::Not(Box::new(Expr::Or(vec![other, expr]))))),
        };
    }
    let rules = [rule(expr, &[OPEN])];
    let mut evaluator = Evaluator::new(Arc::new(Program::compile(&rules)));
    let mut naive = Naive::default();
    let mut found = Vec::new();
    let events = [
        ("cat", "/etc/passwd"),
        ("cat", "/etc/shadow"),
        ("name-999", "/etc/shadow"),
        ("name-997", "/etc/passwd"),
        ("name-1", "/etc/passwd"),
        ("name-1", "/etc/shadow"),
    ];
    let mut truths = Vec::new();
    for (version, (name, path)) in events.into_iter().enumerate() {
        let process = process(name, version as u64);
        let event = opening(&process, path);
        let truth = naive.matches(&rules[0].condition, &event);
        evaluator.matches(&event, Mode::First, &mut found);
        assert_eq!(!found.is_empty(), truth, "{name} {path}");
        truths.push(truth);
    }
    assert_eq!(truths[..3], [true, false, true]);
}
