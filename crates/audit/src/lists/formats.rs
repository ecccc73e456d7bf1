//! The formats in which lists come: GuardDuty's six, STIX 2.1, AWS's own ranges, and plain feeds.

use std::net::IpAddr;

use thiserror::Error;

use crate::json::{Json, Tape};

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indicator {
    /// A network: address and prefix length in bits (32 or 128 for a single address).
    Network(IpAddr, u8),
    /// A domain in small letters; `*.` before it stands for everything below.
    Domain(String),
    /// A file's SHA-256.
    Sha256([u8; 32]),
}

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One indicator a line; `#` and `;` begin comments, so that public feeds can be read as they are. Also lines of
    /// Tor's exit list (`ExitAddress 192.0.2.1 …`).
    Txt,
    /// STIX 1.x in XML.
    Stix,
    /// STIX 2.1 in JSON.
    Stix2,
    /// Alien Vault's exchange: `Indicator type,Indicator,Description`.
    OtxCsv,
    /// FireEye iSIGHT: the columns named ip, cidr, domain and sha256.
    FireEye,
    /// Proofpoint: `address or domain, category, score, first seen, last seen, ports`.
    ProofPoint,
    /// Alien Vault's reputation feed: `address#reliability#risk#…`.
    AlienVault,
    /// AWS's `ip-ranges.json`.
    AwsRanges,
}

impl Format {
    /// The format that the beginning of a list looks like.
    pub fn guess(input: &[u8]) -> Self {
        /// What is looked at: a heading, or the first members of a document.
        const HEAD: usize = 4096;
        let head = String::from_utf8_lossy(&input[..input.len().min(HEAD)]).to_ascii_lowercase();
        let head = head.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
        let line = head
            .lines()
            .find(|line| !line.trim().is_empty() && !line.starts_with(['#', ';']))
            .unwrap_or_default();
        let columns: Vec<&str> = line.split(',').map(str::trim).collect();
        if head.starts_with('<') {
            Self::Stix
        } else if head.starts_with('{') {
            if head.contains("\"prefixes\"") || head.contains("\"synctoken\"") {
                Self::AwsRanges
            } else {
                Self::Stix2
            }
        } else if columns
            .first()
            .is_some_and(|first| first.trim_matches('"') == "indicator type")
        {
            Self::OtxCsv
        } else if columns.len() > 20 {
            Self::FireEye
        } else if line.matches('#').count() >= 5 {
            Self::AlienVault
        } else if columns.len() >= 4 {
            Self::ProofPoint
        } else {
            Self::Txt
        }
    }

    /// The format with this name, as GuardDuty's API writes it.
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "TXT" => Self::Txt,
            "STIX" => Self::Stix,
            "STIX2" => Self::Stix2,
            "OTX_CSV" => Self::OtxCsv,
            "FIRE_EYE" => Self::FireEye,
            "PROOF_POINT" => Self::ProofPoint,
            "ALIEN_VAULT" => Self::AlienVault,
            "AWS_RANGES" => Self::AwsRanges,
            _ => return None,
        })
    }
}

/// An entry that could not be read; the others were.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}: {text:?} is no address, network, domain or SHA-256")]
pub struct ListFault {
    /// Line in the input, from 1; 0 where the format has no lines.
    pub line: usize,
    /// What stands there, shortened.
    pub text: String,
}

/// Types of Alien Vault's exchange that are read.
const OTX_KINDS: [&str; 8] = [
    "ipv4",
    "ipv6",
    "cidr",
    "domain",
    "domain name",
    "hostname",
    "sha256",
    "filehash-sha256",
];

/// Finds the entries in a list that is JSON.
type Walk = fn(Json<'_>, &mut dyn FnMut(&str));

/// Faults of one input that are kept: a file in the wrong format has as many as lines.
const MAX_FAULTS: usize = 100;

/// Reads a list.
pub fn parse(format: Format, input: &[u8]) -> (Vec<Indicator>, Vec<ListFault>) {
    let mut reader = Reader::default();
    let input = &input[..input.len().min(super::MAX_LIST_BYTES)];
    let text = String::from_utf8_lossy(input);
    match format {
        Format::Txt => reader.txt(&text),
        Format::Stix => reader.stix(&text),
        Format::Stix2 => reader.json(input, stix2),
        Format::OtxCsv => reader.otx(&text),
        Format::FireEye => reader.fire_eye(&text),
        Format::ProofPoint => reader.columns(&text, |fields| fields.first().cloned()),
        Format::AlienVault => reader.alien_vault(&text),
        Format::AwsRanges => reader.json(input, aws_ranges),
    }
    (reader.entries, reader.faults)
}

#[derive(Default)]
struct Reader {
    entries: Vec<Indicator>,
    faults: Vec<ListFault>,
}

impl Reader {
    fn take(&mut self, line: usize, text: &str) {
        let text = text.trim().trim_matches('"');
        if text.is_empty() {
            return;
        }
        match indicator(text) {
            Some(entry) => self.entries.push(entry),
            None if self.faults.len() < MAX_FAULTS => self.faults.push(ListFault {
                line,
                text: text.chars().take(80).collect(),
            }),
            None => {}
        }
    }

    fn txt(&mut self, text: &str) {
        for (at, line) in text.lines().enumerate() {
            let line = line.split(['#', ';']).next().unwrap_or_default().trim();
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("ExitAddress"), Some(address)) => self.take(at + 1, address),
                // The other lines of Tor's list.
                (Some("ExitNode" | "Published" | "LastStatus") | None, _) => {}
                (Some(word), _) => self.take(at + 1, word),
            }
        }
    }

    fn alien_vault(&mut self, text: &str) {
        for (at, line) in text.lines().enumerate() {
            if !line.starts_with('#') {
                self.take(at + 1, line.split('#').next().unwrap_or_default());
            }
        }
    }

    /// CSV whose entry is picked from the fields; a first line that holds no indicator is a header.
    fn columns(&mut self, text: &str, pick: impl Fn(&[String]) -> Option<String>) {
        for (at, line) in text.lines().enumerate() {
            let fields = csv(line);
            if let Some(entry) = pick(&fields)
                && !(at == 0 && indicator(entry.trim()).is_none())
                && !entry.starts_with('#')
            {
                self.take(at + 1, &entry);
            }
        }
    }

    fn otx(&mut self, text: &str) {
        for (at, line) in text.lines().enumerate().skip(1) {
            let fields = csv(line);
            let kind = fields.first().map(|kind| kind.trim().to_ascii_lowercase());
            let wanted = kind.is_some_and(|kind| OTX_KINDS.contains(&kind.as_str()));
            // Indicators of other kinds, such as URLs, are no fault of the list.
            if let Some(entry) = fields.get(1).filter(|_| wanted) {
                self.take(at + 1, entry);
            }
        }
    }

    fn fire_eye(&mut self, text: &str) {
        let mut lines = text.lines().enumerate();
        let Some((_, header)) = lines.next() else {
            return;
        };
        let wanted: Vec<usize> = csv(header)
            .iter()
            .enumerate()
            .filter(|(_, name)| {
                let name = name.trim().to_ascii_lowercase();
                matches!(
                    name.as_str(),
                    "ip" | "cidr" | "domain" | "sha256" | "networkip" | "network_ip"
                )
            })
            .map(|(at, _)| at)
            .collect();
        for (at, line) in lines {
            let fields = csv(line);
            for column in &wanted {
                if let Some(entry) = fields.get(*column) {
                    self.take(at + 1, entry);
                }
            }
        }
    }

    /// Values of address, domain and hash observables. A full XML reader is not needed: the element names are fixed up
    /// to their prefix, and their content is text.
    fn stix(&mut self, text: &str) {
        for (at, line_text) in elements(text) {
            for value in line_text.split("##comma##") {
                self.take(at, value);
            }
        }
    }

    fn json(&mut self, input: &[u8], walk: Walk) {
        let mut tape = Tape::default();
        let root = match tape.parse(input, 0) {
            Ok(_) => tape.root(input),
            Err(_) => None,
        };
        match root {
            Some(root) => walk(root, &mut |entry| self.take(0, entry)),
            None => self.faults.push(ListFault {
                line: 0,
                text: "the whole input, which is not JSON".into(),
            }),
        }
    }
}

/// Reads an indicator.
fn indicator(text: &str) -> Option<Indicator> {
    if let Ok(address) = text.parse::<IpAddr>() {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        return Some(Indicator::Network(address, bits));
    }
    if let Some((address, bits)) = text.split_once('/') {
        let address: IpAddr = address.parse().ok()?;
        let bits: u8 = bits.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        return (bits <= most).then_some(Indicator::Network(address, bits));
    }
    if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).ok()?;
        }
        return Some(Indicator::Sha256(hash));
    }
    let name = text
        .strip_prefix("*.")
        .unwrap_or(text)
        .trim_end_matches('.');
    let labels = name.split('.');
    let sound = name.len() <= 253
        && labels.clone().count() >= 2
        && labels.clone().all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        })
        // The last label of an address that was cut is a number.
        && labels.clone().next_back().is_some_and(|label| label.bytes().any(|b| b.is_ascii_alphabetic()));
    sound.then(|| Indicator::Domain(text.trim_end_matches('.').to_ascii_lowercase()))
}

/// Fields of a CSV line; double quotes may surround a field and stand doubled inside.
fn csv(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let field = fields.last_mut().expect("there is always a field");
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                field.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => field.push(c),
        }
    }
    fields
}

/// Text of the elements of STIX 1.x that hold indicators, with their lines.
fn elements(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(open) = rest.find('<') {
        line += rest[..open].matches('\n').count();
        let Some(close) = rest[open..].find('>').map(|at| open + at) else {
            break;
        };
        let tag = &rest[open + 1..close];
        let name = tag
            .split([' ', '\t', '\n', '\r', '/'])
            .next()
            .unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        let after = &rest[close + 1..];
        let wanted = matches!(local, "Address_Value" | "Simple_Hash_Value")
            || local == "Value" && name.to_ascii_lowercase().contains("domain");
        if wanted
            && !tag.ends_with('/')
            && let Some(end) = after.find('<')
        {
            let value = after[..end].trim();
            // MD5 and SHA-1 stand in the same element.
            if local != "Simple_Hash_Value" || value.len() == 64 {
                found.push((line, value.replace("&amp;", "&")));
            }
        }
        line += rest[open..=close].matches('\n').count();
        rest = after;
    }
    found
}

/// Values in the patterns of a STIX 2.1 bundle, such as `[ipv4-addr:value = '192.0.2.1']`.
fn stix2(root: Json<'_>, take: &mut dyn FnMut(&str)) {
    let objects = root.get("objects").unwrap_or(root);
    for object in objects.items() {
        if let Some(value) = object.get("value").and_then(Json::to_text) {
            take(&value);
        }
        let Some(pattern) = object.get("pattern").and_then(Json::to_text) else {
            continue;
        };
        let wanted = [
            "ipv4-addr:value",
            "ipv6-addr:value",
            "domain-name:value",
            "SHA-256",
        ];
        for comparison in pattern
            .split(['[', ']'])
            .flat_map(|part| part.split(" OR "))
        {
            if wanted.iter().any(|kind| comparison.contains(kind))
                && let Some(value) = comparison.rsplit('=').next()
            {
                take(value.trim().trim_matches('\''));
            }
        }
    }
}

fn aws_ranges(root: Json<'_>, take: &mut dyn FnMut(&str)) {
    for (list, key) in [("prefixes", "ip_prefix"), ("ipv6_prefixes", "ipv6_prefix")] {
        for range in root.get(list).into_iter().flat_map(Json::items) {
            if let Some(prefix) = range.get(key).and_then(Json::to_text) {
                take(&prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(format: Format, input: &str) -> (Vec<String>, usize) {
        let (entries, faults) = parse(format, input.as_bytes());
        let texts = entries.iter().map(|entry| match entry {
            Indicator::Network(address, bits) => format!("{address}/{bits}"),
            Indicator::Domain(domain) => domain.clone(),
            Indicator::Sha256(hash) => format!("{:02x}…", hash[0]),
        });
        (texts.collect(), faults.len())
    }

    #[test]
    fn every_format_gives_its_indicators() {
        let hash = "ab".repeat(32);
        assert_eq!(
            texts(
                Format::Txt,
                &format!(
                    "# feed\n192.0.2.1\n192.0.2.0/24 ; SBL1\n2001:db8::1\n*.evil.example\n{hash}\nExitNode AAAA\nExitAddress 203.0.113.1 2026-01-01\n999.1.1.1\n"
                )
            ),
            (
                vec![
                    "192.0.2.1/32".into(),
                    "192.0.2.0/24".into(),
                    "2001:db8::1/128".into(),
                    "*.evil.example".into(),
                    "ab…".into(),
                    "203.0.113.1/32".into()
                ],
                1
            )
        );
        assert_eq!(
            texts(
                Format::OtxCsv,
                &format!(
                    "Indicator type,Indicator,Description\nIPv4,192.0.2.1,\"a, b\"\nCIDR,192.0.2.0/24,x\nDomain name,evil.example,x\nSHA256,{hash},x\nURL,http://x/,y\n"
                )
            ),
            (
                vec![
                    "192.0.2.1/32".into(),
                    "192.0.2.0/24".into(),
                    "evil.example".into(),
                    "ab…".into()
                ],
                0
            )
        );
        assert_eq!(
            texts(
                Format::FireEye,
                "reportId,title,ip,cidr,domain,sha256\n1,\"x, y\",192.0.2.1,,,\n2,x,,192.0.2.0/24,evil.example,\n"
            ),
            (
                vec![
                    "192.0.2.1/32".into(),
                    "192.0.2.0/24".into(),
                    "evil.example".into()
                ],
                0
            )
        );
        assert_eq!(
            texts(
                Format::ProofPoint,
                "ip, category, score, first_seen, last_seen, ports\n192.0.2.1, 1, 100, 2026-01-01, 2026-01-02, 80|443\nevil.example,1,50,,,\n"
            ),
            (vec!["192.0.2.1/32".into(), "evil.example".into()], 0)
        );
        assert_eq!(
            texts(
                Format::AlienVault,
                "192.0.2.1#4#2#Malicious Host#DE##52.5,13.4#3\n"
            ),
            (vec!["192.0.2.1/32".into()], 0)
        );
        assert_eq!(
            texts(
                Format::Stix,
                "<stix:STIX_Package>\n<AddressObj:Address_Value condition=\"Equals\" apply_condition=\"ANY\">192.0.2.1##comma##192.0.2.2</AddressObj:Address_Value>\n<DomainNameObj:Value>evil.example</DomainNameObj:Value>\n<cyboxCommon:Simple_Hash_Value>d41d8cd98f00b204e9800998ecf8427e</cyboxCommon:Simple_Hash_Value></stix:STIX_Package>"
            ),
            (
                vec![
                    "192.0.2.1/32".into(),
                    "192.0.2.2/32".into(),
                    "evil.example".into()
                ],
                0
            )
        );
        assert_eq!(
            texts(
                Format::Stix2,
                r#"{"type":"bundle","objects":[{"type":"indicator","pattern":"[ipv4-addr:value = '192.0.2.0/24' OR domain-name:value = 'evil.example']"},{"type":"ipv4-addr","value":"192.0.2.9"}]}"#
            ),
            (
                vec![
                    "192.0.2.0/24".into(),
                    "evil.example".into(),
                    "192.0.2.9/32".into()
                ],
                0
            )
        );
        assert_eq!(
            texts(
                Format::AwsRanges,
                r#"{"prefixes":[{"ip_prefix":"3.5.140.0/22","region":"x"}],"ipv6_prefixes":[{"ipv6_prefix":"2600:1f00::/24"}]}"#
            ),
            (vec!["3.5.140.0/22".into(), "2600:1f00::/24".into()], 0)
        );
        assert_eq!(texts(Format::Stix2, "nonsense"), (vec![], 1));
    }
}
