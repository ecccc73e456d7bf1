//! What was acknowledged is there once, whatever happens to the process, the disk or the clock.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use vedette_event::Record;
use vedette_history::{
    Change, Error, Expect, Filter, FindingQuery, History, Order, Retention, State, Status,
    TimeRange,
};
use vedette_store::{Store, backup};
use vedette_testkit::history::{Plan, records};

const END: u64 = 1_767_225_600_000_000_000;
const DAY: u64 = 86_400_000_000_000;

/// Set for the child that writes until it is killed: the directory, and where it begins.
const CHILD: &str = "VEDETTE_STORE_TEST_CHILD";

/// Records of one append of the child.
const CHUNK: usize = 40;

fn plan() -> Plan {
    Plan {
        activity_permille: 300,
        workloads: 30,
        ..Plan::fortnight(200_000, END)
    }
}

fn made(count: usize) -> Vec<Record> {
    records(plan()).take(count).collect()
}

fn id(record: &Record) -> &str {
    match record {
        Record::Finding(finding) => &finding.id,
        Record::Activity(activity) => &activity.id,
    }
}

/// Ids of everything that is kept, each as often as it is there.
fn kept(store: &Store) -> Vec<String> {
    let mut ids = Vec::new();
    let mut query = FindingQuery {
        range: TimeRange::ALL,
        filter: Filter::all(),
        order: Order::Oldest,
        cursor: None,
        limit: 1000,
        count: false,
    };
    loop {
        let page = store.findings(&query).unwrap();
        ids.extend(page.items.into_iter().map(|item| item.finding.id));
        query.cursor = page.next;
        if query.cursor.is_none() {
            break;
        }
    }
    let mut query = vedette_history::ActivityQuery {
        range: TimeRange::ALL,
        filter: Filter::all(),
        order: Order::Oldest,
        cursor: None,
        limit: 1000,
        count: false,
    };
    loop {
        let page = store.activity(&query).unwrap();
        ids.extend(page.items.into_iter().map(|item| item.activity.id));
        query.cursor = page.next;
        if query.cursor.is_none() {
            return ids;
        }
    }
}

/// Not a test of its own: the process that the next test kills. Prints how many records were acknowledged so far.
#[test]
fn write_until_killed() {
    let Ok(task) = std::env::var(CHILD) else {
        return;
    };
    let (start, dir) = task.split_once(':').unwrap();
    let store = Store::open(Path::new(dir)).unwrap();
    let mut sent: usize = start.parse().unwrap();
    let mut chunks = 0;
    let mut all = records(plan()).skip(sent);
    loop {
        let chunk: Vec<Record> = all.by_ref().take(CHUNK).collect();
        let length = chunk.len();
        store.append(chunk).unwrap();
        sent += length;
        println!("acknowledged {sent}");
        chunks += 1;
        // Segments are written between the kills, too.
        if chunks % 7 == 0 {
            store.flush().unwrap();
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = 0;
    for round in 0..6 {
        // After a kill the agent sends what was not acknowledged again, and here some that was.
        let start = acknowledged - acknowledged.min(2 * CHUNK);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "write_until_killed", "--nocapture"])
            .env(CHILD, format!("{start}:{}", dir.path().display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut wanted = acknowledged + CHUNK * (3 + 5 * round);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines.map_while(Result::ok) {
            // The test harness writes its own words in front of the first line.
            let Some((_, number)) = line.split_once("acknowledged ") else {
                continue;
            };
            acknowledged = number.parse().unwrap();
            if acknowledged >= wanted {
                child.kill().unwrap();
                // What it still said before it died counts as well.
                wanted = usize::MAX;
            }
        }
        let status = child.wait().unwrap();
        assert!(!status.success() && wanted == usize::MAX, "{status}");

        let store = Store::open(dir.path()).unwrap();
        assert!(store.damaged().is_empty(), "{:?}", store.damaged());
        let ids = kept(&store);
        let unique: HashSet<&String> = ids.iter().collect();
        assert_eq!(unique.len(), ids.len(), "something is there twice");
        let sent = made(acknowledged + CHUNK);
        for record in &sent[..acknowledged] {
            assert!(
                unique.contains(&id(record).to_owned()),
                "lost: {}",
                id(record)
            );
        }
        // At most the one append that was not acknowledged is there beyond.
        assert!(ids.len() <= acknowledged + CHUNK);
        let report = backup::check(dir.path()).unwrap();
        assert_eq!(report.problems, Vec::<String>::new());
    }
    assert!(acknowledged > 6 * CHUNK);
}

#[test]
fn a_restart_keeps_order_sequence_and_triage() {
    let dir = tempfile::tempdir().unwrap();
    let all = made(700);
    let (before, sequence) = {
        let store = Store::open(dir.path()).unwrap();
        for chunk in all.chunks(100) {
            store.append(chunk.to_vec()).unwrap();
        }
        store.flush().unwrap();
        store.append(made(750)[700..].to_vec()).unwrap();
        let first = kept(&store)[0].clone();
        store
            .triage(&first, Some(Status::Closed), None, "ada", 7)
            .unwrap()
            .unwrap();
        (kept(&store), store.sequence())
    };
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(kept(&store), before);
    assert_eq!(store.sequence(), sequence);
    let again = store.append(made(750)).unwrap();
    assert_eq!((again.accepted, again.duplicate), (0, 750));
    let closed = Filter::parse("status = closed").unwrap();
    let page = store
        .findings(&FindingQuery::newest(TimeRange::ALL, closed, 10))
        .unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].finding.id, before[0]);
}

#[test]
fn times_may_jump_backwards_and_one_process_has_the_store() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err().to_string();
    assert!(error.contains("another process uses"), "{error}");
    let mut all = made(3_000);
    all.reverse();
    for (number, chunk) in all.chunks(250).enumerate() {
        store.append(chunk.to_vec()).unwrap();
        if number % 4 == 0 {
            store.flush().unwrap();
        }
    }
    let ids = kept(&store);
    assert_eq!(ids.len(), 3_000);
    let again = store.append(all).unwrap();
    assert_eq!((again.accepted, again.duplicate), (0, 3_000));
}

#[test]
fn records_that_cannot_be_kept_are_named_and_the_others_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut all = made(20);
    let strange = |record: &mut Record, id: &str, time: u64, message: String| match record {
        Record::Finding(it) => (it.id, it.time, it.message) = (id.to_owned(), time, message),
        Record::Activity(it) => {
            (it.id, it.time, it.process.cmdline) = (id.to_owned(), time, message);
        }
    };
    strange(&mut all[3], "not an id", 5, String::new());
    strange(&mut all[5], &"a".repeat(32), u64::MAX, String::new());
    strange(&mut all[7], &"b".repeat(32), 5, "x".repeat(2 << 20));
    let appended = store.append(all).unwrap();
    let refused: Vec<usize> = appended
        .refused
        .iter()
        .map(|refused| refused.index)
        .collect();
    assert_eq!((appended.accepted, refused), (17, vec![3, 5, 7]));
}

#[test]
fn retention_takes_the_old_and_leaves_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let all: Vec<Record> = records(Plan {
        workloads: 20,
        ..Plan::fortnight(2_800, END)
    })
    .collect();
    for day in all.chunks(200) {
        store.append(day.to_vec()).unwrap();
        store.flush().unwrap();
    }
    let first = kept(&store)[0].clone();
    store
        .triage(&first, Some(Status::Closed), None, "ada", 7)
        .unwrap();
    let keep = Retention {
        findings_days: 4,
        ..Retention::default()
    };
    // A question that began before goes on with what it saw.
    store.maintain(&keep, END).unwrap();
    let stats = store.stats().unwrap();
    assert!((4..=5).contains(&stats.findings.segments), "{stats:?}");
    assert!(stats.findings.oldest >= END - 5 * DAY);
    assert!(store.finding(&first).unwrap().is_none());
    let tail = store.since(1, &Filter::all(), 10).unwrap();
    assert!(tail.gap && tail.items.len() == 10);
    let small = Retention {
        findings_bytes: stats.findings.bytes / 2,
        ..keep
    };
    store.maintain(&small, END).unwrap();
    assert!(store.stats().unwrap().findings.bytes <= small.findings_bytes);
    let files = std::fs::read_dir(dir.path().join("segments"))
        .unwrap()
        .count();
    assert_eq!(files as u64, store.stats().unwrap().findings.segments);
    assert_eq!(store.sequence(), 2_800);
}

#[test]
fn a_backup_of_a_busy_store_restores_to_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (live, copy, back) = (
        dir.path().join("live"),
        dir.path().join("copy"),
        dir.path().join("back"),
    );
    let store = Store::open(&live).unwrap();
    for chunk in made(1_000).chunks(200) {
        store.append(chunk.to_vec()).unwrap();
    }
    store.flush().unwrap();
    store.append(made(1_100)[1_000..].to_vec()).unwrap();
    store
        .apply(vec![Change::put("users", "ada", &1, 5).unwrap()])
        .unwrap();
    let before = kept(&store);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for chunk in made(3_000)[1_100..].chunks(50) {
                if stop.load(std::sync::atomic::Ordering::Relaxed) {
                    break;
                }
                store.append(chunk.to_vec()).unwrap();
            }
        });
        backup::backup(&live, &copy).unwrap();
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert!(matches!(
        backup::backup(&live, &copy),
        Err(Error::Question(_))
    ));
    let report = backup::restore(&copy, &back).unwrap();
    assert!(report.problems.is_empty() && report.segments > 0);
    let restored = Store::open(&back).unwrap();
    let ids: HashSet<String> = kept(&restored).into_iter().collect();
    assert!(before.iter().all(|id| ids.contains(id)));
    assert_eq!(restored.get("users", "ada").unwrap().unwrap().value, 1);
    drop(restored);

    // Damage anywhere in a segment is found, and the rest stays readable.
    let segment = std::fs::read_dir(back.join("segments"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let sound = std::fs::read(&segment).unwrap();
    for at in (0..sound.len()).step_by(sound.len() / 23) {
        let mut bytes = sound.clone();
        bytes[at] ^= 0xff;
        std::fs::write(&segment, bytes).unwrap();
        let report = backup::check(&back).unwrap();
        assert_eq!(report.problems.len(), 1, "byte {at}");
    }
    std::fs::write(&segment, &sound[..sound.len() / 2]).unwrap();
    assert!(backup::restore(&back, &dir.path().join("never")).is_err());
    let store = Store::open(&back).unwrap();
    assert_eq!(store.damaged().len(), 1);
    assert!(!kept(&store).is_empty());
}

#[test]
fn documents_have_versions_and_conditions() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let put = |key: &str, value: i64| Change::put("rules", key, &value, 9).unwrap();
    let state: &dyn State = &store;
    assert_eq!(
        state.apply(vec![put("a", 1).kept(), put("b", 2)]).unwrap(),
        [1, 1]
    );
    assert_eq!(state.apply(vec![put("a", 3).kept()]).unwrap(), [2]);
    let entry = |text: &str| Change::append("audit", &text, 9).unwrap();
    // All or nothing, and the error names the document.
    let outcome = state.apply(vec![
        entry("lost"),
        put("c", 1),
        put("a", 4).expecting(Expect::Version(1)),
    ]);
    match outcome {
        Err(Error::Conflict { key, version, .. }) => assert_eq!((key.as_str(), version), ("a", 2)),
        other => panic!("{other:?}"),
    }
    assert!(state.get("rules", "c").unwrap().is_none());
    assert!(state.log("audit", None, 10).unwrap().is_empty());
    assert!(
        state
            .apply(vec![put("b", 5).expecting(Expect::Absent)])
            .is_err()
    );
    state
        .apply(vec![
            entry("one"),
            entry("two"),
            put("a", 6).expecting(Expect::Version(2)).kept(),
            Change::delete("rules", "b"),
        ])
        .unwrap();
    let versions = state.versions("rules", "a", 10).unwrap();
    let values: Vec<i64> = versions.iter().map(|v| v.read().unwrap()).collect();
    assert_eq!(values, [6, 3, 1]);
    let log = state.log("audit", None, 10).unwrap();
    assert_eq!(log.iter().map(|e| e.number).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(state.log("audit", Some(2), 10).unwrap()[0].value, "one");
    state
        .apply(vec![
            put("p/1", 1).until(50),
            put("p/2", 2).until(60),
            put("p/3", 3),
            put("q", 4),
        ])
        .unwrap();
    let keys = |documents: Vec<vedette_history::Document>| -> Vec<String> {
        documents.into_iter().map(|d| d.key).collect()
    };
    assert_eq!(
        keys(state.list("rules", "p/", None, 2).unwrap()),
        ["p/1", "p/2"]
    );
    assert_eq!(
        keys(state.list("rules", "p/", Some("p/2"), 2).unwrap()),
        ["p/3"]
    );
    assert_eq!(state.expire(50).unwrap(), 1);
    assert_eq!(
        keys(state.list("rules", "", None, 9).unwrap()),
        ["a", "p/2", "p/3", "q"]
    );
}

#[test]
fn waiting_ends_when_something_arrives() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let waiting = store.clone();
    let thread = std::thread::spawn(move || waiting.wait(0, std::time::Duration::from_secs(20)));
    let accepted = store.append(made(50)).unwrap();
    assert!(accepted.sequence > 0);
    assert_eq!(thread.join().unwrap(), accepted.sequence);
    assert_eq!(
        store.wait(accepted.sequence, std::time::Duration::ZERO),
        accepted.sequence
    );
}
