//! Which ids may be in a segment: a Bloom filter in blocks of 64 bytes, so that one small read answers.
//!
//! Source: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), blocked variant.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Bits an id gets on average; with six probes in a block about one id in a hundred that is not there is let through.
const BITS_PER_ID: usize = 12;

const PROBES: u32 = 6;

/// Number of blocks for so many ids.
pub(super) fn blocks(ids: usize) -> usize {
    (ids * BITS_PER_ID).div_ceil(BLOCK * 8).max(1)
}

/// Spreads an id over 64 bits: ids are hashes, but ones whose bits depend on each other. `salt` gives another spread.
/// Source of the steps: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014), splitmix64.
fn spread(id: u128, salt: u64) -> u64 {
    let step = |mut z: u64| {
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    step(step(id as u64 ^ salt) ^ (id >> 64) as u64)
}

/// The block that an id belongs to.
pub(super) fn block_of(id: u128, blocks: usize) -> usize {
    (spread(id, 0) % blocks.max(1) as u64) as usize
}

fn bits(id: u128) -> impl Iterator<Item = usize> {
    let spread = spread(id, 1);
    // Nine bits a probe name one of the block's 512.
    (0..PROBES).map(move |probe| (spread >> (9 * probe)) as usize & 511)
}

pub(super) fn build(ids: &[u128]) -> Vec<u8> {
    let count = blocks(ids.len());
    let mut out = vec![0; count * BLOCK];
    for id in ids {
        let block = &mut out[block_of(*id, count) * BLOCK..][..BLOCK];
        for bit in bits(*id) {
            block[bit / 8] |= 1 << (bit % 8);
        }
    }
    out
}

pub(super) fn may_hold(block: &[u8], id: u128) -> bool {
    bits(id).all(|bit| {
        block
            .get(bit / 8)
            .is_some_and(|byte| byte & 1 << (bit % 8) != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found_and_little_else() {
        let id = |n: u32| {
            let text = vedette_event::record_id(&[&n.to_le_bytes()]);
            u128::from_str_radix(&text, 16).unwrap()
        };
        let ids: Vec<u128> = (0..10_000).map(id).collect();
        let filter = build(&ids);
        let count = filter.len() / BLOCK;
        let holds = |id| may_hold(&filter[block_of(id, count) * BLOCK..][..BLOCK], id);
        assert!(ids.iter().all(|id| holds(*id)));
        let strangers = (10_000..30_000).filter(|n| holds(id(*n))).count();
        assert!(strangers < 1_000, "{strangers} of 20000");
    }
}
