//! Checks in CEL: the format, imported policies, and built-in checks exported as policies.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::path::Path;

use vedette_manifest::{Source, load};
use vedette_posture::check::Findings;
use vedette_posture::checks::by_id;
use vedette_posture::input::{Input, Settings};
use vedette_posture::user::builtin::{as_cel, exportable};
use vedette_posture::user::{parse, vap};

const CHECKS: &str = r#"
checks:
- id: no-node-port
  title: Services are not exposed on nodes
  kinds: [Service]
  variables:
  - {name: type, expression: "has(object.spec.type) ? object.spec.type : 'ClusterIP'"}
  validations:
  - expression: variables.type != 'NodePort'
    message: the service is exposed on every node
    path: spec.type
  tests:
  - {name: a node port fails, passes: false, object: {kind: Service, spec: {type: NodePort}}}
  - {name: the default passes, passes: true, object: {kind: Service, spec: {}}}
- id: broken
  kinds: ["*"]
  validations:
  - expression: "object.spec.("
"#;

#[test]
fn checks_are_read_and_their_tests_run() {
    let (checks, mistakes) = parse(CHECKS);
    assert_eq!(checks.len(), 1);
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert_eq!(checks[0].test(), Vec::<String>::new());
}

#[test]
fn what_cannot_be_evaluated_fails() {
    let (checks, _) = parse(
        "checks:\n- {id: a, kinds: [Pod], validations: [{expression: object.spec.nothing == 1}]}\n",
    );
    let objects = load(&[Source {
        name: "f".into(),
        text: "kind: Pod\nspec: {}\n".into(),
    }])
    .objects;
    let failures = checks[0].judge(&objects[0]);
    assert!(failures[0].error, "{failures:?}");
}

#[test]
fn a_policy_survives_export_and_import() {
    let (checks, _) = parse(CHECKS);
    let (again, mistakes) = parse(&vap::export(&checks[0]));
    assert!(mistakes.is_empty(), "{mistakes:?}");
    assert_eq!(
        again[0].validations[0].expression,
        checks[0].validations[0].expression
    );
    assert!(again[0].covers("Service") && !again[0].covers("Pod"));
    assert_eq!(vap::plural("NetworkPolicy"), "networkpolicies");
    assert_eq!(vap::plural("Ingress"), "ingresses");
}

#[test]
fn exported_checks_judge_as_the_built_in_ones() {
    let mut compared = 0;
    for id in exportable() {
        let (policies, mistakes) = parse(&vap::export(&as_cel(id).unwrap()));
        assert!(mistakes.is_empty(), "{id}: {mistakes:?}");
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src/checks")
            .join(id.replace('-', "_") + ".md");
        let text = std::fs::read_to_string(path).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let yaml = block.split("```").next().unwrap();
            let objects = load(&[Source {
                name: "f".into(),
                text: yaml.into(),
            }])
            .objects;
            let input = Input::new(&objects, Settings::default());
            let mut out = Findings::new(&objects);
            (by_id(id).unwrap().run)(&input, &mut out);
            let failing: Vec<usize> = out.into_vec().iter().map(|f| f.object).collect();
            for (index, object) in objects.iter().enumerate() {
                let failures = policies[0].judge(object);
                assert_eq!(
                    failures.is_empty(),
                    !failing.contains(&index),
                    "{id}: {}: {failures:?}",
                    object.title()
                );
                compared += 1;
            }
        }
    }
    println!(
        "{} exported checks agree on {compared} objects",
        exportable().count()
    );
}
