//! Workloads in every way in which they are written, and what they are given.

use serde_json::{Value, json};
use vedette_audit::lists::Lists;

use crate::{
    FULL, MOUNT, PRIVILEGED, REQUEST, ask, check, hits, host, mounts, pod, privileged, quiet,
    workload,
};

#[test]
fn workloads_in_every_way_in_which_they_are_written() {
    let deployment = |c: &Value, s: &Value| workload("Deployment", c, s);
    let whole = deployment(&privileged(), &json!({}));
    let patch =
        |sent: Value| ask("patch", "deployments", "dev", "web").patches(sent, whole.clone());
    let at = "/spec/template/spec/containers/0/securityContext";
    for (name, sent) in [
        (
            "strategic",
            json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "securityContext": {"privileged": true}}]}}}}),
        ),
        (
            "JSON, the member",
            json!([{"op": "add", "path": format!("{at}/privileged"), "value": true}]),
        ),
        (
            "JSON, what holds the member",
            json!([{"op": "replace", "path": at, "value": {"privileged": true}}]),
        ),
        (
            "JSON, a container more",
            json!([{"op": "add", "path": "/spec/template/spec/containers/-", "value": {"name": "d", "image": "x", "securityContext": {"privileged": true}}}]),
        ),
        ("apply by the server", whole.clone()),
    ] {
        check(name, &[patch(sent)], &[PRIVILEGED], &[PRIVILEGED], &[]);
    }
    for (name, sent) in [
        ("scaled", json!({"spec": {"replicas": 3}})),
        (
            "scaled, JSON",
            json!([{"op": "replace", "path": "/spec/replicas", "value": 3}]),
        ),
        ("labelled", json!({"metadata": {"labels": {"a": "b"}}})),
    ] {
        quiet(name, &[patch(sent)]);
    }
    let asks = [ask("update", "deployments", "dev", "web").sends(whole.clone())];
    check("replaced", &asks, &[PRIVILEGED], &[PRIVILEGED], &[]);
    let asks = [ask("patch", "daemonsets", "dev", "web")
        .code(201)
        .query("fieldManager=kubectl&force=false")
        .sends(workload(
            "DaemonSet",
            &mounts(),
            &host("/var/run/docker.sock"),
        ))];
    check(
        "made by apply of the server",
        &asks,
        &[MOUNT],
        &[MOUNT],
        &[],
    );

    let cron = workload("CronJob", &privileged(), &json!({}));
    let asks = [
        ask("create", "cronjobs", "dev", "web").sends(cron.clone()),
        ask("create", "jobs", "dev", "web-1")
            .by("system:serviceaccount:kube-system:cronjob-controller")
            .sends(workload("Job", &privileged(), &json!({}))),
        ask("create", "pods", "dev", "web-1-x")
            .by("system:serviceaccount:kube-system:job-controller")
            .sends(pod(&privileged(), &json!({}))),
    ];
    check(
        "a cron job and what comes of it",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
    let mut suspended = ask("patch", "cronjobs", "dev", "web");
    suspended = suspended.patches(json!({"spec": {"suspend": true}}), cron);
    quiet("a cron job suspended", &[suspended]);

    let bad = |code| {
        ask("create", "pods", "dev", "web")
            .code(code)
            .sends(pod(&privileged(), &host("/")))
    };
    quiet("refused by Pod Security", &[bad(403)]);
    quiet("there already", &[bad(409)]);
    quiet(
        "a dry run",
        &[bad(201).query("dryRun=All&fieldManager=kubectl-run")],
    );
    let asks = [bad(201).by("system:serviceaccount:kube-system:evil-controller")];
    check(
        "no controller of the system",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
    let evicted = ask("create", "pods/eviction", "dev", "web").sends(json!({"kind": "Eviction"}));
    quiet("evicted", &[evicted]);
    let mut generated = pod(&privileged(), &json!({}));
    generated["metadata"] = json!({"generateName": "web-", "namespace": "dev"});
    let mut whole = generated.clone();
    whole["metadata"]["name"] = json!("web-x7k2p");
    let asks = [ask("create", "pods", "dev", "").patches(generated, whole)];
    for (policy, subject) in [(FULL, "pods dev/web-x7k2p"), (REQUEST, "pods dev/web-")] {
        let hits = hits(&asks, &policy, Lists::new());
        assert_eq!(hits[0].subject, subject);
    }
    let mut known = pod(&privileged(), &json!({}));
    known["metadata"]["name"] = json!("other");
    let asks = [
        ask("create", "pods", "dev", "web").sends(known.clone()),
        ask("create", "pods", "dev", "other").sends(known),
    ];
    check(
        "an image that was privileged before",
        &asks,
        &[PRIVILEGED],
        &[PRIVILEGED],
        &[],
    );
}

#[test]
fn directories_of_the_node() {
    let made = |container: &Value, spec: &Value| {
        ask("create", "pods", "dev", "web").sends(pod(container, spec))
    };
    for path in [
        "/",
        "/etc/kubernetes",
        "/var/lib/kubelet/pods",
        "/run/containerd/containerd.sock",
        "/root/.ssh",
    ] {
        check(
            path,
            &[made(&mounts(), &host(path))],
            &[MOUNT],
            &[MOUNT],
            &[],
        );
    }
    for path in ["/var/log", "/mnt/data", "/etc/localtime"] {
        quiet(path, &[made(&mounts(), &host(path))]);
    }
    quiet("not mounted", &[made(&json!({}), &host("/"))]);
    let read = json!({"volumeMounts": [{"name": "v", "mountPath": "/h", "readOnly": true}]});
    quiet("to read only", &[made(&read, &host("/"))]);

    let claimed = json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]});
    let volume =
        |spec: Value| json!({"kind": "PersistentVolume", "metadata": {"name": "pv"}, "spec": spec});
    let claim = |spec: Value| json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}, "spec": spec});
    let binder = "system:serviceaccount:kube-system:persistent-volume-binder";
    let make = |spec: Value| ask("create", "persistentvolumes", "", "pv").sends(volume(spec));
    let asking = ask("create", "persistentvolumeclaims", "dev", "c")
        .sends(claim(json!({"storageClassName": "x"})));
    let bind = |spec: Value| {
        let mut spec = spec;
        spec["claimRef"] =
            json!({"kind": "PersistentVolumeClaim", "namespace": "dev", "name": "c"});
        ask("update", "persistentvolumes", "", "pv")
            .by(binder)
            .sends(volume(spec))
    };
    let bound = ask("update", "persistentvolumeclaims", "dev", "c")
        .by(binder)
        .sends(claim(json!({"volumeName": "pv"})));
    let root = json!({"hostPath": {"path": "/"}});
    let asks = [
        make(root.clone()),
        asking.clone(),
        bind(root.clone()),
        bound.clone(),
        made(&mounts(), &claimed),
    ];
    check("behind a claim", &asks, &[MOUNT], &[MOUNT], &[]);
    let asks = [
        make(root.clone()),
        asking.clone(),
        made(&mounts(), &claimed),
        bind(root.clone()),
        bound.clone(),
        bound.clone(),
    ];
    check(
        "behind a claim that is bound later",
        &asks,
        &[MOUNT],
        &[MOUNT],
        &[],
    );
    let hit = &hits(&asks, &FULL, Lists::new())[0];
    assert_eq!(
        (hit.subject.as_str(), hit.actor.as_str()),
        ("pods dev/web", "kubernetes-admin")
    );
    let disk = json!({"csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"}});
    let asks = [
        asking,
        made(&mounts(), &claimed),
        make(disk.clone()),
        bind(disk),
        bound,
    ];
    quiet("a disk behind a claim", &asks);
}
