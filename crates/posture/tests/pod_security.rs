//! The Pod Security answers of the upstream library, of a real API server, and of the workshop.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and prints its figures"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use vedette_manifest::{Object, Source, load};
use vedette_posture::pss::admission::{Answer, Policies, Policy, answer, warning_for};
use vedette_posture::pss::{Pod, evaluate};

fn data() -> Option<PathBuf> {
    let root =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/pod_security");
    if !root.is_dir() {
        println!("skipped: no Pod Security conformance data beside the workspace");
        return None;
    }
    Some(root)
}

fn objects(text: String) -> Vec<Object> {
    let loaded = load(&[Source {
        name: "case".into(),
        text: text.into(),
    }]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    loaded.objects
}

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn upstream_verdicts_reasons_and_details() {
    let Some(root) = data() else { return };
    let (mut ran, mut wrong) = (0, Vec::new());
    for case in lines(&root.join("expected_messages.jsonl")) {
        let path = root.join(text(&case, "id"));
        let pods = objects(std::fs::read_to_string(&path).unwrap());
        let pod = Pod::of(&pods[0]).unwrap();
        let level = text(&case, "level").parse().unwrap();
        let verdict = evaluate(&pod, level, text(&case, "version").parse().unwrap());
        ran += 1;
        if (verdict.allowed(), verdict.reason(), verdict.detail())
            != (
                case["allowed"].as_bool().unwrap(),
                text(&case, "reason").to_owned(),
                text(&case, "detail").to_owned(),
            )
        {
            wrong.push(format!(
                "{}:\n  want {}\n  have {}",
                text(&case, "id"),
                text(&case, "detail"),
                verdict.detail()
            ));
        }
    }
    println!("upstream answers: {ran} ran, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn real_server_answers() {
    let Some(root) = data() else { return };
    let (mut ran, mut invalid, mut wrong) = (0, 0, Vec::new());
    for case in lines(&root.join("server_answers.jsonl")) {
        let path = root.join(text(&case, "file"));
        let mut pods = objects(std::fs::read_to_string(&path).unwrap());
        // The server was asked with names that are valid DNS labels.
        pods[0].name = pods[0].name.replace('_', "-");
        let policy = Policy::new(
            text(&case, "level").parse().unwrap(),
            text(&case, "version"),
        )
        .unwrap();
        let labels = [
            ("pod-security.kubernetes.io/enforce", text(&case, "level")),
            (
                "pod-security.kubernetes.io/enforce-version",
                text(&case, "version"),
            ),
        ];
        let found = answer(&pods[0], &Policies::from_labels(&labels.into_iter()));
        let warning = warning_for(&pods[0], &policy);
        let message = case["message"].as_str();
        if message.is_some_and(|message| !message.contains("violates PodSecurity")) {
            invalid += 1;
        } else if found.refusal.as_deref() != message {
            wrong.push(format!(
                "{}:\n  want {message:?}\n  have {:?}",
                path.display(),
                found.refusal
            ));
        }
        let warned = case["warnings"][0].as_str();
        if case["warn_code"] == 201 && warning.as_deref() != warned {
            wrong.push(format!(
                "{}:\n  want {warned:?}\n  have {warning:?}",
                path.display()
            ));
        }
        ran += 1;
    }
    println!(
        "server answers: {ran} ran ({invalid} refused by validation before admission), {} differ",
        wrong.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn real_workload_warnings() {
    let Some(root) = data() else { return };
    let (mut ran, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(root.join("server_warnings")).unwrap() {
        let case: Value =
            serde_json::from_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap()).unwrap();
        let object = &objects(case["manifest"].to_string())[0];
        for result in case["results"].as_array().unwrap() {
            let labels: HashMap<&str, &str> = result["namespaceLabels"]
                .as_object()
                .unwrap()
                .iter()
                .map(|(key, value)| (key.as_str(), value.as_str().unwrap()))
                .collect();
            let policies = Policies::from_labels(&labels.iter().map(|(k, v)| (*k, *v)));
            let want = Answer {
                refusal: result["message"]
                    .as_str()
                    .filter(|message| message.contains("PodSecurity"))
                    .map(str::to_owned),
                warning: result["warnings"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(Value::as_str)
                    .find(|warning| warning.contains("PodSecurity"))
                    .map(str::to_owned),
            };
            let skip = result["code"] == 422;
            let have = answer(object, &policies);
            ran += 1;
            if !skip && have != want {
                wrong.push(format!(
                    "{} {labels:?}\n  want {want:?}\n  have {have:?}",
                    case["case"]
                ));
            }
        }
    }
    println!("server warnings: {ran} ran, {} differ", wrong.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_workshops_warning_word_for_word() {
    let object = &objects(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: security-playground}\nspec:\n  template:\n    spec:\n      hostPID: true\n      containers:\n      - name: security-playground\n        securityContext: {privileged: true}\n"
            .to_owned(),
    )[0];
    let policy = Policy::latest("restricted".parse().unwrap());
    let Some(root) = data() else { return };
    let seed = lines(&root.join("seed_messages.jsonl"))
        .into_iter()
        .find(|case| case["level"] == "restricted")
        .unwrap();
    assert_eq!(
        warning_for(object, &policy).unwrap(),
        format!(
            "would violate PodSecurity \"restricted:latest\": {}",
            text(&seed, "detail")
        )
    );
}
