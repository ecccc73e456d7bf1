//! Lists of text as one shared block of bytes, every item ended by a NUL.

use std::sync::{Arc, OnceLock};

/// An immutable list of texts; copying it copies a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct List(Arc<[u8]>);

impl Default for List {
    fn default() -> Self {
        Self(empty())
    }
}

/// The empty text, of which there is only one.
pub(crate) fn empty() -> Arc<[u8]> {
    static EMPTY: OnceLock<Arc<[u8]>> = OnceLock::new();
    EMPTY.get_or_init(|| Arc::from(&[][..])).clone()
}

impl List {
    /// Reads items that each end at a NUL; the last NUL may be missing. A single NUL is no item at all.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        if matches!(bytes, [] | [0]) {
            return Self::default();
        }
        if bytes.last() == Some(&0) {
            return Self(Arc::from(bytes));
        }
        let mut owned = Vec::with_capacity(bytes.len() + 1);
        owned.extend_from_slice(bytes);
        owned.push(0);
        Self(Arc::from(owned))
    }

    /// Every item in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0
            .split_inclusive(|&byte| byte == 0)
            .map(|item| &item[..item.len() - 1])
    }

    /// Number of items.
    pub(crate) fn len(&self) -> usize {
        memchr::memchr_iter(0, &self.0).count()
    }

    /// True when there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Appends the items with a space between them.
    pub(crate) fn write_joined(&self, out: &mut Vec<u8>) {
        let Some((_, items)) = self.0.split_last() else {
            return;
        };
        out.extend(
            items
                .iter()
                .map(|&byte| if byte == 0 { b' ' } else { byte }),
        );
    }

    /// True when parsing `bytes` would give this list.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        match bytes {
            [] | [0] => self.is_empty(),
            [.., 0] => *self.0 == *bytes,
            _ => self.0.strip_suffix(b"\0") == Some(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::List;

    #[test]
    fn items_end_at_nuls() {
        for (bytes, want) in [
            (&b""[..], &[][..]),
            (b"\0", &[]),
            (b"a\0b\0", &["a", "b"]),
            (b"a\0b", &["a", "b"]),
            (b"a\0\0b\0", &["a", "", "b"]),
            (b"a\0\0", &["a", ""]),
            (b"\0\0", &["", ""]),
            (b"\0a\0", &["", "a"]),
        ] {
            let list = List::parse(bytes);
            let items: Vec<_> = list
                .iter()
                .map(|i| std::str::from_utf8(i).unwrap())
                .collect();
            assert_eq!(items, want);
            assert_eq!(list.len(), want.len());
            assert!(list.is(bytes));
            let mut joined = Vec::new();
            list.write_joined(&mut joined);
            assert_eq!(joined, want.join(" ").into_bytes());
        }
    }
}
