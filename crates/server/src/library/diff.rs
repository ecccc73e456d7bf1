//! Two texts line by line: what is in both, what was added, what was removed.

use serde_json::{Value as Json, json};

/// Lines of each text that are compared by the thorough way; what differs between longer texts is shown as replaced.
const MAX_LINES: usize = 2_000;

/// The lines of both in order, each with what became of it.
pub(super) fn lines(old: &str, new: &str) -> Json {
    let (a, b): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let same_head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let tail = a[same_head..].iter().rev().zip(b[same_head..].iter().rev());
    let same_tail = tail.take_while(|(a, b)| a == b).count();
    let (mid_a, mid_b) = (
        &a[same_head..a.len() - same_tail],
        &b[same_head..b.len() - same_tail],
    );
    let mut out: Vec<(&str, &str)> = a[..same_head].iter().map(|line| ("same", *line)).collect();
    if mid_a.len() > MAX_LINES || mid_b.len() > MAX_LINES {
        out.extend(mid_a.iter().map(|line| ("removed", *line)));
        out.extend(mid_b.iter().map(|line| ("added", *line)));
    } else {
        between(mid_a, mid_b, &mut out);
    }
    out.extend(a[a.len() - same_tail..].iter().map(|line| ("same", *line)));
    let count = |kind: &str| out.iter().filter(|(own, _)| *own == kind).count();
    json!({
        "added": count("added"),
        "removed": count("removed"),
        "lines": out.iter().map(|(kind, text)| json!({"kind": kind, "text": text})).collect::<Vec<_>>(),
    })
}

/// The longest common subsequence by the table that everybody knows.
fn between<'t>(a: &[&'t str], b: &[&'t str], out: &mut Vec<(&'static str, &'t str)>) {
    let width = b.len() + 1;
    let mut longest = vec![0u16; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            out.push(("same", a[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == b.len()
            || i < a.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]
        {
            out.push(("removed", a[i]));
            i += 1;
        } else {
            out.push(("added", b[j]));
            j += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let show = |old: &str, new: &str| {
            let found = lines(old, new);
            let lines = found["lines"].as_array().unwrap().iter();
            let sign = |line: &Json| match line["kind"].as_str().unwrap() {
                "added" => "+",
                "removed" => "-",
                _ => " ",
            };
            lines
                .map(|line| format!("{}{}", sign(line), line["text"].as_str().unwrap()))
                .collect::<Vec<_>>()
                .join("|")
        };
        assert_eq!(show("a\nb\nc", "a\nx\nc"), " a|-b|+x| c");
        assert_eq!(show("a\nb", "a\nb"), " a| b");
        assert_eq!(show("", "a"), "+a");
        assert_eq!(show("a\nb\nc\nd", "b\nd\ne"), "-a| b|-c| d|+e");
        assert_eq!(show("a\na", "a"), " a|-a");
    }
}
