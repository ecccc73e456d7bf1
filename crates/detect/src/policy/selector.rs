//! Label requirements as Kubernetes' selectors write them.

use super::scope::Requirement;

/// Splits a selector at the commas outside parentheses.
pub(super) fn split_selector(text: &str) -> Vec<&str> {
    let (mut depth, mut from, mut out) = (0i32, 0, Vec::new());
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                out.push(text[from..at].trim());
                from = at + 1;
            }
            _ => {}
        }
    }
    out.push(text[from..].trim());
    out
}

/// One requirement. `None` when it is none.
pub(super) fn requirement(text: &str) -> Option<Requirement> {
    let plain = |key: &str| {
        let key = key.trim();
        (!key.is_empty() && !key.contains([' ', '(', ')', '=', '!', ','])).then(|| key.to_owned())
    };
    let set = |rest: &str| -> Option<Vec<String>> {
        let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|v| v.trim().to_owned()).collect())
    };
    if let Some((key, rest)) = text.split_once(" notin") {
        return Some(Requirement::NotIn(plain(key)?, set(rest)?));
    }
    if let Some((key, rest)) = text.split_once(" in ") {
        return Some(Requirement::In(plain(key)?, set(rest)?));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return Some(Requirement::NotIn(
            plain(key)?,
            vec![value.trim().to_owned()],
        ));
    }
    if let Some((key, value)) = text.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value);
        return Some(Requirement::In(plain(key)?, vec![value.trim().to_owned()]));
    }
    match text.strip_prefix('!') {
        Some(key) => Some(Requirement::Missing(plain(key)?)),
        None => Some(Requirement::Exists(plain(text)?)),
    }
}
