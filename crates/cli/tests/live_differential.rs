//! What the agent says while something happens, what a recording of it says afterwards, and what is true: all the same.
//!
//! The agent's kernel side holds back what its rules cannot match; the recorder's holds back nothing. Needs root.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what ran"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
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
  condition: evt.type in (open, openat, openat2) and evt.is_open_read=true and fd.num>=0 and fd.name contains MARK and fd.name contains -read
- rule: writing
  desc: d
  priority: NOTICE
  output: "%fd.name %evt.arg.flags %proc.name"
  condition: evt.type in (open, openat, openat2) and evt.is_open_write=true and fd.num>=0 and fd.name contains MARK and fd.name contains -write
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
- rule: served
  desc: d
  priority: NOTICE
  output: "%evt.type %fd.name %fd.is_server %proc.name"
  condition: evt.type in (accept, accept4) and evt.rawres>=0 and proc.cmdline contains MARK
- rule: birth
  desc: d
  priority: NOTICE
  output: "%evt.type %proc.name %proc.pname %proc.cmdline"
  condition: evt.type in (clone, clone3, fork, vfork) and proc.cmdline contains MARK
- rule: end
  desc: d
  priority: NOTICE
  output: "%proc.name %proc.pname %proc.aname[2] %evt.arg.ret %proc.cmdline"
  condition: evt.type=procexit and proc.cmdline contains MARK
"#;

/// A shell session with files, pipes, programs, links. `$1` is the marked directory.
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

/// Clients of the web server, and requests of each.
const CLIENTS: usize = 4;
const REQUESTS: usize = 150;

/// What happens. Each is told the directory in which it works, whose path carries the mark, and the mark. `false`, with
/// one line, when the machine lacks what it takes.
type Workload = fn(&Path, &str) -> bool;
const WORKLOADS: [(&str, Workload); 4] = [
    ("a shell session", session),
    ("a web server under load", web),
    ("a build", build),
    ("the installation of a package", package),
];

fn has(program: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(program).is_file()));
    if !found {
        println!("skipped: {program} is not installed");
    }
    found
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn session(dir: &Path, mark: &str) -> bool {
    run(Command::new("sh")
        .args(["-c", SESSION, "session"])
        .arg(dir)
        .arg(mark));
    true
}

fn web(dir: &Path, mark: &str) -> bool {
    if !has("busybox") {
        return false;
    }
    let page = format!("{mark}-read.html");
    fs::write(dir.join(&page), "x".repeat(20_000)).unwrap();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let server = Command::new("busybox")
        .args(["httpd", "-f", "-p", &format!("127.0.0.1:{port}"), "-h"])
        .arg(dir)
        .stdin(Stdio::null())
        .spawn();
    let server = Ended(server.unwrap());
    until("the web server does not answer", || {
        TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    let request = format!("GET /{page} HTTP/1.0\r\n\r\n");
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let request = request.clone();
            std::thread::spawn(move || {
                for _ in 0..REQUESTS {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = Vec::new();
                    let _ = stream.read_to_end(&mut answer);
                    assert!(answer.len() > 20_000, "{}", answer.len());
                }
            })
        })
        .collect();
    let url = format!("http://127.0.0.1:{port}/{page}");
    for _ in 0..10 {
        run(Command::new("busybox").args(["wget", "-q", "-O", "/dev/null", &url]));
    }
    for client in clients {
        client.join().unwrap();
    }
    server.end();
    true
}

fn build(dir: &Path, mark: &str) -> bool {
    if !has("make") || !has("cc") {
        return false;
    }
    let (mut objects, mut calls, mut names) = (String::new(), String::new(), String::new());
    for n in 0..4 {
        let source = format!("int part_{n}(int x) {{ return x * {n}; }}\n");
        fs::write(dir.join(format!("{mark}-read-{n}.c")), source).unwrap();
        objects += &format!(" {mark}-write-{n}.o");
        calls += &format!(" + part_{n}({n})");
        names += &format!("int part_{n}(int);\n");
    }
    let main = format!("{names}int main(void) {{ return 0{calls} == 14 ? 0 : 1; }}\n");
    fs::write(dir.join(format!("{mark}-read-main.c")), main).unwrap();
    let makefile = format!(
        "{mark}-program: {mark}-write-main.o{objects}\n\tcc -o $@ $^\n\t./$@\n\
         {mark}-write-%.o: {mark}-read-%.c\n\tcc -c -o $@ $<\n"
    );
    fs::write(dir.join("Makefile"), makefile).unwrap();
    run(Command::new("make").args(["-j2", "-C"]).arg(dir));
    true
}

fn package(dir: &Path, mark: &str) -> bool {
    if !has("dpkg") || !has("dpkg-deb") {
        return false;
    }
    let (tree, root) = (dir.join("tree"), dir.join("installed"));
    for part in ["DEBIAN", "opt"] {
        fs::create_dir_all(tree.join(part)).unwrap();
    }
    for part in ["info", "updates", "triggers"] {
        fs::create_dir_all(root.join("var/lib/dpkg").join(part)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let control = format!(
        "Package: {mark}-read\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\n\
         Description: a test\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    let script = tree.join("DEBIAN/postinst");
    let text = format!("#!/bin/sh\necho done > \"$DPKG_ROOT/opt/{mark}-write-postinst\"\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(tree.join(format!("opt/{mark}-write-file")), "x").unwrap();
    let deb = dir.join("package.deb");
    run(Command::new("dpkg-deb").arg("-b").arg(&tree).arg(&deb));
    run(Command::new("dpkg")
        .arg(format!("--root={}", root.display()))
        .args(["--force-script-chrootless", "--log=/dev/null", "-i"])
        .arg(&deb));
    assert!(root.join(format!("opt/{mark}-write-postinst")).exists());
    true
}

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

/// Alerts that only one side has, with how many of each there are.
fn differences(live: &[String], recorded: &[String]) -> Vec<(i64, String)> {
    let mut count: BTreeMap<&String, i64> = BTreeMap::new();
    for alert in live {
        *count.entry(alert).or_default() += 1;
    }
    for alert in recorded {
        *count.entry(alert).or_default() -= 1;
    }
    count.retain(|_, more| *more != 0);
    count
        .into_iter()
        .map(|(alert, more)| (more, alert.clone()))
        .collect()
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
    // The shipped rules look at the same: what of them speaks of the marked files is compared too.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules/syscall");
    let shipped = shipped.to_str().unwrap();
    let judged = ["-r", shipped, "-r", &rules, "-o", "json", "--all"];
    let recorder = spawn(&["record", "-w", &capture], &at("r.out"), &at("r.err"));
    let agent = spawn(
        &[&["agent"], &judged[..]].concat(),
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
    let mut done = Vec::new();
    for (n, (what, work)) in WORKLOADS.into_iter().enumerate() {
        // A mark of its own, so that alerts can be counted by workload.
        let mark = format!("{mark}.{n}");
        let dir = at(&format!("{mark}-place"));
        fs::create_dir(&dir).unwrap();
        if work(&dir, &mark) {
            done.push((what, mark));
        }
    }
    until("the agent does not follow", || {
        probe("end");
        said("a.out").contains("end-probe")
    });
    agent.end();
    recorder.end();
    let replayed = Command::new(vedette)
        .args(["replay", &capture])
        .args(judged)
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
    for (what, mark) in &done {
        let of = |alerts: &[String]| alerts.iter().filter(|a| a.contains(mark.as_str())).count();
        println!(
            "{what}: {} alerts live, {} replayed",
            of(&live),
            of(&recorded)
        );
        assert!(of(&live) >= 20, "{what}: {live:#?}");
    }
    let differ = differences(&live, &recorded);
    assert!(
        differ.is_empty(),
        "{} alerts differ (1: only live, -1: only in the recording): {:#?}",
        differ.len(),
        &differ[..differ.len().min(40)]
    );
}
