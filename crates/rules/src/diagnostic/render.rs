//! Complaints as text: the source line with a caret below the place.

use std::fmt::Write;

use super::{Diagnostic, Files, Place};

/// Most characters of a source line that are shown; longer lines are cut around the place.
const WIDTH: usize = 120;

pub(super) fn text(d: &Diagnostic, files: &Files<'_>) -> String {
    let kind = if d.is_error() { "error" } else { "warning" };
    let mut out = format!("{kind}[{}]: {}\n", d.code.name(), escape(&d.message));
    place(&mut out, d.place, files);
    if let Some((item, name)) = d.subject() {
        let _ = writeln!(out, "  in {} \"{}\"", item.name(), escape(name));
    }
    if let Some(expected) = &d.expected {
        let _ = writeln!(out, "  expected: {}", escape(expected));
    }
    if let Some(name) = &d.suggestion {
        let _ = writeln!(out, "  did you mean \"{}\"?", escape(name));
    }
    for (at, note) in &d.notes {
        let _ = writeln!(out, "  note: {}", escape(note));
        place(&mut out, *at, files);
    }
    out
}

fn place(out: &mut String, at: Place, files: &Files<'_>) {
    let _ = writeln!(
        out,
        " --> {}:{}:{}",
        escape(files.name(at.file)),
        at.span.line,
        at.span.column
    );
    let Some((line, before, marked)) = line_of(at, files) else {
        return;
    };
    let number = at.span.line.to_string();
    let margin = " ".repeat(number.len());
    let _ = writeln!(out, "{margin} |\n{number} | {line}");
    let _ = writeln!(
        out,
        "{margin} | {}{}",
        " ".repeat(before),
        "^".repeat(marked)
    );
}

/// The line with a caret below, as Falco's result JSON has it.
pub(super) fn snippet(at: Place, files: &Files<'_>) -> String {
    line_of(at, files).map_or_else(String::new, |(line, before, _)| {
        format!("{line}\n{}^\n", " ".repeat(before))
    })
}

/// The source line at a place, escaped and cut; characters before the mark; characters to mark.
fn line_of(at: Place, files: &Files<'_>) -> Option<(String, usize, usize)> {
    let text = files.text(at.file);
    let start = floor(text, at.span.start.min(text.len()));
    let line_start = text[..start].rfind('\n').map_or(0, |i| i + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |i| start + i);
    let line = text[line_start..line_end].trim_end_matches('\r');
    if line.trim().is_empty() {
        return None;
    }
    let split = (start - line_start).min(line.len());
    let (head, tail) = line.split_at(split);
    // Cut on the left so that the place stays in view.
    let skip = head.chars().count().saturating_sub(WIDTH * 2 / 3);
    let mut shown: String = escape(&head.chars().skip(skip).collect::<String>());
    if skip > 0 {
        shown.insert(0, '…');
    }
    let before = shown.chars().count();
    let marked_end = floor(text, at.span.end.clamp(start, line_end.max(start)));
    let marked = text[start..marked_end].trim_end().chars().count();
    let room = WIDTH.saturating_sub(before).max(WIDTH / 3);
    let rest: String = tail.chars().take(room).collect();
    shown.push_str(&escape(&rest));
    if tail.chars().count() > room {
        shown.push('…');
    }
    Some((shown, before, marked.clamp(1, room)))
}

/// The nearest character boundary at or before `at`.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Text from a file, safe on a terminal: control characters and those that reorder text are written as escapes; a tab
/// becomes one blank so that carets stay aligned.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => out.push(' '),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {
                out.extend(c.escape_unicode());
            }
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::diagnostic::{Code, Context, Diagnostic, FileId, Files, Item, Place};

    #[test]
    fn a_complaint_shows_its_line_and_points_at_it() {
        let files = [(
            "r.yaml".to_owned(),
            "- rule: x\n  condition: proc.nmae = a\n".to_owned(),
        )];
        let span = vedette_yaml::Span {
            start: 23,
            end: 32,
            line: 2,
            column: 14,
        };
        let d = Diagnostic::new(
            Code::ErrCompileCondition,
            "there is no field proc.nmae",
            Context::file(FileId(0)).down(Item::Rule, "x", span),
        )
        .at(Place {
            file: FileId(0),
            span,
        })
        .suggesting(Some("proc.name".into()));
        assert_eq!(
            d.render(&Files(&files)),
            "error[LOAD_ERR_COMPILE_CONDITION]: there is no field proc.nmae\n \
             --> r.yaml:2:14\n  |\n2 |   condition: proc.nmae = a\n  |              ^^^^^^^^^\n  \
             in rule \"x\"\n  did you mean \"proc.name\"?\n"
        );
    }

    #[test]
    fn hostile_text_cannot_drive_the_terminal() {
        let files = [(
            "\u{1b}[2J".to_owned(),
            "\u{1b}]0;x\u{7}\u{202e}abc".to_owned(),
        )];
        let d = Diagnostic::new(
            Code::ErrYamlParse,
            "bad \u{9b}31m",
            Context::file(FileId(0)),
        );
        let shown = d.render(&Files(&files));
        assert!(
            shown
                .chars()
                .all(|c| c == '\n' || (!c.is_control() && c != '\u{202e}')),
            "{shown:?}"
        );
    }
}
