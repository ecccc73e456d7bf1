//! Any bytes as a record of the kernel side: nothing panics, every parameter lies inside the record, and the state engine
//! takes in whatever it is told and answers for every field.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use vedette_event::{Extract, FieldRef, Values, all_fields};
use vedette_sensor::parse_record;
use vedette_state::{Settings, State};

/// Every field that can be asked for without an argument, and with one where it needs one.
fn fields() -> &'static [FieldRef] {
    static FIELDS: OnceLock<Vec<FieldRef>> = OnceLock::new();
    FIELDS.get_or_init(|| {
        let forms = |name: &str| [name.to_owned(), format!("{name}[1]"), format!("{name}[name]")];
        all_fields().flat_map(|(_, info)| forms(info.name)).filter_map(|text| FieldRef::parse(&text).ok()).collect()
    })
}

fuzz_target!(|bytes: &[u8]| {
    let mut state = State::new(Settings::default());
    // Several records in a row: a length of two bytes stands before each.
    let mut rest = bytes;
    let mut num = 0;
    while let Some((length, more)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(more.len());
        let (record, after) = more.split_at(length);
        rest = after;
        num += 1;
        let Some((event, _)) = parse_record(record, num, 0) else { continue };
        let held: usize = event.params().map(<[u8]>::len).sum();
        assert!(held <= record.len());
        state.apply(&event);
        let view = state.view(&event);
        for field in fields() {
            let mut room = Values::default();
            let _ = view.extract(field, &mut room);
        }
    }
});
