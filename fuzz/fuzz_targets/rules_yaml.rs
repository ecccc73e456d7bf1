//! Any text as a rule file: loaded in both ways, described, laid out, its complaints rendered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_rules::diagnostic::Files;
use vedette_rules::{Options, describe, fmt, load};

fuzz_target!(|text: &str| {
    let files = [("fuzz.yaml".to_owned(), text.to_owned())];
    let loaded = load(&files, &Options::default());
    for diagnostic in &loaded.diagnostics {
        let _ = diagnostic.render(&Files(&files));
        let _ = diagnostic.to_json(&Files(&files));
    }
    let _ = describe::all(&loaded);
    let strict = load(&files, &Options { strict: true, ..Options::default() });
    assert!(!strict.has_errors() || strict.rules.is_empty());
    if let Some(once) = fmt::format(text) {
        assert!(fmt::format(&once).is_some());
    }
});
