//! Splits a line into words the way a shell would: blanks separate, quotes keep together, a backslash escapes.

/// Splits `line`; `None` when a quote is never closed. Quotes may begin inside a word, as in `args="-c id"`.
pub(crate) fn split(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', Some('"') | None) => word.get_or_insert_default().push(chars.next()?),
            (c, Some(q)) if c == q => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_are_split_as_a_shell_would() {
        let check = |line: &str, words: &[&str]| assert_eq!(split(line).unwrap(), words, "{line}");
        check("a  b=c", &["a", "b=c"]);
        check(
            r#"x args="-c \"id; ls\"" y"#,
            &["x", r#"args=-c "id; ls""#, "y"],
        );
        check("a='b c'", &["a=b c"]);
        check(r#"a="""#, &["a="]);
        assert_eq!(split("a 'b"), None);
    }
}
