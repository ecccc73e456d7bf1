//! From YAML to records, with places in every complaint.

use std::collections::BTreeMap;

use vedette_yaml::Node;

use crate::{Clue, Profile, Request, Step, Steps, Stop, Verdict};

/// Most steps, so that a number fits everywhere; the shipped file has ten.
const MAX_STEPS: usize = 100;

/// What is wrong with the file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct Problem {
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
    /// One sentence without a full stop.
    pub message: String,
}

impl Problem {
    fn at(node: &Node, message: impl Into<String>) -> Self {
        Self {
            line: node.span.line,
            column: node.span.column,
            message: message.into(),
        }
    }
}

type Read<T> = Result<T, Problem>;

impl Steps {
    /// Reads the file. A step or profile that is not sound is left out and complained about.
    pub fn parse(text: &str) -> (Self, Vec<Problem>) {
        let parsed = vedette_yaml::parse(text);
        let mut out = Self::default();
        let mut problems: Vec<Problem> = parsed
            .errors
            .iter()
            .map(|error| Problem {
                line: error.span.line,
                column: error.span.column,
                message: error.message.clone(),
            })
            .collect();
        for document in &parsed.documents {
            let root = &document.root;
            for node in list(root, "profiles", &mut problems) {
                match profile(node) {
                    Ok(profile) => out.profiles.push(profile),
                    Err(problem) => problems.push(problem),
                }
            }
            for node in list(root, "steps", &mut problems) {
                match step(node, &out) {
                    Ok(step) => out.steps.push(step),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        (out, problems)
    }
}

fn list<'a>(node: &'a Node, key: &str, problems: &mut Vec<Problem>) -> &'a [Node] {
    match node.get(key).map(|value| (value, value.as_seq())) {
        Some((_, Some(items))) => items,
        Some((value, None)) => {
            problems.push(Problem::at(
                value,
                format!("{key} is a list, not {}", value.describe()),
            ));
            &[]
        }
        None => &[],
    }
}

fn known(node: &Node, keys: &[&str]) -> Read<()> {
    let entries = node
        .as_map()
        .ok_or_else(|| Problem::at(node, format!("a map was expected, not {}", node.describe())))?;
    for (key, _) in entries {
        let name = key.as_str().unwrap_or_default();
        if !keys.contains(&name) {
            return Err(Problem::at(
                key,
                format!("there is no key {name}; known are {}", keys.join(", ")),
            ));
        }
    }
    Ok(())
}

fn text(node: &Node, key: &str) -> Read<String> {
    let value = node
        .get(key)
        .ok_or_else(|| Problem::at(node, format!("the key {key} is missing")))?;
    match value.as_str().map(str::trim) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(Problem::at(
            value,
            format!("{key} is a text, not {}", value.describe()),
        )),
    }
}

/// The items of a list of texts; none when the key is absent.
fn texts(node: &Node, key: &str) -> Read<Vec<String>> {
    items(node, key, |item| {
        item.as_str()
            .map(str::to_owned)
            .ok_or_else(|| Problem::at(item, "a text was expected"))
    })
}

fn items<T>(node: &Node, key: &str, read: impl Fn(&Node) -> Read<T>) -> Read<Vec<T>> {
    let Some(value) = node.get(key) else {
        return Ok(Vec::new());
    };
    let Some(items) = value.as_seq() else {
        return Err(Problem::at(
            value,
            format!("{key} is a list, not {}", value.describe()),
        ));
    };
    items.iter().map(read).collect()
}

fn profile(node: &Node) -> Read<Profile> {
    known(node, &["name", "title", "namespace", "controls"])?;
    Ok(Profile {
        name: text(node, "name")?,
        title: text(node, "title")?,
        namespace: text(node, "namespace")?,
        controls: texts(node, "controls")?,
    })
}

fn step(node: &Node, before: &Steps) -> Read<Step> {
    known(
        node,
        &[
            "id",
            "name",
            "title",
            "requests",
            "needs",
            "evidence",
            "blocked",
            "detections",
            "attack",
            "expected",
        ],
    )?;
    let wanted = before.steps.len() + 1;
    let id = node.get("id").and_then(Node::as_i64);
    if id != i64::try_from(wanted).ok() || wanted > MAX_STEPS {
        return Err(Problem::at(
            node.get("id").unwrap_or(node),
            format!("the next step has id {wanted}"),
        ));
    }
    let needs = items(node, "needs", |item| {
        let need = item.as_i64().and_then(|need| u8::try_from(need).ok());
        match need {
            Some(need) if before.step(need).is_some() => Ok(need),
            _ => Err(Problem::at(item, "a step needs earlier steps by their id")),
        }
    })?;
    let step = Step {
        id: u8::try_from(wanted).unwrap_or(u8::MAX),
        name: text(node, "name")?,
        title: text(node, "title")?,
        requests: items(node, "requests", request)?,
        needs,
        evidence: items(node, "evidence", |item| {
            known(item, &["shows", "condition"])?;
            Ok(Clue {
                shows: text(item, "shows")?,
                condition: text(item, "condition")?,
            })
        })?,
        blocked: items(node, "blocked", |item| {
            known(item, &["by", "condition"])?;
            Ok(Stop {
                by: text(item, "by")?,
                condition: text(item, "condition")?,
            })
        })?,
        detections: texts(node, "detections")?,
        attack: texts(node, "attack")?,
        expected: expected(node, before)?,
    };
    if step.requests.is_empty() || step.evidence.is_empty() {
        return Err(Problem::at(
            node,
            format!("step {wanted} needs at least one request and one piece of evidence"),
        ));
    }
    Ok(step)
}

fn request(node: &Node) -> Read<Request> {
    known(node, &["get", "post", "content", "exec"])?;
    if node.get("get").is_some() {
        return Ok(Request::Get(text(node, "get")?));
    }
    if node.get("post").is_some() {
        return Ok(Request::Post {
            path: text(node, "post")?,
            content: text(node, "content")?,
        });
    }
    Ok(Request::Exec(text(node, "exec")?))
}

fn expected(node: &Node, before: &Steps) -> Read<BTreeMap<String, Verdict>> {
    let Some(entries) = node.get("expected").and_then(Node::as_map) else {
        return Err(Problem::at(
            node,
            "the key expected is missing, or is no map",
        ));
    };
    let mut out = BTreeMap::new();
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default();
        if before.profile(name).is_none() {
            return Err(Problem::at(key, format!("there is no profile {name}")));
        }
        let word = value.as_str().unwrap_or_default();
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.name() == word);
        let verdict = verdict.ok_or_else(|| {
            Problem::at(
                value,
                format!("{word} is none of allowed, blocked, not_reached, unknown"),
            )
        })?;
        out.insert(name.to_owned(), verdict);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "profiles:\n- {name: p, title: t, namespace: n}\nsteps:\n";

    fn problem_of(step: &str) -> String {
        let (_, problems) = Steps::parse(&format!("{HEAD}{step}"));
        problems
            .first()
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    #[test]
    fn complaints_name_the_place() {
        let sound = "- {id: 1, name: a, title: b, requests: [{get: /x}], evidence: [{shows: s, condition: c}], expected: {p: allowed}}";
        assert_eq!(problem_of(sound), "");
        for (step, wanted) in [
            (
                sound.replace("id: 1", "id: 2"),
                "line 4, column 8: the next step has id 1",
            ),
            (sound.replace("p: allowed", "p: fine"), "fine is none of"),
            (
                sound.replace("p: allowed", "q: allowed"),
                "there is no profile q",
            ),
            (
                sound.replace("title: b", "titel: b"),
                "there is no key titel",
            ),
            (sound.replace("[{get: /x}]", "[]"), "at least one request"),
            (
                sound.replace("shows: s", "needs: s"),
                "there is no key needs",
            ),
            (
                sound.replace("name: a", "name: a, needs: [1]"),
                "earlier steps",
            ),
            (
                sound.replace("requests: [{get: /x}]", "requests: 5"),
                "requests is a list",
            ),
        ] {
            let found = problem_of(&step);
            assert!(found.contains(wanted), "{step}\n{found}");
        }
    }

    #[test]
    fn one_bad_step_costs_only_itself() {
        let (steps, problems) = Steps::parse(&format!(
            "{HEAD}- 5\n- {{id: 1, name: a, title: b, requests: [{{exec: id}}], evidence: [{{shows: s, condition: c}}], expected: {{}}}}"
        ));
        assert_eq!((steps.steps.len(), problems.len()), (1, 1));
        assert!(!Steps::parse(": [").1.is_empty());
    }
}
