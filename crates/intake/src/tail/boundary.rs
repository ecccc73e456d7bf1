//! Where a piece of a growing log may be cut: between lines that are whole records, or between whole JSON documents that
//! span lines.

use vedette_audit::json::Tape;

/// Length of the beginning of `bytes` that may be handed on. With `quiet`, nothing was added for a while, so that a last
/// document without a line's end counts too.
pub(super) fn cut(bytes: &[u8], quiet: bool) -> usize {
    let line_end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map(|at| at + 1);
    if let Some(end) = line_end {
        // In a log of lines the first and the last one stand for themselves.
        let lines = &bytes[..end];
        let first = lines.split(|byte| *byte == b'\n').find(|line| !blank(line));
        let last = lines
            .rsplit(|byte| *byte == b'\n')
            .find(|line| !blank(line));
        if let (Some(first), Some(last)) = (first, last)
            && stands_alone(first)
            && stands_alone(last)
        {
            let rest = &bytes[end..];
            return if quiet && !blank(rest) && stands_alone(rest) {
                bytes.len()
            } else {
                end
            };
        }
        if first.is_none() {
            return end;
        }
    }
    documents(bytes, quiet)
}

fn blank(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_whitespace)
}

/// True for a whole document, and for text that no document begins with: waiting would not mend it.
fn stands_alone(line: &[u8]) -> bool {
    let Some(start) = line.iter().position(|byte| !byte.is_ascii_whitespace()) else {
        return true;
    };
    match line[start] {
        b'{' | b'[' => Tape::default()
            .parse(line, start)
            .is_ok_and(|end| blank(line.get(end..).unwrap_or_default())),
        _ => true,
    }
}

/// End of the last whole document. Without `quiet` a document at the very end counts only when a line ends behind it.
fn documents(bytes: &[u8], quiet: bool) -> usize {
    let mut tape = Tape::default();
    let mut end = 0;
    loop {
        let Some(start) = bytes[end..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace() && *byte != b',')
        else {
            return bytes.len();
        };
        match tape.parse(bytes, end + start) {
            Ok(next) if next > end + start && (quiet || next < bytes.len()) => end = next,
            _ => return end,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_end_between_records() {
        for (text, quiet, expected) in [
            ("{\"a\":1}\n{\"a\"", false, 8),
            ("{\"a\":1}\n{\"a\":2}", false, 8),
            ("{\"a\":1}\n{\"a\":2}", true, 15),
            ("{\"a\":1}\n{\"a\"", true, 8),
            ("{\n\"a\":\n1}\n{\n\"a\"", false, 9),
            ("{\n\"a\":1", false, 0),
            ("{\n\"a\":1}", false, 0),
            ("{\n\"a\":1}", true, 8),
            ("not json\n{\"a\"", false, 9),
            ("\n\n", false, 2),
            ("", true, 0),
        ] {
            assert_eq!(cut(text.as_bytes(), quiet), expected, "{text:?} {quiet}");
        }
    }
}
