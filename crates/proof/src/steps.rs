//! Steps from their YAML file.
//!
//! The file has more than a proof needs (requests, texts, verdicts that are expected); only `id`, `title`, `needs` and
//! `evidence` (`shows`, `condition`) of each entry below `steps` are read here.

use vedette_yaml::Node;

use crate::prover::{Error, Evidence, Step};

/// Most steps of a file.
const MAX_STEPS: usize = 1024;

/// Reads the steps of a file such as `lab/steps.yaml`.
///
/// # Errors
/// With line and column, when the text is not YAML or a step lacks what is needed.
pub fn steps(text: &str) -> Result<Vec<Step>, Error> {
    let parsed = vedette_yaml::parse(text);
    if let Some(error) = parsed.errors.first() {
        return Err(Error(error.to_string()));
    }
    let Some(document) = parsed.documents.first() else {
        return Err(Error("no steps: the file is empty".to_owned()));
    };
    let list = wanted(&document.root, "steps")?;
    let entries = list
        .as_seq()
        .ok_or_else(|| at(list, "`steps` must be a list"))?;
    if entries.len() > MAX_STEPS {
        return Err(at(list, &format!("more than {MAX_STEPS} steps")));
    }
    let mut out: Vec<Step> = Vec::with_capacity(entries.len());
    for entry in entries {
        let step = step(entry)?;
        if out.iter().any(|known| known.id == step.id) {
            return Err(at(entry, &format!("a second step {}", step.id)));
        }
        if let Some(missing) = step
            .needs
            .iter()
            .find(|needed| out.iter().all(|known| known.id != **needed))
        {
            return Err(at(
                entry,
                &format!(
                    "step {} needs step {missing}, which does not stand before it",
                    step.id
                ),
            ));
        }
        out.push(step);
    }
    Ok(out)
}

fn step(entry: &Node) -> Result<Step, Error> {
    let id = number(wanted(entry, "id")?)?;
    let needs = match entry.get("needs") {
        None => Vec::new(),
        Some(list) => list
            .as_seq()
            .ok_or_else(|| at(list, "`needs` must be a list of step numbers"))?
            .iter()
            .map(number)
            .collect::<Result<_, _>>()?,
    };
    let list = wanted(entry, "evidence")?;
    let evidence = list
        .as_seq()
        .filter(|items| !items.is_empty())
        .ok_or_else(|| at(list, "`evidence` must be a list with at least one entry"))?
        .iter()
        .map(|item| {
            Ok(Evidence {
                name: text(wanted(item, "shows")?)?,
                condition: text(wanted(item, "condition")?)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Step {
        id,
        title: text(wanted(entry, "title")?)?,
        needs,
        evidence,
    })
}

fn wanted<'a>(node: &'a Node, key: &str) -> Result<&'a Node, Error> {
    node.get(key)
        .ok_or_else(|| at(node, &format!("`{key}` is missing")))
}

fn text(node: &Node) -> Result<String, Error> {
    node.as_str()
        .map(|text| text.trim().to_owned())
        .ok_or_else(|| at(node, &format!("expected text, found {}", node.describe())))
}

fn number(node: &Node) -> Result<u32, Error> {
    node.as_i64()
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| {
            at(
                node,
                &format!("expected a step number, found {}", node.describe()),
            )
        })
}

fn at(node: &Node, what: &str) -> Error {
    Error(format!(
        "line {}, column {}: {what}",
        node.span.line, node.span.column
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "steps:\n- id: 1\n  title: reads\n  evidence:\n  - {shows: it reads, condition: evt.type = open}\n\
                        - id: 2\n  title: runs\n  needs: [1]\n  requests: []\n  evidence:\n  - shows: it runs\n    \
                        condition: >\n      evt.type = execve\n      and proc.name = x\n";

    #[test]
    fn steps_are_read() {
        let steps = steps(GOOD).unwrap();
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[1].needs, [1]);
        assert_eq!(
            steps[1].evidence[0].condition,
            "evt.type = execve and proc.name = x"
        );
    }

    #[test]
    fn complaints_have_a_place() {
        for (text, complaint) in [
            ("", "line 1, column 1: `steps` is missing"),
            ("steps: 3", "line 1, column 8: `steps` must be a list"),
            (
                "steps:\n- id: x",
                "line 2, column 7: expected a step number, found a string",
            ),
            (
                "steps:\n- id: 1\n  title: t\n  evidence: []",
                "line 4, column 13: `evidence` must be a list with at least one entry",
            ),
            (
                "steps:\n- {id: 1, title: t, needs: [2], evidence: [{shows: s, condition: c}]}",
                "line 2, column 3: step 1 needs step 2, which does not stand before it",
            ),
        ] {
            match steps(text) {
                Err(error) => assert!(
                    error.0 == complaint || text.is_empty(),
                    "{error} is not {complaint}"
                ),
                Ok(steps) => assert!(steps.is_empty(), "{text} gave {steps:?}"),
            }
        }
    }
}
