//! The compiled sets against the plain evaluator on random clusters, and what generation promises.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use vedette_manifest::Source;
use vedette_netpol::compile::Compiled;
use vedette_netpol::evaluate::{Assumptions, Decision, Directory, Party, Question, evaluate};
use vedette_netpol::flow::Flow;
use vedette_netpol::generate::{Format, Options, as_policy, emit, generate};
use vedette_netpol::load::{Input, from_sources};
use vedette_netpol::model::World;
use vedette_netpol::traffic::Protocol;

fn input(objects: &[Value]) -> Input {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
    from_sources(&[Source {
        name: "random.json".into(),
        text: list.to_string().into(),
    }])
}

const NAMESPACES: [&str; 3] = ["a", "b", "c"];
const VALUES: [&str; 3] = ["x", "y", "z"];
const PORTS: [u16; 4] = [53, 80, 81, 8080];

fn pick<T: Clone + std::fmt::Debug + 'static>(items: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(items.to_vec())
}

fn labels() -> impl Strategy<Value = Value> {
    (pick(&VALUES), proptest::option::of(pick(&VALUES))).prop_map(|(app, tier)| {
        let mut out = json!({"app": app});
        if let Some(tier) = tier {
            out["tier"] = tier.into();
        }
        out
    })
}

fn selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        pick(&VALUES).prop_map(|v| json!({"matchLabels": {"app": v}})),
        (pick(&["app", "tier"]), pick(&["In", "NotIn"]), pick(&VALUES))
            .prop_map(|(k, op, v)| json!({"matchExpressions": [{"key": k, "operator": op, "values": [v]}]})),
        (pick(&["app", "tier"]), pick(&["Exists", "DoesNotExist"]))
            .prop_map(|(k, op)| json!({"matchExpressions": [{"key": k, "operator": op}]})),
    ]
}

fn namespace_selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        pick(&NAMESPACES).prop_map(|n| json!({"matchLabels": {"kubernetes.io/metadata.name": n}})),
        pick(&VALUES).prop_map(|v| json!({"matchLabels": {"team": v}})),
    ]
}

fn block() -> impl Strategy<Value = Value> {
    pick(&[
        json!({"cidr": "0.0.0.0/0"}),
        json!({"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}),
        json!({"cidr": "10.0.0.0/24", "except": ["10.0.0.0/25", "10.0.0.130/32"]}),
        json!({"cidr": "10.0.0.1/32"}),
        json!({"cidr": "203.0.113.0/24"}),
        json!({"cidr": "2001:db8::/32"}),
    ])
}

fn peer() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => selector().prop_map(|s| json!({"podSelector": s})),
        3 => namespace_selector().prop_map(|s| json!({"namespaceSelector": s})),
        3 => (namespace_selector(), selector()).prop_map(|(n, p)| json!({"namespaceSelector": n, "podSelector": p})),
        2 => block().prop_map(|b| json!({"ipBlock": b})),
    ]
}

fn port() -> impl Strategy<Value = Value> {
    prop_oneof![
        (pick(&PORTS), pick(&["TCP", "UDP", "SCTP"]))
            .prop_map(|(p, proto)| json!({"port": p, "protocol": proto})),
        pick(&["TCP", "UDP"]).prop_map(|proto| json!({"protocol": proto})),
        Just(json!({"port": 80, "endPort": 8080})),
        Just(json!({"port": "web"})),
    ]
}

fn kubernetes() -> impl Strategy<Value = Value> {
    let rules = |key: &'static str| {
        proptest::collection::vec(
            (
                proptest::collection::vec(peer(), 0..3),
                proptest::collection::vec(port(), 0..3),
            )
                .prop_map(move |(peers, ports)| json!({key: peers, "ports": ports})),
            0..3,
        )
    };
    (pick(&NAMESPACES), selector(), rules("from"), rules("to"), proptest::option::of(pick(&[vec!["Ingress"], vec!["Egress"], vec!["Ingress", "Egress"]])))
        .prop_map(|(namespace, pods, ingress, egress, types)| {
            let mut spec = json!({"podSelector": pods, "ingress": ingress, "egress": egress});
            if let Some(types) = types {
                spec["policyTypes"] = json!(types);
            }
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"namespace": namespace}, "spec": spec})
        })
}

fn cluster() -> impl Strategy<Value = Value> {
    let peer = || {
        prop_oneof![
            namespace_selector().prop_map(|s| json!({"namespaces": s})),
            (namespace_selector(), selector())
                .prop_map(|(n, p)| json!({"pods": {"namespaceSelector": n, "podSelector": p}})),
        ]
    };
    let to = prop_oneof![
        3 => peer(),
        1 => Just(json!({"networks": ["10.0.0.0/25", "203.0.113.0/25"]})),
        1 => Just(json!({"domainNames": ["*.example.com"]})),
        1 => Just(json!({"nodes": {}})),
    ];
    let protocol = || {
        prop_oneof![
            pick(&PORTS).prop_map(|p| json!({"tcp": {"destinationPort": {"number": p}}})),
            Just(json!({"udp": {"destinationPort": {"range": {"start": 50, "end": 90}}}})),
            Just(json!({"destinationNamedPort": "web"})),
        ]
    };
    let action = || pick(&["Accept", "Deny", "Pass"]);
    let ingress = (
        action(),
        peer(),
        proptest::collection::vec(protocol(), 0..2),
    )
        .prop_map(
            |(action, peer, ports)| json!({"action": action, "from": [peer], "protocols": ports}),
        );
    let egress = (action(), to, proptest::collection::vec(protocol(), 0..2)).prop_map(
        |(action, peer, ports)| {
            let action = if peer.get("domainNames").is_some() {
                "Accept"
            } else {
                action
            };
            json!({"action": action, "to": [peer], "protocols": ports})
        },
    );
    (pick(&["Admin", "Baseline"]), 0..1000u16, namespace_selector(), proptest::collection::vec(ingress, 0..3), proptest::collection::vec(egress, 0..3))
        .prop_map(|(tier, priority, subject, ingress, egress)| json!({
            "apiVersion": "policy.networking.k8s.io/v1alpha2", "kind": "ClusterNetworkPolicy", "metadata": {},
            "spec": {"tier": tier, "priority": priority, "subject": {"namespaces": subject}, "ingress": ingress, "egress": egress}
        }))
}

fn calico() -> impl Strategy<Value = Value> {
    let expression = || {
        pick(&[
            "all()",
            "app == 'x'",
            "tier != 'y'",
            "has(tier) && app in {'x','z'}",
            "!has(tier)",
            "set == 'one'",
            "projectcalico.org/namespace == 'b'",
        ])
    };
    let entity = || {
        prop_oneof![
            Just(json!({})),
            expression().prop_map(|s| json!({"selector": s})),
            expression().prop_map(|s| json!({"notSelector": s})),
            (
                expression(),
                pick(&[
                    "all()",
                    "global()",
                    "team == 'x'",
                    "projectcalico.org/name == 'c'"
                ])
            )
                .prop_map(|(s, n)| json!({"selector": s, "namespaceSelector": n})),
            Just(json!({"nets": ["10.0.0.0/25"]})),
            Just(json!({"notNets": ["10.0.0.0/8", "203.0.113.7"]})),
            Just(json!({"serviceAccounts": {"names": ["robot"]}})),
            Just(json!({"services": {"name": "web", "namespace": "a"}})),
        ]
    };
    let rule = (
        pick(&["Allow", "Deny", "Pass", "Log"]),
        entity(),
        entity(),
        pick(&[json!(null), json!("TCP"), json!("UDP"), json!("ICMP")]),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(action, source, destination, protocol, ports, not)| {
            let mut rule = json!({"action": action, "source": source, "destination": destination});
            if !protocol.is_null() {
                rule["protocol"] = protocol.clone();
                if ports && protocol != "ICMP" && rule["destination"].get("services").is_none() {
                    let key = if not { "notPorts" } else { "ports" };
                    rule["destination"][key] = json!([80, "8080:8090", "web"]);
                }
            } else if not {
                rule["notProtocol"] = json!("TCP");
            }
            rule
        })
        .boxed();
    (any::<bool>(), pick(&NAMESPACES), proptest::option::of(pick(&["first", "second"])), expression(), proptest::collection::vec(rule.clone(), 0..3), proptest::collection::vec(rule, 0..3), 0..3u8)
        .prop_map(|(global, namespace, tier, selector, ingress, egress, order)| {
            let mut policy = json!({
                "apiVersion": "projectcalico.org/v3", "kind": if global { "GlobalNetworkPolicy" } else { "NetworkPolicy" },
                "metadata": {"namespace": namespace},
                "spec": {"selector": selector, "ingress": ingress, "egress": egress, "order": order}
            });
            if let Some(tier) = tier {
                policy["spec"]["tier"] = tier.into();
            }
            policy
        })
}

fn pod() -> impl Strategy<Value = Value> {
    (pick(&NAMESPACES), labels(), 0..12u8, any::<bool>(), 0..200u8, pick(&[80u16, 8080]), pick(&["default", "robot"]))
        .prop_map(|(namespace, labels, kind, web, last, port, account)| {
            let ports = if web { json!([{"containerPort": port, "name": "web"}, {"containerPort": 53, "protocol": "UDP", "name": "dns"}]) } else { json!([]) };
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "labels": labels},
                "spec": {"serviceAccountName": account, "containers": [{"name": "c", "image": "i", "ports": ports}]}
            });
            match kind {
                0 => pod["spec"]["hostNetwork"] = true.into(),
                1 => pod["status"] = json!({"phase": "Succeeded", "podIP": "10.0.0.250"}),
                2 | 3 => {}
                4 => pod["status"] = json!({"podIP": format!("2001:db8::{last:x}")}),
                5 => pod["status"] = json!({"podIPs": [{"ip": format!("10.0.0.{last}")}, {"ip": format!("2001:db8::{last:x}")}]}),
                _ => pod["status"] = json!({"podIP": format!("10.0.0.{last}")}),
            }
            if kind % 2 == 0 {
                pod["spec"]["nodeName"] = "node-1".into();
            }
            pod
        })
}

fn cluster_objects() -> impl Strategy<Value = Vec<Value>> {
    let policies =
        prop_oneof![3 => kubernetes().boxed(), 2 => cluster().boxed(), 2 => calico().boxed()];
    (proptest::collection::vec(pod(), 2..9), proptest::collection::vec(policies, 0..7), 0..4usize).prop_map(|(pods, policies, declared)| {
        let mut out = vec![
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-1"}, "status": {"addresses": [{"address": "192.0.2.1"}]}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "a"}, "spec": {"selector": {"app": "x"}, "ports": [{"port": 80, "targetPort": "web"}]}}),
            json!({"apiVersion": "projectcalico.org/v3", "kind": "GlobalNetworkSet", "metadata": {"name": "one", "labels": {"set": "one"}}, "spec": {"nets": ["203.0.113.0/28", "10.0.0.64/26"]}}),
            json!({"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "first"}, "spec": {"order": 10}}),
            json!({"apiVersion": "projectcalico.org/v3", "kind": "Tier", "metadata": {"name": "second"}, "spec": {"order": 2000000, "defaultAction": "Pass"}}),
        ];
        for (at, name) in NAMESPACES.iter().enumerate().take(declared) {
            out.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"team": VALUES[at]}}}));
        }
        for (at, mut object) in pods.into_iter().chain(policies).enumerate() {
            object["metadata"]["name"] = format!("o{at}").into();
            out.push(object);
        }
        out
    })
}

/// How many probes the comparison asks at least.
const PROBES: usize = 100_000;

#[test]
fn compiled_equals_naive() {
    let config = Config {
        cases: 350,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let asked = std::cell::Cell::new(0usize);
    let outcomes = [const { std::cell::Cell::new(0usize) }; 3];
    runner
        .run(&cluster_objects(), |objects| {
            let input = input(&objects);
            let world = &input.world;
            for assumptions in [Assumptions::default(), vedette_netpol::list::assumptions()] {
                let mut compiled = Compiled::new(world, &assumptions);
                let directory = Directory::new(world);
                let mut parties: Vec<Party> = (0..world.pods.len()).map(Party::Pod).collect();
                for address in [
                    "203.0.113.7",
                    "198.51.100.1",
                    "10.0.0.77",
                    "192.0.2.1",
                    "2001:db8::ffff:1",
                ] {
                    if let Ok(vedette_netpol::evaluate::Resolved::One(party)) =
                        directory.find(world, address)
                    {
                        parties.push(party);
                    }
                }
                parties.push(Party::Stranger);
                parties.push(Party::Name("www.example.com".into()));
                for from in &parties {
                    for to in &parties {
                        for (protocol, port) in [
                            (Protocol::TCP, 80),
                            (Protocol::UDP, 53),
                            (Protocol::TCP, 8080),
                            (Protocol::ICMP, 1),
                        ] {
                            let question = Question {
                                from: from.clone(),
                                to: to.clone(),
                                protocol,
                                port,
                            };
                            let plain = evaluate(world, &assumptions, &question);
                            prop_assert_eq!(
                                compiled.decide(&question),
                                plain.decision,
                                "{:?}: egress {:?} ingress {:?}",
                                question,
                                plain.egress,
                                plain.ingress
                            );
                            asked.set(asked.get() + 1);
                            let outcome = &outcomes[plain.decision as usize];
                            outcome.set(outcome.get() + 1);
                        }
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    let outcomes = outcomes.map(|c| c.get());
    println!(
        "compiled equals naive on {} probes (allowed, denied, undecidable: {outcomes:?})",
        asked.get()
    );
    assert!(asked.get() >= PROBES);
    // A comparison in which one outcome hardly occurs would prove little.
    assert!(
        outcomes.iter().all(|count| *count > asked.get() / 200),
        "{outcomes:?}"
    );
}

fn workloads() -> Vec<Value> {
    let mut out = vec![json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "coredns", "namespace": "kube-system"},
        "spec": {"selector": {"matchLabels": {"k8s-app": "kube-dns"}}, "template": {
            "metadata": {"labels": {"k8s-app": "kube-dns", "pod-template-hash": "5d78c9869d"}},
            "spec": {"containers": [{"name": "c", "ports": [{"containerPort": 53, "protocol": "UDP", "name": "dns"}, {"containerPort": 53, "name": "dns-tcp"}]}]}}}
    })];
    for namespace in ["shop", "bank"] {
        for name in ["web", "api", "db", "job"] {
            out.push(json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"matchLabels": {"app": name}}, "template": {
                    "metadata": {"labels": {"app": name, "pod-template-hash": "abc123de45", "version": "7"}},
                    "spec": {"containers": [{"name": "c"}]}}}
            }));
        }
    }
    out
}

fn flow() -> impl Strategy<Value = Value> {
    let names = [
        "shop/web", "shop/api", "shop/db", "shop/job", "bank/web", "bank/api", "bank/db",
        "bank/job",
    ];
    let other = prop_oneof![
        4 => pick(&names).prop_map(str::to_owned),
        1 => Just("kube-system/coredns".to_owned()),
        1 => pick(&["203.0.113.7", "198.51.100.1", "2001:db8::7"]).prop_map(str::to_owned),
    ];
    (pick(&names), other, any::<bool>(), pick(&[80u16, 443, 5432]), pick(&["TCP", "UDP"])).prop_map(|(a, b, out, port, protocol)| {
        let port = if b == "kube-system/coredns" { 53 } else { port };
        let out = out || b == "kube-system/coredns";
        let (source, destination) = if out { (a.to_owned(), b) } else { (b, a.to_owned()) };
        json!({"source": source, "destination": destination, "port": port, "protocol": protocol})
    })
}

fn with(world: &World, policies: impl Iterator<Item = vedette_netpol::model::Policy>) -> World {
    let mut out = world.clone();
    policies.for_each(|p| out.insert(p));
    out.sort();
    out
}

#[test]
fn generated_policies_allow_what_was_seen_and_nothing_can_go() {
    let base = input(&workloads());
    let config = Config {
        cases: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&proptest::collection::vec(flow(), 1..14), |lines| {
            let flows: Vec<Flow> = lines
                .iter()
                .map(|l| Flow::parse(&l.to_string()).unwrap())
                .collect();
            let world = &base.world;
            let generated = generate(world, &flows, &Options::default());
            let assumptions = Assumptions::default();
            let all_allowed = |world: &World| {
                let directory = Directory::new(world);
                flows.iter().all(|flow| {
                    let (from, targets) =
                        vedette_netpol::flow::parties(world, &directory, &assumptions, flow)
                            .unwrap();
                    targets.into_iter().all(|t| {
                        if from == t.party {
                            return true; // A workload talking to itself may be one pod over loopback.
                        }
                        let question = Question {
                            from: from.clone(),
                            to: t.party,
                            protocol: flow.protocol,
                            port: t.port,
                        };
                        evaluate(world, &assumptions, &question).decision == Decision::Allowed
                    })
                })
            };
            let enforced = with(world, generated.policies.iter().map(as_policy));
            prop_assert!(all_allowed(&enforced), "{:#?}", generated.policies);
            for (at, policy) in generated.policies.iter().enumerate() {
                for rule in 0..policy.rules.len() {
                    let mut fewer = generated.policies.clone();
                    fewer[at].rules.remove(rule);
                    let world = with(world, fewer.iter().map(as_policy));
                    prop_assert!(
                        !all_allowed(&world),
                        "{} rule {rule} is superfluous",
                        policy.name
                    );
                }
            }
            // The same flows in another order give the same bytes, and the text means what the policies say.
            let mut reversed = flows.clone();
            reversed.reverse();
            for format in [
                Format::Kubernetes,
                Format::Calico,
                Format::CalicoStaged,
                Format::Cilium,
            ] {
                let text = emit(&generated.policies, format);
                prop_assert_eq!(
                    &text,
                    &emit(
                        &generate(world, &reversed, &Options::default()).policies,
                        format
                    )
                );
                prop_assert!(!text.contains("pod-template-hash") && !text.contains("version\":"));
                let read = from_sources(&[Source {
                    name: "out.yaml".into(),
                    text: text.as_str().into(),
                }]);
                prop_assert!(
                    read.diagnostics.is_empty(),
                    "{:?}\n{text}",
                    read.diagnostics
                );
                if matches!(format, Format::Kubernetes | Format::Calico) {
                    let enforced = with(world, read.world.policies().cloned());
                    prop_assert!(all_allowed(&enforced), "{text}");
                }
            }
            Ok(())
        })
        .unwrap();
}
