//! The conformance tests of ClusterNetworkPolicy: manifests, changes to them, and probes between.

use serde_json::{Value, json};
use vedette_netpol::check::{Checker, Probe};
use vedette_netpol::evaluate::Assumptions;
use vedette_yaml::{Kind, Node};

use crate::{suite, world};

/// A YAML node as JSON, for changing it.
fn value(node: &Node) -> Value {
    match &node.kind {
        _ if node.is_null() => Value::Null,
        Kind::Scalar(text, _) => match (node.as_bool(), node.as_i64()) {
            (Some(b), _) => b.into(),
            (_, Some(n)) => n.into(),
            _ => text.as_str().into(),
        },
        Kind::Seq(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => entries
            .iter()
            .map(|(k, v)| (k.as_str().unwrap().to_owned(), value(v)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

fn objects(text: &str) -> Vec<Value> {
    // Ports of pods on the nodes' network are filled in when upstream runs; no probe here uses them.
    let text = (0..8).fold(text.to_owned(), |text, at| {
        text.replace(
            &format!("{{{{ index .HostNetworkPorts {at} }}}}"),
            &format!("{}", 34345 + at),
        )
    });
    let parsed = vedette_yaml::parse(&text);
    assert_eq!(parsed.errors, []);
    parsed
        .documents
        .iter()
        .map(|d| value(&d.root))
        .filter(|v| !v.is_null())
        .collect()
}

/// Every StatefulSet pod gets an address of its own, as in a cluster.
fn pods(base: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    for set in base.iter().filter(|o| o["kind"] == "StatefulSet") {
        for replica in 0..set["spec"]["replicas"].as_u64().unwrap() {
            let mut pod = set["spec"]["template"].clone();
            pod["apiVersion"] = "v1".into();
            pod["kind"] = "Pod".into();
            pod["metadata"]["name"] =
                format!("{}-{replica}", set["metadata"]["name"].as_str().unwrap()).into();
            pod["metadata"]["namespace"] = set["metadata"]["namespace"].clone();
            pod["status"] = json!({"podIP": format!("10.9.{}.{}", out.len(), replica + 1)});
            out.push(pod);
        }
    }
    out
}

#[test]
fn cluster_network_policy() {
    let Some(folder) = suite("network-policy-api_conformance") else {
        return;
    };
    let tests: Value =
        serde_json::from_slice(&std::fs::read(folder.join("assertions.json")).unwrap()).unwrap();
    let conformance = folder.join("conformance");
    let base = objects(&std::fs::read_to_string(conformance.join("base/manifests.yaml")).unwrap());
    let (mut asked, mut wrong) = (0, Vec::new());
    let tests = tests.as_array().unwrap();
    for test in tests {
        let mut all: Vec<Value> = base
            .iter()
            .filter(|o| o["kind"] == "Namespace")
            .cloned()
            .collect();
        all.extend(pods(&base));
        let mut policies = Vec::new();
        for manifest in test["manifests"].as_array().unwrap() {
            let text =
                std::fs::read_to_string(conformance.join(manifest.as_str().unwrap())).unwrap();
            for object in objects(&text) {
                // Two of the tests load two baseline policies of one name; the steps speak of the first.
                let same =
                    |p: &Value| p["kind"] == object["kind"] && p["metadata"] == object["metadata"];
                if !policies.iter().any(same) {
                    policies.push(object);
                }
            }
        }
        for subtest in test["subtests"].as_array().unwrap() {
            let steps = subtest["steps"].as_array().unwrap();
            // Upstream deletes the NetworkPolicy before it looks at what the baseline does.
            if subtest["name"]
                .as_str()
                .unwrap()
                .ends_with("respect the match for baseline cluster network policy")
            {
                policies.retain(|p| p["kind"] != "NetworkPolicy");
            }
            let mut original: Option<Value> = None;
            let mut pending: Option<usize> = None;
            for step in steps {
                let named = |policies: &[Value]| {
                    policies.iter().position(|p| {
                        p["metadata"]["name"] == step["policy"]
                            && p["kind"] == "ClusterNetworkPolicy"
                    })
                };
                match step["op"].as_str().unwrap() {
                    "set_rule" => {
                        let at = named(&policies).unwrap();
                        if pending != Some(at) {
                            original = Some(policies[at].clone());
                            pending = Some(at);
                        }
                        let from = step["from"].as_array().unwrap();
                        let rule = if from[0] == "original" {
                            let (dir, index) = (
                                from[1].as_str().unwrap(),
                                from[2].as_u64().unwrap() as usize,
                            );
                            original.as_ref().unwrap()["spec"][dir][index].clone()
                        } else {
                            let (dir, index) = (
                                from[0].as_str().unwrap(),
                                from[1].as_u64().unwrap() as usize,
                            );
                            policies[at]["spec"][dir][index].clone()
                        };
                        let dir = step["dir"].as_str().unwrap();
                        let index = step["index"].as_u64().unwrap() as usize;
                        policies[at]["spec"][dir][index] = rule;
                        // In the tests of named ports upstream puts the name in the place of the number;
                        // the recorded step kept only which rule it was.
                        if subtest["name"]
                            .as_str()
                            .unwrap()
                            .ends_with("for named port")
                        {
                            let protocols = &mut policies[at]["spec"][dir][index]["protocols"];
                            let name = if protocols[0].get("udp").is_some() {
                                "dns"
                            } else {
                                "web"
                            };
                            *protocols = json!([{"destinationNamedPort": name}]);
                        }
                    }
                    "set_action" => {
                        let at = named(&policies).unwrap();
                        let dir = step["dir"].as_str().unwrap();
                        let index = step["index"].as_u64().unwrap() as usize;
                        policies[at]["spec"][dir][index]["action"] = step["action"].clone();
                    }
                    "set_priority" => {
                        let at = named(&policies).unwrap();
                        policies[at]["spec"]["priority"] = step["value"].clone();
                    }
                    "set_ns_labels" => {
                        let namespace = all
                            .iter_mut()
                            .find(|o| {
                                o["kind"] == "Namespace"
                                    && o["metadata"]["name"] == step["namespace"]
                            })
                            .unwrap();
                        namespace["metadata"]["labels"] = step["labels"].clone();
                    }
                    "prepend_egress_rule" => {
                        // Upstream accepts the addresses of the two servers that the next probes expect to reach.
                        let at = named(&policies).unwrap();
                        let networks: Vec<Value> = steps
                            .iter()
                            .filter(|s| s["op"] == "probe" && s["allowed"] == true)
                            .map(|s| s["to"].as_str().unwrap().to_owned())
                            .collect::<std::collections::BTreeSet<_>>()
                            .into_iter()
                            .map(|id| {
                                let pod = all
                                    .iter()
                                    .find(|o| {
                                        o["kind"] == "Pod"
                                            && format!(
                                                "{}/{}",
                                                o["metadata"]["namespace"].as_str().unwrap(),
                                                o["metadata"]["name"].as_str().unwrap()
                                            ) == id
                                    })
                                    .unwrap();
                                format!("{}/32", pod["status"]["podIP"].as_str().unwrap()).into()
                            })
                            .collect();
                        let rules = policies[at]["spec"]["egress"].as_array_mut().unwrap();
                        rules.insert(0, json!({"name": "to-addresses", "action": "Accept", "to": [{"networks": networks}]}));
                    }
                    "apply" => pending = None,
                    "probe" => {
                        let together: Vec<Value> = all.iter().chain(&policies).cloned().collect();
                        let input = world(&together);
                        assert!(!input.has_errors(), "{:?}", input.diagnostics);
                        let assumptions = Assumptions::default();
                        let mut checker = Checker::new(&input.world, &assumptions);
                        let line = json!({"from": step["from"], "to": step["to"], "protocol": step["protocol"], "port": step["port"]});
                        let answer = checker.answer(&Probe::parse(&line.to_string()).unwrap());
                        asked += 1;
                        if answer.allowed != step["allowed"].as_bool() {
                            wrong.push(format!(
                                "{}: {}: {line}: {:?} {}",
                                test["shortName"], subtest["name"], answer.allowed, answer.reason
                            ));
                        }
                    }
                    other => panic!("unknown step {other}"),
                }
            }
        }
    }
    println!(
        "ClusterNetworkPolicy: {} tests, {} of {asked} probes",
        tests.len(),
        asked - wrong.len()
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(asked >= 292);
}
