//! What the agent says while something happens, what a recording of it says afterwards, and what is true: all the same.
//!
//! The agent's kernel side holds back what its rules cannot match; the recorder's holds back nothing. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what ran"
)]

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take before the test fails; far above what any machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// `MARK` becomes a text that nothing else on the machine contains.
const RULES: &str = r#"
- rule: program
  desc: d
  priority: NOTICE
  output: "%evt.type %proc.name %proc.cmdline"
  condition: evt.type in (execve, execveat) and proc.cmdline contains MARK
- rule: reading
  desc: d
  priority: NOTICE
  output: "%fd.name %fd.typechar %proc.name %proc.pname"
  condition: evt.type in (open, openat, openat2) and evt.is_open_read=true and fd.num>=0 and fd.name contains MARK-read
- rule: writing
  desc: d
  priority: NOTICE
  output: "%fd.name %evt.arg.flags %proc.name"
  condition: evt.type in (open, openat, openat2) and evt.is_open_write=true and fd.num>=0 and fd.name contains MARK-write
- rule: names
  desc: d
  priority: NOTICE
  output: "%evt.type %evt.args %proc.name"
  condition: evt.type in (unlink, unlinkat, rename, renameat, renameat2, mkdir, mkdirat, symlink, symlinkat) and evt.args contains MARK
- rule: mode of an open file
  desc: d
  priority: NOTICE
  output: "%evt.type %fd.name %evt.arg.mode"
  condition: evt.type in (fchmod, fchmodat, chmod) and (fd.name contains MARK or evt.args contains MARK)
- rule: standard output to a file
  desc: d
  priority: NOTICE
  output: "%evt.type %fd.name %evt.rawres"
  condition: evt.type in (dup, dup2, dup3) and fd.name contains MARK
- rule: connection
  desc: d
  priority: NOTICE
  output: "%evt.type %fd.name"
  condition: evt.type=connect and proc.cmdline contains MARK and fd.type in (ipv4, ipv6)
"#;

/// What happens: a shell session with files, pipes, programs, links. `$1` is the marked directory.
const SESSION: &str = r#"
d=$1; m=$2
mkdir "$d/$m-dir"
echo secret > "$d/$m-write"
cp "$d/$m-write" "$d/$m-read"
cat "$d/$m-read" | sort | uniq > /dev/null
cd "$d"
cat "$m-read" > "$m-write.2"
chmod 600 "$m-write"
ln -s "$m-read" "$m-link"
mv "$m-write.2" "$m-write.3"
for i in 1 2 3 4 5; do cat /etc/hostname /etc/passwd > /dev/null; done
exec 5< "$m-read"
exec 6<&5
read line <&6
exec 5<&- 6<&-
(exec 7> "$m-write.4"; echo child >&7)
find . -name "$m*" -exec true {} +
rm -r "$m-dir" "$m-link" "$m-read" "$m-write" "$m-write.3" "$m-write.4"
"#;

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ended {
    /// Ends the program as a person would, and waits for it.
    fn end(mut self) {
        let pid = self.0.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let until = Instant::now() + PATIENCE;
        while self.0.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the program does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Alerts without their time, sorted: threads of two processors may come in either order.
fn alerts(text: &str, mark: &str) -> Vec<String> {
    let mut alerts: Vec<String> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .map(|alert| {
            let output = alert["output"].as_str().unwrap();
            let message = output
                .split_once(": ")
                .map_or(output, |(_, message)| message);
            format!("{}: {message}", alert["rule"].as_str().unwrap())
        })
        .filter(|alert| alert.contains(mark) && !alert.contains("-probe"))
        .collect();
    alerts.sort();
    alerts
}

#[test]
fn the_agent_and_a_recording_say_the_same() {
    if fs::metadata("/proc/self").map_or(1, |m| std::os::unix::fs::MetadataExt::uid(&m)) != 0 {
        println!("skipped: the live sensor is only tested as root");
        return;
    }
    let vedette = env!("CARGO_BIN_EXE_vedette");
    let mark = format!("vdiff{}", std::process::id());
    let place = tempfile::tempdir().unwrap();
    let at = |name: &str| place.path().join(name);
    fs::write(at("rules.yaml"), RULES.replace("MARK", &mark)).unwrap();
    let spawn = |args: &[&str], out: &Path, said: &Path| {
        let child = Command::new(vedette)
            .args(args)
            .stdin(Stdio::null())
            .stdout(File::create(out).unwrap())
            .stderr(File::create(said).unwrap())
            .spawn()
            .unwrap();
        Ended(child)
    };
    let path = |name: &str| at(name).to_str().unwrap().to_owned();
    let (capture, rules) = (path("all.scap"), path("rules.yaml"));
    let recorder = spawn(&["record", "-w", &capture], &at("r.out"), &at("r.err"));
    let agent = spawn(
        &["agent", "-r", &rules, "-o", "json"],
        &at("a.out"),
        &at("a.err"),
    );
    let said = |name: &str| fs::read_to_string(at(name)).unwrap_or_default();
    // Both are there when the agent sees a probe and the recorder has written what was there before.
    let probe = |word: &str| {
        let _ = fs::read(at(&format!("{mark}-read-{word}-probe")));
        fs::write(at(&format!("{mark}-write-{word}-probe")), "x").unwrap();
    };
    until("the agent does not start", || {
        probe("begin");
        said("a.out").contains("begin-probe")
    });
    until("the recorder does not start", || {
        probe("begin");
        fs::metadata(&capture).is_ok_and(|file| file.len() > 4096)
    });
    let session = Command::new("sh")
        .args([
            "-c",
            SESSION,
            "session",
            place.path().to_str().unwrap(),
            &mark,
        ])
        .status()
        .unwrap();
    assert!(session.success());
    until("the agent does not follow", || {
        probe("end");
        said("a.out").contains("end-probe")
    });
    agent.end();
    recorder.end();
    let replayed = Command::new(vedette)
        .args(["replay", &capture, "-r", &rules, "-o", "json"])
        .output()
        .unwrap();
    let (live, recorded) = (
        alerts(&said("a.out"), &mark),
        alerts(&String::from_utf8(replayed.stdout).unwrap(), &mark),
    );
    for (what, name) in [("agent", "a.err"), ("recorder", "r.err")] {
        println!("{what}: {}", said(name).trim());
        assert!(
            said(name).contains(" 0 lost") || said(name).contains(" lost=0"),
            "{}",
            said(name)
        );
    }
    println!("{} alerts live, {} replayed", live.len(), recorded.len());
    assert!(live.len() >= 25, "{live:#?}");
    assert_eq!(live, recorded);
}
