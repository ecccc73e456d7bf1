//! What the kernel knows of an open before it looks at the path, as one number.

/// The class of an open: its bits say how the file was opened and by whom. The kernel side computes the same number
/// (`bpf/programs/prefilter.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class(pub u8);

/// Number of classes.
pub const CLASSES: usize = 256;

impl Class {
    /// Access mode as the capture format has it: bit 0 reading, bit 1 writing.
    pub const ACCESS: u8 = 0b11;
    /// `O_CREAT` was asked for.
    pub const CREATE: u8 = 1 << 2;
    /// `O_TRUNC` was asked for.
    pub const TRUNCATE: u8 = 1 << 3;
    /// Something may be created, with an execute bit in its mode.
    pub const EXECUTABLE: u8 = 1 << 4;
    /// The call succeeded.
    pub const OPENED: u8 = 1 << 5;
    /// The process certainly is in no container.
    pub const HOST: u8 = 1 << 6;
    /// The process may have one of [`OpenFilter::names`](super::OpenFilter::names).
    pub const NAMED: u8 = 1 << 7;

    /// Every class.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..=u8::MAX).map(Self)
    }

    /// Whether all of these bits are set.
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits == bits
    }
}

/// A set of classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ClassSet(pub [u64; CLASSES / 64]);

impl ClassSet {
    /// Whether it holds this class.
    pub fn has(&self, class: Class) -> bool {
        self.0[usize::from(class.0 / 64)] >> (class.0 % 64) & 1 == 1
    }

    /// Puts a class in.
    pub(super) fn insert(&mut self, class: Class) {
        self.0[usize::from(class.0 / 64)] |= 1 << (class.0 % 64);
    }
}
