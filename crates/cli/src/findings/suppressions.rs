//! The file of suppression rules:
//!
//! ```yaml
//! suppressions:
//! - name: break-glass
//!   owner: platform team
//!   reason: on-call debugs kube-proxy this way
//!   ends: 2027-01-31            # or with a time, RFC 3339
//!   dryRun: false
//!   criteria:                   # as GuardDuty's filters have them
//!     type: {equals: ["Execution:Kubernetes/ExecInKubeSystemPod"]}
//! ```

use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde_json::{Map, Number, Value};
use vedette_audit::findings::Suppression;
use vedette_audit::time::parse_rfc3339;
use vedette_yaml::{Kind, Node, Style};

/// Keys of a rule.
const KEYS: [&str; 6] = ["name", "owner", "reason", "ends", "dryRun", "criteria"];

/// Reads suppression rules.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Suppression>> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {shown}"))?;
    let parsed = vedette_yaml::parse(&text);
    if let Some(error) = parsed.errors.first() {
        bail!("{shown}: {error}");
    }
    let Some(document) = parsed.documents.first() else {
        return Ok(Vec::new());
    };
    let rules = document.root.get("suppressions").unwrap_or(&document.root);
    let rules = rules
        .as_seq()
        .with_context(|| format!("{shown}: expected a list of rules under `suppressions`"))?;
    let mut out: Vec<Suppression> = Vec::new();
    for (at, node) in rules.iter().enumerate() {
        let rule = rule(node).with_context(|| format!("{shown}: suppression {}", at + 1))?;
        ensure!(
            out.iter().all(|known| known.name != rule.name),
            "{shown}: two suppressions are called `{}`",
            rule.name
        );
        out.push(rule);
    }
    Ok(out)
}

fn rule(node: &Node) -> anyhow::Result<Suppression> {
    for (key, _) in node.as_map().context("expected a mapping")? {
        let key = key.as_str().unwrap_or_default();
        ensure!(
            KEYS.contains(&key),
            "unknown key `{key}`; expected one of {}",
            KEYS.join(", ")
        );
    }
    let text = |key: &str| {
        node.get(key)
            .and_then(Node::as_str)
            .filter(|text| !text.trim().is_empty())
            .with_context(|| {
                format!("`{key}` is missing: every suppression has a name, an owner and a reason")
            })
    };
    let criteria = node.get("criteria").context("`criteria` is missing")?;
    let mut rule = Suppression::new(
        text("name")?,
        text("owner")?,
        text("reason")?,
        &json(criteria),
    )?;
    if let Some(ends) = node.get("ends").and_then(Node::as_str) {
        let stamp = if ends.len() == 10 {
            format!("{ends}T00:00:00Z")
        } else {
            ends.to_owned()
        };
        let ends = parse_rfc3339(stamp.as_bytes());
        rule.ends = Some(ends.context("`ends`: expected a date such as 2027-01-31")?);
    }
    if let Some(dry) = node.get("dryRun") {
        rule.dry_run = dry.as_bool().context("`dryRun`: expected true or false")?;
    }
    Ok(rule)
}

/// YAML as JSON.
fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Map(members) => Value::Object(
            members
                .iter()
                .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), json(value)))
                .collect::<Map<_, _>>(),
        ),
        Kind::Seq(items) => Value::Array(items.iter().map(json).collect()),
        Kind::Scalar(..) => {
            let text = node.as_str().unwrap_or_default();
            let plain = node.style() == Some(Style::Plain);
            if node.is_null() {
                Value::Null
            } else if let Some(value) = node.as_bool().filter(|_| plain) {
                Value::Bool(value)
            } else if let Some(number) = text.parse::<f64>().ok().filter(|_| plain) {
                Number::from_f64(number).map_or(Value::Null, Value::Number)
            } else {
                Value::String(text.to_owned())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> anyhow::Result<Vec<Suppression>> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("s.yaml");
        std::fs::write(&path, text)?;
        read(&path)
    }

    #[test]
    fn rules_are_read_and_faults_are_named() {
        let rules = read_text(
            "suppressions:\n- name: a\n  owner: o\n  reason: r\n  ends: 2027-01-31\n  dryRun: true\n  criteria:\n    severity: {greaterThan: 4}\n    type: {equals: [x]}\n",
        )
        .unwrap();
        assert_eq!(rules.len(), 1);
        assert!(rules[0].dry_run && rules[0].ends.is_some());
        let wrong = |text: &str| format!("{:#}", read_text(text).unwrap_err());
        let rule = "- name: a\n  owner: o\n  reason: r\n";
        assert!(wrong(rule).contains("`criteria` is missing"));
        assert!(wrong("- name: a\n  criteria: {type: {equals: [x]}}\n").contains("owner"));
        assert!(wrong(&format!("{rule}  until: x\n")).contains("unknown key `until`"));
        let criteria = "  criteria: {type: {equals: [x]}}\n";
        assert!(wrong(&format!("{rule}{criteria}{rule}{criteria}")).contains("two suppressions"));
        assert!(wrong(&format!("{rule}{criteria}  ends: soon\n")).contains("expected a date"));
    }
}
