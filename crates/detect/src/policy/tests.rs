//! Tables: what is decided for which facts, which scope matches what, what is refused to be read.

use std::collections::BTreeMap;

use super::drift::{Attempt, Effective, Operation, Reaction, Source};
use super::feed::Feed;
use super::respond::{Governor, PER_MINUTE, Permission, Target};
use super::scope::{Workload, for_workload, is_image};
use super::*;

fn one(text: &str) -> Arc<Policy> {
    let (mut policies, problems) = read(text, "test.yaml");
    assert!(problems.iter().all(|p| !p.fatal), "{problems:?}");
    assert_eq!(policies.len(), 1);
    Arc::new(policies.remove(0))
}

fn attempt(operation: Operation, source: Source, path: &'static str) -> Attempt<'static> {
    Attempt {
        operation,
        source,
        deleted: false,
        path,
        process: "/bin/bash",
        sha256: None,
    }
}

fn effective(policies: &[&str]) -> Effective {
    let mut feed = Feed::default();
    feed.add("xmrig a miner");
    Effective::new(policies.iter().map(|p| one(p)).collect(), Arc::new(feed))
}

const DENY: &str = "name: d\nmode: deny\ndetectors: [drift, malware]\nseverity: high\n";

#[test]
fn decisions() {
    use Operation::{Execute, Inject, Interpret, Map};
    use Reaction::{Allow, Audit, Deny};
    use Source::{Image, Memfd, Memory, Unlayered, Volume, Written};
    let audit = "name: a\nmode: audit\ndetectors: [drift]\n";
    let dry = "name: r\nmode: deny\ndry_run: true\ndetectors: [drift]\n";
    let mixed = "name: m\nmode: deny\ndetectors:\n  drift: {libraries: audit, scripts: 'off'}\n";
    let from = "name: f\nmode: deny\ndetectors:\n  drift: {from: [written, memfd]}\n";
    for (policies, operation, source, path, expected) in [
        (&[DENY][..], Execute, Image, "/bin/ls", Allow),
        (&[DENY], Execute, Unlayered, "/bin/ls", Allow),
        (&[DENY], Execute, Written, "/tmp/x", Deny),
        (&[DENY], Execute, Memory, "/dev/shm/x", Deny),
        (&[DENY], Execute, Memfd, "memfd:x", Deny),
        (&[DENY], Execute, Volume, "/data/x", Deny),
        (&[DENY], Map, Written, "/tmp/x.so", Deny),
        (&[DENY], Interpret, Written, "/tmp/x.sh", Deny),
        (&[DENY], Inject, Image, "", Deny),
        (&[DENY], Execute, Image, "/usr/bin/xmrig", Deny),
        (&[audit], Execute, Written, "/tmp/x", Audit),
        (&[dry], Execute, Written, "/tmp/x", Audit),
        (&[audit, DENY], Execute, Written, "/tmp/x", Deny),
        (&[mixed], Execute, Written, "/tmp/x", Deny),
        (&[mixed], Map, Written, "/tmp/x", Audit),
        (&[mixed], Interpret, Written, "/tmp/x", Allow),
        (&[from], Execute, Volume, "/data/x", Allow),
        (&[from], Execute, Memfd, "memfd:x", Deny),
        (&[], Execute, Memfd, "memfd:x", Allow),
    ] {
        let decision = effective(policies).decide(&attempt(operation, source, path), 0);
        assert_eq!(
            decision.reaction, expected,
            "{policies:?} {operation:?} {source:?} {path}"
        );
        assert_eq!(decision.policy.is_some(), expected > Allow);
        assert_eq!(decision.reason.is_empty(), expected == Allow);
    }
}

#[test]
fn exceptions_need_all_they_name_and_end() {
    let text = format!(
        "{DENY}exceptions:\n\
         - {{path: /opt/jit/*, process: /usr/bin/java, reason: compiles, expires: 2027-01-01}}\n\
         - {{path: /usr/local/bin/tool, reason: installed}}\n"
    );
    let effective = effective(&[&text]);
    let decide = |path, process, now| {
        let attempt = Attempt {
            process,
            ..attempt(Operation::Execute, Source::Written, path)
        };
        effective.decide(&attempt, now).reaction
    };
    let end = 1_798_761_600; // 2027-01-01
    for (path, process, now, expected) in [
        ("/opt/jit/a", "/usr/bin/java", end - 1, Reaction::Allow),
        ("/opt/jit/a", "/usr/bin/java", end, Reaction::Deny),
        ("/opt/jit/a", "/bin/sh", 0, Reaction::Deny),
        ("/opt/other", "/usr/bin/java", 0, Reaction::Deny),
        ("/usr/local/bin/tool", "/bin/sh", i64::MAX, Reaction::Allow),
        ("/usr/local/bin/tool2", "/bin/sh", 0, Reaction::Deny),
    ] {
        assert_eq!(
            decide(path, process, now),
            expected,
            "{path} {process} {now}"
        );
    }
}

fn workload() -> Workload {
    Workload {
        cluster: "prod".into(),
        host: "node-1".into(),
        namespace: "shop".into(),
        pod: "web-5d9c-x2x".into(),
        workload: "deployment/web".into(),
        container: "nginx".into(),
        id: "abc".into(),
        image: "registry.example:5000/team/nginx:1.25@sha256:00".into(),
        labels: BTreeMap::from([
            ("app".into(), "web".into()),
            ("tier".into(), "front".into()),
        ]),
    }
}

#[test]
fn scopes() {
    let with = |scope: &str| {
        let policy = one(&format!("{DENY}scope: {scope}"));
        policy.scope.matches(&workload())
    };
    for scope in [
        "{}",
        "{namespaces: [shop]}",
        "{namespaces: [kube-*, sh?p]}",
        "{workloads: [deployment/web]}",
        "{workloads: web}",
        "{images: ['team/nginx*']}",
        "{images: [registry.example:5000/team/nginx]}",
        "{containers: [nginx], hosts: ['node-*'], clusters: [prod]}",
        "{labels: 'app=web,tier in (front, back)'}",
        "{labels: {app: web}}",
        "{labels: [app, '!debug', 'tier!=db', 'x notin (a, b)']}",
    ] {
        assert!(with(scope), "{scope}");
    }
    for scope in [
        "{namespaces: [kube-system]}",
        "{workloads: [statefulset/web]}",
        "{images: [nginx]}",
        "{namespaces: [shop], containers: [redis]}",
        "{labels: 'app=db'}",
        "{labels: '!app'}",
        "{labels: 'app notin (web)'}",
    ] {
        assert!(!with(scope), "{scope}");
    }
    assert!(is_image("nginx", "docker.io/library/nginx:1"));
    assert!(is_image("nginx:1", "docker.io/library/nginx:1"));
    assert!(!is_image("nginx", "docker.io/evil/nginx:1"));
}

#[test]
fn an_image_exception_takes_the_policy_away_from_that_image_only() {
    let policy = one(&format!(
        "{DENY}exceptions: [{{image: 'team/nginx', reason: builds}}, {{image: other, path: /x, reason: r}}]"
    ));
    let policies = [policy];
    assert!(for_workload(&policies, &workload(), 0).is_empty());
    let other = Workload {
        image: "busybox".into(),
        ..workload()
    };
    let left = for_workload(&policies, &other, 0);
    assert_eq!(left.len(), 1);
    // the exception for the image `other` is none for this one
    assert!(!left[0].exceptions.iter().any(|e| e.path.is_some()));
}

#[test]
fn what_is_wrong_is_told_where_and_costs_only_itself() {
    let text = "\
- name: good
  detectors: [drift]
- name: bad
  detectors: [drfit]
- name: typo
  sevrity: high
- detectors: [drift]
- name: glob
  detectors: [drift]
  exceptions: [{path: '/a/*/b', reason: x}]
- name: no reason
  detectors: [drift]
  exceptions: [{path: /a}]
- name: date
  detectors: [drift]
  exceptions: [{path: /a, reason: x, expires: tomorrow}]
- name: action
  actions: [explode]
- name: good
  detectors: [drift]
";
    let (policies, problems) = read(text, "p.yaml");
    assert_eq!(policies.len(), 1, "{policies:?}");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for (line, part) in [
        (4, "no detector `drfit`"),
        (6, "did you mean `severity`?"),
        (7, "needs a `name`"),
        (10, "`*` at its end only"),
        (13, "needs a `reason`"),
        (16, "`expires` is a date"),
        (18, "no action `explode`"),
        (19, "already there"),
    ] {
        let head = format!("p.yaml:{line}:");
        assert!(
            told.iter()
                .any(|t| t.starts_with(&head) && t.contains(part)),
            "{line} {part}: {told:#?}"
        );
    }
}

#[test]
fn no_text_makes_the_reader_panic() {
    for text in [
        "",
        "[",
        "a: [",
        "- - -",
        "policies: {name: 3}",
        "name: [x]",
        "null",
        "scope: 1",
    ] {
        let _ = read(text, "x");
    }
}

#[test]
fn actions_spare_the_host_and_do_not_flood() {
    let policy = one("name: k\nrules: [X]\nactions: [kill_process]\n");
    let dry = one("name: k\ndry_run: true\nrules: [X]\nactions: [kill_process]\n");
    let target = |pid: u32, exe: &str, container: &str| Target {
        pid,
        started: 1,
        exe: exe.to_owned(),
        container: container.to_owned(),
        is_self: false,
    };
    let kind = ActionKind::KillProcess;
    let mut governor = Governor::default();
    let mut ask = |t: &Target, now| governor.ask(kind, &policy, t, now);
    assert!(matches!(
        ask(&target(1, "/sbin/init", ""), 0),
        Permission::Withhold(_)
    ));
    assert!(matches!(
        ask(&target(9, "/usr/bin/kubelet", ""), 0),
        Permission::Withhold(_)
    ));
    assert!(matches!(
        ask(&target(9, "/usr/sbin/sshd (deleted)", ""), 0),
        Permission::Withhold(_)
    ));
    let own = Target {
        is_self: true,
        ..target(50, "/x", "")
    };
    assert!(matches!(ask(&own, 0), Permission::Withhold(_)));
    // a name inside a container protects nobody
    assert_eq!(ask(&target(9, "/tmp/kubelet", "c1"), 0), Permission::Do);
    assert!(matches!(
        ask(&target(9, "/tmp/kubelet", "c1"), 5),
        Permission::Withhold(_)
    ));
    assert_eq!(ask(&target(9, "/tmp/kubelet", "c1"), 61), Permission::Do);
    for pid in 100..100 + PER_MINUTE {
        ask(&target(pid, "/x", "c"), 120);
    }
    assert!(matches!(
        ask(&target(999, "/x", "c"), 121),
        Permission::Withhold(_)
    ));
    assert_eq!(ask(&target(999, "/x", "c"), 180), Permission::Do);
    let mut governor = Governor::default();
    assert_eq!(
        governor.ask(kind, &dry, &target(7, "/x", "c"), 0),
        Permission::DryRun
    );
    assert!(matches!(
        governor.ask(ActionKind::KillContainer, &policy, &target(7, "/x", ""), 0),
        Permission::Withhold(_)
    ));
}
