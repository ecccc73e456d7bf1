//! What is compared of a record: who, in which group, did what, where, from where, with what; and whether it is of a kind
//! that may lead to a finding.

use super::{aws, kubernetes};
use crate::record::Record;
use crate::source::Source;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Factor {
    /// Verb and resource, or service and call.
    Action,
    /// Namespace.
    Namespace,
    /// Client without its version's small print.
    Agent,
    /// Network of the caller.
    Network,
    /// Allowed, refused, failed.
    Outcome,
    /// Image without tag.
    Image,
    /// Role that a binding gives.
    Role,
    /// Whom somebody acts for.
    Target,
    /// Bucket.
    Bucket,
}

impl Factor {
    /// The word in explanations, GuardDuty's where it has one.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Action => "api",
            Self::Namespace => "namespace",
            Self::Agent => "userAgent",
            Self::Network => "network",
            Self::Outcome => "outcome",
            Self::Image => "image",
            Self::Role => "role",
            Self::Target => "impersonatedUser",
            Self::Bucket => "bucket",
        }
    }

    /// How much of its surprise counts. Addresses and clients change for harmless reasons (a new laptop, an upgrade), so
    /// that they support a suspicion rather than found one.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Action | Self::Image | Self::Role | Self::Target => 1.0,
            Self::Bucket => 0.8,
            Self::Namespace | Self::Network => 0.6,
            Self::Agent => 0.5,
            Self::Outcome => 0.3,
        }
    }
}

/// A kind of behaviour that may lead to a finding.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gate {
    /// Type of the finding.
    pub(super) kind: &'static str,
    /// What the finding is about.
    pub(super) subject: String,
    /// Severity, where it is not the type's usual one.
    pub(super) severity: Option<f64>,
}

/// What is compared of a record.
#[derive(Clone, Debug)]
pub(super) struct Behaviour {
    /// Who, without what differs from session to session.
    pub(super) principal: String,
    /// Whose habits stand in for his while he has none.
    pub(super) peers: String,
    pub(super) factors: Vec<(Factor, String)>,
    /// What makes it grave however usual it is, with the bits it adds.
    pub(super) scope: Vec<(&'static str, f64)>,
    pub(super) gate: Option<Gate>,
    /// Whether habits may be learnt from it at all.
    pub(super) trusted: bool,
    /// A namespace that comes into being by it.
    pub(super) founds: Option<String>,
}

/// Reads a record; `None` for what is not compared.
pub(super) fn behaviour(record: &Record<'_>) -> Option<Behaviour> {
    match record.source() {
        Source::K8sAudit => kubernetes::behaviour(record.json()),
        Source::AwsCloudtrail => aws::behaviour(record.json()),
        Source::GcpAuditlog | Source::Okta | Source::Github | Source::Json => None,
    }
}

/// The client without its version's small print: `kubectl/v1.36.2 (linux/amd64) …` is `kubectl/1`.
pub(super) fn client(agent: &str) -> String {
    /// Longest name of a client that is kept: it is the client's to choose.
    const LONGEST: usize = 64;
    let word = agent.split_whitespace().next().unwrap_or("(none)");
    let (name, version) = word.split_once('/').unwrap_or((word, ""));
    let major: String = version
        .trim_start_matches('v')
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    let name: String = name.chars().take(LONGEST).collect();
    if major.is_empty() {
        name
    } else {
        format!("{name}/{major}")
    }
}

/// The network of an address: 24 bits of IPv4, 64 of IPv6.
pub(super) fn network(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        std::net::IpAddr::V6(v6) => {
            let bits = v6.to_bits() & !(u128::from(u64::MAX));
            format!("{}/64", std::net::Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_and_networks_lose_what_changes_daily() {
        assert_eq!(
            client("kubectl/v1.36.2 (linux/amd64) kubernetes/abc"),
            "kubectl/1"
        );
        assert_eq!(client("Boto3/1.34.1 md/x"), "Boto3/1");
        assert_eq!(client(""), "(none)");
        assert_eq!(network("192.0.2.77".parse().unwrap()), "192.0.2.0/24");
        assert_eq!(network("2001:db8::1".parse().unwrap()), "2001:db8::/64");
    }
}
