//! Policies from a well-known paper and a workshop, with what they truly do; and inputs that a cluster would refuse.

#![allow(
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is not as it should be"
)]

use vedette_manifest::Source;
use vedette_netpol::check::{Checker, Probe};
use vedette_netpol::evaluate::Assumptions;
use vedette_netpol::flow::Flow;
use vedette_netpol::generate::{Format, Options, emit, generate};
use vedette_netpol::lint::{Finding, lint};
use vedette_netpol::load::{Input, from_sources};

const WORLD: &str = r"
{apiVersion: v1, kind: Namespace, metadata: {name: default}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: server}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: nginx}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: kube-system}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec:
  selector: {matchLabels: {k8s-app: kube-dns}}
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec: {containers: [{name: c, ports: [{containerPort: 53, protocol: UDP, name: dns}, {containerPort: 53, name: dns-tcp}]}]}
---
{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}, spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{name: dns, port: 53, protocol: UDP}, {name: dns-tcp, port: 53}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: nginx, namespace: server, labels: {run: nginx}}, spec: {containers: [{name: c, ports: [{containerPort: 80}]}]}, status: {podIP: 10.1.0.5}}
---
{apiVersion: v1, kind: Service, metadata: {name: nginx, namespace: server}, spec: {clusterIP: 10.96.0.20, selector: {run: nginx}, ports: [{port: 8000, targetPort: 80}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: client, namespace: default, labels: {run: client}}, spec: {containers: [{name: c}]}, status: {podIP: 10.1.0.6}}
---
{apiVersion: v1, kind: Pod, metadata: {name: other, namespace: nginx, labels: {run: other}}, spec: {containers: [{name: c}]}, status: {podIP: 10.1.0.7}}
";

fn with(policy: &str) -> Input {
    let source = |name: &str, text: &str| Source {
        name: name.into(),
        text: text.into(),
    };
    from_sources(&[source("world.yaml", WORLD), source("policy.yaml", policy)])
}

fn ask(input: &Input, probe: &str) -> (Option<bool>, String) {
    let assumptions = Assumptions::default();
    let line = Checker::new(&input.world, &assumptions).answer(&Probe::parse(probe).unwrap());
    (line.allowed, line.reason)
}

fn findings(input: &Input, check: &str) -> Vec<Finding> {
    let mut found = lint(&input.world, &Assumptions::default());
    found.retain(|f| f.check == check);
    found
}

#[test]
fn deny_all_ingress() {
    let input = with(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: default-deny-ingress, namespace: server}\nspec: {podSelector: {}, policyTypes: [Ingress]}\n",
    );
    assert!(input.diagnostics.is_empty(), "{:?}", input.diagnostics);
    let (allowed, reason) = ask(
        &input,
        r#"{"from":"203.0.113.9","to":"server/nginx","port":80}"#,
    );
    assert_eq!(allowed, Some(false));
    assert!(reason.contains("default-deny-ingress isolates"), "{reason}");
    let (allowed, _) = ask(
        &input,
        r#"{"from":"server/nginx","to":"203.0.113.9","port":443}"#,
    );
    assert_eq!(allowed, Some(true), "egress is not touched");
}

#[test]
fn only_from_namespace_default() {
    let input = with(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: allow-namespace, namespace: server}\nspec:\n  podSelector: {matchLabels: {run: nginx}}\n  ingress:\n  - from:\n    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}\n",
    );
    // Through the Service's name and its address: policies see the pod and its port.
    for to in ["nginx.server.svc.cluster.local", "10.96.0.20"] {
        let probe = |from: &str| format!(r#"{{"from":"{from}","to":"{to}","port":8000}}"#);
        assert_eq!(ask(&input, &probe("default/client")).0, Some(true));
        assert_eq!(ask(&input, &probe("nginx/other")).0, Some(false));
    }
}

const PORT_80: &str = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: egress-test-network-policy\n  namespace: default\n  annotations: {description: block egress port 80}\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  ingress:\n  egress:\n  - ports:\n    - {protocol: TCP, port: 80}\n";

#[test]
fn block_port_80_allows_only_port_80() {
    let input = with(PORT_80);
    assert!(
        input.diagnostics.is_empty(),
        "`ingress:` without a value is fine: {:?}",
        input.diagnostics
    );
    let from = "default/client";
    let probe = |to: &str, port: u16, protocol: &str| {
        format!(r#"{{"from":"{from}","to":"{to}","port":{port},"protocol":"{protocol}"}}"#)
    };
    assert_eq!(
        ask(&input, &probe("203.0.113.9", 80, "TCP")).0,
        Some(true),
        "what it says it blocks is what it allows"
    );
    assert_eq!(
        ask(&input, &probe("203.0.113.9", 443, "TCP")).0,
        Some(false)
    );
    assert_eq!(
        ask(&input, &probe("kube-system/kube-dns", 53, "UDP")).0,
        Some(false),
        "names do not resolve"
    );
    let cut = findings(&input, "dns-cut");
    assert_eq!(cut.len(), 1);
    assert!(
        cut[0].message.contains("could not resolve host"),
        "{}",
        cut[0].message
    );
    let title = findings(&input, "title-contradicts");
    assert!(
        title[0]
            .message
            .contains("ALLOWS port 80 and blocks everything else"),
        "{}",
        title[0].message
    );
}

#[test]
fn the_generated_policies_of_the_workshop_and_their_faults() {
    let input = with(
        r#"
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: generated-network-policy, namespace: server}
spec:
  podSelector: {matchLabels: {run: nginx}}
  policyTypes: [Ingress, Egress]
  ingress:
  - from:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default, aws.cdk.eks/prune-c842be348c45337cd97b8759de76d5a68b4910d487: ""}}
      podSelector: {matchLabels: {run: client}}
    ports: [{protocol: TCP, port: 8080}]
  egress:
  - to: [{namespaceSelector: {}}]
    ports: [{protocol: UDP, port: 53}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: generated-network-policy, namespace: nginx}
spec:
  podSelector: {}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
  - to: [{namespaceSelector: {}}]
    ports: [{protocol: UDP, port: 53}]
"#,
    );
    assert_eq!(findings(&input, "volatile-label").len(), 1);
    assert!(
        findings(&input, "dns-partial")
            .iter()
            .any(|f| f.message.contains("not over TCP"))
    );
    assert!(
        findings(&input, "unintended-isolation")[0]
            .message
            .contains("NodePort")
    );
    // The label of the tool is not on the namespace any more: the client is cut off.
    assert_eq!(
        ask(
            &input,
            r#"{"from":"default/client","to":"server/nginx","port":8080}"#
        )
        .0,
        Some(false)
    );
    assert_eq!(
        ask(
            &input,
            r#"{"from":"nginx/other","to":"169.254.169.254","port":80}"#
        )
        .0,
        Some(false)
    );
    assert_eq!(
        ask(
            &input,
            r#"{"from":"nginx/other","to":"kube-system/kube-dns","port":53,"protocol":"UDP"}"#
        )
        .0,
        Some(true)
    );
    assert_eq!(
        ask(
            &input,
            r#"{"from":"nginx/other","to":"kube-system/kube-dns","port":53}"#
        )
        .0,
        Some(false)
    );
}

#[test]
fn ours_for_the_same_flows() {
    let input = with("");
    let flows: Vec<Flow> = [
        r#"{"source":"default/client","destination":"nginx.server.svc","port":8000}"#,
        r#"{"source":"default/client","destination":"10.96.0.10","port":53,"protocol":"UDP"}"#,
        r#"{"source":"default/client","destination":"169.254.169.254","port":80,"process":"curl"}"#,
        r#"{"source":"default/client","destination":{"address":"2001:db8::7","name":"example.com"},"port":443}"#,
    ]
    .map(|line| Flow::parse(line).unwrap())
    .to_vec();
    let options = Options {
        ingress: false,
        ..Options::default()
    };
    let found = generate(&input.world, &flows, &options);
    let text = emit(&found.policies, Format::Kubernetes);
    assert!(
        text.contains("port: 80\n") && !text.contains("8000"),
        "the pod's port, not the Service's: {text}"
    );
    assert!(
        text.contains("protocol: TCP\n      port: 53\n    - protocol: UDP\n      port: 53"),
        "{text}"
    );
    assert!(text.contains("2001:db8::7/128"), "{text}");
    assert!(
        !text.contains("169.254") && !text.contains("Ingress"),
        "{text}"
    );
    assert!(
        found.notes.iter().any(|n| n.contains("metadata service")),
        "{:?}",
        found.notes
    );
    assert!(
        text.contains("kubernetes.io/metadata.name: \"kube-system\""),
        "{text}"
    );
}

#[test]
fn what_a_cluster_would_refuse_is_named_and_the_rest_still_answers() {
    let np = |spec: &str| {
        format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: bad, namespace: server}}\nspec: {spec}\n"
        )
    };
    let anp = |spec: &str| {
        format!(
            "apiVersion: policy.networking.k8s.io/v1alpha1\nkind: AdminNetworkPolicy\nmetadata: {{name: bad}}\nspec: {spec}\n"
        )
    };
    let cases: Vec<(String, &str)> = vec![
        (np("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/99}}]}]}"), "CIDR"),
        (np("{podSelector: {matchLabels: {app@x: y}}}"), "label key"),
        (np("{podSelector: {matchLabels: {app: 'y@x'}}}"), "label value"),
        (np("{podSelector: {matchLabels: {app: 1}}}"), "string"),
        (np("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}]}"), "ipBlock"),
        (np("{podSelector: {}, ingress: [{from: [{}]}]}"), "at least one of podSelector"),
        (np("{podSelector: {}, ingress: [{ports: [{port: 90, endPort: 80}]}]}"), "endPort"),
        (np("{podSelector: {}, ingress: [{ports: [{port: http, endPort: 80}]}]}"), "endPort"),
        (np("{podSelector: {}, ingress: [{ports: [{port: 70000}]}]}"), "65535"),
        (np("{podSelector: {}, ingress: [{ports: [{port: 80, protocol: ICMP}]}]}"), "SCTP"),
        (np("{podSelector: {}, ingress: {}}"), "list"),
        (np("{podSelector: {matchExpressions: [{key: a, operator: In}]}}"), "values"),
        (np("{podSelector: {}, policyTypes: [Both]}"), "Ingress"),
        (np("{podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]}"), "inside"),
        (np("{podSelector: [1"), "YAML"),
        (anp("{priority: 2000, subject: {namespaces: {}}}"), "priority"),
        (anp("{priority: 1, subject: {}}"), "exactly one"),
        (anp("{priority: 1, subject: {namespaces: {}}, ingress: [{action: Allow, from: []}]}"), "at least one peer"),
        (anp("{priority: 1, subject: {namespaces: {}}, ingress: [{from: [{namespaces: {}}]}]}"), "action"),
        (anp("{priority: 1, subject: {namespaces: {}}, ingress: [{action: Block, from: [{namespaces: {}}]}]}"), "Pass"),
        (anp("{priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}, pods: {}}]}]}"), "exactly one"),
        (anp("{priority: 1, subject: {namespaces: {}}, egress: [{action: Deny, to: [{namespaces: {}}], ports: [{portNumber: {port: 1}, namedPort: a}]}]}"), "exactly one"),
        ("apiVersion: policy.networking.k8s.io/v1alpha1\nkind: BaselineAdminNetworkPolicy\nmetadata: {name: mine}\nspec: {subject: {namespaces: {}}}\n".into(), "default"),
        ("apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {name: bad}\nspec: {selector: \"a ==\"}\n".into(), "selector"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {app: 1}}\nspec: {containers: []}\n".into(), "string"),
    ];
    for (text, expected) in &cases {
        let input = with(text);
        assert!(input.has_errors(), "{text}");
        let said = input
            .diagnostics
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n");
        assert!(
            said.contains(expected) && said.contains("policy.yaml:"),
            "{text}: {said}"
        );
        assert_eq!(input.world.policies().count(), 0, "{text}");
        assert_eq!(
            ask(
                &input,
                r#"{"from":"default/client","to":"server/nginx","port":80}"#
            )
            .0,
            Some(true)
        );
    }
    println!("{} kinds of bad input named", cases.len());
}

#[test]
fn doubt_is_said_and_not_guessed() {
    let input = with(
        "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: out, namespace: kube-system}\nspec:\n  podSelector: {}\n  policyTypes: [Egress]\n  egress:\n  - to: [{ipBlock: {cidr: 203.0.113.0/24}}]\n",
    );
    let (allowed, reason) = ask(
        &input,
        r#"{"from":"kube-system/coredns","to":"www.example.com","port":443}"#,
    );
    assert_eq!(allowed, None);
    assert!(
        reason.contains("address that the name stands for"),
        "{reason}"
    );
    let (allowed, reason) = ask(
        &input,
        r#"{"from":"nobody/nothing","to":"server/nginx","port":443}"#,
    );
    assert_eq!(allowed, None);
    assert!(reason.contains("is no pod"), "{reason}");
}
