//! Columns: per part a dictionary of the values that occur, and per record the number of its value.

use std::io;

use crate::failure::damaged;

/// The values of a column in one part, as [`crate::table::encode`] writes them, with how many records have each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dictionary {
    pub(crate) values: Vec<Box<str>>,
    pub(crate) counts: Vec<u32>,
}

impl Dictionary {
    pub(crate) fn bytes(&self) -> usize {
        // A boxed text is two words, and its allocation rounds up.
        self.values.iter().map(|v| v.len() + 32).sum::<usize>() + 4 * self.counts.len()
    }

    /// For disk: count, then per value the number of records, the length and the text.
    pub(crate) fn write(&self) -> Vec<u8> {
        let mut out = (self.values.len() as u32).to_le_bytes().to_vec();
        for (value, count) in self.values.iter().zip(&self.counts) {
            out.extend_from_slice(&count.to_le_bytes());
            out.extend_from_slice(&(value.len() as u32).to_le_bytes());
            out.extend_from_slice(value.as_bytes());
        }
        out
    }

    pub(crate) fn read(mut bytes: &[u8]) -> io::Result<Self> {
        let wrong = || damaged("a dictionary that is cut");
        let number = |bytes: &mut &[u8]| -> io::Result<u32> {
            let (number, rest) = bytes.split_first_chunk().ok_or_else(wrong)?;
            *bytes = rest;
            Ok(u32::from_le_bytes(*number))
        };
        let count = number(&mut bytes)? as usize;
        // Each value takes eight bytes at least, so a count that lies allocates no more than the input did.
        let mut out = Self {
            values: Vec::with_capacity(count.min(bytes.len() / 8)),
            counts: Vec::with_capacity(count.min(bytes.len() / 8)),
        };
        for _ in 0..count {
            out.counts.push(number(&mut bytes)?);
            let length = number(&mut bytes)? as usize;
            let (text, rest) = bytes.split_at_checked(length).ok_or_else(wrong)?;
            bytes = rest;
            let text =
                std::str::from_utf8(text).map_err(|_| damaged("a dictionary that is no text"))?;
            out.values.push(text.into());
        }
        Ok(out)
    }
}

/// Numbers of the records' values, as narrow as the dictionary allows.
#[derive(Clone, Debug)]
pub(crate) enum Codes {
    /// Every record has value 0.
    One(usize),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
}

impl Codes {
    pub(crate) fn narrow(codes: &[u32], values: usize) -> Self {
        match values {
            0 | 1 => Self::One(codes.len()),
            2..=0x100 => Self::U8(codes.iter().map(|c| *c as u8).collect()),
            0x101..=0x1_0000 => Self::U16(codes.iter().map(|c| *c as u16).collect()),
            _ => Self::U32(codes.to_vec()),
        }
    }

    /// Bytes that a code takes.
    pub(crate) fn width(&self) -> u8 {
        match self {
            Self::One(_) => 0,
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 4,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::One(rows) => *rows,
            Self::U8(codes) => codes.len(),
            Self::U16(codes) => codes.len(),
            Self::U32(codes) => codes.len(),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.len() * usize::from(self.width())
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        match self {
            Self::One(_) => Vec::new(),
            Self::U8(codes) => codes.clone(),
            Self::U16(codes) => codes.iter().flat_map(|c| c.to_le_bytes()).collect(),
            Self::U32(codes) => codes.iter().flat_map(|c| c.to_le_bytes()).collect(),
        }
    }

    /// Reads codes and holds them to the dictionary, so that whoever uses them as indices need not.
    pub(crate) fn read(width: u8, rows: usize, values: usize, bytes: Vec<u8>) -> io::Result<Self> {
        let codes = match width {
            0 if values > 0 || rows == 0 => Self::One(rows),
            1 => Self::U8(bytes),
            2 => Self::U16(numbers(&bytes, u16::from_le_bytes)),
            4 => Self::U32(numbers(&bytes, u32::from_le_bytes)),
            _ => return Err(damaged("codes of a strange width")),
        };
        let most = match &codes {
            Self::One(_) => 0,
            Self::U8(codes) => codes.iter().max().map_or(0, |c| usize::from(*c)),
            Self::U16(codes) => codes.iter().max().map_or(0, |c| usize::from(*c)),
            Self::U32(codes) => codes.iter().max().map_or(0, |c| *c as usize),
        };
        if codes.len() == rows && (rows == 0 || most < values) {
            Ok(codes)
        } else {
            Err(damaged("codes that do not fit their dictionary"))
        }
    }

    pub(crate) fn get(&self, row: usize) -> usize {
        match self {
            Self::One(_) => 0,
            Self::U8(codes) => codes[row].into(),
            Self::U16(codes) => codes[row].into(),
            Self::U32(codes) => codes[row] as usize,
        }
    }

    /// Looks every code of the rows up in `table` and writes what it says.
    pub(crate) fn map(&self, from: usize, table: &[u8], out: &mut [u8]) {
        fn each<T: Copy + Into<u32>>(codes: &[T], table: &[u8], out: &mut [u8]) {
            for (code, out) in codes.iter().zip(out) {
                *out = table[(*code).into() as usize];
            }
        }
        match self {
            Self::One(_) => out.fill(table[0]),
            Self::U8(codes) => each(&codes[from..], table, out),
            Self::U16(codes) => each(&codes[from..], table, out),
            Self::U32(codes) => each(&codes[from..], table, out),
        }
    }

    /// Calls `each` with the place behind `from` and the code of each row that `mask` lets through: all, or those whose
    /// byte has its second bit.
    pub(crate) fn visit(
        &self,
        from: usize,
        rows: usize,
        mask: Option<&[u8]>,
        each: impl FnMut(usize, usize),
    ) {
        fn walk<T: Copy + Into<u32>>(
            codes: &[T],
            mask: Option<&[u8]>,
            mut each: impl FnMut(usize, usize),
        ) {
            match mask {
                None => {
                    for (row, code) in codes.iter().enumerate() {
                        each(row, (*code).into() as usize);
                    }
                }
                Some(mask) => {
                    for (row, (code, mask)) in codes.iter().zip(mask).enumerate() {
                        if mask & 2 != 0 {
                            each(row, (*code).into() as usize);
                        }
                    }
                }
            }
        }
        match self {
            Self::One(_) => walk(&vec![0_u8; rows], mask, each),
            Self::U8(codes) => walk(&codes[from..from + rows], mask, each),
            Self::U16(codes) => walk(&codes[from..from + rows], mask, each),
            Self::U32(codes) => walk(&codes[from..from + rows], mask, each),
        }
    }
}

/// Little-endian numbers.
pub(crate) fn numbers<T, const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|chunk| read(*chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dictionaries_and_codes_are_read_back_or_refused() {
        let dictionary = Dictionary {
            values: vec!["".into(), "ta".into(), "té".into()],
            counts: vec![1, 2, 3],
        };
        let bytes = dictionary.write();
        let read = Dictionary::read(&bytes).unwrap();
        assert_eq!(
            (read.values, read.counts),
            (dictionary.values, dictionary.counts)
        );
        for cut in 0..bytes.len() {
            assert!(Dictionary::read(&bytes[..cut]).is_err());
        }
        assert!(Dictionary::read(&u32::MAX.to_le_bytes()).is_err());
        for values in [1_u32, 3, 300, 70_000] {
            let codes: Vec<u32> = (0..1000).map(|row| row * 7 % values).collect();
            let narrow = Codes::narrow(&codes, values as usize);
            let width = narrow.width();
            let read = Codes::read(width, 1000, values as usize, narrow.write()).unwrap();
            assert!((0..1000).all(|row| read.get(row) == codes[row] as usize));
            if values > 1 {
                let largest = *codes.iter().max().unwrap() as usize;
                assert!(Codes::read(width, 1000, largest, narrow.write()).is_err());
                assert!(Codes::read(width, 999, values as usize, narrow.write()).is_err());
            }
        }
    }
}
