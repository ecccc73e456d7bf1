//! Reads single values from a bbolt database, the store of containerd's metadata, while containerd writes to it.
//!
//! The layout is bbolt's file format, version 2: pages of 4 KiB or so, each with a header (id, flags, count, overflow);
//! two meta pages with the root's page and the number of the last transaction; branch and leaf pages of sorted keys;
//! buckets within buckets, small ones inside their value. Source: the format description in bbolt's own documentation.
//!
//! Nothing is locked. Pages are copied on write, and a page that a transaction frees is used again by a later one at the
//! earliest; so what was read is sound when at most one transaction ended meanwhile, and is read again otherwise.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// First word of a meta page.
const MAGIC: u32 = 0xED0C_DAED;
/// Version of the format.
const VERSION: u32 = 2;
/// Bytes of a page's header, and of an element of either kind of page.
const HEADER: usize = 16;
/// Bytes of a bucket's header: root page, sequence.
const BUCKET: usize = 16;
const BRANCH: u16 = 1;
const LEAF: u16 = 2;
/// Flag of a leaf element that is a bucket.
const IS_BUCKET: u32 = 1;
/// Deepest tree of branch pages: with 2 keys a page, more than any file can hold.
const MAX_DEPTH: usize = 48;
/// Most bytes of one page with its overflow; larger values are not what is looked for here.
const MAX_PAGE: usize = 4 << 20;
/// How often reading is tried again while the database changes.
const TRIES: usize = 5;
/// Most entries of a bucket that are listed.
const MAX_ENTRIES: usize = 1024;

/// A database.
pub(crate) struct Bolt {
    file: File,
}

/// The state of a database after a transaction.
#[derive(Clone, Copy)]
struct Meta {
    page_size: usize,
    root: u64,
    transaction: u64,
}

/// A bucket: a tree of pages, or one page inside its parent's value.
enum Bucket {
    Tree(u64),
    Inline(Vec<u8>),
}

impl Bolt {
    /// Opens a database. `None` when there is none.
    pub(crate) fn open(path: &Path) -> Option<Self> {
        Some(Self {
            file: File::open(path).ok()?,
        })
    }

    /// Runs `read` until what it read was not changed meanwhile. `None` when it finds nothing or the database is damaged.
    pub(crate) fn read<T>(&self, read: impl Fn(&View<'_>) -> Option<T>) -> Option<T> {
        for _ in 0..TRIES {
            let meta = self.meta()?;
            let found = read(&View { bolt: self, meta });
            if self.meta()?.transaction <= meta.transaction + 1 {
                return found;
            }
        }
        None
    }

    /// The newer of the two meta pages that are whole.
    fn meta(&self) -> Option<Meta> {
        let first = self.meta_at(0);
        // the second page begins where the first ends; without the first, at the usual size
        let size = first.map_or(4096, |meta| meta.page_size);
        let second = self.meta_at(size as u64);
        match (first, second) {
            (Some(a), Some(b)) if b.transaction > a.transaction => Some(b),
            (Some(a), _) => Some(a),
            (None, b) => b,
        }
    }

    fn meta_at(&self, at: u64) -> Option<Meta> {
        let mut bytes = [0; 64];
        self.file
            .read_exact_at(&mut bytes, at + HEADER as u64)
            .ok()?;
        let sum = bytes[..56]
            .iter()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        if u32_at(&bytes, 0)? != MAGIC
            || u32_at(&bytes, 4)? != VERSION
            || u64_at(&bytes, 56)? != sum
        {
            return None;
        }
        let page_size = u32_at(&bytes, 8)? as usize;
        (512..=1 << 16).contains(&page_size).then_some(Meta {
            page_size,
            root: u64_at(&bytes, 16)?,
            transaction: u64_at(&bytes, 48)?,
        })
    }
}

/// A database at rest.
pub(crate) struct View<'a> {
    bolt: &'a Bolt,
    meta: Meta,
}

impl View<'_> {
    /// The value under a path of bucket names and, last, a key.
    pub(crate) fn get(&self, path: &[&[u8]]) -> Option<Vec<u8>> {
        let (key, buckets) = path.split_last()?;
        match self.find(&self.bucket(buckets)?, key)? {
            (flags, value) if flags & IS_BUCKET == 0 => Some(value),
            _ => None,
        }
    }

    /// As [`Self::get`], as text.
    pub(crate) fn text(&self, path: &[&[u8]]) -> Option<String> {
        String::from_utf8(self.get(path)?).ok()
    }

    /// Keys and values of the bucket at a path, buckets within it left out.
    pub(crate) fn list(&self, path: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut out = Vec::new();
        if let Some(bucket) = self.bucket(path) {
            let _ = match bucket {
                Bucket::Inline(page) => collect(&page, &mut out),
                Bucket::Tree(page) => self.walk(page, 0, &mut out),
            };
        }
        out
    }

    fn bucket(&self, path: &[&[u8]]) -> Option<Bucket> {
        let mut bucket = Bucket::Tree(self.meta.root);
        for name in path {
            let (flags, value) = self.find(&bucket, name)?;
            if flags & IS_BUCKET == 0 {
                return None;
            }
            bucket = match u64_at(&value, 0)? {
                0 => Bucket::Inline(value.get(BUCKET..)?.to_vec()),
                root => Bucket::Tree(root),
            };
        }
        Some(bucket)
    }

    fn find(&self, bucket: &Bucket, key: &[u8]) -> Option<(u32, Vec<u8>)> {
        let mut id = match bucket {
            Bucket::Inline(page) => return leaf(page, key),
            Bucket::Tree(root) => *root,
        };
        for _ in 0..MAX_DEPTH {
            let page = self.page(id)?;
            match u16_at(&page, 8)? {
                LEAF => return leaf(&page, key),
                BRANCH => id = child(&page, key)?,
                _ => return None,
            }
        }
        None
    }

    fn walk(&self, id: u64, depth: usize, out: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Option<()> {
        let page = self.page(id)?;
        match u16_at(&page, 8)? {
            LEAF => collect(&page, out),
            BRANCH if depth < MAX_DEPTH => {
                for index in 0..usize::from(u16_at(&page, 10)?) {
                    if out.len() >= MAX_ENTRIES {
                        break;
                    }
                    let child = u64_at(&page, HEADER + index * HEADER + 8)?;
                    self.walk(child, depth + 1, out)?;
                }
                Some(())
            }
            _ => None,
        }
    }

    fn page(&self, id: u64) -> Option<Vec<u8>> {
        let at = id.checked_mul(self.meta.page_size as u64)?;
        let mut page = vec![0; self.meta.page_size];
        self.bolt.file.read_exact_at(&mut page, at).ok()?;
        if u64_at(&page, 0)? != id {
            return None;
        }
        let size = (u32_at(&page, 12)? as usize + 1).checked_mul(self.meta.page_size)?;
        if size > MAX_PAGE {
            return None;
        }
        if size > page.len() {
            page.resize(size, 0);
            self.bolt.file.read_exact_at(&mut page, at).ok()?;
        }
        Some(page)
    }
}

/// Flags, key and value of an element of a leaf page.
fn element(page: &[u8], index: usize) -> Option<(u32, &[u8], &[u8])> {
    let at = HEADER + index * HEADER;
    let word = |n: usize| u32_at(page, at + 4 * n).map(|word| word as usize);
    let start = at.checked_add(word(1)?)?;
    let middle = start.checked_add(word(2)?)?;
    let end = middle.checked_add(word(3)?)?;
    Some((
        u32_at(page, at)?,
        page.get(start..middle)?,
        page.get(middle..end)?,
    ))
}

fn leaf(page: &[u8], key: &[u8]) -> Option<(u32, Vec<u8>)> {
    let (mut low, mut high) = (0, usize::from(u16_at(page, 10)?));
    while low < high {
        let middle = usize::midpoint(low, high);
        let (flags, found, value) = element(page, middle)?;
        match found.cmp(key) {
            std::cmp::Ordering::Equal => return Some((flags, value.to_vec())),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    None
}

/// The child of a branch page that would hold the key: the last one whose first key is not greater.
fn child(page: &[u8], key: &[u8]) -> Option<u64> {
    let count = usize::from(u16_at(page, 10)?);
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = usize::midpoint(low, high);
        let at = HEADER + middle * HEADER;
        let start = at.checked_add(u32_at(page, at)? as usize)?;
        let end = start.checked_add(u32_at(page, at + 4)? as usize)?;
        if page.get(start..end)? <= key {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    u64_at(page, HEADER + low.saturating_sub(1) * HEADER + 8)
}

fn collect(page: &[u8], out: &mut Vec<(Vec<u8>, Vec<u8>)>) -> Option<()> {
    for index in 0..usize::from(u16_at(page, 10)?) {
        if out.len() >= MAX_ENTRIES {
            break;
        }
        let (flags, key, value) = element(page, index)?;
        if flags & IS_BUCKET == 0 {
            out.push((key.to_vec(), value.to_vec()));
        }
    }
    Some(())
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*word))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    let word = bytes.get(at..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A bucket as a test writes it.
    pub(crate) enum Entry {
        Value(Vec<u8>),
        Bucket(Vec<(&'static str, Entry)>),
    }

    fn fnv(bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    fn leaf_page(id: u64, entries: &[(&str, Entry)]) -> Vec<u8> {
        let mut elements = Vec::new();
        let mut data = Vec::new();
        for (index, (key, entry)) in entries.iter().enumerate() {
            let (flags, value) = match entry {
                Entry::Value(value) => (0u32, value.clone()),
                Entry::Bucket(inner) => {
                    // inline: a header with root 0, then a page
                    let mut value = vec![0; BUCKET];
                    value.extend(leaf_page(0, inner));
                    (IS_BUCKET, value)
                }
            };
            let left = (entries.len() - index) * HEADER;
            elements.extend(flags.to_le_bytes());
            elements.extend(((left + data.len()) as u32).to_le_bytes());
            elements.extend((key.len() as u32).to_le_bytes());
            elements.extend((value.len() as u32).to_le_bytes());
            data.extend(key.as_bytes());
            data.extend(value);
        }
        let mut page = Vec::new();
        page.extend(id.to_le_bytes());
        page.extend(LEAF.to_le_bytes());
        page.extend((entries.len() as u16).to_le_bytes());
        page.extend(0u32.to_le_bytes());
        page.extend(elements);
        page.extend(data);
        page
    }

    /// A database of two meta pages, a branch page, and a leaf page for each half of the entries.
    pub(crate) fn database(halves: [&[(&'static str, Entry)]; 2]) -> Vec<u8> {
        const PAGE: usize = 4096;
        let mut file = Vec::new();
        for id in 0..2u64 {
            let mut page = Vec::new();
            page.extend(id.to_le_bytes());
            page.extend([4, 0, 0, 0, 0, 0, 0, 0]);
            let mut meta = Vec::new();
            meta.extend(MAGIC.to_le_bytes());
            meta.extend(VERSION.to_le_bytes());
            meta.extend((PAGE as u32).to_le_bytes());
            meta.extend(0u32.to_le_bytes());
            // only the newer one leads to the data
            meta.extend((if id == 1 { 2u64 } else { 99 }).to_le_bytes());
            meta.extend(0u64.to_le_bytes());
            meta.extend([0; 16]);
            meta.extend((10 + id).to_le_bytes());
            let sum = fnv(&meta);
            meta.extend(sum.to_le_bytes());
            page.extend(meta);
            page.resize(PAGE, 0);
            file.extend(page);
        }
        let mut branch = Vec::new();
        branch.extend(2u64.to_le_bytes());
        branch.extend(BRANCH.to_le_bytes());
        branch.extend(2u16.to_le_bytes());
        branch.extend(0u32.to_le_bytes());
        let first = |half: usize| halves[half].first().map_or("", |(key, _)| key);
        branch.extend(32u32.to_le_bytes());
        branch.extend((first(0).len() as u32).to_le_bytes());
        branch.extend(3u64.to_le_bytes());
        branch.extend((16 + first(0).len() as u32).to_le_bytes());
        branch.extend((first(1).len() as u32).to_le_bytes());
        branch.extend(4u64.to_le_bytes());
        branch.extend(first(0).as_bytes());
        branch.extend(first(1).as_bytes());
        branch.resize(PAGE, 0);
        file.extend(branch);
        for (half, id) in halves.iter().zip(3u64..) {
            let mut page = leaf_page(id, half);
            page.resize(PAGE, 0);
            file.extend(page);
        }
        file
    }

    #[test]
    fn values_are_found_and_damage_is_nothing() {
        let value = |text: &str| Entry::Value(text.as_bytes().to_vec());
        let bytes = database([
            &[("a", value("1")), ("b", value("2"))],
            &[
                (
                    "m",
                    Entry::Bucket(vec![
                        ("x", value("3")),
                        ("y", Entry::Bucket(vec![("z", value("4"))])),
                    ]),
                ),
                ("n", value("5")),
            ],
        ]);
        let path = std::env::temp_dir().join(format!("vedette-bolt-{}", std::process::id()));
        let get = |bytes: &[u8], key: &[&[u8]]| {
            std::fs::write(&path, bytes).unwrap();
            Bolt::open(&path).unwrap().read(|view| view.text(key))
        };
        for (key, expected) in [
            (&[&b"a"[..]][..], Some("1")),
            (&[b"b"], Some("2")),
            (&[b"n"], Some("5")),
            (&[b"m", b"x"], Some("3")),
            (&[b"m", b"y", b"z"], Some("4")),
            (&[b"c"], None),
            (&[b"zz"], None),
            (&[b"m"], None),
            (&[b"a", b"x"], None),
            (&[], None),
        ] {
            assert_eq!(get(&bytes, key).as_deref(), expected, "{key:?}");
        }
        let list = Bolt::open(&path)
            .unwrap()
            .read(|view| Some(view.list(&[b"m"])))
            .unwrap();
        assert_eq!(list, [(b"x".to_vec(), b"3".to_vec())]);
        // every byte of the pages that hold something, spoiled: an answer or none, never a panic
        for at in (0..256)
            .chain(4096..4352)
            .chain(8192..8300)
            .chain(12288..12400)
            .chain(16384..16700)
            .step_by(3)
        {
            let mut spoiled = bytes.clone();
            spoiled[at] ^= 0xff;
            for key in [&[&b"a"[..]][..], &[b"m", b"y", b"z"]] {
                get(&spoiled, key);
            }
        }
        get(&bytes[..9000], &[b"a"]);
        get(&[], &[b"a"]);
        std::fs::remove_file(&path).unwrap();
    }
}
