//! Reads any bytes as a log, whole and in pieces: the pieces must give the same records, and no detector may stumble over
//! what comes out.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette_audit::findings::{Analysis, Setup};
use vedette_audit::{Source, Splitter};

/// Records as their raw text, cut to what tells them apart.
fn split(source: Option<Source>, data: &[u8], piece: usize, analysis: &mut Analysis) -> Vec<Vec<u8>> {
    let mut splitter = Splitter::new(source);
    let mut records = Vec::new();
    let mut pieces = data.chunks(piece.max(1)).peekable();
    if pieces.peek().is_none() {
        splitter.feed(&[], true, &mut |_| {});
    }
    while let Some(piece) = pieces.next() {
        splitter.feed(piece, pieces.peek().is_none(), &mut |found| {
            if let Ok(record) = found {
                records.push(record.json().raw().to_vec());
                analysis.observe(record, &mut |_, finding| {
                    let _ = finding.title();
                });
            }
        });
    }
    records
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, data)) = data.split_first() else {
        return;
    };
    let source = Source::ALL.get(usize::from(choice & 7)).copied();
    let setup = || Setup {
        habits: Some(vedette_audit::anomaly::Settings::default()),
        ..Setup::default()
    };
    let mut analysis = Analysis::new(setup());
    let whole = split(source, data, usize::MAX, &mut analysis);
    let pieces = split(source, data, usize::from(choice >> 3) + 1, &mut analysis);
    assert_eq!(whole, pieces);
    let mut state = Vec::new();
    analysis.save(&mut state).expect("memory takes everything");
    Analysis::new(setup()).restore(&state).expect("what was saved can be taken up");
});
