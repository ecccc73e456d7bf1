//! Protocols, ports, and sets of (protocol, port): the currency in which every answer is counted.

use std::fmt;

/// Highest port number.
pub const LAST_PORT: u16 = u16::MAX;

/// An IP protocol by its IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protocol(pub u8);

impl Protocol {
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
    /// SCTP.
    pub const SCTP: Self = Self(132);
    /// ICMP for IPv4.
    pub const ICMP: Self = Self(1);
    /// ICMP for IPv6.
    pub const ICMPV6: Self = Self(58);
    /// UDP-Lite. It has ports, but no policy language can name them.
    pub const UDPLITE: Self = Self(136);

    /// The three that Kubernetes policies can name.
    pub const WITH_PORTS: [Self; 3] = [Self::SCTP, Self::TCP, Self::UDP];

    /// Reads a name in any case, or a number from 1 to 255.
    pub fn parse(text: &str) -> Option<Self> {
        const NAMES: [(&str, Protocol); 6] = [
            ("ICMP", Protocol::ICMP),
            ("ICMPv6", Protocol::ICMPV6),
            ("SCTP", Protocol::SCTP),
            ("TCP", Protocol::TCP),
            ("UDP", Protocol::UDP),
            ("UDPLite", Protocol::UDPLITE),
        ];
        NAMES
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|(_, protocol)| *protocol)
            .or_else(|| text.parse().ok().filter(|&n| n > 0).map(Self))
    }

    /// Whether policies can match its ports.
    pub fn has_ports(self) -> bool {
        Self::WITH_PORTS.contains(&self)
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TCP => f.write_str("TCP"),
            Self::UDP => f.write_str("UDP"),
            Self::SCTP => f.write_str("SCTP"),
            Self::ICMP => f.write_str("ICMP"),
            Self::ICMPV6 => f.write_str("ICMPv6"),
            Self::UDPLITE => f.write_str("UDPLite"),
            Self(number) => write!(f, "protocol {number}"),
        }
    }
}

/// A set of port numbers: sorted ranges that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRanges(Vec<(u16, u16)>);

impl PortRanges {
    /// Ports 1 to 65535. Port 0 is no port that anything can listen on.
    pub fn all() -> Self {
        Self(vec![(1, LAST_PORT)])
    }

    /// One range, both ends included; empty when `first > last`.
    pub fn range(first: u16, last: u16) -> Self {
        if first > last {
            Self::default()
        } else {
            Self(vec![(first, last)])
        }
    }

    /// The ranges in order.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }

    /// No port at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Ports 1 to 65535.
    pub fn is_all(&self) -> bool {
        self.0.len() == 1 && self.0[0].0 <= 1 && self.0[0].1 == LAST_PORT
    }

    /// Whether `port` is in the set.
    pub fn contains(&self, port: u16) -> bool {
        let at = self.0.partition_point(|&(_, last)| last < port);
        self.0.get(at).is_some_and(|&(first, _)| first <= port)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        if other.0.is_empty() || self.is_all() {
            return;
        }
        if self.0.is_empty() || other.is_all() {
            self.0.clone_from(&other.0);
            return;
        }
        let mut all = std::mem::take(&mut self.0);
        all.extend_from_slice(&other.0);
        all.sort_unstable();
        for (first, last) in all {
            match self.0.last_mut() {
                Some(open) if u32::from(first) <= u32::from(open.1) + 1 => {
                    open.1 = open.1.max(last);
                }
                _ => self.0.push((first, last)),
            }
        }
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (mut a, mut b) = (0, 0);
        while let (Some(&(f1, l1)), Some(&(f2, l2))) = (self.0.get(a), other.0.get(b)) {
            let (first, last) = (f1.max(f2), l1.min(l2));
            if first <= last {
                out.push((first, last));
            }
            if l1 <= l2 {
                a += 1;
            } else {
                b += 1;
            }
        }
        Self(out)
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        for &(first, last) in &self.0 {
            let mut next = u32::from(first);
            for &(hole_first, hole_last) in &other.0 {
                if hole_last < first || hole_first > last {
                    continue;
                }
                if u32::from(hole_first) > next {
                    out.push((next as u16, hole_first - 1));
                }
                next = next.max(u32::from(hole_last) + 1);
            }
            if next <= u32::from(last) {
                out.push((next as u16, last));
            }
        }
        Self(out)
    }
}

impl fmt::Display for PortRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (first, last)) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            if first == last {
                write!(f, "{first}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        Ok(())
    }
}

/// A set of protocols that have no ports, one bit for each IP protocol number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Bits([u64; 4]);

impl Bits {
    /// Every protocol number but 0 and the three with ports.
    const ALL: Self = {
        let mut bits = [u64::MAX; 4];
        bits[0] &= !(1 | (1 << 6) | (1 << 17));
        bits[2] &= !(1 << (132 - 128));
        Self(bits)
    };

    fn has(self, number: u8) -> bool {
        self.0[usize::from(number / 64)] & (1 << (number % 64)) != 0
    }

    fn only(number: u8) -> Self {
        let mut bits = [0; 4];
        bits[usize::from(number / 64)] = 1 << (number % 64);
        Self(bits)
    }

    fn zip(self, other: Self, f: impl Fn(u64, u64) -> u64) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }

    fn is_empty(self) -> bool {
        self.0 == [0; 4]
    }
}

/// A set of connections between two parties: ports by protocol, and whole protocols without ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnSet {
    tcp: PortRanges,
    udp: PortRanges,
    sctp: PortRanges,
    other: Bits,
}

impl ConnSet {
    /// Every protocol, every port.
    pub fn all() -> Self {
        Self {
            tcp: PortRanges::all(),
            udp: PortRanges::all(),
            sctp: PortRanges::all(),
            other: Bits::ALL,
        }
    }

    /// Nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// All of one protocol.
    pub fn protocol(protocol: Protocol) -> Self {
        Self::ports(protocol, PortRanges::all())
    }

    /// Some ports of one protocol. For a protocol without ports, the protocol itself when `ports` is not empty.
    pub fn ports(protocol: Protocol, ports: PortRanges) -> Self {
        let mut out = Self::default();
        match protocol {
            Protocol::TCP => out.tcp = ports,
            Protocol::UDP => out.udp = ports,
            Protocol::SCTP => out.sctp = ports,
            Protocol(number) if !ports.is_empty() => out.other = Bits::only(number),
            Protocol(_) => {}
        }
        out
    }

    /// The ports of TCP, UDP or SCTP in the set; empty for other protocols.
    pub fn ports_of(&self, protocol: Protocol) -> PortRanges {
        match protocol {
            Protocol::TCP => self.tcp.clone(),
            Protocol::UDP => self.udp.clone(),
            Protocol::SCTP => self.sctp.clone(),
            _ => PortRanges::default(),
        }
    }

    /// Whether a connection is in the set; without ports, `port` is not looked at.
    pub fn contains(&self, protocol: Protocol, port: u16) -> bool {
        match protocol {
            Protocol::TCP => self.tcp.contains(port),
            Protocol::UDP => self.udp.contains(port),
            Protocol::SCTP => self.sctp.contains(port),
            Protocol(number) => self.other.has(number),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.udp.is_empty() && self.sctp.is_empty() && self.other.is_empty()
    }

    /// Every port of TCP, UDP and SCTP: all that Kubernetes policies speak about.
    pub fn is_all_ports(&self) -> bool {
        self.tcp.is_all() && self.udp.is_all() && self.sctp.is_all()
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.tcp.add(&other.tcp);
        self.udp.add(&other.udp);
        self.sctp.add(&other.sctp);
        self.other = self.other.zip(other.other, |a, b| a | b);
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            tcp: self.tcp.and(&other.tcp),
            udp: self.udp.and(&other.udp),
            sctp: self.sctp.and(&other.sctp),
            other: self.other.zip(other.other, |a, b| a & b),
        }
    }

    /// What is here and not in `other`.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        Self {
            tcp: self.tcp.minus(&other.tcp),
            udp: self.udp.minus(&other.udp),
            sctp: self.sctp.minus(&other.sctp),
            other: self.other.zip(other.other, |a, b| a & !b),
        }
    }
}

impl fmt::Display for ConnSet {
    /// `All Connections`, `No Connections`, or ports by protocol: `SCTP 1-65535,TCP 1-79,81-65535`.
    /// Protocols without ports are named only when some but not all of them are in the set.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("No Connections");
        }
        let partly = !self.other.is_empty() && self.other != Bits::ALL;
        if self.is_all_ports() && !partly {
            return f.write_str("All Connections");
        }
        let mut first = true;
        let mut comma = |f: &mut fmt::Formatter<'_>| {
            if std::mem::take(&mut first) {
                Ok(())
            } else {
                f.write_str(",")
            }
        };
        for (name, ports) in [("SCTP", &self.sctp), ("TCP", &self.tcp), ("UDP", &self.udp)] {
            if !ports.is_empty() {
                comma(f)?;
                write!(f, "{name} {ports}")?;
            }
        }
        if partly {
            for number in (1..=u8::MAX).filter(|&n| self.other.has(n)) {
                comma(f)?;
                write!(f, "{}", Protocol(number))?;
            }
        } else if self.tcp.is_empty() && self.udp.is_empty() && self.sctp.is_empty() {
            f.write_str("protocols without ports")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_sets_add_cut_and_print() {
        let mut ports = PortRanges::range(1, 79);
        ports.add(&PortRanges::range(81, LAST_PORT));
        assert_eq!(ports.to_string(), "1-79,81-65535");
        assert_eq!(PortRanges::all().minus(&ports), PortRanges::range(80, 80));
        ports.add(&PortRanges::range(80, 80));
        assert!(ports.is_all());
        assert_eq!(
            PortRanges::range(5, 10)
                .and(&PortRanges::range(10, 12))
                .to_string(),
            "10"
        );
        assert!(!PortRanges::all().contains(0));
    }

    #[test]
    fn a_full_set_minus_a_port_names_only_ports() {
        let hole = ConnSet::ports(Protocol::TCP, PortRanges::range(80, 80));
        let rest = ConnSet::all().minus(&hole);
        assert_eq!(
            rest.to_string(),
            "SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535"
        );
        assert!(rest.contains(Protocol::ICMP, 0));
        assert_eq!(ConnSet::all().to_string(), "All Connections");
        assert_eq!(ConnSet::protocol(Protocol::ICMP).to_string(), "ICMP");
        assert_eq!(ConnSet::none().to_string(), "No Connections");
    }
}
