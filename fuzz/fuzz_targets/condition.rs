//! Any text through the condition parser; what parses prints to a text that parses to the same print, and is checked and
//! has its event types inferred.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_rules::catalogue::Catalogue;
use vedette_rules::check::Checker;
use vedette_rules::condition::{Printer, TextId, parse};
use vedette_rules::kinds;

thread_local! {
    static CATALOGUE: Catalogue = Catalogue::default();
}

fuzz_target!(|text: &str| {
    let Ok(expr) = parse(text, TextId::default()) else { return };
    let printed = Printer::print(&expr);
    let again = parse(&printed, TextId::default()).expect("a printed condition parses");
    assert_eq!(Printer::print(&again), printed);
    let _ = kinds::infer(&expr);
    CATALOGUE.with(|catalogue| {
        let _ = Checker::new(catalogue, "syscall").condition(&expr);
    });
});
