//! Any text as a Calico selector: a selector that parses prints to one that parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_netpol::expression::Expression;

fuzz_target!(|text: &str| {
    if let Ok(parsed) = Expression::parse(text) {
        let printed = parsed.to_string();
        if printed.len() < 8_000 && nesting(&printed) < 30 {
            let again = Expression::parse(&printed).expect("a printed selector parses");
            assert_eq!(again.to_string(), printed);
        }
        let none = |_: &str| None;
        let some = |_: &str| Some("a");
        let _ = (parsed.matches(&none), parsed.matches(&some), parsed.uid());
    }
});

/// Parentheses and negations: the canonical form writes more of them than the text had.
fn nesting(text: &str) -> usize {
    text.bytes().filter(|b| *b == b'(' || *b == b'!').count()
}
