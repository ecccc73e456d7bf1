//! Commands in containers, and debugging.

use serde_json::{Value, json};

use crate::{EXEC, MOUNT, PRIVILEGED, ask, check, host, mounts, pod, quiet};

#[test]
fn commands_in_containers() {
    let exec = |verb| ask(verb, "pods/exec", "kube-system", "proxy-1");
    let id = "command=id&stdin=true&stdout=true&tty=true";
    for (name, asks) in [
        ("SPDY", vec![exec("create").query(id).code(101)]),
        ("WebSocket", vec![exec("get").query(id).code(101)]),
        (
            "WebSocket refused, SPDY instead",
            vec![exec("get").code(403), exec("create").code(101)],
        ),
        (
            "kubectl cp",
            vec![
                ask("get", "pods", "kube-system", "proxy-1"),
                exec("get")
                    .query("command=tar&command=xmf&command=-")
                    .code(101),
            ],
        ),
        (
            "in somebody else's name",
            vec![
                exec("get")
                    .impersonating("system:serviceaccount:dev:ci")
                    .code(101),
            ],
        ),
        (
            "by a workload of the system's namespace",
            vec![
                exec("create")
                    .by("system:serviceaccount:kube-system:backup-controller")
                    .code(101),
            ],
        ),
    ] {
        check(name, &asks, &[EXEC], &[EXEC], &[EXEC]);
    }
    quiet(
        "refused",
        &[exec("create").code(403), exec("get").code(404)],
    );
    quiet(
        "elsewhere",
        &[ask("get", "pods/exec", "dev", "web").code(101)],
    );
    for sub in ["pods/attach", "pods/portforward", "pods/log", "pods/proxy"] {
        quiet(sub, &[ask("get", sub, "kube-system", "proxy-1").code(101)]);
    }
    quiet(
        "the node's proxy",
        &[ask("create", "nodes/proxy", "", "n1").code(200)],
    );
}

#[test]
fn debugging() {
    let add = |container: Value, of: Value| {
        let mut whole = of;
        whole["spec"]["ephemeralContainers"] = json!([container]);
        ask("patch", "pods/ephemeralcontainers", "dev", "web")
            .patches(json!({"spec": {"ephemeralContainers": [container]}}), whole)
    };
    let shell = json!({"name": "debugger-1", "image": "busybox", "command": ["sh"]});
    let sysadmin =
        json!({"name": "debugger-2", "image": "busybox", "securityContext": {"privileged": true}});
    let mut container = mounts();
    container["securityContext"] = json!({"privileged": true});
    // What the pod could do before is not what was added to it.
    quiet(
        "of a pod of the node",
        &[add(shell.clone(), pod(&container, &host("/")))],
    );
    quiet("plain", &[add(shell, pod(&json!({}), &json!({})))]);
    let asks = [add(sysadmin, pod(&json!({}), &json!({})))];
    check("profile sysadmin", &asks, &[PRIVILEGED], &[PRIVILEGED], &[]);
    let mounting = json!({"name": "d", "image": "busybox", "volumeMounts": [{"name": "v", "mountPath": "/h"}]});
    let asks = [add(mounting, pod(&json!({}), &host("/etc")))];
    check("a volume of the pod", &asks, &[MOUNT], &[], &[]);

    let mut node = pod(&mounts(), &host("/"));
    node["spec"]["hostPID"] = json!(true);
    node["spec"]["nodeName"] = json!("n1");
    let debug = |node: Value| ask("create", "pods", "default", "node-debugger-n1-x").sends(node);
    check("a node", &[debug(node)], &[MOUNT], &[MOUNT], &[]);
    let asks = [debug(pod(&container, &host("/")))];
    let both = [PRIVILEGED, MOUNT];
    check("a node, profile sysadmin", &asks, &both, &both, &[]);
}
