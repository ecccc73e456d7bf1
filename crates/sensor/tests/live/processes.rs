//! Birth, exec and death: both sides of clone, the facts of exec, exit codes and adopters.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use vedette_event::EventType;
use vedette_sensor::{Interest, Origin};

use crate::calls::Scratch;
use crate::watch::{Seen, Watch, call, tid};

fn kind(symbol: &str) -> EventType {
    EventType::by_symbol(symbol).expect(symbol)
}

fn list(bytes: &[u8]) -> Vec<String> {
    bytes
        .split(|&b| b == 0)
        .map(|s| String::from_utf8_lossy(s).into_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

fn is_clone(seen: &Seen) -> bool {
    matches!(seen.kind.name(), "clone" | "clone3" | "fork" | "vfork")
}

#[test]
fn a_process_from_birth_to_death() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    let dir = Scratch::new("exec");
    let program = dir.path("true");
    fs::copy("/bin/true", &program).unwrap();
    let meta = fs::metadata(&program).unwrap();

    let child = Command::new(&program)
        .args(["one", "two words"])
        .env_clear()
        .env("COLOUR", "blue")
        .spawn()
        .unwrap();
    let pid = i64::from(child.id());
    let status = { child }.wait().unwrap();
    assert!(status.success());

    let born = watch.take("the child's side", |s| is_clone(s) && s.tid == pid);
    assert_eq!(born.number("res"), 0);
    assert_eq!(born.origin, Origin::Tracepoint);
    assert_eq!((born.number("tid"), born.number("pid")), (pid, pid));
    assert_eq!(born.number("ptid"), i64::from(std::process::id()));
    assert_eq!((born.number("vtid"), born.number("vpid")), (pid, pid));
    assert!(born.number("pidns_init_start_ts") > 0);
    assert!(
        list(born.param("cgroups"))
            .iter()
            .any(|c| c.starts_with("memory=/"))
    );

    let exec = watch.take("exec", |s| {
        s.kind == kind("SYSCALL_EXECVE_19_X") && s.tid == pid && s.number("res") == 0
    });
    assert_eq!(exec.text("exe"), program);
    assert_eq!(list(exec.param("args")), ["one", "two words"]);
    assert_eq!(list(exec.param("env")), ["COLOUR=blue"]);
    assert_eq!(exec.text("comm"), "true");
    assert_eq!(exec.text("trusted_exepath"), program);
    assert_eq!(exec.text("filename"), program);
    assert_eq!(exec.number("exe_ino"), meta.ino() as i64);
    assert_eq!(
        exec.number("exe_ino_mtime"),
        meta.mtime() * 1_000_000_000 + meta.mtime_nsec()
    );
    assert_eq!(
        exec.number("exe_ino_ctime"),
        meta.ctime() * 1_000_000_000 + meta.ctime_nsec()
    );
    assert_eq!(exec.number("flags") & 1, 1, "its owner may write it");
    assert_eq!((exec.number("uid"), exec.number("gid")), (0, 0));
    assert!(exec.ts > born.ts);

    let died = watch.take("exit", |s| s.kind == kind("PROCEXIT_1_E") && s.tid == pid);
    assert_eq!(
        (
            died.number("status"),
            died.number("ret"),
            died.number("sig")
        ),
        (0, 0, 0)
    );
    assert_eq!(died.number("reaper_tid"), 0);
}

#[test]
fn exit_codes_and_signals() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    let mut run = |script: &str| {
        let mut child = Command::new("/bin/sh")
            .args(["-c", script])
            .spawn()
            .unwrap();
        let pid = i64::from(child.id());
        child.wait().unwrap();
        watch.take(script, |s| s.kind == kind("PROCEXIT_1_E") && s.tid == pid)
    };
    let seven = run("exit 7");
    assert_eq!(
        (
            seven.number("status"),
            seven.number("ret"),
            seven.number("sig")
        ),
        (7 << 8, 7, 0)
    );
    let killed = run("kill -9 $$");
    assert_eq!(
        (
            killed.number("ret"),
            killed.number("sig"),
            killed.number("core")
        ),
        (0, 9, 0)
    );
}

#[test]
fn orphans_are_adopted() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    // the shell leaves a child behind; nothing here is a subreaper, so the namespace's first process adopts it
    let mut child = Command::new("/bin/sh")
        .args(["-c", "sleep 0.2 & exit 0"])
        .spawn()
        .unwrap();
    let pid = i64::from(child.id());
    child.wait().unwrap();
    let died = watch.take("exit", |s| s.kind == kind("PROCEXIT_1_E") && s.tid == pid);
    let adopter = died.number("reaper_tid");
    assert_ne!(adopter, 0);
    assert_ne!(adopter, pid);
}

#[test]
fn refused_execs_say_what_was_tried() {
    let Some(mut watch) = Watch::start(&Interest::everything()) else {
        return;
    };
    let error = Command::new("/nonexistent/tool")
        .args(["-x", "y"])
        .env_clear()
        .env("A", "1")
        .exec();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
    let seen = watch.own("SYSCALL_EXECVE_19_X");
    assert_eq!(seen.number("res"), -2);
    assert_eq!(seen.text("exe"), "/nonexistent/tool");
    assert_eq!(list(seen.param("args")), ["-x", "y"]);
    assert_eq!(list(seen.param("env")), ["A=1"]);
    assert_eq!(seen.text("filename"), "/nonexistent/tool");
    assert_eq!(seen.number("tid"), tid());
    let own = fs::read_link("/proc/self/exe").unwrap();
    assert_eq!(seen.text("trusted_exepath"), own.to_str().unwrap());
}

#[test]
fn a_program_without_a_file_is_seen_as_one() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    let name = c"payload";
    let fd = call(libc::SYS_memfd_create, &[name.as_ptr() as i64, 0]);
    let image = fs::read("/bin/true").unwrap();
    assert_eq!(
        call(
            libc::SYS_write,
            &[fd, image.as_ptr() as i64, image.len() as i64]
        ),
        image.len() as i64
    );
    let mut child = Command::new(format!("/proc/self/fd/{fd}")).spawn().unwrap();
    let pid = i64::from(child.id());
    child.wait().unwrap();
    let exec = watch.take("exec", |s| {
        s.kind == kind("SYSCALL_EXECVE_19_X") && s.tid == pid && s.number("res") == 0
    });
    assert_eq!(exec.number("flags") & 4, 4, "from a memfd");
    assert_eq!(exec.text("trusted_exepath"), "memfd:payload");
}

#[test]
fn another_user_may_not_write_what_root_owns() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    let dir = Scratch::new("writable");
    fs::set_permissions(&dir.0, fs::Permissions::from_mode(0o755)).unwrap();
    let program = dir.path("t");
    fs::copy("/bin/true", &program).unwrap();
    let mut flags = |mode: u32| {
        fs::set_permissions(&program, fs::Permissions::from_mode(mode)).unwrap();
        let mut child = Command::new(&program)
            .uid(65534)
            .gid(65534)
            .spawn()
            .unwrap();
        let pid = i64::from(child.id());
        child.wait().unwrap();
        let exec = watch.take("exec", |s| {
            s.kind == kind("SYSCALL_EXECVE_19_X") && s.tid == pid && s.number("res") == 0
        });
        assert_eq!((exec.number("uid"), exec.number("gid")), (65534, 65534));
        assert_eq!(exec.number("cap_effective"), 0);
        exec.number("flags") & 1
    };
    assert_eq!(flags(0o755), 0);
    assert_eq!(flags(0o757), 1);
}

#[test]
fn threads_share_their_process() {
    let Some(mut watch) = Watch::start(&Interest::for_state()) else {
        return;
    };
    let inner = std::thread::spawn(tid).join().unwrap();
    let born = watch.take("the thread", |s| is_clone(s) && s.tid == inner);
    assert_eq!(born.number("pid"), i64::from(std::process::id()));
    // CLONE_FILES, CLONE_FS, CLONE_SIGHAND, CLONE_THREAD, CLONE_VM
    let flags = born.number("flags");
    for bit in [0, 1, 11, 13, 15] {
        assert_eq!(flags >> bit & 1, 1, "bit {bit} of {flags:x}");
    }
    let made = watch.take("the caller's side", |s| {
        is_clone(s) && s.number("res") == inner
    });
    assert_eq!(made.tid, tid());
}
