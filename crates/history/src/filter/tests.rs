//! The filter language: what parses, what it means, and that the plan for a database says the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::json;
use vedette_event::{Action, Finding, Outcome, Priority, Process};

use super::plan::{Plan, holds};
use super::*;
use crate::Status;

fn finding() -> Finding {
    Finding {
        id: "0".repeat(32),
        time: 1_000,
        source: "syscall".into(),
        rule: "Terminal shell in container".into(),
        priority: Priority::Error,
        message: "A shell was spawned (command=bash -i)".into(),
        tags: vec!["T1059".into(), "mitre_execution".into()],
        node: "node-1".into(),
        fields: BTreeMap::from([
            ("k8s.ns.name".into(), json!("shop")),
            ("k8s.pod.name".into(), json!("web-7d4b9c8f6d-x2x9k")),
            ("fd.sip".into(), json!("10.1.2.3")),
            ("fd.sport".into(), json!(443)),
            ("proc.tty".into(), json!("34816")),
            ("evt.arg.flags".into(), json!("O_RDONLY")),
        ]),
        lineage: ["bash", "runc", "systemd"]
            .iter()
            .zip([7, 5, 1])
            .map(|(name, pid)| Process {
                pid,
                name: (*name).into(),
                ..Process::default()
            })
            .collect(),
        why: None,
        policy: None,
        actions: vec![Action {
            kind: "deny".into(),
            outcome: Outcome::DryRun,
            detail: String::new(),
        }],
        lost: 0,
    }
}

#[test]
fn filters_see_what_records_say() {
    let finding = finding();
    let subject = Subject::Finding(&finding, Status::Acknowledged);
    for (filter, expected) in [
        ("", true),
        ("k8s.ns.name = shop and severity >= high", true),
        ("severity > high", false),
        ("severity = high", true),
        ("severity in (low, high)", true),
        ("priority >= warning and priority < Critical", true),
        ("rule contains shell", true),
        ("rule = 'Terminal shell in container'", true),
        ("tag = T1059", true),
        ("tag in (T1059, x)", true),
        ("tag != T1059", false),
        ("tag != T1611", true),
        ("not tag = T1059", false),
        ("status = acknowledged", true),
        ("status = open", false),
        ("node startswith node", true),
        ("policy exists", false),
        ("policy = x or not policy exists", true),
        ("action = deny", false),
        ("action startswith deny", true),
        ("workload = web", true),
        ("message icontains SHELL", true),
        ("shell", true),
        ("shell and severity >= high", true),
        ("was spawned", true),
        ("spawned was", false),
        ("\"(command=bash\"", true),
        ("kind = command", false),
        ("proc.name = bash and proc.pname = runc", true),
        ("proc.aname = systemd", true),
        ("proc.aname[2] = systemd", true),
        ("proc.aname[1] = systemd", false),
        ("proc.aname = bash", false),
        ("proc.pid = 7 and proc.ppid = 5", true),
        ("proc.tty = 34816", true),
        ("fd.sip = 10.1.2.3", true),
        ("fd.ip = 10.1.2.3", true),
        ("fd.snet = 10.0.0.0/8", true),
        ("fd.net = 192.168.0.0/16", false),
        ("fd.sport = https", true),
        ("fd.port > 1000", false),
        ("evt.arg.flags = O_RDONLY", true),
        ("evt.arg[flags] = O_RDONLY", true),
        ("tolower(proc.name) = bash", true),
        (
            "proc.name in (sh, bash) and not k8s.ns.name in (kube-system)",
            true,
        ),
        ("ka.verb = get", false),
        ("evt.hostname = node-1", true),
        ("source = syscall", true),
    ] {
        let parsed = Filter::parse(filter).unwrap_or_else(|e| panic!("{filter}: {e} {:?}", e.hint));
        assert_eq!(parsed.matches(&subject), expected, "{filter}");
    }
}

#[test]
fn errors_point_at_the_column_and_say_what_was_meant() {
    for (filter, column, hint) in [
        ("severity >= urgent", 13, "expected one of critical"),
        ("k8s.ns.nam = x", 1, "k8s.ns.name"),
        ("rle = x", 5, "rule"),
        ("rule = x and", 13, ""),
        ("é = x and rule", 1, ""),
        ("proc.pid = abc", 12, "number"),
        ("rule contains", 6, "contains"),
        ("fd.sip = 10.0.0.0/8", 10, "address"),
        ("proc.name >= ", 14, ""),
    ] {
        let error = Filter::parse(filter).expect_err(filter);
        assert_eq!(error.column, column, "{filter}: {error:?}");
        assert!(error.end_column >= error.column, "{filter}: {error:?}");
        assert!(
            error.hint.clone().unwrap_or_default().contains(hint),
            "{filter}: {error:?}"
        );
    }
    assert!(Filter::parse(&"a or ".repeat(5_000)).is_err());
    assert!(Filter::parse(&"(".repeat(5_000)).is_err());
}

#[test]
fn filters_join() {
    let finding = finding();
    let subject = Subject::Finding(&finding, Status::Open);
    let shop = Filter::equals("k8s.ns.name", "shop").unwrap();
    let other = Filter::parse("severity = low or rule = x").unwrap();
    assert!(shop.matches(&subject));
    assert!(!shop.and(&other).matches(&subject));
    assert_eq!(shop.and(&Filter::all()), shop);
    assert_eq!(Filter::all().and(&shop), shop);
    let joined = shop.and(&other);
    assert_eq!(Filter::parse(joined.text()).unwrap(), joined);
    assert!(Filter::equals("nothing", "x").is_err());
    let odd = "a \"b\" \\ c";
    let mut finding = finding.clone();
    finding.rule = odd.into();
    assert!(
        Filter::equals("rule", odd)
            .unwrap()
            .matches(&Subject::Finding(&finding, Status::Open))
    );
}

const COLUMNS: &[&str] = &[
    "rule",
    "severity",
    "tag",
    "k8s.ns.name",
    "status",
    "action",
    "proc.name",
];

/// What a store with columns does: evaluates columns by their values, everything else by the record.
fn by_plan(plan: &Plan<'_>, subject: &Subject<'_>) -> bool {
    match plan {
        Plan::Constant(verdict) => *verdict,
        Plan::And(parts) => parts.iter().all(|part| by_plan(part, subject)),
        Plan::Or(parts) => parts.iter().any(|part| by_plan(part, subject)),
        Plan::Not(part) => !by_plan(part, subject),
        Plan::Column { column, expr } => {
            let value = subject.text(COLUMNS[*column]);
            holds(&mut Naive::default(), expr, COLUMNS[*column], &value)
        }
        Plan::Residual(expr) => Naive::default().matches(expr, subject),
    }
}

fn filters() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("severity >= high"),
        Just("severity = low"),
        Just("rule = a"),
        Just("rule in (a, b)"),
        Just("rule contains a"),
        Just("tag = x"),
        Just("tag != x"),
        Just("tag in (x, y)"),
        Just("k8s.ns.name = a"),
        Just("k8s.ns.name exists"),
        Just("status = closed"),
        Just("status != open"),
        Just("action = deny"),
        Just("proc.name = a"),
        Just("proc.name startswith a"),
        Just("tolower(proc.name) = a"),
        Just("proc.name = val(k8s.ns.name)"),
        Just("message contains a"),
        Just("proc.pname = a"),
        Just("a"),
    ]
    .prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|p| format!("({})", p.join(" and "))),
            prop::collection::vec(inner.clone(), 2..4)
                .prop_map(|p| format!("({})", p.join(" or "))),
            inner.prop_map(|p| format!("not {p}")),
        ]
    })
}

fn findings() -> impl Strategy<Value = (Finding, Status)> {
    let word = || prop_oneof![Just("a"), Just("b"), Just("A"), Just("")].prop_map(str::to_owned);
    let json = prop_oneof![
        Just(json!("a")),
        Just(json!("b")),
        Just(json!(null)),
        Just(json!(["a", "c"])),
        Just(json!([])),
        Just(json!(7)),
        Just(json!({"a": 1})),
    ];
    (
        word(),
        word(),
        prop::collection::vec(
            prop_oneof![Just("x".to_owned()), Just("y".to_owned())],
            0..3,
        ),
        prop::sample::select(Priority::ALL.to_vec()),
        prop::option::of(json.clone()),
        prop::option::of(json),
        prop::collection::vec(word(), 0..3),
        prop::sample::select(Status::ALL.to_vec()),
        prop::sample::select(vec![None, Some(Outcome::Done), Some(Outcome::Failed)]),
    )
        .prop_map(
            |(rule, message, tags, priority, ns, name, lineage, status, outcome)| {
                let mut finding = finding();
                finding.rule = rule;
                finding.message = message;
                finding.tags = tags;
                finding.priority = priority;
                finding.fields.clear();
                if let Some(ns) = ns {
                    finding.fields.insert("k8s.ns.name".into(), ns);
                }
                if let Some(name) = name {
                    finding.fields.insert("proc.name".into(), name);
                }
                finding.lineage = lineage
                    .into_iter()
                    .map(|name| Process {
                        pid: 1,
                        name,
                        ..Process::default()
                    })
                    .collect();
                finding.actions = outcome
                    .map(|outcome| Action {
                        kind: "deny".into(),
                        outcome,
                        detail: String::new(),
                    })
                    .into_iter()
                    .collect();
                (finding, status)
            },
        )
}

proptest! {
    #[test]
    fn plans_agree_with_the_naive_predicate(text in filters(), (finding, status) in findings()) {
        let filter = Filter::parse(&text).unwrap();
        let subject = Subject::Finding(&finding, status);
        let plan = Plan::of(&filter, COLUMNS);
        prop_assert_eq!(by_plan(&plan, &subject), filter.matches(&subject), "{}", text);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,60}") {
        let _ = Filter::parse(&text);
    }
}
