//! Any text as an output format, filled in with an event that has nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_event::{EventType, Extract, Extracted, FieldRef, StateKey, Values};
use vedette_rules::catalogue::Catalogue;
use vedette_rules::check::Checker;
use vedette_rules::output::{Format, Renderer, control_escaped};

struct Nothing;

impl Extract for Nothing {
    fn kind(&self) -> EventType {
        EventType(0)
    }
    fn num(&self) -> u64 {
        1
    }
    fn ts(&self) -> u64 {
        0
    }
    fn state_key(&self) -> Option<StateKey> {
        None
    }
    fn extract<'s>(&'s self, _: &FieldRef, _: &'s mut Values) -> Extracted<'s> {
        Extracted::Missing
    }
}

thread_local! {
    static CATALOGUE: Catalogue = Catalogue::default();
}

fuzz_target!(|text: &str| {
    CATALOGUE.with(|catalogue| {
        if let Ok(format) = Format::parse(text, &mut Checker::new(catalogue, "syscall")) {
            let mut renderer = Renderer::default();
            let shown = renderer.text(&format, &Nothing);
            assert!(control_escaped(&shown).chars().all(|c| !c.is_control()));
            let _ = renderer.fields(&format, &Nothing);
        }
    });
});
