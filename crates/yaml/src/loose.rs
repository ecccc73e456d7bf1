//! What YAML forbids and everybody writes: closing brackets on a line of their own that are indented no further than the
//! key they belong to. The parser refuses them; the common readers of YAML do not.

/// Rewrites the text so that such brackets stand behind the line before them: line breaks, and comments in between, become
/// blanks. Every byte keeps its place. `None` when there is nothing to rewrite.
pub(crate) fn loosen(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut changed = false;
    // Indentation of the key whose block scalar is being passed.
    let mut block: Option<usize> = None;
    // End of what counts on the last line that had something, without its comment.
    let mut last_end: Option<usize> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let body = line.trim_end();
        let indent = body.len() - body.trim_start_matches(' ').len();
        let start = at;
        at += line.len();
        if body.trim_start().is_empty() {
            continue;
        }
        if block.is_some_and(|key| indent > key) {
            continue;
        }
        block = None;
        let content = &body[indent..];
        if content.starts_with([']', '}'])
            && let Some(end) = last_end
        {
            bytes[end..start + indent].fill(b' ');
            changed = true;
        }
        let code = without_comment(body);
        if !code.trim_start().is_empty() {
            last_end = Some(start + code.len());
        }
        if opens_block_scalar(code) {
            block = Some(key_indent(code));
        }
    }
    if !changed {
        return None;
    }
    // Only ASCII was put in, in place of whole characters.
    String::from_utf8(bytes).ok()
}

/// The line without a comment at its end.
fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (i, c) in line.char_indices() {
        match quote {
            Some(q) if c == q && !(q == '"' && before == '\\') => quote = None,
            Some(_) => {}
            None if c == '#' && before.is_whitespace() => return line[..i].trim_end(),
            None if matches!(c, '"' | '\'')
                && (before.is_whitespace() || matches!(before, '[' | '{' | ',' | ':')) =>
            {
                quote = Some(c);
            }
            None => {}
        }
        before = c;
    }
    line
}

/// True when the line ends in `|` or `>` with its indicators, behind a key or a dash.
fn opens_block_scalar(code: &str) -> bool {
    let Some(last) = code.split_whitespace().next_back() else {
        return false;
    };
    let mut chars = last.chars();
    matches!(chars.next(), Some('|' | '>'))
        && chars.all(|c| matches!(c, '+' | '-' | '1'..='9'))
        && code
            .trim_end()
            .strip_suffix(last)
            .is_some_and(|head| matches!(head.trim_end().chars().next_back(), Some(':' | '-')))
}

/// Column of the innermost key or dash that the line opens: the scalar's lines stand further right.
fn key_indent(code: &str) -> usize {
    let mut indent = 0;
    let mut rest = code;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        indent += rest.len() - trimmed.len();
        match trimmed.strip_prefix("- ") {
            // `- key: |`: the key stands behind the dash; `- |` itself belongs to the dash.
            Some(behind) if behind.contains(':') => {
                indent += 2;
                rest = behind;
            }
            _ => return indent,
        }
    }
}

/// Where lines start.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        let breaks = text
            .bytes()
            .enumerate()
            .filter(|(_, b)| *b == b'\n')
            .map(|(i, _)| i + 1);
        Self {
            text,
            starts: std::iter::once(0).chain(breaks).collect(),
        }
    }

    /// Line from 1 and column in characters from 0, as the parser counts them.
    pub(crate) fn position(&self, byte: usize) -> (usize, usize) {
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts[line - 1];
        (
            line,
            self.text
                .get(start..byte)
                .map_or(0, |head| head.chars().count()),
        )
    }
}
