//! Reads any bytes as a capture, with and without conversion, touches what comes out, and writes it again: the copy must
//! hold the same items.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_scap::{Item, Options, Reader, Writer};

/// Items without what a copy does not keep: the form of sections and the numbers of events.
fn describe(item: &Item<'_>) -> String {
    match item {
        Item::Section(_) => "section".into(),
        Item::Event(event) | Item::State(event) => {
            let params: Vec<_> = event.params().collect();
            for index in 0..=event.nparams() {
                let _ = (event.text(index), event.signed(index));
            }
            format!(
                "{} {} {} {:?} {params:?}",
                event.ts, event.tid, event.cpu, event.kind
            )
        }
        // Texts that other readers would refuse are cut in a copy.
        Item::Process(entry) => format!("process {}", entry.tid),
        Item::Fd { tid, entry } => format!("fd {tid} {} {}", entry.fd, entry.kind),
        Item::User(user) => format!("user {}", user.uid),
        Item::Group(group) => format!("group {}", group.gid),
        Item::Interface(interface) => format!("{:?}", interface.address),
        Item::Machine(machine) => format!("machine {}", machine.cpus),
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut reader = Reader::new(bytes);
    while let Ok(Some(item)) = reader.next() {
        let _ = describe(&item);
    }

    let plain = Options { convert: false };
    let mut reader = Reader::with_options(bytes, plain);
    let mut writer = Writer::new(Vec::new(), None);
    let mut items = Vec::new();
    while let Ok(Some(item)) = reader.next() {
        if writer.write(&item).is_ok() {
            items.push(describe(&item));
        }
    }
    let copy = writer.finish().expect("memory does not fail");
    let mut reader = Reader::with_options(copy.as_slice(), plain);
    let mut again = Vec::new();
    while let Some(item) = reader.next().expect("what was written is sound") {
        again.push(describe(&item));
    }
    if !items.is_empty() {
        assert_eq!(items, again);
    }
});
