//! `vedette netpol` as its users and CI files call it: answers, lines of JSON, exit codes.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const WORLD: &str = "\
{apiVersion: v1, kind: Namespace, metadata: {name: x}}
---
{apiVersion: v1, kind: Pod, metadata: {name: a, namespace: x, labels: {pod: a}}, spec: {containers: [{name: c, ports: [{containerPort: 80, name: web}]}]}, status: {podIP: 10.0.0.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: x, labels: {pod: b}}, spec: {containers: [{name: c}]}, status: {podIP: 10.0.0.2}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: only-b, namespace: x}
spec:
  podSelector: {matchLabels: {pod: a}}
  ingress:
  - from: [{podSelector: {matchLabels: {pod: b}}}]
    ports: [{port: web}]
";

/// Runs the binary with `input` on standard input, which every call here reads its manifests from.
fn run(args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vedette"))
        .arg("netpol")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A file for one test, removed afterwards.
struct File(std::path::PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("vedette-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn one_question_is_explained() {
    let out = run(&["check", "-f", "-", "x/b", "x/a:web"], WORLD);
    assert_eq!(out.status.code(), Some(0));
    let said = text(&out.stdout);
    assert!(said.starts_with("ALLOWED: x/b -> x/a TCP web\n"), "{said}");
    assert!(
        said.contains("NetworkPolicy x/only-b ingress[0] allows it")
            && said.contains("<stdin>:13:"),
        "{said}"
    );
    let out = run(
        &[
            "check",
            "-f",
            "-",
            "192.0.2.1",
            "x/a:80",
            "--expect",
            "allowed",
        ],
        WORLD,
    );
    assert_eq!(out.status.code(), Some(1));
    let out = run(&["check", "-f", "-", "x/nobody", "x/a:80"], WORLD);
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn a_batch_answers_line_by_line() {
    let probes = File::new(
        "probes.jsonl",
        concat!(
            "{\"from\":\"x/b\",\"to\":\"x/a\",\"port\":80,\"protocol\":\"TCP\",\"expect\":true}\n",
            "{\"from\":\"10.0.0.1\",\"to\":\"x/a\",\"port\":\"web\",\"protocol\":\"tcp\"}\n",
            "{\"from\":\"192.0.2.1\",\"to\":\"10.0.0.1\",\"port\":80,\"protocol\":\"TCP\",\"expect\":\"denied\"}\n",
        ),
    );
    let out = run(
        &["check", "-f", "-", "--batch", probes.path(), "-o", "json"],
        WORLD,
    );
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let lines: Vec<serde_json::Value> = text(&out.stdout)
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["allowed"], true);
    assert_eq!(
        lines[0]["by"],
        "NetworkPolicy x/only-b ingress[0] (from[0], ports[0])"
    );
    assert_eq!(lines[0]["ok"], true);
    assert_eq!(lines[1]["allowed"], false);
    assert_eq!(lines[2]["allowed"], false);
    assert_eq!(lines[2]["ingress"]["allowed"], false);
    assert_eq!(lines[2]["egress"]["allowed"], true);

    let failing = File::new(
        "failing.jsonl",
        "{\"from\":\"x/a\",\"to\":\"x/b\",\"port\":1,\"expect\":false}\n",
    );
    let out = run(
        &["check", "-f", "-", "--batch", failing.path(), "-o", "json"],
        WORLD,
    );
    assert_eq!(out.status.code(), Some(1));
    let broken = File::new(
        "broken.jsonl",
        "nonsense\n{\"from\":\"x/a\",\"to\":\"x/b\",\"port\":1}\n",
    );
    let out = run(
        &["check", "-f", "-", "--batch", broken.path(), "-o", "json"],
        WORLD,
    );
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(text(&out.stdout).lines().count(), 2, "the rest is answered");
}

#[test]
fn bad_input_is_named_and_the_rest_answers() {
    let bad = format!(
        "{WORLD}---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: bad, namespace: x}}\nspec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{cidr: nonsense}}}}]}}]}}\n"
    );
    let out = run(&["list", "-f", "-"], &bad);
    assert_eq!(out.status.code(), Some(2));
    let said = text(&out.stderr);
    assert!(
        said.contains("error: <stdin>:19:")
            && said.contains("spec.ingress[0].from[0].ipBlock.cidr: expected a CIDR block"),
        "{said}"
    );
    assert!(text(&out.stdout).contains("x/b[Pod] => x/a[Pod] : TCP 80"));
    let out = run(&["list", "-f", "/does/not/exist"], "");
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn maps_come_in_five_forms() {
    for (form, expected) in [
        ("text", "x/b[Pod] => x/a[Pod] : TCP 80"),
        ("csv", "src,dst,conn"),
        ("json", "\"conn\": \"TCP 80\""),
        ("dot", "\"x/b[Pod]\" -> \"x/a[Pod]\" [label=\"TCP 80\"];"),
        ("mermaid", "flowchart LR"),
    ] {
        let out = run(&["list", "-f", "-", "-o", form], WORLD);
        assert_eq!(out.status.code(), Some(0));
        assert!(
            text(&out.stdout).contains(expected),
            "{form}: {}",
            text(&out.stdout)
        );
    }
}

#[test]
fn flows_are_generated_from_and_replayed() {
    let world = File::new("world.yaml", WORLD);
    let flow = "{\"source\":\"x/b\",\"destination\":\"x/a\",\"port\":80,\"protocol\":\"TCP\"}\n";
    let out = run(
        &[
            "generate",
            "-",
            "-f",
            world.path(),
            "--direction",
            "ingress",
        ],
        flow,
    );
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    let policy = text(&out.stdout);
    assert!(
        policy.contains("name: \"a-ingress\"") && policy.contains("port: 80"),
        "{policy}"
    );

    let deny = File::new(
        "deny.yaml",
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: deny, namespace: x}\nspec: {podSelector: {}, policyTypes: [Egress]}\n",
    );
    let out = run(
        &[
            "what-if",
            "-",
            "-f",
            world.path(),
            "--add",
            deny.path(),
            "--exit-code",
        ],
        flow,
    );
    assert_eq!(out.status.code(), Some(1));
    assert!(
        text(&out.stdout).contains("newly denied: x/b -> x/a TCP 80"),
        "{}",
        text(&out.stdout)
    );
    let out = run(
        &["what-if", "-", "-f", world.path(), "--remove", "x/only-b"],
        "{\"source\":\"192.0.2.1\",\"destination\":\"x/a\",\"port\":80}\n",
    );
    assert!(
        text(&out.stdout).contains("newly allowed"),
        "{}",
        text(&out.stdout)
    );

    let out = run(&["diff", world.path(), deny.path(), "--exit-code"], "");
    assert_eq!(out.status.code(), Some(1));
    let out = run(
        &["lint", "-f", deny.path(), "-f", world.path(), "-o", "sarif"],
        "",
    );
    assert!(text(&out.stdout).contains("\"ruleId\": \"dns-cut\""));
}
