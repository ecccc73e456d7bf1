//! Names to addresses by `/etc/hosts` alone: the lab has no name server, and a static program should not load one's
//! modules.

use std::net::{IpAddr, SocketAddr};

/// The address that `/etc/hosts` gives for a name; an address stands for itself.
pub(crate) fn address(name: &str) -> Option<IpAddr> {
    if let Ok(address) = name.parse() {
        return Some(address);
    }
    in_table(&std::fs::read_to_string("/etc/hosts").ok()?, name)
}

fn in_table(table: &str, name: &str) -> Option<IpAddr> {
    table.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word == name).then_some(address)
    })
}

/// `HOST:PORT`, or `HOST` with the port that is usual there.
pub(crate) fn socket(place: &str, usual: u16) -> Option<SocketAddr> {
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (place, usual),
    };
    Some(SocketAddr::new(address(host)?, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_table() {
        let table = "127.0.0.1 localhost\n203.0.113.10 mirror.range deb.debian.org # two names\n";
        let found = |name| in_table(table, name).map(|address| address.to_string());
        assert_eq!(found("deb.debian.org").as_deref(), Some("203.0.113.10"));
        assert_eq!(found("two"), None);
        assert_eq!(
            socket("198.51.100.7:3333", 80).map(|s| s.port()),
            Some(3333)
        );
        assert_eq!(socket("198.51.100.7", 80).map(|s| s.port()), Some(80));
        assert_eq!(socket("198.51.100.7:x", 80), None);
    }
}
