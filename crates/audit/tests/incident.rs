//! One intruder's way through system calls, the API server and the cloud is one incident, with its steps in order.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vedette_audit::Splitter;
use vedette_audit::findings::{Analysis, Finding, Setup, Signal};
use vedette_audit::time::{SECOND, parse_rfc3339};
use vedette_event::{Finding as Wire, Priority};

fn at(minute: u64) -> u64 {
    parse_rfc3339(b"2026-11-21T10:00:00Z").unwrap() + minute * 60 * SECOND
}

/// A finding of the system call engine in the pod `dev/web` on node `n1`.
fn syscall(minute: u64, rule: &str, tactic: &str, priority: Priority) -> Wire {
    Wire {
        id: format!("s{minute}"),
        time: at(minute),
        source: "syscall".to_owned(),
        rule: rule.to_owned(),
        priority,
        message: format!("{rule} (command=…)"),
        tags: vec![format!("mitre_{tactic}")],
        node: "n1".to_owned(),
        fields: BTreeMap::from([
            ("k8s.ns.name".to_owned(), json!("dev")),
            ("k8s.pod.name".to_owned(), json!("web")),
            ("container.id".to_owned(), json!("c1")),
        ]),
        lineage: Vec::new(),
        why: None,
        policy: None,
        actions: Vec::new(),
        lost: 0,
    }
}

fn audit(
    minute: u64,
    user: &str,
    verb: &str,
    place: (&str, &str, &str, &str),
    more: &Value,
) -> String {
    let (resource, sub, namespace, name) = place;
    let stamp = format!("2026-11-21T10:{minute:02}:00.000001Z");
    let mut event = json!({
        "auditID": format!("a{minute}"), "stage": "ResponseComplete", "verb": verb,
        "requestURI": format!("/api/v1/namespaces/{namespace}/{resource}/{name}/{sub}?command=sh&command=-i"),
        "user": {"username": user}, "sourceIPs": ["10.0.0.9"],
        "objectRef": {"resource": resource, "subresource": sub, "namespace": namespace, "name": name},
        "responseStatus": {"code": if sub == "exec" { 101 } else { 201 }},
        "requestReceivedTimestamp": stamp, "stageTimestamp": stamp,
    });
    for (key, value) in more.as_object().unwrap() {
        event[key] = value.clone();
    }
    event.to_string()
}

fn observe(analysis: &mut Analysis, line: &str, told: &mut Vec<Finding>) {
    Splitter::new(None).feed(line.as_bytes(), true, &mut |record| {
        analysis.observe(record.unwrap(), &mut |_, finding| {
            told.push(finding.clone());
        });
    });
}

#[test]
fn ten_steps_through_three_engines_are_one_incident() {
    let mut analysis = Analysis::new(Setup::default());
    let mut told = Vec::new();
    let account = "system:serviceaccount:dev:web";
    // Somebody else's everyday finding on the same node, which must stay out.
    let mut other = syscall(
        1,
        "Terminal shell in container",
        "execution",
        Priority::Notice,
    );
    other
        .fields
        .insert("k8s.pod.name".to_owned(), json!("other"));
    other.fields.insert("container.id".to_owned(), json!("c2"));
    analysis.signal(Signal::of_wire(&other), at(1), &mut |_, _| {});

    // 1-4: the web server is broken into, looked around in, a tool brought and started.
    for (minute, rule, tactic) in [
        (2, "Server spawned a shell", "initial_access"),
        (3, "Search for secrets", "discovery"),
        (4, "Tool fetched from outside", "command_and_control"),
        (5, "Dropped binary executed", "execution"),
    ] {
        let finding = syscall(minute, rule, tactic, Priority::Warning);
        let mut signalled = |_, finding: &Finding| told.push(finding.clone());
        analysis.signal(Signal::of_wire(&finding), at(minute), &mut signalled);
    }
    // 5-7: the pod's token is used against the API server.
    let pod = json!({"user": {"username": account, "extra": {"authentication.kubernetes.io/pod-name": ["web"]}}});
    let mut grant = pod.clone();
    grant["responseObject"] = json!({"kind": "ClusterRoleBinding", "roleRef": {"name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "dev"}]});
    observe(
        &mut analysis,
        &audit(
            6,
            account,
            "create",
            ("clusterrolebindings", "", "", "b"),
            &grant,
        ),
        &mut told,
    );
    observe(
        &mut analysis,
        &audit(
            7,
            account,
            "get",
            ("pods", "exec", "kube-system", "proxy"),
            &pod,
        ),
        &mut told,
    );
    // 8: the commands that ran inside the other pod.
    let mut inside = syscall(
        8,
        "Terminal shell in container",
        "execution",
        Priority::Notice,
    );
    inside
        .fields
        .insert("k8s.ns.name".to_owned(), json!("kube-system"));
    inside
        .fields
        .insert("k8s.pod.name".to_owned(), json!("proxy"));
    inside.fields.insert("container.id".to_owned(), json!("c3"));
    analysis.signal(Signal::of_wire(&inside), at(8), &mut |_, _| {});
    // 9: out of the container, on the node.
    let escape = syscall(
        9,
        "Release agent written",
        "privilege_escalation",
        Priority::Critical,
    );
    analysis.signal(Signal::of_wire(&escape), at(9), &mut |_, _| {});
    let mut planted = syscall(
        10,
        "Key planted on the host",
        "persistence",
        Priority::Critical,
    );
    planted.fields = BTreeMap::from([("container.id".to_owned(), json!("host"))]);
    analysis.signal(Signal::of_wire(&planted), at(10), &mut |_, _| {});
    // 10: the service account's cloud session is used from outside.
    let session = json!({"eventVersion": "1.10", "eventSource": "sts.amazonaws.com", "eventName": "AssumeRoleWithWebIdentity",
        "eventID": "e1", "eventTime": "2026-11-21T10:11:00Z", "sourceIPAddress": "198.51.100.7", "userAgent": "aws-sdk-go/1",
        "userIdentity": {"type": "WebIdentityUser", "userName": account},
        "responseElements": {"credentials": {"accessKeyId": "ASIA1"}}});
    observe(&mut analysis, &session.to_string(), &mut told);
    let theft = json!({"eventVersion": "1.10", "eventSource": "s3.amazonaws.com", "eventName": "ListBuckets",
        "eventID": "e2", "eventTime": "2026-11-21T10:12:00Z", "sourceIPAddress": "203.0.113.9", "userAgent": "Boto3/1",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/web/s", "accessKeyId": "ASIA1"}});
    observe(&mut analysis, &theft.to_string(), &mut told);

    let raised = analysis.sequences().raised();
    assert_eq!(raised.len(), 1, "{raised:#?}");
    let incident = raised[0];
    let tactics: Vec<&str> = incident
        .timeline()
        .iter()
        .map(|(tactic, _)| *tactic)
        .collect();
    assert_eq!(
        tactics,
        [
            "InitialAccess",
            "Discovery",
            "CommandAndControl",
            "Execution",
            "PrivilegeEscalation",
            "Persistence",
        ]
    );
    for entity in [
        "pod dev/web",
        "pod kube-system/proxy",
        "node n1",
        "key ASIA1",
        &format!("user {account}"),
    ] {
        assert!(
            incident.entities.contains(entity),
            "{entity}: {:?}",
            incident.entities
        );
    }
    assert!(!incident.entities.contains("pod dev/other"));
    let story = incident.story();
    assert!(
        story.contains("ran `sh -i` in kube-system/proxy"),
        "{story}"
    );
    println!("{} signals, one incident:\n{story}", incident.count);
    // One finding, told when it was raised, and still the same one.
    let ids: std::collections::BTreeSet<&str> = told
        .iter()
        .filter(|finding| finding.hit.kind.starts_with("AttackSequence:"))
        .map(|finding| finding.id.as_str())
        .collect();
    assert_eq!(ids.len(), 1);
    let held = analysis.findings().get(ids.first().unwrap()).unwrap();
    assert_eq!(held.hit.kind, "AttackSequence:EKS/CompromisedCluster");
}

#[test]
fn an_exec_alone_is_no_incident_but_joins_what_ran_inside() {
    let mut analysis = Analysis::new(Setup::default());
    let mut told = Vec::new();
    let exec = audit(1, "ada", "get", ("pods", "exec", "dev", "web"), &json!({}));
    observe(&mut analysis, &exec, &mut told);
    assert!(told.is_empty());
    for (minute, rule, tactic) in [
        (2, "Shadow file read", "credential_access"),
        (3, "Log removed", "defense_evasion"),
    ] {
        let finding = syscall(minute, rule, tactic, Priority::Critical);
        analysis.signal(Signal::of_wire(&finding), at(minute), &mut |_, _| {});
    }
    let raised = analysis.sequences().raised();
    assert!(
        raised[0].entities.contains("user ada"),
        "{:?}",
        raised[0].entities
    );
    assert!(raised[0].story().contains("ada ran `sh -i` in dev/web"));
}

#[test]
fn sessions_of_pod_identity_are_followed_and_roles_taken_up_with_them_too() {
    let mut analysis = Analysis::new(Setup::default());
    let mut told = Vec::new();
    let call = |n: u32, name: &str, source: &str, address: &str, agent: &str, more: &Value| {
        let mut event = json!({"eventVersion": "1.10", "eventSource": source, "eventName": name, "eventID": format!("e{n}"),
            "eventTime": format!("2026-11-21T10:{n:02}:00Z"), "sourceIPAddress": address, "userAgent": agent});
        for (key, value) in more.as_object().unwrap() {
            event[key] = value.clone();
        }
        event.to_string()
    };
    let node = json!({"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/node/i-1"},
        "requestParameters": {"clusterName": "c"},
        "responseElements": {"subject": {"namespace": "pay", "serviceAccount": "api"}, "credentials": {"accessKeyId": "ASIA1"}}});
    observe(
        &mut analysis,
        &call(
            1,
            "AssumeRoleForPodIdentity",
            "eks-auth.amazonaws.com",
            "198.51.100.7",
            "agent/1",
            &node,
        ),
        &mut told,
    );
    let chained = json!({"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/pay/s", "accessKeyId": "ASIA1"},
        "responseElements": {"credentials": {"accessKeyId": "ASIA2"}}});
    observe(
        &mut analysis,
        &call(
            2,
            "AssumeRole",
            "sts.amazonaws.com",
            "198.51.100.7",
            "aws-sdk-go/1",
            &chained,
        ),
        &mut told,
    );
    assert!(told.is_empty());
    let theft = json!({"userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::2:assumed-role/other/s", "accessKeyId": "ASIA2"}});
    observe(
        &mut analysis,
        &call(
            3,
            "ListBuckets",
            "s3.amazonaws.com",
            "203.0.113.9",
            "Boto3/1",
            &theft,
        ),
        &mut told,
    );
    let hit = &told[0].hit;
    assert_eq!(
        hit.kind,
        "UnauthorizedAccess:Kubernetes/PodCredentialExfiltration.OutsideCluster"
    );
    assert_eq!(hit.subject, "system:serviceaccount:pay:api");
}
