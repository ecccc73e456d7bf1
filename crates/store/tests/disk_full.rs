//! A full disk is an error to the caller and never damage.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use vedette_event::Record;
use vedette_history::{Change, Error, History, Retention, State};
use vedette_store::{Store, backup};
use vedette_testkit::history::{Plan, records};

const END: u64 = 1_767_225_600_000_000_000;

/// A small file system in memory, gone when this goes.
struct Small<'d>(&'d Path);

impl<'d> Small<'d> {
    fn mount(dir: &'d Path) -> Option<Self> {
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=12m", "vedette-test"])
            .arg(dir)
            .output()
            .is_ok_and(|output| output.status.success());
        done.then_some(Self(dir))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_is_said_and_nothing_acknowledged_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    let Some(small) = Small::mount(dir.path()) else {
        println!("skipped: no tmpfs can be mounted here (root is needed)");
        return;
    };
    let data = dir.path().join("data");
    let store = Store::open(&data).unwrap();
    let mut all = records(Plan {
        workloads: 20,
        ..Plan::fortnight(1_000_000, END)
    });
    let mut acknowledged: Vec<Record> = Vec::new();
    let mut refused = 0;
    for _ in 0..400 {
        let chunk: Vec<Record> = all.by_ref().take(200).collect();
        match store.append(chunk.clone()) {
            Ok(appended) => {
                assert_eq!(appended.accepted, 200);
                acknowledged.extend(chunk);
            }
            Err(Error::Full { .. }) => {
                refused += 1;
                if refused == 3 {
                    break;
                }
            }
            Err(other) => panic!("{other}: {other:?}"),
        }
    }
    assert_eq!(refused, 3, "the disk was never full");
    let found = |store: &Store, record: &Record| match record {
        Record::Finding(finding) => store.finding(&finding.id).unwrap().is_some(),
        Record::Activity(_) => true,
    };
    assert!(
        acknowledged
            .iter()
            .step_by(97)
            .all(|record| found(&store, record))
    );
    drop(store);

    // It opens again, everything is there and sound; with room it goes on.
    let store = Store::open(&data).unwrap();
    assert_eq!(
        store.stats().unwrap().findings.rows,
        acknowledged.len() as u64
    );
    assert!(
        acknowledged
            .iter()
            .step_by(97)
            .all(|record| found(&store, record))
    );
    assert_eq!(backup::check(&data).unwrap().problems, Vec::<String>::new());
    let grown = Command::new("mount")
        .args(["-o", "remount,size=64m"])
        .arg(dir.path())
        .status()
        .unwrap();
    assert!(grown.success());
    store.append(all.by_ref().take(200).collect()).unwrap();
    store.flush().unwrap();
    store
        .apply(vec![Change::put("users", "ada", &1, 1).unwrap()])
        .unwrap();
    store.maintain(&Retention::default(), END).unwrap();
    assert_eq!(
        store.stats().unwrap().findings.rows,
        acknowledged.len() as u64 + 200
    );
    drop(store);
    drop(small);
}
