//! Acts against controls, and steps against sets of controls.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::act::{Act, Namespaces, Past, namespaces};
use crate::control::{Answer, CONTROLS, by_id};
use crate::judge::{Found, Verdict, judge};

/// An act of root in a container. A dropped file was written to /tmp by the same.
fn act(left: bool, dropped: bool, fields: &Json) -> Act {
    act_of(left, dropped.then(|| {
        act(false, false, &json!({"evt.type": "openat", "fd.name": "/tmp/x", "evt.is_open_write": true, "fd.is_upper_layer": true}))
    }), fields)
}

fn act_of(left: bool, written: Option<Act>, fields: &Json) -> Act {
    let mut all: BTreeMap<String, Json> = fields
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    all.entry("container.id".to_owned()).or_insert(json!("c1"));
    all.entry("user.uid".to_owned()).or_insert(json!(0));
    let past = Past {
        left: Namespaces::all(left),
        written,
        connected: true,
    };
    Act::of(&all, &[], past)
}

fn shadow() -> Act {
    act(
        false,
        false,
        &json!({"evt.type": "openat", "fd.name": "/etc/shadow", "evt.is_open_write": false}),
    )
}

fn dropped_tool() -> Act {
    act(
        false,
        true,
        &json!({"evt.type": "execve", "evt.res": "ENOEXEC", "evt.arg.filename": "/bin/hello"}),
    )
}

fn escape() -> Act {
    act(
        false,
        false,
        &json!({"evt.type": "setns", "fd.name": "/proc/1/ns/mnt", "evt.arg.nstype": "0"}),
    )
}

/// Ids of the controls that stop an act, and of those that cannot tell.
fn answers(act: &Act) -> (Vec<&'static str>, Vec<&'static str>) {
    let of = |wanted: fn(&Answer) -> bool| {
        CONTROLS
            .iter()
            .filter(|control| wanted(&control.answer(act)))
            .map(|control| control.id)
            .collect()
    };
    (
        of(|answer| matches!(answer, Answer::Stops { .. })),
        of(|answer| matches!(answer, Answer::Unknown { .. })),
    )
}

#[test]
fn each_act_is_refused_by_the_controls_that_bear_on_it() {
    let write = |path: &str, upper: Option<bool>| {
        let mut fields = json!({"evt.type": "openat", "fd.name": path, "evt.is_open_write": true});
        if let Some(upper) = upper {
            fields["fd.is_upper_layer"] = json!(upper);
        }
        fields
    };
    let connect =
        |ip: &str, port: u16| json!({"evt.type": "connect", "fd.sip": ip, "fd.sport": port});
    let table: &[(&str, Act, &[&str], &[&str])] = &[
        (
            "reads shadow",
            shadow(),
            &["pss-restricted", "run-as-non-root"],
            &[],
        ),
        (
            "reads shadow as somebody",
            act(
                false,
                false,
                &json!({"evt.type": "openat", "fd.name": "/etc/shadow", "user.uid": 1000}),
            ),
            &[],
            &[],
        ),
        (
            "writes a program",
            act(false, false, &write("/bin/hello", Some(true))),
            &["pss-restricted", "read-only-root", "run-as-non-root"],
            &[],
        ),
        (
            "writes where nobody knows the owner",
            act(false, false, &write("/data/x", None)),
            &[],
            &["pss-restricted", "read-only-root", "run-as-non-root"],
        ),
        (
            "runs a dropped file",
            dropped_tool(),
            &["drift-prevention", "read-only-root"],
            &[],
        ),
        (
            "runs a dropped file on the host",
            act_of(
                true,
                Some(act(true, false, &write("/usr/bin/crictl", Some(true)))),
                &json!({"evt.type": "execve", "evt.res": "SUCCESS", "proc.exepath": "/usr/bin/crictl"}),
            ),
            // only root may write there in the first place
            &["pss-restricted", "run-as-non-root"],
            &[],
        ),
        (
            "enters the host",
            escape(),
            &[
                "drop-capabilities",
                "no-host-pid",
                "no-privileged",
                "pss-baseline",
                "pss-restricted",
                "run-as-non-root",
            ],
            &[],
        ),
        (
            "asks the metadata service",
            act(false, false, &connect("169.254.169.254", 80)),
            &["egress-policy"],
            &["metadata-hop-limit"],
        ),
        (
            "hears from the metadata service",
            act(
                false,
                false,
                &json!({"evt.type": "read", "fd.sip": "169.254.169.254", "fd.sport": 80}),
            ),
            &["egress-policy", "metadata-hop-limit"],
            &[],
        ),
        (
            "asks the metadata service from the host's network",
            act(true, false, &connect("169.254.169.254", 80)),
            &[],
            &[],
        ),
        (
            "asks for a name",
            act(false, false, &connect("10.96.0.10", 53)),
            &[],
            &[],
        ),
        (
            "talks to a pool",
            act(false, false, &connect("192.0.2.7", 3333)),
            &["egress-policy"],
            &[],
        ),
        (
            "reads the token",
            act(
                false,
                false,
                &json!({"evt.type": "openat", "fd.name": "/var/run/secrets/kubernetes.io/serviceaccount/token"}),
            ),
            &["least-privilege-rbac", "no-service-account-token"],
            &[],
        ),
        (
            "loads a module",
            act(false, false, &json!({"evt.type": "finit_module"})),
            &[
                "drop-capabilities",
                "no-privileged",
                "pss-baseline",
                "pss-restricted",
                "run-as-non-root",
            ],
            &[],
        ),
        (
            "changes an owner",
            act(false, false, &json!({"evt.type": "fchownat"})),
            &["drop-capabilities", "pss-restricted", "run-as-non-root"],
            &[],
        ),
    ];
    for (name, act, stopped, unknown) in table {
        let (stops, unknowns) = answers(act);
        assert_eq!(stops, *stopped, "{name}");
        assert_eq!(unknowns, *unknown, "{name}");
    }
    // nothing binds what is on the host anyway
    let host = act(
        false,
        true,
        &json!({"evt.type": "execve", "container.id": "host", "proc.exepath": "/tmp/x"}),
    );
    assert_eq!(answers(&host), (vec![], vec![]));
}

#[test]
fn controls_are_sorted_and_found_by_id() {
    let ids: Vec<&str> = CONTROLS.iter().map(|control| control.id).collect();
    assert!(ids.is_sorted(), "{ids:?}");
    assert_eq!(by_id("pss-restricted").unwrap().id, "pss-restricted");
    assert!(by_id("pss").is_none());
}

#[test]
fn namespaces_are_told_by_flags_or_by_the_file() {
    let of = |mount, pid, network| Namespaces {
        mount,
        pid,
        network,
    };
    assert_eq!(namespaces("CLONE_NEWNS", ""), of(true, false, false));
    assert_eq!(
        namespaces("CLONE_NEWPID|CLONE_NEWNET", "p"),
        of(false, true, true)
    );
    assert_eq!(namespaces("0", "/proc/1/ns/mnt"), of(true, false, false));
    assert_eq!(namespaces("", "/proc/1/ns/uts"), of(false, false, false));
    assert_eq!(namespaces("CLONE_NEWUTS", ""), of(false, false, false));
    assert_eq!(namespaces("0", ""), of(true, true, true));
}

#[test]
fn a_step_falls_with_what_it_needs() {
    let (shadow, tool, escape) = ([shadow()], [dropped_tool()], [escape()]);
    let steps = [
        Found {
            id: 1,
            needs: &[],
            evidence: vec![("reads", &shadow)],
        },
        Found {
            id: 2,
            needs: &[],
            evidence: vec![("enters", &escape)],
        },
        Found {
            id: 3,
            needs: &[2],
            evidence: vec![("runs", &tool)],
        },
        Found {
            id: 4,
            needs: &[3],
            evidence: vec![("reads", &[])],
        },
    ];
    let words = |ids: &[&str]| -> Vec<&'static str> {
        let controls: Vec<_> = ids.iter().map(|id| by_id(id).unwrap()).collect();
        judge(&steps, &controls).iter().map(Verdict::word).collect()
    };
    assert_eq!(
        words(&[]),
        ["not stopped", "not stopped", "not stopped", "unknown"]
    );
    assert_eq!(
        words(&["run-as-non-root"]),
        ["stopped", "stopped", "not reached", "not reached"]
    );
    assert_eq!(
        words(&["pss-baseline"]),
        ["not stopped", "stopped", "not reached", "not reached"]
    );
    assert_eq!(
        words(&["pss-baseline", "drift-prevention"]),
        ["not stopped", "stopped", "not reached", "not reached"]
    );
    assert_eq!(
        words(&["drift-prevention"]),
        ["not stopped", "not stopped", "stopped", "not reached"]
    );
    assert_eq!(
        words(&["read-only-root"]),
        ["not stopped", "not stopped", "stopped", "not reached"]
    );
    assert_eq!(
        words(&["egress-policy"]),
        ["not stopped", "not stopped", "not stopped", "unknown"]
    );
}

#[test]
fn every_way_that_would_have_done_must_be_refused() {
    let tmp = act(
        false,
        false,
        &json!({"evt.type": "openat", "fd.name": "/tmp/x", "evt.is_open_write": true}),
    );
    let both = [shadow(), tmp];
    let steps = [Found {
        id: 1,
        needs: &[],
        evidence: vec![("gets at it", &both)],
    }];
    let verdicts = judge(&steps, &[by_id("run-as-non-root").unwrap()]);
    assert_eq!(verdicts, [Verdict::NotStopped]);
}
