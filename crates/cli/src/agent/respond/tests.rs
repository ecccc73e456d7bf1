//! Orders against real processes and a control group of the test's own.

use super::*;
use std::process::{Child, Command, Stdio};

struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        let mut command = Command::new("sleep");
        Self(
            command
                .arg("60")
                .stdin(Stdio::null())
                .spawn()
                .expect("sleep"),
        )
    }

    fn aim(&self) -> Aim {
        let pid = self.0.id();
        Aim {
            pid,
            started: wall_clock(start_ticks(pid).expect("it runs")),
            exe: String::new(),
            container: String::new(),
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn order(id: &str, dry_run: bool, aim: &Aim) -> Order {
    Order {
        id: id.to_owned(),
        deed: Deed::KillProcess,
        dry_run,
        aim: aim.clone(),
        rule: "r".to_owned(),
        by: "alice".to_owned(),
    }
}

#[test]
fn a_process_is_killed_once_and_only_after_the_word() {
    let sleeper = Sleeper::start();
    let (responder, aim) = (Responder::default(), sleeper.aim());
    let told = responder.carry_out(&order("1", true, &aim)).expect("told");
    assert_eq!((told.outcome, told.total), (Outcome::DryRun, 1), "{told:?}");
    assert_eq!(told.processes[0].name, "sleep");
    assert!(!act::is_dead(aim.pid));
    let done = responder.carry_out(&order("2", false, &aim)).expect("done");
    assert_eq!(done.outcome, Outcome::Done, "{done:?}");
    assert!(act::is_dead(aim.pid));
    // the same order again is not carried out again, and says the same
    assert_eq!(responder.carry_out(&order("2", false, &aim)), Some(done));
    let late = responder.carry_out(&order("3", false, &aim)).expect("told");
    assert_eq!(late.outcome, Outcome::Withheld, "{late:?}");
}

/// A control group as a runtime would make it; gone with its processes at the end.
struct Group(Vec<std::path::PathBuf>, String);

impl Group {
    fn make() -> Option<Self> {
        let id = format!(
            "{:064x}",
            0xca11_0000_0000_u64 + u64::from(std::process::id())
        );
        let roots = [
            "/sys/fs/cgroup/freezer",
            "/sys/fs/cgroup/unified",
            "/sys/fs/cgroup",
        ];
        let root = roots
            .into_iter()
            .map(std::path::Path::new)
            .find(|root| root.join("cgroup.procs").exists())?;
        let dir = root.join(&id);
        std::fs::create_dir(&dir).ok()?;
        Some(Self(vec![dir], id))
    }

    fn add(&self, pid: u32) -> bool {
        let add =
            |dir: &std::path::PathBuf| std::fs::write(dir.join("cgroup.procs"), pid.to_string());
        self.0.iter().all(|dir| add(dir).is_ok())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5)
            && self
                .0
                .iter()
                .any(|dir| std::fs::remove_dir(dir).is_err() && dir.exists())
        {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_container_is_paused_resumed_and_killed_with_all_that_is_in_it() {
    let Some(group) = Group::make() else {
        println!("not run: no control group can be made here");
        return;
    };
    // after the group, so that it is gone first
    let (first, second) = (Sleeper::start(), Sleeper::start());
    let bystander = Sleeper::start();
    if !group.add(first.0.id()) || !group.add(second.0.id()) {
        println!("not run: processes cannot be moved into a control group here");
        return;
    }
    let responder = Responder::default();
    let run = |id: &str, deed: Deed, dry_run: bool| {
        let mut order = order(id, dry_run, &Aim::default());
        order.deed = deed;
        order.aim.container.clone_from(&group.1);
        responder.carry_out(&order).expect("an account")
    };
    let told = run("1", Deed::PauseContainer, true);
    assert_eq!((told.outcome, told.total), (Outcome::DryRun, 2), "{told:?}");
    let paused = run("2", Deed::PauseContainer, false);
    if paused.outcome == Outcome::Failed {
        println!("pausing cannot be tried here: {}", paused.detail);
    } else {
        assert_eq!(paused.outcome, Outcome::Done, "{paused:?}");
        let resumed = run("3", Deed::ResumeContainer, false);
        assert_eq!(resumed.outcome, Outcome::Done, "{resumed:?}");
        // frozen again, so that killing has to cope with it
        let again = run("4", Deed::PauseContainer, false);
        assert_eq!(again.outcome, Outcome::Withheld, "at once twice: {again:?}");
        ContainerGroups::find(&group.1)
            .expect("it is there")
            .pause(true)
            .expect("frozen");
    }
    let killed = run("5", Deed::KillContainer, false);
    assert_eq!(killed.outcome, Outcome::Done, "{killed:?}");
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(10)
        && !(act::is_dead(first.0.id()) && act::is_dead(second.0.id()))
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(act::is_dead(first.0.id()) && act::is_dead(second.0.id()));
    assert!(!act::is_dead(bystander.0.id()));
    let gone = run("6", Deed::StopContainer, false);
    assert_eq!(gone.outcome, Outcome::Withheld, "{gone:?}");
}

#[test]
fn neither_another_process_nor_the_host_nor_the_agent_is_hit() {
    let sleeper = Sleeper::start();
    let responder = Responder::default();
    let own = std::process::id();
    let another = Aim {
        started: sleeper.aim().started - 3_000_000_000,
        ..sleeper.aim()
    };
    let agent = Aim {
        pid: own,
        started: wall_clock(start_ticks(own).expect("we run")),
        // a container that it is not in spares it nothing
        container: "0123456789ab".to_owned(),
        ..Aim::default()
    };
    let first = Aim {
        pid: 1,
        started: wall_clock(start_ticks(1).expect("it runs")),
        ..Aim::default()
    };
    for (id, aim, why) in [
        ("1", another, "another process"),
        ("2", agent, "this agent"),
        ("3", first, ""),
    ] {
        let told = responder.carry_out(&order(id, false, &aim)).expect("told");
        assert_eq!(told.outcome, Outcome::Withheld, "{told:?}");
        assert!(told.detail.contains(why), "{told:?}");
    }
    let mut gone = order("4", true, &Aim::default());
    gone.deed = Deed::KillContainer;
    gone.aim.container = "f".repeat(64);
    let told = responder.carry_out(&gone).expect("told");
    assert_eq!(told.outcome, Outcome::Withheld, "{told:?}");
    assert!(!act::is_dead(sleeper.aim().pid));
}
