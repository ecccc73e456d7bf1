//! Ten thousand manifests through all checks on one thread: time and peak memory.
//!
//! `cargo bench -p vedette-posture --bench scale`; a number as argument changes how many manifests there are.
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::time::Instant;

use vedette_manifest::Source;
use vedette_posture::check::Severity;
use vedette_posture::checks::ALL;
use vedette_posture::input::{Input, Settings, load};
use vedette_posture::result::{Plan, evaluate};

/// Manifests of the bar in the issue.
const MANIFESTS: usize = 10_000;

fn main() {
    let count = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok())
        .unwrap_or(MANIFESTS);
    let sources: Vec<Source> = (0..count)
        .map(|index| Source {
            name: format!("m{index}.yaml").into(),
            text: manifest(index).into(),
        })
        .collect();
    let bytes: usize = sources.iter().map(|source| source.text.len()).sum();
    let before = memory("VmRSS");
    let start = Instant::now();
    let objects = load(&sources).objects;
    let read = start.elapsed();
    let tree = memory("VmRSS") - before;
    let input = Input::new(&objects, Settings::default());
    let report = evaluate(
        &input,
        &Plan {
            checks: ALL.iter().collect(),
            benchmark: None,
            exceptions: &[],
            today: "2026-01-01",
            least: Severity::Low,
        },
    );
    let all = start.elapsed();
    println!(
        "{count} manifests ({bytes} bytes), {} checks, {} failures: read {:.2} s, all {:.2} s; trees {:.1} MB, all {:.1} MB above the texts, peak {:.1} MB",
        ALL.len(),
        report.failures.len(),
        read.as_secs_f64(),
        all.as_secs_f64(),
        tree / 1024.0,
        (memory("VmHWM") - before) / 1024.0,
        memory("VmHWM") / 1024.0,
    );
}

/// A manifest as clusters have them: mostly deployments, with services, accounts, policies and roles between.
fn manifest(index: usize) -> String {
    let namespace = index % 100;
    match index % 10 {
        0 => format!(
            "apiVersion: v1\nkind: Service\nmetadata:\n  name: s{index}\n  namespace: n{namespace}\nspec:\n  selector:\n    app: a{}\n  ports:\n  - port: 80\n",
            index + 1
        ),
        1 => format!(
            "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: a{index}\n  namespace: n{namespace}\nautomountServiceAccountToken: false\n"
        ),
        2 => format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: p{index}\n  namespace: n{namespace}\nspec:\n  podSelector:\n    matchLabels:\n      app: a{index}\n"
        ),
        3 => format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: r{index}\n  namespace: n{namespace}\nrules:\n- apiGroups: [\"\"]\n  resources: [pods, configmaps]\n  verbs: [get, list]\n"
        ),
        4 => format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: b{index}\n  namespace: n{namespace}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  kind: Role\n  name: r{}\nsubjects:\n- kind: ServiceAccount\n  name: a1\n",
            index - 1
        ),
        _ => format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: d{index}\n  namespace: n{namespace}\n  labels:\n    app: a{index}\nspec:\n  replicas: 3\n  selector:\n    matchLabels:\n      app: a{index}\n  template:\n    metadata:\n      labels:\n        app: a{index}\n    spec:\n      serviceAccountName: a{}\n      containers:\n      - name: web\n        image: registry.example/team/web:{index}\n        ports:\n        - containerPort: 8080\n          name: http\n        env:\n        - name: MODE\n          value: production\n        - name: PASSWORD\n          valueFrom:\n            secretKeyRef:\n              name: s{index}\n              key: password\n        resources:\n          requests:\n            cpu: 100m\n            memory: 128Mi\n          limits:\n            memory: 256Mi\n        livenessProbe:\n          httpGet:\n            path: /health\n            port: http\n        securityContext:\n          privileged: {}\n          capabilities:\n            drop:\n            - NET_RAW\n        volumeMounts:\n        - name: data\n          mountPath: /data\n      - name: sidecar\n        image: registry.example/team/proxy:1.2\n        resources:\n          limits:\n            cpu: 50m\n            memory: 64Mi\n      volumes:\n      - name: data\n        emptyDir: {{}}\n",
            index - index % 10 + 1,
            index.is_multiple_of(3)
        ),
    }
}

/// A line of `/proc/self/status` in kB.
fn memory(key: &str) -> f64 {
    std::fs::read_to_string("/proc/self/status")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
        .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
