//! Every answer of the store is compared with what a walk over the records themselves gives.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use vedette_event::{Activity, Finding, Record, Severity};
use vedette_history::{
    ActivityQuery, ColumnValue, Counts, Cursor, Filter, FindingQuery, History, Order, Place,
    Status, Subject, TimeRange,
};
use vedette_store::Store;
use vedette_testkit::history::{Plan, records};

const END: u64 = 1_767_225_600_000_000_000;
const DAY: u64 = 86_400_000_000_000;

/// A store with some segments and some records in memory, and the records.
struct World {
    _dir: tempfile::TempDir,
    store: Store,
    findings: Vec<(u64, Finding, Status)>,
    activity: Vec<(u64, Activity)>,
}

fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let plan = Plan {
        activity_permille: 400,
        workloads: 40,
        ..Plan::fortnight(6_000, END)
    };
    let all: Vec<Record> = records(plan).collect();
    for (number, chunk) in all.chunks(500).enumerate() {
        // Every second chunk comes twice, and one comes in small pieces.
        let appended = store.append(chunk.to_vec()).unwrap();
        assert_eq!((appended.accepted, appended.duplicate), (500, 0));
        if number % 2 == 0 {
            let again = store.append(chunk.to_vec()).unwrap();
            assert_eq!((again.accepted, again.duplicate), (0, 500));
        }
        if number % 3 == 2 && number < 10 {
            store.flush().unwrap();
        }
    }
    let mut findings: Vec<(u64, Finding, Status)> = Vec::new();
    let mut activity = Vec::new();
    for record in all {
        match record {
            Record::Finding(finding) => {
                findings.push((findings.len() as u64 + 1, finding, Status::Open));
            }
            Record::Activity(it) => activity.push((activity.len() as u64 + 1, it)),
        }
    }
    for index in [3, 700, 701, 3000] {
        let status = if index % 2 == 0 {
            Status::Closed
        } else {
            Status::Acknowledged
        };
        let stored = store
            .triage(
                &findings[index].1.id,
                Some(status),
                Some("seen"),
                "ada",
                END,
            )
            .unwrap()
            .unwrap();
        assert_eq!(stored.triage.status, status);
        assert_eq!(stored.triage.notes[0].text, "seen");
        findings[index].2 = status;
    }
    World {
        _dir: dir,
        store,
        findings,
        activity,
    }
}

const FILTERS: &[&str] = &[
    "",
    "severity >= high",
    "k8s.ns.name = team-01",
    "k8s.ns.name in (team-01, team-02) and not rule contains Drift",
    "rule startswith Shell or tag = T1611",
    "status = open and severity = critical",
    "status != open",
    "workload = cart-0 and action = deny",
    "message contains 'as root'",
    "proc.pname = bash and severity >= medium",
    "(user.name = root or proc.cmdline contains 'mode 3') and node startswith node-0",
    "policy exists and not policy = policy-0",
    "nothing-like-this",
    "severity > critical",
];

fn ranges() -> Vec<TimeRange> {
    vec![
        TimeRange::ALL,
        TimeRange {
            from: END - 3 * DAY,
            to: END - DAY,
        },
        TimeRange {
            from: END,
            to: END + 5,
        },
    ]
}

impl World {
    fn matching(&self, filter: &Filter, range: TimeRange) -> Vec<&(u64, Finding, Status)> {
        self.findings
            .iter()
            .filter(|(_, finding, status)| {
                range.contains(finding.time) && filter.matches(&Subject::Finding(finding, *status))
            })
            .collect()
    }
}

fn severity(finding: &Finding) -> Severity {
    finding.priority.into()
}

#[test]
fn pages_hold_everything_once_and_in_order() {
    let world = world();
    for text in FILTERS {
        let filter = Filter::parse(text).unwrap();
        for range in ranges() {
            for order in [Order::Newest, Order::Oldest, Order::Severity] {
                let mut expected = world.matching(&filter, range);
                expected.sort_by_key(|(sequence, finding, _)| (finding.time, *sequence));
                match order {
                    Order::Newest => expected.reverse(),
                    Order::Oldest => {}
                    Order::Severity => {
                        expected.reverse();
                        expected.sort_by_key(|(_, f, _)| std::cmp::Reverse(severity(f)));
                    }
                }
                let mut seen = Vec::new();
                let mut cursor: Option<Cursor> = None;
                loop {
                    let page = world
                        .store
                        .findings(&FindingQuery {
                            range,
                            filter: filter.clone(),
                            order,
                            cursor,
                            limit: 700,
                            count: true,
                        })
                        .unwrap();
                    assert!(page.items.len() <= 700 && page.partial.is_none());
                    if let Some(total) = page.total {
                        assert_eq!(total, expected.len() as u64, "{text}");
                    }
                    seen.extend(page.items);
                    cursor = page.next;
                    if cursor.is_none() {
                        break;
                    }
                }
                let ids: Vec<u64> = seen.iter().map(|item| item.sequence).collect();
                let wanted: Vec<u64> = expected.iter().map(|item| item.0).collect();
                assert_eq!(ids, wanted, "{text} {order:?} {range:?}");
                for (item, (_, finding, status)) in seen.iter().zip(expected) {
                    assert_eq!(&item.finding, finding);
                    assert_eq!(item.triage.status, *status);
                }
            }
        }
    }
}

#[test]
fn counts_are_exact() {
    let world = world();
    for text in FILTERS {
        let filter = Filter::parse(text).unwrap();
        for range in ranges() {
            let expected = world.matching(&filter, range);
            let mut total = Counts::default();
            for (_, finding, _) in &expected {
                total.add(severity(finding), 1);
            }

            if range.to < u64::MAX {
                let histogram = world.store.histogram(range, &filter, 24).unwrap();
                let mut by_bucket: BTreeMap<u64, Counts> = BTreeMap::new();
                for (_, finding, _) in &expected {
                    let at = finding.time / histogram.step * histogram.step;
                    by_bucket.entry(at).or_default().add(severity(finding), 1);
                }
                for bucket in &histogram.buckets {
                    let wanted = by_bucket.remove(&bucket.at).unwrap_or_default();
                    assert_eq!(bucket.counts, wanted, "{text} {range:?}");
                }
                assert!(by_bucket.is_empty());
            }

            let fields = world.store.facet_fields();
            let facets = world.store.facets(range, &filter, fields, 10_000).unwrap();
            for field in fields {
                let mut wanted: BTreeMap<Option<String>, u64> = BTreeMap::new();
                for (_, finding, status) in &expected {
                    let values = match Subject::Finding(finding, *status).text(field) {
                        ColumnValue::Missing => vec![None],
                        ColumnValue::Text(text) => vec![Some(text.into_owned())],
                        ColumnValue::Texts(texts) if texts.is_empty() => vec![None],
                        ColumnValue::Texts(texts) => {
                            texts.into_iter().map(|t| Some(t.into_owned())).collect()
                        }
                    };
                    for value in values {
                        *wanted.entry(value).or_default() += 1;
                    }
                }
                let got: BTreeMap<Option<String>, u64> = facets.fields[*field]
                    .iter()
                    .map(|value| (value.value.clone(), value.count))
                    .collect();
                assert_eq!(got, wanted, "{field} of {text}");
            }

            let (places, partial) = world.store.places(range, &filter).unwrap();
            assert!(partial.is_none());
            let mut wanted: BTreeMap<Place, (Counts, u64, u64)> = BTreeMap::new();
            for (_, finding, _) in &expected {
                let place = Place::of(&finding.node, &finding.fields);
                let entry = wanted.entry(place).or_default();
                entry.0.add(severity(finding), 1);
                entry.1 += finding.actions.len() as u64;
                entry.2 = entry.2.max(finding.time);
            }
            let got: BTreeMap<Place, (Counts, u64, u64)> = places
                .into_iter()
                .map(|p| (p.place, (p.counts, p.denied, p.last)))
                .collect();
            assert_eq!(got, wanted, "{text}");

            let (groups, _) = world.store.groups(range, &filter, 100_000).unwrap();
            let mut sum = Counts::default();
            let mut keys = BTreeSet::new();
            for group in &groups {
                sum.merge(group.counts);
                assert!(keys.insert((group.rule.clone(), group.place.clone())));
                let latest = expected
                    .iter()
                    .find(|(_, f, _)| f.id == group.latest)
                    .unwrap();
                assert_eq!(latest.1.time, group.last);
                assert_eq!(latest.1.rule, group.rule);
                assert!(group.first <= group.last);
            }
            assert_eq!(sum, total);
            assert!(groups.is_sorted_by(|a, b| a.counts.worst() >= b.counts.worst()));
        }
    }
    assert!(
        world
            .store
            .facets(TimeRange::ALL, &Filter::all(), &["message"], 5)
            .is_err()
    );
}

#[test]
fn findings_are_found_by_id_sequence_and_process() {
    let world = world();
    for index in [0, 1, 499, 2500, world.findings.len() - 1] {
        let (sequence, finding, _) = &world.findings[index];
        let stored = world.store.finding(&finding.id).unwrap().unwrap();
        assert_eq!((stored.sequence, &stored.finding), (*sequence, finding));
        let process = &finding.lineage[0];
        let found = world
            .store
            .findings_of_process(
                &finding.node,
                process.pid,
                process.started,
                TimeRange::ALL,
                10,
            )
            .unwrap();
        assert!(found.iter().any(|item| item.finding.id == finding.id));
        assert!(
            found
                .iter()
                .all(|item| item.finding.lineage[0].pid == process.pid)
        );
    }
    for strange in ["", "xyz", &"0".repeat(32), &"f".repeat(33)] {
        assert!(world.store.finding(strange).unwrap().is_none());
        assert!(
            world
                .store
                .triage(strange, None, None, "a", 1)
                .unwrap()
                .is_none()
        );
    }
    let filter = Filter::parse("severity >= high").unwrap();
    let mut after = 0;
    let mut seen = Vec::new();
    loop {
        let tail = world.store.since(after, &filter, 100).unwrap();
        assert!(!tail.gap && tail.last >= after);
        seen.extend(tail.items.iter().map(|item| item.sequence));
        if tail.last == after || tail.last == world.store.sequence() {
            break;
        }
        after = tail.last;
    }
    let wanted: Vec<u64> = world
        .matching(&filter, TimeRange::ALL)
        .iter()
        .map(|f| f.0)
        .collect();
    assert_eq!(seen, wanted);
}

#[test]
fn activity_is_listed_counted_and_summed_up() {
    let world = world();
    for text in [
        "",
        "kind = command",
        "session exists and kind != file",
        "fd.sport = 5432",
    ] {
        let filter = Filter::parse(text).unwrap();
        let wanted: Vec<u64> = {
            let mut rows: Vec<_> = world
                .activity
                .iter()
                .filter(|(_, it)| filter.matches(&Subject::Activity(it)))
                .map(|(sequence, it)| (it.time, *sequence))
                .collect();
            rows.sort_unstable();
            rows.into_iter().map(|(_, sequence)| sequence).collect()
        };
        let mut query = ActivityQuery {
            range: TimeRange::ALL,
            filter: filter.clone(),
            order: Order::Oldest,
            cursor: None,
            limit: 300,
            count: false,
        };
        let mut seen = Vec::new();
        loop {
            let page = world.store.activity(&query).unwrap();
            seen.extend(page.items.iter().map(|item| item.sequence));
            query.cursor = page.next;
            if query.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, wanted, "{text}");
        let range = TimeRange {
            from: END - 14 * DAY,
            to: END,
        };
        let (_, buckets, _) = world.store.activity_histogram(range, &filter, 30).unwrap();
        let total: u64 = buckets.iter().map(|bucket| bucket.counts.total()).sum();
        assert_eq!(total, wanted.len() as u64);
    }
    let mut wanted: BTreeMap<&str, (u64, u64, u64)> = BTreeMap::new();
    for (_, it) in &world.activity {
        if !it.session.is_empty() {
            let entry = wanted.entry(&it.session).or_insert((u64::MAX, 0, 0));
            *entry = (entry.0.min(it.time), entry.1.max(it.time), entry.2 + 1);
        }
    }
    let sessions = world
        .store
        .sessions(TimeRange::ALL, &Filter::all(), 1000)
        .unwrap();
    assert_eq!(sessions.len(), wanted.len());
    for session in &sessions {
        let got = (session.started, session.last, session.counts.total());
        assert_eq!(got, wanted[session.session.as_str()]);
    }
    let (_, it) = &world.activity[17];
    let found = world
        .store
        .activity_of_process(
            &it.node,
            it.parent.pid,
            it.parent.started,
            TimeRange::ALL,
            50,
        )
        .unwrap();
    assert!(found.iter().any(|item| item.activity.id == it.id));
}
