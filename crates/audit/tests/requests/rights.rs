//! Rights, requests of nobody, dashboards, listed addresses, and what gives nothing by itself.

use serde_json::{Value, json};
use vedette_audit::lists::{Format, List, ListKind, Lists, parse};

use crate::{
    ADMIN, ANONYMOUS, DASHBOARD, FULL, METADATA, REQUEST, ask, check, hits, path, quiet, workload,
};

#[test]
fn bindings() {
    let binding = |role: &str, subjects: Value| {
        json!({
            "kind": "ClusterRoleBinding", "metadata": {"name": "b"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": subjects,
        })
    };
    let bind = |role: &str, subjects: Value| {
        ask("create", "clusterrolebindings", "", "b").sends(binding(role, subjects))
    };
    let subject =
        |kind: &str, name: &str| json!([{"kind": kind, "name": name, "namespace": "dev"}]);
    let default = || subject("ServiceAccount", "default");
    let whole = "system:serviceaccount:dev:default";
    for (name, asks) in [
        ("cluster-admin", vec![bind("cluster-admin", default())]),
        ("by its whole name", vec![bind("cluster-admin", subject("User", whole))]),
        (
            "admin in a namespace",
            vec![ask("create", "rolebindings", "dev", "b").sends(binding("admin", default()))],
        ),
        (
            "a role of one's own that allows everything",
            vec![
                ask("create", "clusterroles", "", "all").sends(json!({"kind": "ClusterRole", "metadata": {"name": "all"}, "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]})),
                bind("all", default()),
            ],
        ),
    ] {
        check(name, &asks, &[ADMIN], &[ADMIN], &[]);
    }
    for (name, asks) in [
        ("to look", vec![bind("view", default())]),
        (
            "a person",
            vec![bind("cluster-admin", subject("User", "ada"))],
        ),
        (
            "another account",
            vec![bind("cluster-admin", subject("ServiceAccount", "ci"))],
        ),
        ("refused", vec![bind("cluster-admin", default()).code(403)]),
        (
            "a dry run",
            vec![bind("cluster-admin", default()).query("dryRun=All")],
        ),
        (
            "deleted",
            vec![ask("delete", "clusterrolebindings", "", "b")],
        ),
        (
            "what the server makes at its start",
            vec![
                bind(
                    "system:public-info-viewer",
                    subject("Group", "system:unauthenticated"),
                )
                .by("system:apiserver"),
            ],
        ),
        (
            "labelled",
            vec![ask("patch", "clusterrolebindings", "", "b").patches(
                json!({"metadata": {"labels": {"a": "b"}}}),
                binding("cluster-admin", default()),
            )],
        ),
    ] {
        quiet(name, &asks);
    }
    for (kind, who) in [
        ("User", "system:anonymous"),
        ("Group", "system:unauthenticated"),
    ] {
        let asks = [bind("view", subject(kind, who))];
        check(who, &asks, &[ANONYMOUS], &[ANONYMOUS], &[]);
    }
    // A JSON patch adds the subject; the role is remembered from when the binding was made.
    let asks = [
        bind("cluster-admin", subject("User", "ada")),
        ask("patch", "clusterrolebindings", "", "b").patches(
            json!([{"op": "add", "path": "/subjects/-", "value": {"kind": "ServiceAccount", "name": "default", "namespace": "dev"}}]),
            binding("cluster-admin", default()),
        ),
    ];
    check("patched", &asks, &[ADMIN], &[ADMIN], &[]);
}

#[test]
fn requests_of_nobody() {
    const WHAT: &str = "SuccessfulAnonymousAccess";
    for probe in [
        "/version",
        "/version/",
        "/healthz",
        "/livez/ping",
        "/readyz?verbose",
        "/healthz/etcd",
    ] {
        quiet(probe, &[path("get", probe).anonymous()]);
    }
    let refused = [
        path("get", "/api").anonymous().code(403),
        path("get", "/metrics").anonymous().code(403),
        ask("list", "secrets", "", "").anonymous().code(403),
        ask("list", "pods", "", "").anonymous().code(401),
    ];
    quiet("refused", &refused);
    quiet(
        "in nobody's name, by somebody",
        &[ask("list", "pods", "dev", "").impersonating("system:anonymous")],
    );
    for (asked, tactic) in [
        (path("get", "/api/v1"), "Discovery"),
        (path("get", "/openapi/v2"), "Discovery"),
        (ask("list", "namespaces", "", ""), "Discovery"),
        (ask("watch", "pods", "dev", ""), "Discovery"),
        (
            ask("get", "configmaps", "kube-public", "cluster-info"),
            "Discovery",
        ),
        (
            ask("create", "selfsubjectaccessreviews", "", ""),
            "Discovery",
        ),
        (
            ask("list", "secrets", "kube-system", ""),
            "CredentialAccess",
        ),
        (
            ask("create", "serviceaccounts/token", "dev", "ci"),
            "CredentialAccess",
        ),
        (
            ask("create", "certificatesigningrequests", "", "x"),
            "CredentialAccess",
        ),
        (ask("get", "pods/exec", "dev", "web").code(101), "Impact"),
        (ask("create", "nodes/proxy", "", "n1"), "Impact"),
        (ask("delete", "pods", "dev", "web"), "Impact"),
        (
            ask("deletecollection", "events", "dev", ""),
            "DefenseEvasion",
        ),
        (
            ask("delete", "validatingwebhookconfigurations", "", "x"),
            "DefenseEvasion",
        ),
        (ask("create", "cronjobs", "dev", "web"), "Persistence"),
    ] {
        let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
        let kind = format!("{tactic}:Kubernetes/{WHAT}");
        let kind = [kind.as_str()];
        check(&name, &[asked.anonymous()], &kind, &kind, &kind);
    }
}

#[test]
fn dashboards() {
    let service = |kind: &str, more: Value| {
        let mut service = json!({
            "kind": "Service", "apiVersion": "v1",
            "metadata": {"name": "kubernetes-dashboard", "namespace": "kubernetes-dashboard", "labels": {"k8s-app": "kubernetes-dashboard"}},
            "spec": {"type": kind, "selector": {"k8s-app": "kubernetes-dashboard"}, "ports": [{"port": 443}]},
        });
        for (pointer, value) in more.as_object().unwrap() {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            service.pointer_mut(parent).unwrap()[key] = value.clone();
        }
        service
    };
    let create = |object: Value| {
        ask(
            "create",
            "services",
            "kubernetes-dashboard",
            "kubernetes-dashboard",
        )
        .sends(object)
    };
    let public = service("LoadBalancer", json!({}));
    check(
        "made",
        &[create(public.clone())],
        &[DASHBOARD],
        &[DASHBOARD],
        &[],
    );
    let patched = ask(
        "patch",
        "services",
        "kubernetes-dashboard",
        "kubernetes-dashboard",
    )
    .patches(json!({"spec": {"type": "LoadBalancer"}}), public.clone());
    check("patched", &[patched], &[DASHBOARD], &[DASHBOARD], &[]);
    let exposed = service(
        "LoadBalancer",
        json!({"/metadata/name": "dash", "/metadata/labels": {}}),
    );
    let asks = [ask("create", "services", "kubernetes-dashboard", "dash").sends(exposed)];
    check("kubectl expose", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    let chart = service(
        "LoadBalancer",
        json!({
            "/metadata/name": "kubernetes-dashboard-kong-proxy", "/metadata/labels": {},
            "/spec/selector": {"app.kubernetes.io/name": "kong", "app.kubernetes.io/instance": "kubernetes-dashboard"},
        }),
    );
    let asks = [ask(
        "create",
        "services",
        "tools",
        "kubernetes-dashboard-kong-proxy",
    )
    .sends(chart)];
    check("the chart's proxy", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    let ranges = |ranges: Value| json!({"/spec/loadBalancerSourceRanges": ranges});
    let asks = [create(service(
        "LoadBalancer",
        ranges(json!(["10.0.0.0/8", "0.0.0.0/0"])),
    ))];
    check("for everybody too", &asks, &[DASHBOARD], &[DASHBOARD], &[]);
    for (name, object) in [
        ("inside the cluster", service("ClusterIP", json!({}))),
        ("on the nodes", service("NodePort", json!({}))),
        (
            "inside the network",
            service(
                "LoadBalancer",
                json!({"/metadata/annotations": {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internal"}}),
            ),
        ),
        (
            "for private networks",
            service(
                "LoadBalancer",
                ranges(json!(["10.0.0.0/8", "192.168.0.0/16", "fd00::/8"])),
            ),
        ),
    ] {
        quiet(name, &[create(object)]);
    }
    let labelled = ask(
        "patch",
        "services",
        "kubernetes-dashboard",
        "kubernetes-dashboard",
    )
    .patches(json!({"metadata": {"labels": {"a": "b"}}}), public.clone());
    quiet("labelled", &[labelled]);
    quiet("refused", &[create(public).code(403)]);
    let proxied = ask(
        "get",
        "services/proxy",
        "kubernetes-dashboard",
        "https:kubernetes-dashboard:",
    );
    quiet("through the server's proxy", &[proxied]);
}

#[test]
fn what_gives_no_finding_by_itself() {
    let group = json!({"kind": "APIService", "metadata": {"name": "v1.metrics"}, "spec": {"group": "metrics.k8s.io"}});
    for asked in [
        ask("create", "certificatesigningrequests", "", "x"),
        ask("update", "certificatesigningrequests/approval", "", "x"),
        ask("create", "serviceaccounts/token", "dev", "ci"),
        ask("create", "apiservices", "", "v1.metrics").sends(group),
        ask("list", "pods", "", "").impersonating("system:serviceaccount:dev:ci"),
        ask("create", "mutatingwebhookconfigurations", "", "x"),
        ask("delete", "validatingwebhookconfigurations", "", "x"),
        ask("create", "selfsubjectrulesreviews", "", ""),
        ask("list", "secrets", "", ""),
        ask("create", "cronjobs", "dev", "web").sends(workload("CronJob", &json!({}), &json!({}))),
        ask("patch", "nodes", "", "n1").sends(json!({"spec": {"unschedulable": true}})),
        path("get", "/apis/metrics.k8s.io/v1beta1/nodes"),
        path("get", "/version").by("").code(401),
    ] {
        let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
        quiet(&name, &[asked]);
    }
}

#[test]
fn requests_from_a_listed_address_fall_under_their_tactics() {
    const EXIT: &str = "203.0.113.50";
    for (asked, tactic) in [
        (path("get", "/version"), "Discovery"),
        (path("get", "/api"), "Discovery"),
        (
            ask("create", "selfsubjectrulesreviews", "", ""),
            "Discovery",
        ),
        (ask("list", "secrets", "", ""), "CredentialAccess"),
        (
            ask("create", "serviceaccounts/token", "dev", "ci"),
            "CredentialAccess",
        ),
        (
            ask("create", "certificatesigningrequests", "", "x"),
            "CredentialAccess",
        ),
        (
            ask("update", "certificatesigningrequests/approval", "", "x"),
            "CredentialAccess",
        ),
        (
            ask("get", "pods/portforward", "dev", "web").code(101),
            "Impact",
        ),
        (ask("get", "nodes/proxy", "", "n1"), "Impact"),
        (ask("create", "serviceaccounts", "dev", "x"), "Impact"),
        (ask("patch", "deployments/scale", "dev", "web"), "Impact"),
        (
            ask("list", "pods", "dev", "").impersonating("ada"),
            "DefenseEvasion",
        ),
        (
            ask("delete", "mutatingwebhookconfigurations", "", "x"),
            "DefenseEvasion",
        ),
        (
            ask("delete", "networkpolicies", "dev", "x"),
            "DefenseEvasion",
        ),
        (ask("create", "cronjobs", "dev", "web"), "Persistence"),
        (ask("create", "clusterrolebindings", "", "b"), "Persistence"),
        (
            ask("patch", "pods/ephemeralcontainers", "dev", "web"),
            "Persistence",
        ),
    ] {
        for policy in [FULL, REQUEST, METADATA] {
            let (entries, _) = parse(
                Format::Txt,
                format!("ExitAddress {EXIT} 2026-11-21 00:00:00\n").as_bytes(),
            );
            let mut lists = Lists::new();
            lists.add(List::new("exits", ListKind::Tor, entries));
            let name = format!("{} {}/{}", asked.verb, asked.resource, asked.sub);
            let hits = hits(&[asked.clone().from(EXIT)], &policy, lists);
            let kinds: Vec<&str> = hits.iter().map(|hit| hit.kind.as_str()).collect();
            assert_eq!(
                kinds,
                [format!("{tactic}:Kubernetes/TorIPCaller")],
                "{name}"
            );
        }
    }
}
