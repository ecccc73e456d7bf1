//! Rule files in one layout, comments kept.
//!
//! Only the layout changes, never what a reader of YAML sees: indentation of objects (`- ` and two blanks for keys), one
//! blank line between objects, blanks at line ends, blank lines in a row, one line break at the end of the file. Texts in
//! block scalars, quotes and flow collections keep their lines. The outcome is checked: a file whose content would change
//! comes back as it was.

use vedette_yaml::{Kind, Node, parse};

/// The file in its layout; `None` when it is no YAML, which cannot be laid out.
pub fn format(text: &str) -> Option<String> {
    let before = parse(text);
    if !before.errors.is_empty() {
        return None;
    }
    let out = layout(text);
    let after = parse(&out);
    let same = after.errors.is_empty()
        && before.documents.len() == after.documents.len()
        && before
            .documents
            .iter()
            .zip(&after.documents)
            .all(|(a, b)| equal(&a.root, &b.root));
    Some(if same { out } else { text.to_owned() })
}

fn equal(a: &Node, b: &Node) -> bool {
    a.tag == b.tag
        && match (&a.kind, &b.kind) {
            (Kind::Scalar(a, _), Kind::Scalar(b, _)) => a == b,
            (Kind::Seq(a), Kind::Seq(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
            }
            (Kind::Map(a), Kind::Map(b)) => {
                a.len() == b.len()
                    && a.iter()
                        .zip(b)
                        .all(|(a, b)| equal(&a.0, &b.0) && equal(&a.1, &b.1))
            }
            _ => false,
        }
}

/// Lays out line by line. Objects are the items of the outermost list; everything of an object moves together, so that
/// whatever is nested in it keeps its relative indentation.
fn layout(text: &str) -> String {
    let mut out: Vec<String> = Vec::new();
    // Comments and blank lines since the last line of an object: they belong to what follows.
    let mut waiting: Vec<String> = Vec::new();
    // Indentation of the dash of the current object, and of its keys behind it.
    let mut dash: Option<usize> = None;
    let mut keys = 2;
    for line in text.lines() {
        let body = line.trim_end();
        let content = body.trim_start_matches(' ');
        let indent = body.len() - content.len();
        if content.is_empty() {
            if waiting.last().is_none_or(|last| !last.is_empty()) {
                waiting.push(String::new());
            }
            continue;
        }
        let is_dash = content == "-" || content.starts_with("- ");
        let starts_object = is_dash && dash.is_none_or(|d| indent == d);
        if content.starts_with('#') && (dash.is_none_or(|d| indent <= d)) {
            waiting.push(content.to_owned());
            continue;
        }
        if starts_object {
            separate(&mut out, &mut waiting);
            dash = Some(indent);
            let behind = content[1..].trim_start_matches(' ');
            keys = (content.len() - behind.len()).max(2);
            out.push(format!("- {behind}").trim_end().to_owned());
            continue;
        }
        if content.starts_with("---") || content.starts_with("...") {
            out.append(&mut waiting);
            out.push(content.to_owned());
            dash = None;
            continue;
        }
        out.append(&mut waiting);
        // Keys stand two blanks behind the dash; what is nested below them moves as far as they do.
        let base = dash.unwrap_or(0) + keys;
        let moved = match dash {
            Some(_) if indent >= base => indent - base + 2,
            Some(d) => indent.saturating_sub(d),
            None => indent,
        };
        out.push(format!("{}{content}", " ".repeat(moved)));
    }
    out.append(&mut waiting);
    while out.last().is_some_and(String::is_empty) {
        out.pop();
    }
    while out.first().is_some_and(String::is_empty) {
        out.remove(0);
    }
    let mut done = out.join("\n");
    if !done.is_empty() {
        done.push('\n');
    }
    done
}

/// Puts one blank line before an object, in front of the comments right above it.
fn separate(out: &mut Vec<String>, waiting: &mut Vec<String>) {
    let comments = waiting
        .iter()
        .rposition(String::is_empty)
        .map_or(0, |i| i + 1);
    let own = waiting.split_off(comments);
    out.append(waiting);
    let separated = out
        .last()
        .is_none_or(|last| last.is_empty() || last == "---");
    if !separated {
        out.push(String::new());
    }
    out.extend(own);
}

#[cfg(test)]
mod tests {
    use super::format;

    #[test]
    fn layout_is_made_even_and_comments_stay() {
        let text = "# Licence\n\n\n\n-   list: a   \n    items: [x,\n       y]  # why\n- macro: m\n  # on the condition\n  \
                    condition: >\n      a = b\n\n      and c\n\n# about r\n# more\n- rule: r\n  tags:\n  - one\n  # two\n  - two\n\n\n";
        let want = "# Licence\n\n- list: a\n  items: [x,\n     y]  # why\n\n- macro: m\n  # on the condition\n  condition: >\n      \
                    a = b\n\n      and c\n\n# about r\n# more\n- rule: r\n  tags:\n  - one\n  # two\n  - two\n";
        let once = format(text).unwrap();
        assert_eq!(once, want);
        assert_eq!(format(&once).unwrap(), once);
    }

    #[test]
    fn what_cannot_be_laid_out_safely_stays() {
        assert_eq!(format("- a: [\n"), None);
        let quoted = "- a: \"x   \n\n\n\n    y\"\n";
        assert_eq!(format(quoted).unwrap(), quoted);
        assert_eq!(format("").unwrap(), "");
    }

    #[test]
    fn upstream_files_keep_their_content_and_settle_at_once() {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/conformance/falco/rules");
        let Ok(files) = std::fs::read_dir(&dir) else {
            println!("skipped: no conformance data at {}", dir.display());
            return;
        };
        let mut count = 0;
        for file in files {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            let once = format(&text).unwrap();
            assert_eq!(format(&once).unwrap(), once);
            assert_eq!(once.matches('#').count(), text.matches('#').count());
            count += 1;
        }
        println!("{count} files");
    }
}
