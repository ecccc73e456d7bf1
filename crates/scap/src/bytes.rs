//! Reading numbers and texts from a slice in either byte order, without ever reaching past its end.

/// Order of the bytes of a number, as the section header of a capture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// Lowest byte first: x86-64, arm64.
    Little,
    /// Highest byte first: s390x.
    Big,
}

/// A place in a slice. Every read is `None` when the slice is too short, and then nothing is consumed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    order: ByteOrder,
}

macro_rules! numbers {
    ($($name:ident: $ty:ty;)*) => {
        $(pub(crate) fn $name(&mut self) -> Option<$ty> {
            let raw = self.array()?;
            Some(match self.order {
                ByteOrder::Little => <$ty>::from_le_bytes(raw),
                ByteOrder::Big => <$ty>::from_be_bytes(raw),
            })
        })*
    };
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8], order: ByteOrder) -> Self {
        Self {
            bytes,
            at: 0,
            order,
        }
    }

    /// Bytes consumed so far.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn order(&self) -> ByteOrder {
        self.order
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(count)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    /// Bytes as they stand: addresses keep network order whatever the file's order is.
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, _) = self.bytes.get(self.at..)?.split_first_chunk::<N>()?;
        self.at += N;
        Some(*head)
    }

    numbers! {
        u8: u8;
        u16: u16;
        u32: u32;
        u64: u64;
        i64: i64;
    }

    /// A text: its length as u16, then that many bytes without a closing NUL.
    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let mut ahead = *self;
        let len = ahead.u16()?;
        let text = ahead.take(usize::from(len))?;
        *self = ahead;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_and_no_reading_past_the_end() {
        let bytes = [1, 0, 0, 0, 0, 2, b'h'];
        let mut little = Cursor::new(&bytes, ByteOrder::Little);
        assert_eq!(little.u32(), Some(1));
        let mut big = Cursor::new(&bytes, ByteOrder::Big);
        assert_eq!(big.u32(), Some(0x0100_0000));
        assert_eq!(big.text(), None, "the text says 2 bytes, there is 1");
        assert_eq!(big.at(), 4, "a failed read consumes nothing");
        assert_eq!(big.u64(), None);
        assert_eq!(big.take(usize::MAX), None);
    }
}
