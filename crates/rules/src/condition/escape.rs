//! Escapes inside quotes.

/// Resolves the escapes of what stood between quotes.
///
/// A backslash before a blank gives a backslash: old rules are written that way.
///
/// # Errors
/// The byte offset of the backslash and what is wrong with it.
pub(super) fn unescape(inner: &str, quote: char) -> Result<String, (usize, String)> {
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        // A lone backslash cannot end the text: it would have kept the quote open.
        let Some((_, escaped)) = chars.next() else {
            break;
        };
        out.push(match escaped {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            ' ' | '\\' => '\\',
            '/' => '/',
            '"' | '\'' if escaped == quote => quote,
            '"' | '\'' => {
                return Err((
                    at,
                    format!("\\{escaped} is only an escape inside {escaped}…{escaped}"),
                ));
            }
            other => return Err((at, format!("\\{other} is not an escape"))),
        });
    }
    Ok(out)
}

/// A value as it must be written to be read back: quoted when it holds blanks, quotes, backslashes or control
/// characters.
pub(super) fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    let mut special = false;
    for c in value.chars() {
        let escaped = match c {
            '\u{8}' => "\\b",
            '\u{c}' => "\\f",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            ' ' => " ",
            '\\' => "\\\\",
            '"' => "\\\"",
            '\'' => "'",
            c => {
                out.push(c);
                continue;
            }
        };
        special = true;
        out.push_str(escaped);
    }
    if special { format!("\"{out}\"") } else { out }
}
