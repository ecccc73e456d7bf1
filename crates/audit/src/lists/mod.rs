//! Lists of addresses, domains and file hashes: trusted ones, threats, Tor exits, a cloud's own ranges.

mod formats;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;

pub use formats::{Format, Indicator, ListFault, parse};

/// What a list says about what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// Never a finding because of a list.
    Trusted,
    /// Public threat feeds; they stand in for AWS's own, which nobody else has.
    Threat,
    /// A threat list of the user's.
    Custom,
    /// Tor exits.
    Tor,
    /// The ranges of AWS, for credentials used outside.
    AwsRanges,
    /// Addresses that the cluster's pods reach the cloud from: NAT gateways, nodes, VPC endpoints.
    Cluster,
}

/// Largest input that is read as a list, as GuardDuty's bound.
pub const MAX_LIST_BYTES: usize = 35 << 20;

/// A loaded list.
#[derive(Debug)]
pub struct List {
    /// Name, shown in findings.
    pub name: String,
    /// What it says.
    pub kind: ListKind,
    /// How often something on it was met.
    pub hits: u64,
    networks: Networks,
    domains: HashSet<String>,
    wildcards: HashSet<String>,
    hashes: HashSet<[u8; 32]>,
}

/// Networks by prefix length: an address is on the list when its first so many bits are in the set of that length.
#[derive(Debug, Default)]
struct Networks {
    v4: BTreeMap<u8, HashSet<u32>>,
    v6: BTreeMap<u8, HashSet<u128>>,
}

impl Networks {
    fn insert(&mut self, address: IpAddr, bits: u8) {
        match address {
            IpAddr::V4(v4) => {
                let set = self.v4.entry(bits.min(32)).or_default();
                set.insert(mask4(v4.to_bits(), bits));
            }
            IpAddr::V6(v6) => {
                let set = self.v6.entry(bits.min(128)).or_default();
                set.insert(mask6(v6.to_bits(), bits));
            }
        }
    }

    fn contains(&self, address: IpAddr) -> bool {
        // An IPv4 address may come dressed as IPv6.
        match address.to_canonical() {
            IpAddr::V4(v4) => self
                .v4
                .iter()
                .any(|(bits, set)| set.contains(&mask4(v4.to_bits(), *bits))),
            IpAddr::V6(v6) => self
                .v6
                .iter()
                .any(|(bits, set)| set.contains(&mask6(v6.to_bits(), *bits))),
        }
    }
}

fn mask4(address: u32, bits: u8) -> u32 {
    address
        & u32::MAX
            .checked_shl(32 - u32::from(bits.min(32)))
            .unwrap_or(0)
}

fn mask6(address: u128, bits: u8) -> u128 {
    address
        & u128::MAX
            .checked_shl(128 - u32::from(bits.min(128)))
            .unwrap_or(0)
}

impl List {
    /// A list with these entries.
    pub fn new(
        name: impl Into<String>,
        kind: ListKind,
        entries: impl IntoIterator<Item = Indicator>,
    ) -> Self {
        let mut list = Self {
            name: name.into(),
            kind,
            hits: 0,
            networks: Networks::default(),
            domains: HashSet::new(),
            wildcards: HashSet::new(),
            hashes: HashSet::new(),
        };
        for entry in entries {
            match entry {
                Indicator::Network(address, bits) => list.networks.insert(address, bits),
                Indicator::Domain(domain) => match domain.strip_prefix("*.") {
                    Some(parent) => {
                        list.wildcards.insert(parent.to_owned());
                    }
                    None => {
                        list.domains.insert(domain);
                    }
                },
                Indicator::Sha256(hash) => {
                    list.hashes.insert(hash);
                }
            }
        }
        list
    }

    /// True when the address is on the list.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.networks.contains(address)
    }

    /// True when the domain, or a wildcard over it, is on the list. Capitals do not count.
    pub fn has_domain(&self, domain: &str) -> bool {
        let domain = domain.trim_end_matches('.').to_ascii_lowercase();
        self.domains.contains(&domain)
            || domain
                .match_indices('.')
                .any(|(at, _)| self.wildcards.contains(&domain[at + 1..]))
    }

    /// True when the file's hash is on the list.
    pub fn has_sha256(&self, hash: &[u8; 32]) -> bool {
        self.hashes.contains(hash)
    }
}

/// What the lists say about an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// On no list that leads to a finding.
    Unlisted,
    /// On a trusted list, which wins.
    Trusted,
    /// On these lists, by kind.
    Listed(Vec<(ListKind, Vec<String>)>),
}

/// All lists together.
#[derive(Debug, Default)]
pub struct Lists {
    lists: Vec<List>,
    by_kind: HashMap<ListKind, Vec<usize>>,
}

impl Lists {
    /// No list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a list; one with the same name is replaced, its hits counted on.
    pub fn add(&mut self, mut list: List) {
        match self.lists.iter_mut().find(|known| known.name == list.name) {
            Some(known) => {
                list.hits = known.hits;
                *known = list;
            }
            None => self.lists.push(list),
        }
        self.by_kind.clear();
        for (at, list) in self.lists.iter().enumerate() {
            self.by_kind.entry(list.kind).or_default().push(at);
        }
    }

    /// Every list.
    pub fn iter(&self) -> impl Iterator<Item = &List> {
        self.lists.iter()
    }

    /// The address that a record came from, unless there is no list to look it up in.
    pub(crate) fn address_of(&self, record: &crate::Record<'_>) -> Option<IpAddr> {
        if self.lists.is_empty() {
            return None;
        }
        match record.source() {
            crate::Source::AwsCloudtrail => record
                .json()
                .get("sourceIPAddress")
                .and_then(crate::json::Json::to_text)?
                .parse()
                .ok(),
            _ => crate::findings::facts::peer(record.json()),
        }
    }

    /// True when there is no list.
    pub fn is_empty(&self) -> bool {
        self.lists.is_empty()
    }

    /// True when there is a list of this kind.
    pub fn has(&self, kind: ListKind) -> bool {
        self.by_kind.contains_key(&kind)
    }

    /// True when the address is on a list of this kind; does not count as a hit.
    pub fn contains(&self, kind: ListKind, address: IpAddr) -> bool {
        self.by_kind
            .get(&kind)
            .into_iter()
            .flatten()
            .any(|at| self.lists[*at].has_address(address))
    }

    /// What threat lists, Tor lists and trusted lists say about an address. Counts hits.
    pub fn judge(&mut self, address: IpAddr) -> Verdict {
        let mut matches: Vec<(ListKind, Vec<String>)> = Vec::new();
        for kind in [ListKind::Threat, ListKind::Custom, ListKind::Tor] {
            let Some(lists) = self.by_kind.get(&kind) else {
                continue;
            };
            let names: Vec<String> = lists
                .iter()
                .map(|at| &self.lists[*at])
                .filter(|list| list.has_address(address))
                .map(|list| list.name.clone())
                .collect();
            if !names.is_empty() {
                matches.push((kind, names));
            }
        }
        if matches.is_empty() {
            return Verdict::Unlisted;
        }
        let trusted = self.contains(ListKind::Trusted, address);
        for list in &mut self.lists {
            let counts = if trusted {
                list.kind == ListKind::Trusted && list.has_address(address)
            } else {
                matches.iter().any(|(_, names)| names.contains(&list.name))
            };
            list.hits += u64::from(counts);
        }
        if trusted {
            Verdict::Trusted
        } else {
            Verdict::Listed(matches)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(name: &str, kind: ListKind, text: &str) -> List {
        let (entries, faults) = parse(Format::Txt, text.as_bytes());
        assert!(faults.is_empty(), "{faults:?}");
        List::new(name, kind, entries)
    }

    #[test]
    fn addresses_are_found_in_networks_of_both_families_and_trust_wins() {
        let mut lists = Lists::new();
        lists.add(list(
            "bad",
            ListKind::Custom,
            "198.51.100.0/24\n2001:db8::/32\n203.0.113.7\n0.0.0.0/32",
        ));
        lists.add(list("exits", ListKind::Tor, "203.0.113.7"));
        lists.add(list("ours", ListKind::Trusted, "198.51.100.128/25"));
        let mut judge = |address: &str| lists.judge(address.parse().unwrap());
        let bad = |kinds: &[(ListKind, &str)]| {
            let matches = kinds.iter().map(|(k, n)| (*k, vec![(*n).to_owned()]));
            Verdict::Listed(matches.collect())
        };
        assert_eq!(judge("198.51.100.1"), bad(&[(ListKind::Custom, "bad")]));
        assert_eq!(
            judge("::ffff:198.51.100.1"),
            bad(&[(ListKind::Custom, "bad")])
        );
        assert_eq!(judge("198.51.100.200"), Verdict::Trusted);
        assert_eq!(judge("2001:db8:1::1"), bad(&[(ListKind::Custom, "bad")]));
        assert_eq!(
            judge("203.0.113.7"),
            bad(&[(ListKind::Custom, "bad"), (ListKind::Tor, "exits")])
        );
        assert_eq!(judge("192.0.2.1"), Verdict::Unlisted);
        let hits: Vec<u64> = lists.iter().map(|list| list.hits).collect();
        assert_eq!(hits, [4, 1, 1]);
    }

    #[test]
    fn domains_match_with_wildcards() {
        let list = list("d", ListKind::Threat, "Evil.example\n*.bad.example");
        assert!(list.has_domain("evil.EXAMPLE."));
        assert!(!list.has_domain("sub.evil.example"));
        assert!(list.has_domain("a.b.bad.example"));
        assert!(!list.has_domain("bad.example"));
    }
}
