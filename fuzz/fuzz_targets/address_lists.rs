//! Reads any bytes as a list of addresses in each format: whatever is in it, the list can be asked, and trusted addresses
//! win.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_audit::lists::{Format, Indicator, List, ListKind, Lists, Verdict, parse};

const FORMATS: [&str; 8] = [
    "TXT", "STIX", "STIX2", "OTX_CSV", "FIRE_EYE", "PROOF_POINT", "ALIEN_VAULT", "AWS_RANGES",
];

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let named = FORMATS.get(usize::from(choice)).and_then(|name| Format::by_name(name));
    let format = named.unwrap_or_else(|| Format::guess(data));
    let (entries, faults) = parse(format, data);
    for fault in faults {
        let _ = fault.to_string();
    }
    let network = entries.iter().find_map(|entry| match entry {
        Indicator::Network(address, bits) => Some((*address, *bits)),
        _ => None,
    });
    let mut lists = Lists::new();
    lists.add(List::new("threats", ListKind::Threat, entries.clone()));
    let Some((address, bits)) = network else {
        return;
    };
    assert!(bits <= if address.is_ipv4() { 32 } else { 128 });
    assert!(lists.contains(ListKind::Threat, address));
    lists.add(List::new("ours", ListKind::Trusted, entries));
    assert!(!matches!(lists.judge(address), Verdict::Listed(_)));
});
