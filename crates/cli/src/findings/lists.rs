//! Address lists on the command line: `[NAME=]PLACE[,FORMAT]`, PLACE a file or an `http(s)://` address.

use std::convert::Infallible;
use std::str::FromStr;

use anyhow::{Context, bail};
use vedette_audit::lists::{Format, List, ListKind, Lists, MAX_LIST_BYTES, parse};
use vedette_intake::fetch;

/// Entries that could not be read are mentioned up to this many a list.
const MENTIONED: usize = 3;

/// Which lists to load.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ListFlags {
    /// Addresses that never lead to a finding, as [NAME=]PLACE[,FORMAT]: a file or URL, its format guessed when not given
    /// (TXT, STIX, STIX2, OTX_CSV, FIRE_EYE, PROOF_POINT, ALIEN_VAULT, AWS_RANGES)
    #[arg(long, value_name = "LIST")]
    trusted_list: Vec<Place>,
    /// A public threat feed
    #[arg(long, value_name = "LIST")]
    threat_list: Vec<Place>,
    /// A threat list of your own
    #[arg(long, value_name = "LIST")]
    custom_list: Vec<Place>,
    /// Tor's exits
    #[arg(long, value_name = "LIST")]
    tor_list: Vec<Place>,
    /// AWS's ip-ranges.json, for credentials of instances used outside AWS
    #[arg(long, value_name = "LIST")]
    aws_ranges: Vec<Place>,
    /// Addresses from which the cluster's pods reach the cloud, for their credentials used elsewhere
    #[arg(long, value_name = "LIST")]
    cluster_addresses: Vec<Place>,
}

/// Where a list is, under which name, in which format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    name: String,
    at: String,
    format: Option<Format>,
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let (rest, format) = match text.rsplit_once(',') {
            Some((rest, name)) if Format::by_name(name).is_some() => (rest, Format::by_name(name)),
            _ => (text, None),
        };
        // A URL has equal signs of its own, behind its colon.
        let (name, place) = match rest.split_once('=') {
            Some((name, place)) if !name.contains(['/', ':']) => (name, place),
            _ => (rest.rsplit('/').next().unwrap_or(rest), rest),
        };
        Ok(Self {
            name: name.to_owned(),
            at: place.to_owned(),
            format,
        })
    }
}

/// A list to load.
#[derive(Clone, Debug)]
pub(crate) struct ListSpec {
    kind: ListKind,
    place: Place,
}

impl ListFlags {
    pub(super) fn specs(&self) -> Vec<ListSpec> {
        [
            (ListKind::Trusted, &self.trusted_list),
            (ListKind::Threat, &self.threat_list),
            (ListKind::Custom, &self.custom_list),
            (ListKind::Tor, &self.tor_list),
            (ListKind::AwsRanges, &self.aws_ranges),
            (ListKind::Cluster, &self.cluster_addresses),
        ]
        .into_iter()
        .flat_map(|(kind, places)| {
            places.iter().map(move |place| ListSpec {
                kind,
                place: place.clone(),
            })
        })
        .collect()
    }
}

/// Loads every list. Entries that cannot be read are told on standard error and cost only themselves.
pub(super) fn load(specs: &[ListSpec]) -> anyhow::Result<Lists> {
    let mut lists = Lists::new();
    for ListSpec { kind, place } in specs {
        let bytes = fetch::read(&place.at, MAX_LIST_BYTES as u64)
            .with_context(|| format!("list {}", place.name))?;
        let format = place.format.unwrap_or_else(|| Format::guess(&bytes));
        let (entries, faults) = parse(format, &bytes);
        for fault in faults.iter().take(MENTIONED) {
            crate::commands::say(&format!("list {}: {fault}", place.name))?;
        }
        if faults.len() > MENTIONED {
            let more = faults.len() - MENTIONED;
            crate::commands::say(&format!("list {}: {more} more such lines", place.name))?;
        }
        if entries.is_empty() && !faults.is_empty() {
            bail!(
                "list {}: nothing in {} could be read as {format:?}",
                place.name,
                place.at
            );
        }
        lists.add(List::new(place.name.clone(), *kind, entries));
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_taken_apart() {
        let place = |text: &str| {
            let Ok(Place { name, at, format }) = text.parse();
            (name, at, format)
        };
        let owned = |name: &str, place: &str, format| (name.to_owned(), place.to_owned(), format);
        assert_eq!(place("a/b.txt"), owned("b.txt", "a/b.txt", None));
        assert_eq!(
            place("feed=/x,y.csv,OTX_CSV"),
            owned("feed", "/x,y.csv", Some(Format::OtxCsv))
        );
        assert_eq!(
            place("http://h/l?x=1"),
            owned("l?x=1", "http://h/l?x=1", None)
        );
    }
}
