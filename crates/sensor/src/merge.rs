//! Several rings as one stream in order of time.
//!
//! A record is handed out when no ring can still bring an earlier one: either every ring shows a record, or the record is
//! older than the settling time, within which a program that has taken its time stamp has long written its record.

use crate::record::time_of;
use crate::ring::Ring;

/// Records between two releases of ring space: often enough that the kernel finds room, rarely enough that the shared
/// cache line of the position does not bounce.
const RELEASE_EVERY: u32 = 128;

/// The rings and what their order has cost.
#[derive(Debug)]
pub(crate) struct Merge {
    rings: Vec<Ring>,
    /// Time and length of each ring's head, when it is known.
    heads: Vec<Option<(u64, usize)>>,
    last: u64,
    /// Records that came out after a later one.
    pub(crate) late: u64,
}

impl Merge {
    pub(crate) fn new(rings: Vec<Ring>) -> Self {
        let heads = vec![None; rings.len()];
        Self {
            rings,
            heads,
            last: 0,
            late: 0,
        }
    }

    /// Hands every record up to `horizon` (same clock as the records) to `sink`. Returns how many.
    pub(crate) fn drain(&mut self, horizon: u64, mut sink: impl FnMut(&[u8])) -> usize {
        let mut count = 0usize;
        let mut since_release = 0u32;
        loop {
            let mut next: Option<(usize, u64, usize)> = None;
            for (index, ring) in self.rings.iter_mut().enumerate() {
                let head = match self.heads[index] {
                    Some(head) => head,
                    None => match ring.peek() {
                        Some(bytes) => {
                            let head = (time_of(bytes), bytes.len());
                            self.heads[index] = Some(head);
                            head
                        }
                        None => continue,
                    },
                };
                if next.is_none_or(|(_, time, _)| head.0 < time) {
                    next = Some((index, head.0, head.1));
                }
            }
            let Some((index, time, len)) = next else {
                break;
            };
            if time > horizon {
                break;
            }
            if time < self.last {
                self.late += 1;
            } else {
                self.last = time;
            }
            let ring = &mut self.rings[index];
            if let Some(bytes) = ring.peek() {
                sink(bytes);
            }
            ring.advance(len);
            self.heads[index] = None;
            count += 1;
            since_release += 1;
            if since_release == RELEASE_EVERY {
                since_release = 0;
                self.rings.iter_mut().for_each(Ring::release);
            }
        }
        self.rings.iter_mut().for_each(Ring::release);
        count
    }

    /// Bytes that wait in all rings.
    pub(crate) fn waiting(&self) -> u64 {
        self.rings.iter().map(Ring::waiting).sum()
    }
}
