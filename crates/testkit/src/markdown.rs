//! Rule tests in Markdown: prose for people, fenced blocks for the machine.

/// What a case feeds to the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// An `events` block: a script.
    Events(String),
    /// A `capture` block: the path of a capture, relative to the Markdown file.
    Capture(String),
    /// A `records` block: log records, one JSON object a line.
    Records(String),
}

/// One input with the alerts it must raise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The headings above it, joined by ` › `.
    pub title: String,
    /// Line of the input's fence, from 1.
    pub line: usize,
    /// The input.
    pub input: Input,
    /// Names of the rules that must fire, in order, one for each alert.
    pub alerts: Vec<String>,
    /// Whether rules that the file beside the test does not define count too (` ```alerts all `).
    pub all_rules: bool,
}

/// Why a Markdown file is not a rule test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct MarkdownError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

/// Reads the cases of a file.
///
/// # Errors
/// The first fence that is out of place.
pub fn parse(text: &str) -> Result<Vec<Case>, MarkdownError> {
    let mut cases = Vec::new();
    let mut titles: Vec<(usize, String)> = Vec::new();
    let mut waiting: Option<(usize, Input)> = None;
    let mut lines = text.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let fail = |message: &str| MarkdownError {
            line: index + 1,
            message: message.to_owned(),
        };
        if let Some(title) = line.strip_prefix('#') {
            let level = 1 + title.len() - title.trim_start_matches('#').len();
            titles.retain(|(other, _)| *other < level);
            titles.push((level, title.trim_start_matches('#').trim().to_owned()));
            continue;
        }
        let Some(fence) = line.strip_prefix("```") else {
            continue;
        };
        let mut body = String::new();
        loop {
            let (_, line) = lines
                .next()
                .ok_or_else(|| fail("this block is never closed"))?;
            if line.starts_with("```") {
                break;
            }
            body.push_str(line);
            body.push('\n');
        }
        let input = match fence.trim() {
            "events" => Input::Events(body),
            "capture" => Input::Capture(body.trim().to_owned()),
            "records" => Input::Records(body),
            kind @ ("alerts" | "alerts all") => {
                let (line, input) = waiting.take().ok_or_else(|| {
                    fail("an `alerts` block stands without an `events`, `capture` or `records` block before it")
                })?;
                let alerts = body
                    .lines()
                    .map(str::trim)
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect();
                let title = titles
                    .iter()
                    .map(|(_, title)| title.as_str())
                    .collect::<Vec<_>>()
                    .join(" › ");
                cases.push(Case {
                    title,
                    line,
                    input,
                    alerts,
                    all_rules: kind == "alerts all",
                });
                continue;
            }
            _ => continue,
        };
        if waiting.is_some() {
            return Err(fail(
                "two inputs in a row: the one before has no `alerts` block",
            ));
        }
        waiting = Some((index + 1, input));
    }
    match waiting {
        Some((line, _)) => Err(MarkdownError {
            line,
            message: "this input has no `alerts` block".to_owned(),
        }),
        None => Ok(cases),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_pairs_of_blocks_under_their_headings() {
        let text = "# R\nprose\n## Fires\n```events\n1 close fd=3\n```\n```yaml\nignored: 1\n```\n```alerts\nR\n```\n\
                    ## Quiet\n```capture\nx.scap\n```\n```alerts all\n```\n";
        let cases = parse(text).unwrap();
        assert_eq!(cases.len(), 2);
        assert_eq!(cases[0].title, "R › Fires");
        assert_eq!(cases[0].line, 4);
        assert_eq!(cases[0].alerts, ["R"]);
        assert_eq!(cases[1].input, Input::Capture("x.scap".to_owned()));
        assert!(cases[1].all_rules && cases[1].alerts.is_empty());
    }

    #[test]
    fn blocks_out_of_place_are_refused() {
        for (text, fault) in [
            ("```alerts\n```\n", "without an `events`"),
            ("```events\n```\n", "has no `alerts`"),
            ("```events\n```\n```events\n```\n", "two inputs"),
            ("```events\n", "never closed"),
        ] {
            assert!(parse(text).unwrap_err().message.contains(fault), "{text}");
        }
    }
}
