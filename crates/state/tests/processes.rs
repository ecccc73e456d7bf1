//! Threads, families and descriptors through the events that make and end them.

mod support;

use support::{Machine, P, n, t, w};

const AT_FDCWD: i64 = -100;
/// Open flags as events have them.
const RDONLY: i64 = 1;
const DIRECTORY: i64 = 1 << 10;
const CLOEXEC: i64 = 1 << 12;
/// Clone flags as events have them.
const CLONE_FILES: i64 = 1;
const CLONE_THREAD: i64 = 8192;

fn family() -> Machine {
    Machine::new(&[(1, 1, 0, "init"), (10, 10, 1, "sshd"), (20, 20, 10, "bash")])
}

#[test]
fn ancestors_are_told_from_the_nearest() {
    let mut machine = family();
    machine.look(20);
    for (field, want) in [
        ("proc.name", "bash"),
        ("proc.pname", "sshd"),
        ("proc.aname[1]", "sshd"),
        ("proc.aname[2]", "init"),
        ("proc.aname[3]", "-"),
        ("proc.aname", "sshd,init"),
        ("proc.ppid", "10"),
    ] {
        assert_eq!(machine.ask(field), want, "{field}");
    }
}

#[test]
fn a_fork_chain_ends_in_a_new_program() {
    let mut machine = family();
    machine.clone(20, 30, (20, 20, 10), "bash", 0);
    machine.look(30);
    assert_eq!(machine.ask("proc.name"), "bash");
    assert_eq!(machine.ask("proc.pid"), "30");
    assert_eq!(machine.ask("proc.cwd"), "/home/");
    // The child's own side comes late and changes nothing.
    machine.clone(30, 0, (30, 30, 20), "bash", 0);
    assert_eq!(machine.ask("proc.pname"), "bash");
    machine.clone(30, 40, (30, 30, 20), "bash", 0);
    machine.exec(40, 40, 30, "curl");
    for (field, want) in [
        ("proc.name", "curl"),
        ("proc.exepath", "/bin/curl"),
        ("proc.aname", "bash,bash,sshd,init"),
        ("proc.apid[2]", "20"),
    ] {
        assert_eq!(machine.ask(field), want, "{field}");
    }
    assert_eq!(machine.state.stats().threads, 5);
}

#[test]
fn a_pid_that_comes_back_is_somebody_else() {
    let mut machine = family();
    machine.open(20, 3, AT_FDCWD, "/etc/shadow", RDONLY);
    let before = machine.version();
    machine.exit(20, 0);
    assert_eq!(
        machine.ask("proc.name"),
        "bash",
        "the exit still sees the process"
    );
    machine.clone(10, 20, (10, 10, 1), "sshd", 0);
    machine.look(20);
    assert_eq!(machine.ask("proc.name"), "sshd");
    assert_eq!(
        machine.ask("proc.fdopencount"),
        "0",
        "nothing is left of the old one"
    );
    assert_ne!(machine.version(), before);
}

#[test]
fn a_child_that_takes_a_living_pid_replaces_it() {
    let mut machine = family();
    // The exit of 20 was lost; 20 is now a child of init.
    machine.clone(20, 0, (20, 20, 1), "cron", 0);
    machine.look(20);
    assert_eq!(machine.ask("proc.name"), "cron");
    assert_eq!(machine.ask("proc.pname"), "init");
    assert_eq!(machine.state.stats().threads, 3);
}

#[test]
fn threads_share_descriptors_and_directory() {
    let mut machine = family();
    machine.clone(20, 21, (20, 20, 10), "bash", CLONE_THREAD | CLONE_FILES);
    machine.open(21, 3, AT_FDCWD, "notes", RDONLY);
    assert_eq!(machine.ask("fd.name"), "/home/notes");
    assert_eq!(machine.ask("proc.nthreads"), "2");
}

#[test]
fn children_go_to_the_reaper() {
    for (reaper, want) in [(0, "init"), (10, "sshd"), (77, "init")] {
        let mut machine = family();
        machine.clone(20, 30, (20, 20, 10), "bash", 0);
        machine.exit(20, reaper);
        machine.look(30);
        assert_eq!(machine.ask("proc.pname"), want, "reaper {reaper}");
    }
}

#[test]
fn paths_start_where_they_should() {
    for (dirfd, path, want) in [
        (AT_FDCWD, "a", "/home/a"),
        (AT_FDCWD, "./a/../b", "/home/b"),
        (AT_FDCWD, "../../../etc/passwd", "/etc/passwd"),
        (AT_FDCWD, "/a//b/./c/", "/a/b/c"),
        (3, "a", "/var/log/a"),
        (3, "../a", "/var/a"),
        (3, "/a", "/a"),
        (9, "a", "<UNKNOWN>a"),
    ] {
        let mut machine = family();
        machine.open(20, 3, AT_FDCWD, "/var/log", RDONLY | DIRECTORY);
        machine.open(20, 4, dirfd, path, RDONLY);
        assert_eq!(machine.ask("fd.name"), want, "{dirfd} {path}");
    }
}

#[test]
fn the_working_directory_changes() {
    let mut machine = family();
    machine.happen("SYSCALL_CHDIR_X", 20, &[n(0), t("work/../tmp")]);
    assert_eq!(machine.ask("proc.cwd"), "/home/tmp/");
    machine.happen("SYSCALL_CHDIR_X", 20, &[n(-2), t("/nowhere")]);
    assert_eq!(machine.ask("proc.cwd"), "/home/tmp/");
    machine.open(20, 3, AT_FDCWD, "/srv", RDONLY | DIRECTORY);
    machine.happen("SYSCALL_FCHDIR_X", 20, &[n(0), n(3)]);
    assert_eq!(machine.ask("proc.cwd"), "/srv/");
    machine.look(10);
    assert_eq!(machine.ask("proc.cwd"), "/home/", "another process stays");
}

#[test]
fn copies_live_on_and_marked_ones_do_not() {
    let mut machine = family();
    machine.open(20, 3, AT_FDCWD, "/a", RDONLY | CLOEXEC);
    machine.happen("SYSCALL_DUP2_X", 20, &[n(7), n(3), n(7)]);
    machine.open(20, 4, AT_FDCWD, "/b", RDONLY);
    machine.happen("SYSCALL_CLOSE_X", 20, &[n(0), n(4)]);
    assert_eq!(machine.ask("fd.name"), "/b", "the close still sees it");
    machine.look(20);
    assert_eq!(machine.ask("proc.fdopencount"), "2");
    machine.exec(20, 20, 10, "cat");
    assert_eq!(machine.ask("proc.fdopencount"), "1");
    machine.happen("SYSCALL_READ_X", 20, &[n(1), P::Missing, n(7), w(1)]);
    assert_eq!(machine.ask("fd.name"), "/a");
    machine.happen("SYSCALL_READ_X", 20, &[n(1), P::Missing, n(3), w(1)]);
    assert_eq!(machine.ask("fd.type"), "-");
}

#[test]
fn a_fork_copies_descriptors() {
    let mut machine = family();
    machine.open(20, 3, AT_FDCWD, "/a", RDONLY);
    machine.clone(20, 30, (20, 20, 10), "bash", 0);
    machine.happen("SYSCALL_CLOSE_X", 20, &[n(0), n(3)]);
    machine.happen("SYSCALL_READ_X", 30, &[n(1), P::Missing, n(3), w(1)]);
    assert_eq!(machine.ask("fd.name"), "/a");
}

#[test]
fn the_state_key_counts_up_with_everything_it_stands_for() {
    let mut machine = family();
    machine.clone(20, 30, (20, 20, 10), "bash", 0);
    let mut last = 0;
    let mut changed = |machine: &mut Machine, what: &str, expected: bool| {
        machine.look(30);
        let (_, version) = machine.version();
        assert_eq!(version != last, expected, "{what}");
        last = version;
    };
    changed(&mut machine, "first", true);
    changed(&mut machine, "nothing", false);
    machine.open(30, 3, AT_FDCWD, "/a", RDONLY);
    changed(&mut machine, "a descriptor", false);
    machine.exec(20, 20, 10, "zsh");
    changed(&mut machine, "the parent's program", true);
    machine.exec(10, 10, 1, "sshd");
    changed(&mut machine, "the grandparent's program", true);
    machine.happen("SYSCALL_SETSID_X", 30, &[n(30)]);
    changed(&mut machine, "the session", true);
    machine.happen("SYSCALL_CHDIR_X", 30, &[n(0), t("/tmp")]);
    changed(&mut machine, "the directory", true);
    machine.happen(
        "USER_ADDED_E",
        30,
        &[w(5), w(5), t("games"), t("/"), t("/bin/sh"), t("")],
    );
    changed(&mut machine, "an account", true);
    machine.exit(20, 1);
    machine.look(10);
    changed(&mut machine, "the parent's end", true);
    machine.clone(30, 40, (30, 30, 1), "bash", 0);
    machine.exec(40, 40, 30, "ls");
    changed(&mut machine, "a child's program", false);
}

#[test]
fn tables_are_bounded() {
    let mut machine = family();
    for fd in 0..33_000 {
        machine.open(20, fd, AT_FDCWD, "/a", RDONLY);
    }
    assert_eq!(machine.state.stats().fds_dropped, 33_000 - 32_768);
    for tid in 100..140_000 {
        machine.clone(20, tid, (20, 20, 10), "bash", CLONE_THREAD | CLONE_FILES);
    }
    let stats = machine.state.stats();
    assert!(stats.threads <= 131_072, "{stats:?}");
    assert!(
        stats.threads_dropped + stats.threads_evicted > 0,
        "{stats:?}"
    );
}
