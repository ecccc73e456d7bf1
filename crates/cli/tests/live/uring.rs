//! What a program does through io_uring: an alert live, the same from a recording, and sysdig still reads that recording.

use std::fs::{self, File};
use std::process::{Child, Command, Stdio};

use crate::running::{Agent, has, may_run, wait_for};

/// Opens the file it is given once by a request to io_uring and once by openat(2). Status 77: the kernel refuses io_uring.
const PROGRAM: &str = r"
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct io_uring_params p;
	memset(&p, 0, sizeof(p));
	int ring = syscall(SYS_io_uring_setup, 1, &p);
	if (argc < 2 || ring < 0)
		return 77;
	int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
	char *sq = mmap(0, p.sq_off.array + p.sq_entries * 4, prot, flags, ring, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqe = mmap(0, sizeof(*sqe), prot, flags, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || (void *)sqe == MAP_FAILED)
		return 77;
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_OPENAT;
	sqe->fd = AT_FDCWD;
	sqe->addr = (unsigned long)argv[1];
	sqe->open_flags = O_RDONLY;
	*(unsigned *)(sq + p.sq_off.array) = 0;
	__atomic_store_n((unsigned *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) != 1)
		return 77;
	return open(argv[1], O_RDONLY) < 0;
}
";

const RULE: &str = "- rule: through io_uring\n  desc: a test\n  priority: NOTICE\n  condition: >\n    \
    evt.type = openat and vedette.io_uring = true and fd.name endswith MARK\n  \
    output: by=%proc.name file=%fd.name uring=%vedette.io_uring\n\
    - rule: by a call\n  desc: a test\n  priority: NOTICE\n  condition: >\n    \
    evt.type in (open, openat) and vedette.io_uring = false and fd.name endswith MARK and fd.num >= 0\n  \
    output: by=%proc.name file=%fd.name uring=%vedette.io_uring\n";

/// Ends with the test, also when that fails.
struct Recorder(Child);

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_operation_says_that_it_came_through_io_uring() {
    if !may_run("io_uring") || !has("cc") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let marker = format!("uring-{}", std::process::id());
    fs::write(path("u.c"), PROGRAM).unwrap();
    let cc = Command::new("cc")
        .args(["-o", &path("opener"), &path("u.c")])
        .output()
        .unwrap();
    if !cc.status.success() {
        let why = String::from_utf8_lossy(&cc.stderr).into_owned();
        println!("skipped: no program that uses io_uring can be built: {why}");
        return;
    }
    fs::write(path("rules.yaml"), RULE.replace("MARK", &marker)).unwrap();
    fs::write(path(&marker), "x").unwrap();
    let capture = path("all.scap");
    let recorder = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .args(["record", "-w", &capture])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(path("recorder")).unwrap())
        .spawn();
    let mut recorder = Recorder(recorder.unwrap());
    let agent = Agent::start(&["-r", &path("rules.yaml"), "-o", "json"]);
    wait_for("the recorder", || {
        let _ = fs::read(path("rules.yaml"));
        (fs::metadata(&capture).ok()?.len() > 4096).then_some(())
    });
    let status = Command::new(path("opener"))
        .arg(path(&marker))
        .status()
        .unwrap();
    if status.code() == Some(77) {
        println!("skipped: this kernel refuses io_uring");
    } else {
        assert!(status.success(), "{status}");
        agent.wait_for_alert("by a call");
        let texts = |alerts: &str| -> Vec<String> {
            let alerts = alerts.lines().filter(|line| line.contains("by=opener"));
            // What stands behind these three words says in which container this test runs, if in any.
            alerts
                .map(|line| &line[line.find("by=opener").unwrap()..])
                .map(|text| text.split([' ', '"']).take(3).collect::<Vec<_>>().join(" "))
                .collect()
        };
        let file = path(&marker);
        let want = ["true", "false"].map(|uring| format!("by=opener file={file} uring={uring}"));
        assert_eq!(texts(&agent.lines().join("\n")), want);
        // The recorder writes what it holds when it ends.
        let pid = recorder.0.id().to_string();
        crate::image::run(Command::new("kill").args(["-TERM", &pid]));
        wait_for("the recorder's end", || recorder.0.try_wait().unwrap());
        let replayed = crate::image::run(Command::new(env!("CARGO_BIN_EXE_vedette")).args([
            "replay",
            "-o",
            "json",
            "-r",
            &path("rules.yaml"),
            &capture,
        ]));
        assert_eq!(texts(&replayed), want, "from the recording");
        if has("sysdig") {
            let read = crate::image::run(Command::new("sysdig").args([
                "-r",
                &capture,
                "-p",
                "%evt.type %proc.name %evt.args",
                "evt.type=openat",
            ]));
            let ours = read
                .lines()
                .filter(|line| line.contains("opener") && line.contains(&marker));
            assert_eq!(ours.count(), 2, "sysdig sees both");
        }
        println!("one open through io_uring and one call, told apart live and from a recording");
    }
    drop(recorder);
    agent.stop();
}
