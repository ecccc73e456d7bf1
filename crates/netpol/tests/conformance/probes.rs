//! Kubernetes' own end-to-end tests, and cyclonus: every probe, answered by the evaluator and by the compiled sets.

use serde_json::{Value, json};
use vedette_netpol::check::{Checker, Probe};
use vedette_netpol::compile::Compiled;
use vedette_netpol::evaluate::{Assumptions, Directory, Question, Resolved};
use vedette_netpol::model::PortRef;
use vedette_netpol::traffic::Protocol;

use crate::{suite, world};

fn pod(namespace: &str, name: &str, labels: &Value, ip: &Value, ports: &[Value]) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "i", "ports": ports}]},
        "status": {"podIP": ip}
    })
}

fn namespaces(of: &Value) -> Vec<Value> {
    of.as_object()
        .unwrap()
        .iter()
        .map(|(name, labels)| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        })
        .collect()
}

/// Answers one probe both ways and checks that they agree.
fn ask(
    checker: &mut Checker<'_>,
    compiled: &mut Compiled<'_>,
    line: &Value,
) -> (Option<bool>, Option<bool>, Option<bool>) {
    let probe = Probe::parse(&line.to_string()).unwrap();
    let answer = checker.answer(&probe);
    let directory = Directory::new(compiled.world());
    let place = |text: &str| match directory.find(compiled.world(), text).unwrap() {
        Resolved::One(party) => party,
        Resolved::Service(_) => panic!("no Services in these suites"),
    };
    let Some(PortRef::Number(port)) = probe.port else {
        panic!("a number")
    };
    let question = Question {
        from: place(&probe.from),
        to: place(&probe.to),
        protocol: probe.protocol,
        port,
    };
    assert_eq!(
        compiled.decide(&question).allowed(),
        answer.allowed,
        "{line}"
    );
    (
        answer.ingress.unwrap().allowed,
        answer.egress.unwrap().allowed,
        answer.allowed,
    )
}

#[test]
fn kubernetes_end_to_end() {
    let Some(folder) = suite("kubernetes_e2e_netpol") else {
        return;
    };
    let data: Value =
        serde_json::from_slice(&std::fs::read(folder.join("cases.json")).unwrap()).unwrap();
    let (mut asked, mut wrong) = (0, Vec::new());
    let cases = data["cases"].as_array().unwrap();
    for case in cases {
        let ports: Vec<Value> = case["listenPorts"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|port| {
                case["listenProtocols"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(move |protocol| {
                        let name =
                            format!("serve-{port}-{}", protocol.as_str().unwrap().to_lowercase());
                        json!({"containerPort": port, "protocol": protocol, "name": name})
                    })
            })
            .collect();
        for step in case["steps"].as_array().unwrap() {
            let mut objects = namespaces(&step["namespaces"]);
            for (id, labels) in step["podLabels"].as_object().unwrap() {
                let (namespace, name) = id.split_once('/').unwrap();
                objects.push(pod(namespace, name, labels, &step["podIPs"][id], &ports));
            }
            objects.extend(step["policies"].as_array().into_iter().flatten().cloned());
            let input = world(&objects);
            assert!(input.diagnostics.is_empty(), "{:?}", input.diagnostics);
            let assumptions = Assumptions::default();
            let mut checker = Checker::new(&input.world, &assumptions);
            let mut compiled = Compiled::new(&input.world, &assumptions);
            for probe in step["expected"].as_array().unwrap() {
                let line = json!({"from": probe[0], "to": probe[1], "protocol": probe[2], "port": probe[3]});
                let (.., allowed) = ask(&mut checker, &mut compiled, &line);
                asked += 1;
                if allowed != probe[4].as_bool() {
                    wrong.push(format!("{}: {line}: {allowed:?}", case["name"]));
                }
            }
        }
    }
    println!(
        "kubernetes end-to-end: {} tests, {} of {asked} verdicts",
        cases.len(),
        asked - wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked >= 506);
}

#[test]
fn cyclonus() {
    let Some(folder) = suite("cyclonus") else {
        return;
    };
    let output = std::process::Command::new("zstd")
        .args(["-dc"])
        .arg(folder.join("cases.json.zst"))
        .output();
    let Ok(output) = output else {
        println!("skipped: zstd is not installed");
        return;
    };
    let data: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (mut asked, mut wrong) = (0, Vec::new());
    let cases = data["cases"].as_array().unwrap();
    for case in cases {
        for step in case["steps"].as_array().unwrap() {
            let resources = &step["resources"];
            let mut objects = namespaces(&resources["namespaces"]);
            for p in resources["pods"].as_array().unwrap() {
                let ports: Vec<Value> = p["ports"].as_array().unwrap().iter().map(|port| {
                    json!({"containerPort": port["port"], "protocol": port["protocol"], "name": port["portName"]})
                }).collect();
                objects.push(pod(
                    p["namespace"].as_str().unwrap(),
                    p["name"].as_str().unwrap(),
                    &p["labels"],
                    &p["ip"],
                    &ports,
                ));
            }
            // A few of the suite's policies leave their kind to the client that creates them.
            objects.extend(
                step["policies"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .cloned()
                    .map(|mut policy| {
                        policy["apiVersion"] = "networking.k8s.io/v1".into();
                        policy["kind"] = "NetworkPolicy".into();
                        policy
                    }),
            );
            let input = world(&objects);
            assert!(
                !input.has_errors(),
                "case {}: {:?}",
                case["index"],
                input.diagnostics
            );
            let assumptions = Assumptions::default();
            let mut checker = Checker::new(&input.world, &assumptions);
            let mut compiled = Compiled::new(&input.world, &assumptions);
            for probe in step["expected"].as_array().unwrap() {
                let line = json!({"from": probe[0], "to": probe[1], "protocol": probe[2], "port": probe[3]});
                let found = ask(&mut checker, &mut compiled, &line);
                asked += 1;
                let is = |at: usize| Some(probe[at] == "allowed");
                if found != (is(5), is(6), is(7)) {
                    wrong.push(format!("case {}: {probe}: {found:?}", case["index"]));
                }
            }
        }
    }
    println!(
        "cyclonus: {} cases, {} of {asked} probes",
        cases.len(),
        asked - wrong.len()
    );
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked > 0 && Protocol::parse("TCP").is_some());
}
