//! Calico's own table of selectors: matches, rejects, canonical forms and identifiers.

use serde_json::Value;
use vedette_netpol::expression::Expression;

use crate::suite;

#[test]
fn calico_selectors() {
    let Some(folder) = suite("calico_selectors") else {
        return;
    };
    let data: Value =
        serde_json::from_slice(&std::fs::read(folder.join("selectors.json")).unwrap()).unwrap();
    let list = |key: &str| data[key].as_array().unwrap().clone();
    let (mut matches, mut rejects, mut canonical) = (0, 0, 0);
    for test in list("tests") {
        let text = test["selector"].as_str().unwrap();
        let parsed = Expression::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        for (key, expected) in [("match", true), ("noMatch", false)] {
            for labels in test[key].as_array().unwrap() {
                let get = |label: &str| labels[label].as_str();
                assert_eq!(parsed.matches(&get), expected, "{text} on {labels}");
            }
        }
        matches += 1;
    }
    for bad in list("bad") {
        let text = bad.as_str().unwrap();
        assert!(Expression::parse(text).is_err(), "{text}");
        rejects += 1;
    }
    for form in list("canonical") {
        let text = form["input"].as_str().unwrap();
        let parsed = Expression::parse(text).unwrap();
        assert_eq!(
            parsed.to_string(),
            form["canonical"].as_str().unwrap(),
            "{text}"
        );
        let uid = form["uid"].as_str().unwrap();
        if !uid.is_empty() {
            assert_eq!(parsed.uid(), uid, "{text}");
        }
        canonical += 1;
    }
    println!(
        "calico selectors: {matches} match tables, {rejects} rejects, {canonical} canonical forms"
    );
}
