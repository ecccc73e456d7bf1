//! Where notifications may go: outgoing requests must not become a way into the network behind the server.
//!
//! Whoever may edit notifications chooses addresses. So an address is looked at after its name was resolved, the
//! connection is made to exactly the address that was looked at, redirects are not followed and no proxy of the environment
//! is used. Addresses of this machine and of private networks are refused unless the operator allowed them when the server
//! was started; link-local ones, where clouds keep their metadata services, are refused always.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

/// Time one request may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A block of addresses: `10.1.0.0/16`, `::1/128`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    bits: u8,
}

/// The text is no block of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an address or a network, such as 10.1.0.0/16")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse::<u8>().map_err(|_| NotANetwork)?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NotANetwork)?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(NotANetwork);
        }
        Ok(Self { base, bits })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

impl Network {
    /// Whether the address lies in the block.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                u32::from(base) & mask == u32::from(address) & mask
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                let mask = u128::MAX
                    .checked_shl(128 - u32::from(self.bits))
                    .unwrap_or(0);
                u128::from(base) & mask == u128::from(address) & mask
            }
            _ => false,
        }
    }
}

/// Which addresses may be reached.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    /// Blocks that are allowed although they are private.
    pub allowed: Vec<Network>,
}

impl Targets {
    /// Whether a connection may be made to this address.
    ///
    /// # Errors
    /// Says in words why not.
    pub fn check(&self, address: IpAddr) -> Result<(), String> {
        let address = address.to_canonical();
        if is_link_local(address) {
            return Err(format!(
                "{address} is a link-local address; such targets are never allowed"
            ));
        }
        if is_public(address) || self.allowed.iter().any(|network| network.contains(address)) {
            return Ok(());
        }
        Err(format!(
            "{address} is not a public address; start the server with --allow-target {address} to allow it"
        ))
    }

    /// The allowed addresses of a host name.
    ///
    /// # Errors
    /// When the name has none, or one that is not allowed.
    pub fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
        let found: Vec<_> = (host, port)
            .to_socket_addrs()
            .map_err(|error| format!("looking up {host}: {error}"))?
            .collect();
        for address in &found {
            self.check(address.ip())?;
        }
        if found.is_empty() {
            return Err(format!("{host} has no address"));
        }
        Ok(found)
    }

    /// A client for requests to such targets.
    pub fn client(&self) -> ureq::Agent {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = Checked {
            targets: self.clone(),
            inner: DefaultResolver::default(),
        };
        ureq::Agent::with_parts(config, DefaultConnector::default(), resolver)
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        // fd00:ec2::254 is where EC2 answers over IPv6.
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// Whether the address can be one of the internet (RFC 6890 and its registries, the special blocks left out).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let protocols = a == 192 && b == 0 && c == 0;
            let benchmark = a == 198 && (b == 18 || b == 19);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || v4 == Ipv4Addr::UNSPECIFIED
                || a == 0
                || a >= 240
                || shared
                || protocols
                || benchmark)
        }
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            let global = first & 0xe000 == 0x2000;
            let documentation = first == 0x2001 && v6.segments()[1] == 0xdb8;
            // What carries an IPv4 address inside could lead around the checks above: 6to4 and Teredo.
            let carries = first == 0x2002 || (first == 0x2001 && v6.segments()[1] == 0);
            global && !documentation && !carries
        }
    }
}

#[derive(Debug)]
struct Checked {
    targets: Targets,
    inner: DefaultResolver,
}

impl Resolver for Checked {
    fn resolve(
        &self,
        uri: &ureq::http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        for address in &*found {
            self.targets.check(address.ip()).map_err(|why| {
                ureq::Error::Io(std::io::Error::new(
                    std::io::ErrorKind::PermissionDenied,
                    why,
                ))
            })?;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_targets_need_leave_and_metadata_services_never_get_it() {
        let open = Targets {
            allowed: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        };
        let closed = Targets::default();
        for (address, public, with_leave) in [
            ("8.8.8.8", true, true),
            ("2606:4700::1111", true, true),
            ("127.0.0.1", false, true),
            ("10.0.0.1", false, true),
            ("172.31.0.1", false, true),
            ("192.168.1.1", false, true),
            ("100.64.0.1", false, true),
            ("0.0.0.0", false, true),
            ("224.0.0.1", false, true),
            ("::1", false, true),
            ("fd12::1", false, true),
            ("::ffff:127.0.0.1", false, true),
            ("2002:7f00:1::", false, true),
            ("169.254.169.254", false, false),
            ("::ffff:169.254.169.254", false, false),
            ("fe80::1", false, false),
            ("fd00:ec2::254", false, false),
        ] {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(closed.check(address).is_ok(), public, "{address}");
            assert_eq!(open.check(address).is_ok(), with_leave, "{address}");
        }
    }

    #[test]
    fn networks_parse_and_contain() {
        let network: Network = "10.1.0.0/16".parse().unwrap();
        assert!(network.contains("10.1.255.1".parse().unwrap()));
        assert!(!network.contains("10.2.0.1".parse().unwrap()));
        assert_eq!(network.to_string(), "10.1.0.0/16");
        for wrong in ["", "10.1.0.0/33", "x/8", "10.1.0.0/x"] {
            assert_eq!(wrong.parse::<Network>(), Err(NotANetwork), "{wrong}");
        }
    }

    #[test]
    fn a_request_to_this_machine_is_refused_before_it_is_made() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let error = Targets::default().client().get(&url).call().unwrap_err();
        assert!(
            error.to_string().contains("not a public address"),
            "{error}"
        );
        assert!(listener.accept().is_err(), "a connection was made");
    }
}
