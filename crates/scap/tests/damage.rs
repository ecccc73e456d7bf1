//! Damaged captures: no panic, no endless loop, bounded memory, and nothing but what the file really holds before the
//! damage.

mod support;

use vedette_scap::{Item, MAX_ENTRY, MAX_EVENT_BLOCK, Reader};

/// Most that the reader's buffers may hold: an event and an entry at their bounds, what unfinished calls may hold
/// (8 MiB), and as much again for buffers that doubled.
const MEMORY: usize = 2 * (MAX_EVENT_BLOCK as usize + MAX_ENTRY + 8 * 1024 * 1024);

/// Captures larger than this are damaged in fewer ways, so that the test stays within seconds.
const LARGE: usize = 400_000;

/// Marsaglia's xorshift: the same damage on every run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}

#[derive(Debug, PartialEq)]
struct Outcome {
    items: usize,
    /// Where the reader stopped, when it did not come to the end.
    stopped: Option<u64>,
}

/// Reads to the end; touches every byte that is handed out.
fn read(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let mut items = 0;
    let mut touched = 0u64;
    loop {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => {
                assert!(reader.memory() <= MEMORY);
                return Outcome {
                    items,
                    stopped: None,
                };
            }
            Err(error) => {
                assert!(error.at <= bytes.len() as u64 * 1100, "{error}");
                assert!(!error.to_string().is_empty());
                assert!(reader.memory() <= MEMORY);
                return Outcome {
                    items,
                    stopped: Some(error.at),
                };
            }
        };
        items += 1;
        match item {
            Item::Event(event) | Item::State(event) => {
                for index in 0..=event.nparams() {
                    touched += event.param(index).map_or(0, |bytes| bytes.len() as u64);
                    touched = touched.wrapping_add(event.unsigned(index).unwrap_or(0));
                }
                touched = touched.wrapping_add(event.params().count() as u64);
            }
            Item::Process(entry) => touched += (entry.args.len() + entry.env.len()) as u64,
            other => touched += format!("{other:?}").len() as u64,
        }
        std::hint::black_box(touched);
    }
}

#[test]
fn damaged_captures_are_read_up_to_the_damage() {
    let mut random = Seeded(0x5eed_cafe);
    let mut cases = 0;
    let mut stopped = 0;
    for (_, bytes) in support::captures() {
        let whole = read(&bytes);
        assert_eq!(whole.stopped, None);
        let gzip = bytes.starts_with(&[0x1f, 0x8b]);
        let rounds = if bytes.len() > LARGE { 12 } else { 60 };
        for round in 0..rounds {
            let mut bad = bytes.clone();
            match round % 4 {
                // Cut.
                0 => bad.truncate(random.below(bytes.len())),
                // Some bits flipped.
                1 => {
                    for _ in 0..=random.below(20) {
                        let at = random.below(bad.len());
                        bad[at] ^= 1 << random.below(8);
                    }
                }
                // Hostile lengths: words that claim to be large, or 0, or the sign bit alone.
                2 => {
                    for _ in 0..=random.below(6) {
                        let at = random.below(bad.len() / 4) * 4;
                        let word = [u32::MAX, 0, 1 << 31, 0xffff, 12, 0x0100_0000][random.below(6)];
                        if let Some(slot) = bad.get_mut(at..at + 4) {
                            slot.copy_from_slice(&word.to_le_bytes());
                        }
                    }
                }
                // A piece of the file stands at another place.
                _ => {
                    let len = random.below(2000);
                    let from = random.below(bad.len().saturating_sub(len).max(1));
                    let to = random.below(bad.len().saturating_sub(len).max(1));
                    let piece = bad[from..(from + len).min(bad.len())].to_vec();
                    let end = (to + piece.len()).min(bad.len());
                    bad[to..end].copy_from_slice(&piece[..end - to]);
                }
            }
            let outcome = read(&bad);
            cases += 1;
            stopped += usize::from(outcome.stopped.is_some());
            if round % 4 == 0 {
                assert!(outcome.items <= whole.items);
                let (cut, all) = (bad.len() as u64, bytes.len() as u64);
                if let Some(at) = outcome.stopped.filter(|_| !gzip) {
                    assert!(at <= cut && cut <= all);
                }
            }
        }
    }
    println!("{cases} damaged captures read, {stopped} ended with an error");
}

#[test]
fn lengths_that_only_claim_to_be_large_cost_no_memory() {
    let mut file = Vec::new();
    for word in [
        0x0A0D_0D0Au32,
        28,
        0x1A2B_3C4D,
        0x0002_0001,
        u32::MAX,
        u32::MAX,
        28,
    ] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    for id in [
        0x216u32, 0x221, 0x215, 0x202, 0x218, 0x201, 0x220, 0x219, 0x777,
    ] {
        for length in [MAX_EVENT_BLOCK, u32::MAX, 0x7fff_ffff, 1 << 20] {
            let mut bad = file.clone();
            bad.extend_from_slice(&id.to_le_bytes());
            bad.extend_from_slice(&length.to_le_bytes());
            bad.extend_from_slice(&length.to_le_bytes());
            bad.resize(bad.len() + 5000, 0xff);
            let mut reader = Reader::new(bad.as_slice());
            let error = loop {
                match reader.next() {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("{id:#x} of {length} bytes passes"),
                    Err(error) => break error,
                }
            };
            assert!(error.at >= 28, "{error}");
            assert!(
                reader.memory() < 1024 * 1024,
                "{id:#x}: {}",
                reader.memory()
            );
        }
    }
}
