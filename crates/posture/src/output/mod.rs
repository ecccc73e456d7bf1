//! Results as documents: every renderer takes data and gives text.

pub mod html;
pub mod junit;
pub mod policy_report;
pub mod sarif;
pub mod table;

/// Makes text from a manifest fit for a terminal: control characters, and those that turn the reading
/// direction or do not show, are written as `‹U+202E›`; line feeds and tabs become spaces.
pub fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            _ if hidden(c) => out.push_str(&format!("‹U+{:04X}›", c as u32)),
            _ => out.push(c),
        }
    }
    out
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}
