//! Findings over recorded scenarios against the table derived from their commands, and none over benign traffic.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use shared::{conformance, files, for_each_record, stem};
use vedette_audit::Source;
use vedette_audit::findings::{Detector, Findings, Origin};
use vedette_audit::lists::Lists;

/// Findings in a file, by type and subject, with their counts.
fn findings(path: &Path) -> BTreeMap<(String, String), u64> {
    let origin = Origin::default();
    let mut detector = Detector::new(origin.clone(), Lists::new());
    let mut findings = Findings::default();
    let mut hits = Vec::new();
    for_each_record(path, Source::K8sAudit, |record| {
        detector.observe(record, &mut hits);
        for hit in hits.drain(..) {
            findings.add(&origin, hit);
        }
    });
    findings
        .sorted()
        .into_iter()
        .map(|finding| {
            let key = (finding.hit.kind.clone(), finding.hit.subject.clone());
            (key, finding.count)
        })
        .collect()
}

#[test]
fn scenarios_give_exactly_the_findings_of_the_table() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    let mut got = String::new();
    let mut scenarios = 0;
    for file in files(&folder, ".jsonl") {
        scenarios += 1;
        for ((kind, subject), count) in findings(&file) {
            writeln!(got, "{}\t{kind}\t{subject}\t{count}", stem(&file)).unwrap();
        }
    }
    println!("{scenarios} scenarios, {} findings", got.lines().count());
    let table = include_str!("data/scenario_findings.tsv");
    let expected: String = table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .fold(String::new(), |all, line| all + line + "\n");
    assert_eq!(got, expected);
}

/// The scenarios as an audit policy would record them that keeps fewer members of each event.
fn leaner(folder: &Path, dropped: &[&str]) -> Vec<String> {
    let mut got = Vec::new();
    for file in files(folder, ".jsonl") {
        let text: Vec<String> = std::fs::read_to_string(&file)
            .unwrap()
            .lines()
            .map(|line| {
                let mut event: serde_json::Value = serde_json::from_str(line).unwrap();
                for member in dropped {
                    event.as_object_mut().unwrap().remove(*member);
                }
                event.to_string()
            })
            .collect();
        let mut detector = Detector::new(Origin::default(), Lists::new());
        let mut hits = Vec::new();
        vedette_audit::Splitter::new(None).feed(text.join("\n").as_bytes(), true, &mut |record| {
            detector.observe(record.unwrap(), &mut hits);
        });
        got.extend(
            hits.iter()
                .map(|hit| format!("{}\t{}\t{}", stem(&file), hit.kind, hit.subject)),
        );
    }
    got.sort();
    got.dedup();
    got
}

#[test]
fn leaner_policies_lose_only_what_they_do_not_record() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    let full = leaner(&folder, &[]);
    let lost = |dropped: &[&str]| -> Vec<String> {
        let kept = leaner(&folder, dropped);
        assert!(kept.iter().all(|hit| full.contains(hit)));
        full.iter()
            .filter(|hit| !kept.contains(hit))
            .cloned()
            .collect()
    };
    // Level Request: the role of a binding that is only patched is not in the patch.
    assert_eq!(
        lost(&["responseObject"]),
        [
            "binding_patch_add_subject\tPolicy:Kubernetes/AdminAccessToDefaultServiceAccount\tclusterrolebindings /existing"
        ]
    );
    // Level Metadata: who did what to which object, but nothing of what is in it.
    let kept = leaner(&folder, &["requestObject", "responseObject"]);
    let kinds: std::collections::BTreeSet<&str> = kept
        .iter()
        .map(|hit| hit.split('\t').nth(1).unwrap())
        .collect();
    assert_eq!(
        kinds.into_iter().collect::<Vec<_>>(),
        [
            "CredentialAccess:Kubernetes/SuccessfulAnonymousAccess",
            "Discovery:Kubernetes/SuccessfulAnonymousAccess",
            "Execution:Kubernetes/ExecInKubeSystemPod",
            "Persistence:Kubernetes/SuccessfulAnonymousAccess",
        ]
    );
}

#[test]
fn background_traffic_gives_no_finding() {
    let Some(folder) = conformance("k8s_audit/background") else {
        return;
    };
    let mut records = 0;
    for file in files(&folder, ".jsonl") {
        for_each_record(&file, Source::K8sAudit, |_| records += 1);
        assert_eq!(findings(&file), BTreeMap::new(), "{}", stem(&file));
    }
    println!("{records} records");
}

#[test]
fn a_benign_installation_gives_no_finding() {
    let Some(file) = conformance("k8s_audit_benign/audit-logs.csv") else {
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let events: Vec<String> = text.lines().filter_map(shared::benign_event).collect();
    let mut detector = Detector::new(Origin::default(), Lists::new());
    let mut hits = Vec::new();
    let mut splitter = vedette_audit::Splitter::new(Some(Source::K8sAudit));
    splitter.feed(events.join("\n").as_bytes(), true, &mut |record| {
        detector.observe(record.unwrap(), &mut hits);
    });
    println!("{} of {} records", splitter.records(), text.lines().count());
    assert!(splitter.records() > 16_000);
    let kinds: Vec<&str> = hits.iter().map(|hit| hit.kind.as_str()).collect();
    assert_eq!(kinds, Vec::<&str>::new());
}

#[test]
fn retries_and_stages_count_once_and_chosen_ids_hide_nothing() {
    let exec = |id: &str, stage: &str, received: &str| {
        format!(
            r#"{{"auditID":"{id}","stage":"{stage}","verb":"get","requestURI":"/api/v1/namespaces/kube-system/pods/p/exec?command=id","user":{{"username":"u"}},"objectRef":{{"resource":"pods","subresource":"exec","namespace":"kube-system","name":"p"}},"responseStatus":{{"code":101}},"requestReceivedTimestamp":"{received}","stageTimestamp":"2026-11-21T21:39:13Z"}}"#
        )
    };
    let (first, second) = ("2026-11-21T21:39:12.000001Z", "2026-11-21T21:39:12.000002Z");
    let input = [
        exec("a", "ResponseStarted", first),
        exec("a", "ResponseComplete", first),
        exec("a", "ResponseStarted", first),
        // The id is the client's to choose (header Audit-ID); the time of receipt is not.
        exec("a", "ResponseStarted", second),
    ]
    .join("\n");
    let mut detector = Detector::new(Origin::default(), Lists::new());
    let mut hits = Vec::new();
    vedette_audit::Splitter::new(None).feed(input.as_bytes(), true, &mut |record| {
        detector.observe(record.unwrap(), &mut hits);
    });
    assert_eq!(hits.len(), 2);
}

#[test]
fn the_seven_findings_of_the_workshop_fire_on_the_recorded_commands() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    // The recorded calls come from loopback; the three calls through Tor are the same calls from a Tor exit.
    let exit = "203.0.113.50";
    let mut lists = Lists::new();
    let (entries, _) = vedette_audit::lists::parse(
        vedette_audit::lists::Format::Txt,
        format!("ExitAddress {exit} 2026-11-21 00:00:00\n").as_bytes(),
    );
    lists.add(vedette_audit::lists::List::new(
        "exits",
        vedette_audit::lists::ListKind::Tor,
        entries,
    ));
    let mut detector = Detector::new(Origin::default(), lists);
    let mut kinds = std::collections::BTreeSet::new();
    for (scenario, through_tor) in [
        ("dashboard_loadbalancer", false),
        ("exec_kube_system_pod", false),
        ("bind_via_rolebinding_cluster_admin", false),
        ("bind_system_anonymous", false),
        ("secrets_get_all_namespaces", true),
        ("object_create_delete_all_kinds", true),
        ("create_nginx_pod_service", true),
    ] {
        let mut text = std::fs::read_to_string(folder.join(format!("{scenario}.jsonl"))).unwrap();
        if through_tor {
            text = text.replace(
                "\"sourceIPs\":[\"127.0.0.1\"]",
                &format!("\"sourceIPs\":[\"{exit}\"]"),
            );
        }
        let mut hits = Vec::new();
        vedette_audit::Splitter::new(None).feed(text.as_bytes(), true, &mut |record| {
            detector.observe(record.unwrap(), &mut hits);
        });
        kinds.extend(hits.into_iter().map(|hit| hit.kind));
    }
    for kind in [
        "Policy:Kubernetes/ExposedDashboard",
        "Execution:Kubernetes/ExecInKubeSystemPod",
        "Policy:Kubernetes/AdminAccessToDefaultServiceAccount",
        "Policy:Kubernetes/AnonymousAccessGranted",
        "CredentialAccess:Kubernetes/TorIPCaller",
        "Impact:Kubernetes/TorIPCaller",
        "Discovery:Kubernetes/TorIPCaller",
    ] {
        assert!(kinds.contains(kind), "{kind} is not in {kinds:?}");
    }
}

#[test]
fn only_the_peer_address_counts_because_the_others_are_the_clients_words() {
    let Some(folder) = conformance("k8s_audit") else {
        return;
    };
    let mut lists = Lists::new();
    let (entries, _) =
        vedette_audit::lists::parse(vedette_audit::lists::Format::Txt, b"198.51.100.0/24\n");
    lists.add(vedette_audit::lists::List::new(
        "l",
        vedette_audit::lists::ListKind::Custom,
        entries,
    ));
    let mut detector = Detector::new(Origin::default(), lists);
    let mut hits = Vec::new();
    for_each_record(
        &folder.join("xforwarded_for_header.jsonl"),
        Source::K8sAudit,
        |record| {
            detector.observe(record, &mut hits);
        },
    );
    assert!(hits.is_empty(), "{hits:?}");
}
