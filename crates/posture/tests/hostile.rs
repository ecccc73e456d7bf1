//! Hostile input: broken YAML, bombs, strange kinds, and random damage to sound manifests.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use vedette_manifest::Source;
use vedette_posture::check::Severity;
use vedette_posture::checks::ALL;
use vedette_posture::fix::fix;
use vedette_posture::input::{Input, Settings, load};
use vedette_posture::output::{html, junit, policy_report, sarif, table};
use vedette_posture::result::{Plan, Report, evaluate};

fn report(sources: &[Source]) -> (usize, Report) {
    let loaded = load(sources);
    let input = Input::new(&loaded.objects, Settings::default());
    let plan = Plan {
        checks: ALL.iter().collect(),
        benchmark: None,
        exceptions: &[],
        today: "2026-01-01",
        least: Severity::Low,
    };
    (loaded.problems.len(), evaluate(&input, &plan))
}

fn source(text: &str) -> Source {
    Source {
        name: "f.yaml".into(),
        text: text.into(),
    }
}

const POD: &str = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  hostPID: true\n  containers: [{name: c}]\n";

#[test]
fn a_broken_document_costs_only_itself() {
    let (problems, report) = report(&[source(&format!("{POD}---\na: [\n{POD}"))]);
    assert!(problems > 0);
    assert_eq!(
        report
            .failures
            .iter()
            .filter(|f| f.check == "host-pid")
            .count(),
        2
    );
}

#[test]
fn alias_bombs_are_refused_and_the_rest_is_checked() {
    let mut bomb = String::from("---\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb += &format!("a{level}: &a{level} [{list}]\n");
    }
    let (problems, report) = report(&[source(POD), source(&bomb)]);
    assert!(problems > 0);
    assert!(report.failures.iter().any(|f| f.check == "host-pid"));
}

#[test]
fn unknown_kinds_and_wrong_types_are_no_failures_of_the_reader() {
    let text = "kind: Widget\napiVersion: example.com/v1\nmetadata: {name: w}\nspec: {hostPID: true}\n---\nkind: Pod\nspec: []\n---\nkind: Pod\nspec: {containers: {a: b}, volumes: x, hostPID: [1]}\n---\nkind: Deployment\nspec: 3\n---\nkind: ClusterRole\nrules: {a: b}\n---\nkind: RoleBinding\nsubjects: [1, null, {kind: 3}]\n";
    let (_, report) = report(&[source(text)]);
    assert!(!report.failures.iter().any(|f| f.check == "host-pid"));
}

#[test]
fn names_that_try_to_escape_are_shown_not_obeyed() {
    let text = "kind: Pod\nmetadata: {name: \"\\e[31m\\u202E<script>\"}\nspec: {hostPID: true}\n";
    let (_, report) = report(&[source(text)]);
    let table = table::render(&report);
    assert!(
        !table.contains('\u{1b}') && !table.contains('\u{202e}'),
        "{table}"
    );
    assert!(!html::render(&report, "t").contains("<script>"));
    assert!(!junit::render(&report).contains("<script>"));
}

/// A linear congruential generator (Knuth's MMIX constants), so that a failure can be repeated.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}

#[test]
fn random_damage_never_panics_and_fixes_stay_idempotent() {
    const PIECES: [&str; 16] = [
        "\n", " ", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "|\n", "\"", "'", "# c\n", "null",
        "\r\n",
    ];
    let seeds = [
        include_str!("../../../fuzz/corpus/posture_check/workshop.yaml"),
        include_str!("../../../fuzz/corpus/posture_check/pod.json"),
        include_str!("../../../fuzz/corpus/posture_check/alias.yaml"),
    ];
    let mut dice = Dice(7);
    let checks: Vec<_> = ALL.iter().collect();
    let rounds = std::env::var("ROUNDS")
        .ok()
        .and_then(|r| r.parse().ok())
        .unwrap_or(600);
    for round in 0..rounds {
        let mut text: Vec<char> = seeds[dice.roll(seeds.len())].chars().collect();
        for _ in 0..=dice.roll(6) {
            let at = dice.roll(text.len() + 1);
            match dice.roll(3) {
                0 => {
                    let end = (at + dice.roll(12)).min(text.len());
                    text.drain(at..end);
                }
                1 => {
                    let piece = PIECES[dice.roll(PIECES.len())];
                    text.splice(at..at, piece.chars());
                }
                _ => {
                    let from = dice.roll(text.len());
                    let end = (from + dice.roll(30)).min(text.len());
                    let copy: Vec<char> = text[from..end].to_vec();
                    text.splice(at..at, copy);
                }
            }
        }
        let text: String = text.into_iter().collect();
        let sources = [source(&text)];
        let (_, report) = report(&sources);
        let _ = (
            table::render(&report),
            sarif::render(&report, "0"),
            html::render(&report, "t"),
            policy_report::render(&report),
        );
        let once = fix(&sources, &checks, &Settings::default());
        let twice = fix(&once.sources, &checks, &Settings::default());
        assert_eq!(
            once.sources[0].text, twice.sources[0].text,
            "round {round}:\n{text}"
        );
    }
}
