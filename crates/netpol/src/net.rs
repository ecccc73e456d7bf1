//! Addresses and CIDR blocks, as ranges of numbers so that sets of them can be cut and compared.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address as a family and a number; families never compare equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AddressKey {
    /// True for IPv6.
    pub v6: bool,
    /// The address as a number, most significant bit first.
    pub number: u128,
}

impl From<IpAddr> for AddressKey {
    /// IPv4 addresses mapped into IPv6 count as IPv4.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self {
                v6: false,
                number: u128::from(u32::from(v4)),
            },
            IpAddr::V6(v6) => Self {
                v6: true,
                number: u128::from(v6),
            },
        }
    }
}

impl AddressKey {
    /// Back to an address.
    pub fn address(self) -> IpAddr {
        if self.v6 {
            Ipv6Addr::from(self.number).into()
        } else {
            Ipv4Addr::from(self.number as u32).into()
        }
    }

    /// The last address of a family.
    pub fn last(v6: bool) -> u128 {
        if v6 { u128::MAX } else { u128::from(u32::MAX) }
    }
}

/// A CIDR block; host bits are cleared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    /// True for IPv6.
    pub v6: bool,
    /// First address.
    pub first: u128,
    /// Prefix length in bits.
    pub prefix: u8,
}

impl Cidr {
    /// Reads `address/prefix`, or a lone address as a block of one when `lone` is set.
    pub fn parse(text: &str, lone: bool) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => {
                // `u8::from_str` would take a sign.
                if prefix.is_empty() || !prefix.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                (address, Some(prefix.parse::<u8>().ok()?))
            }
            None if lone => (text, None),
            None => return None,
        };
        let address: IpAddr = address.parse().ok()?;
        let v6 = address.is_ipv6();
        let width = if v6 { 128 } else { 32 };
        let prefix = prefix.unwrap_or(width);
        if prefix > width {
            return None;
        }
        let number = match address {
            IpAddr::V4(v4) => u128::from(u32::from(v4)),
            IpAddr::V6(v6) => u128::from(v6),
        };
        let size_bits = u32::from(width - prefix);
        let mask = if size_bits == 128 {
            0
        } else {
            u128::MAX << size_bits
        };
        Some(Self {
            v6,
            first: number & mask,
            prefix,
        })
    }

    /// The block that holds only `address`.
    pub fn host(address: IpAddr) -> Self {
        let key = AddressKey::from(address);
        Self {
            v6: key.v6,
            first: key.number,
            prefix: if key.v6 { 128 } else { 32 },
        }
    }

    /// Last address.
    pub fn last(self) -> u128 {
        let width: u32 = if self.v6 { 128 } else { 32 };
        let size_bits = width - u32::from(self.prefix);
        if size_bits == 128 {
            u128::MAX
        } else {
            self.first | ((1u128 << size_bits) - 1)
        }
    }

    /// Whether `address` lies in the block.
    pub fn contains(self, address: AddressKey) -> bool {
        self.v6 == address.v6 && self.first <= address.number && address.number <= self.last()
    }

    /// Whether every address of `other` lies in the block.
    pub fn covers(self, other: Self) -> bool {
        self.v6 == other.v6 && self.first <= other.first && other.last() <= self.last()
    }

    /// The block as a range.
    pub fn range(self) -> IpRange {
        IpRange {
            v6: self.v6,
            first: self.first,
            last: self.last(),
        }
    }

    /// The block of `prefix` bits around this one; itself when it is already wider.
    #[must_use]
    pub fn widened(self, prefix: u8) -> Self {
        if prefix >= self.prefix {
            return self;
        }
        let width: u32 = if self.v6 { 128 } else { 32 };
        let size_bits = width - u32::from(prefix);
        let mask = if size_bits == 128 {
            0
        } else {
            u128::MAX << size_bits
        };
        Self {
            first: self.first & mask,
            prefix,
            ..self
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let first = AddressKey {
            v6: self.v6,
            number: self.first,
        };
        write!(f, "{}/{}", first.address(), self.prefix)
    }
}

/// A run of addresses of one family, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IpRange {
    /// True for IPv6.
    pub v6: bool,
    /// First address.
    pub first: u128,
    /// Last address.
    pub last: u128,
}

impl IpRange {
    /// All addresses of a family.
    pub fn all(v6: bool) -> Self {
        Self {
            v6,
            first: 0,
            last: AddressKey::last(v6),
        }
    }

    /// One address that stands for the range.
    pub fn representative(self) -> IpAddr {
        AddressKey {
            v6: self.v6,
            number: self.first,
        }
        .address()
    }
}

impl fmt::Display for IpRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = |number| AddressKey {
            v6: self.v6,
            number,
        };
        write!(
            f,
            "{}-{}",
            at(self.first).address(),
            at(self.last).address()
        )
    }
}

/// `within` minus `holes`, in order.
pub fn subtract(within: IpRange, holes: &[IpRange]) -> Vec<IpRange> {
    let mut holes: Vec<IpRange> = holes
        .iter()
        .copied()
        .filter(|h| h.v6 == within.v6 && h.first <= within.last && within.first <= h.last)
        .collect();
    holes.sort_unstable();
    let mut out = Vec::new();
    let mut next = within.first;
    for hole in holes {
        if hole.first > next {
            out.push(IpRange {
                v6: within.v6,
                first: next,
                last: hole.first - 1,
            });
        }
        if hole.last >= within.last {
            return out;
        }
        next = next.max(hole.last + 1);
    }
    out.push(IpRange {
        v6: within.v6,
        first: next,
        last: within.last,
    });
    out
}

/// Cuts a family at every border of `ranges`: inside one piece, no range tells two addresses apart.
pub fn atoms(ranges: &[IpRange], v6: bool) -> Vec<IpRange> {
    let end = AddressKey::last(v6);
    let mut starts = vec![0u128];
    for range in ranges.iter().filter(|r| r.v6 == v6) {
        starts.push(range.first);
        if range.last < end {
            starts.push(range.last + 1);
        }
    }
    starts.sort_unstable();
    starts.dedup();
    let lasts = starts
        .iter()
        .skip(1)
        .map(|next| next - 1)
        .chain(std::iter::once(end));
    starts
        .iter()
        .zip(lasts)
        .map(|(&first, last)| IpRange { v6, first, last })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_masked_and_printed() {
        let block = Cidr::parse("10.1.2.3/8", false).unwrap();
        assert_eq!(block.to_string(), "10.0.0.0/8");
        assert_eq!(Cidr::parse("::/0", false).unwrap().last(), u128::MAX);
        for bad in [
            "10.0.0.0/33",
            "10.0.0/8",
            "10.0.0.0/+8",
            "10.0.0.0",
            "x/8",
            "10.0.0.0/",
        ] {
            assert_eq!(Cidr::parse(bad, false), None, "{bad}");
        }
        assert_eq!(Cidr::parse("fe80::1", true).unwrap().prefix, 128);
    }

    #[test]
    fn atoms_cut_at_every_border() {
        let blocks = [
            Cidr::parse("10.0.0.0/8", false).unwrap().range(),
            Cidr::parse("10.1.0.0/16", false).unwrap().range(),
        ];
        let cut: Vec<String> = atoms(&blocks, false)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            cut,
            [
                "0.0.0.0-9.255.255.255",
                "10.0.0.0-10.0.255.255",
                "10.1.0.0-10.1.255.255",
                "10.2.0.0-10.255.255.255",
                "11.0.0.0-255.255.255.255"
            ]
        );
        assert_eq!(atoms(&[], true), [IpRange::all(true)]);
    }

    #[test]
    fn holes_are_cut_out() {
        let all = IpRange::all(false);
        let hole = Cidr::parse("128.0.0.0/1", false).unwrap().range();
        assert_eq!(
            subtract(all, &[hole])[0].to_string(),
            "0.0.0.0-127.255.255.255"
        );
        assert!(subtract(all, &[all]).is_empty());
    }
}
