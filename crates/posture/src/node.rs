//! Facts about a node: files, their owners and permissions, and the kubelet's settings.
//!
//! Three shapes are read: the kubelet's own `KubeletConfiguration` (also as `/configz` gives it), `NodeInfo` of
//! the node collector that Trivy uses (`info.<fact>.values`), and `KubeletInfo` of Kubescape's host sensor
//! (`data.cmdLine`, `data.configFile.content` in base64).

use vedette_manifest::Object;
use vedette_yaml::Node;

use crate::check::{Finding, Findings};
use crate::input::Input;
use crate::value;

/// One setting of the kubelet, with the names it has in each shape.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Command line flag without dashes.
    pub flag: &'static str,
    /// Path in `KubeletConfiguration`.
    pub config: &'static [&'static str],
    /// Fact of `NodeInfo`.
    pub fact: &'static str,
}

/// What is known about a setting on one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Set to this text, read at this path.
    Set(String, String),
    /// Not set, so the kubelet's default holds.
    Unset,
    /// This source of facts does not say.
    Unknown,
    /// The configuration could not be read.
    Unreadable,
}

/// Runs `judge` on every node that knows about `setting`; what it returns is the failure.
pub fn judge(
    input: &Input<'_>,
    out: &mut Findings<'_>,
    setting: Setting,
    judge: impl Fn(Option<&str>) -> Option<String>,
) {
    for (index, object) in nodes(input) {
        let found = match known(object, setting) {
            Known::Set(text, path) => judge(Some(&text)).map(|message| {
                let mut finding = Finding::new(index, path, message);
                finding.value = Some(text);
                finding
            }),
            Known::Unset => judge(None).map(|message| {
                let file = object.kind == "KubeletConfiguration"
                    || value::at(&object.node, &["data", "configFile", "content"]).is_some();
                let path = if file {
                    setting.config.join(".")
                } else {
                    String::new()
                };
                Finding::new(index, path, message)
            }),
            Known::Unknown => None,
            Known::Unreadable => Some(Finding::new(
                index,
                "",
                "the kubelet's configuration file could not be read, so the setting is not proved",
            )),
        };
        if let Some(finding) = found {
            out.push(finding);
        }
    }
}

fn nodes<'a>(input: &Input<'a>) -> impl Iterator<Item = (usize, &'a Object)> {
    ["KubeletConfiguration", "KubeletInfo", "NodeInfo"]
        .into_iter()
        .flat_map(|kind| input.of_kind(kind))
}

/// What `object` says about `setting`.
pub fn known(object: &Object, setting: Setting) -> Known {
    match object.kind.as_str() {
        "NodeInfo" => fact(object, setting.fact),
        "KubeletInfo" => sensor(object, setting),
        _ => {
            let inside = value::field(&object.node, "kubeletconfig");
            let prefix = if inside.is_some() {
                "kubeletconfig."
            } else {
                ""
            };
            match lookup(inside.unwrap_or(&object.node), setting.config) {
                Some((node, path)) => Known::Set(value::show(node), format!("{prefix}{path}")),
                None => Known::Unset,
            }
        }
    }
}

/// Follows keys whatever their case, as Go's decoder does (`TLSCipherSuites` is often written so).
fn lookup<'a>(root: &'a Node, keys: &[&str]) -> Option<(&'a Node, String)> {
    let mut node = root;
    let mut path = Vec::new();
    for key in keys {
        let (name, value) = node
            .as_map()?
            .iter()
            .find(|(name, value)| {
                !value.is_null() && name.as_str().is_some_and(|n| n.eq_ignore_ascii_case(key))
            })
            .and_then(|(name, value)| Some((name.as_str()?, value)))?;
        path.push(name);
        node = value;
    }
    Some((node, path.join(".")))
}

fn fact(object: &Object, name: &str) -> Known {
    let Some(values) = value::at(&object.node, &["info", name, "values"]).and_then(Node::as_seq)
    else {
        return Known::Unknown;
    };
    match values.first() {
        Some(node) => Known::Set(value::show(node), format!("info.{name}.values[0]")),
        None => Known::Unset,
    }
}

fn sensor(object: &Object, setting: Setting) -> Known {
    let command = value::text(&object.node, &["data", "cmdLine"]).unwrap_or_default();
    if let Some(text) = argument(command, setting.flag) {
        // The sensor's own paths are not those of a manifest; a flag has no field to point at.
        return Known::Set(text.to_owned(), String::new());
    }
    let Some(content) = value::text(&object.node, &["data", "configFile", "content"]) else {
        return if argument(command, "config").is_some() {
            Known::Unreadable
        } else {
            Known::Unset
        };
    };
    let Some(text) = decode(content) else {
        return Known::Unreadable;
    };
    let parsed = vedette_yaml::parse(&text);
    let Some(document) = parsed.documents.first() else {
        return Known::Unreadable;
    };
    match lookup(&document.root, setting.config) {
        Some((node, path)) => Known::Set(value::show(node), path),
        None => Known::Unset,
    }
}

/// The value of `--flag=value` or `--flag value` on a command line; a bare flag means `true`.
pub fn argument<'c>(command: &'c str, flag: &str) -> Option<&'c str> {
    let mut words = command.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let Some(rest) = word.strip_prefix("--").and_then(|w| w.strip_prefix(flag)) else {
            continue;
        };
        if let Some(value) = rest.strip_prefix('=') {
            return Some(value.trim_matches('"'));
        }
        if rest.is_empty() {
            return Some(match words.peek() {
                Some(next) if !next.starts_with("--") => next,
                _ => "true",
            });
        }
    }
    None
}

/// A file on the node.
#[derive(Clone, Copy, Debug)]
pub struct NodeFile {
    /// What it is, for the message.
    pub title: &'static str,
    /// Key under `data` of `KubeletInfo`.
    pub sensor: &'static str,
    /// Facts of `NodeInfo` with its permissions and its owner.
    pub facts: (&'static str, &'static str),
}

/// Fails every node on which `file` lets others do more than `limit` (an octal mode such as `0o644`).
pub fn permissions(input: &Input<'_>, out: &mut Findings<'_>, file: NodeFile, limit: i64) {
    for (index, object) in nodes(input) {
        let (mode, path) = if object.kind == "NodeInfo" {
            match fact(object, file.facts.0) {
                Known::Set(text, path) => (i64::from_str_radix(&text, 8).ok(), path),
                _ => continue,
            }
        } else {
            let path = format!("data.{}.permissions", file.sensor);
            (
                value::int(&object.node, &["data", file.sensor, "permissions"]),
                path,
            )
        };
        let Some(mode) = mode.filter(|mode| mode & !limit != 0) else {
            continue;
        };
        let title = file.title;
        let mut finding = Finding::new(
            index,
            path,
            format!("{title} has mode {mode:o}, expected {limit:o} or stricter"),
        );
        finding.value = Some(format!("{mode:o}"));
        out.push(finding);
    }
}

/// Fails every node on which `file` does not belong to root:root.
pub fn ownership(input: &Input<'_>, out: &mut Findings<'_>, file: NodeFile) {
    for (index, object) in nodes(input) {
        let (owner, path) = if object.kind == "NodeInfo" {
            match fact(object, file.facts.1) {
                Known::Set(text, path) => (text, path),
                _ => continue,
            }
        } else {
            let Some(owner) = value::at(&object.node, &["data", file.sensor, "ownership"]) else {
                continue;
            };
            let part = |key| value::text(owner, &[key]).unwrap_or("?");
            (
                format!("{}:{}", part("username"), part("groupname")),
                format!("data.{}.ownership", file.sensor),
            )
        };
        if owner != "root:root" {
            let message = format!("{} belongs to {owner}, expected root:root", file.title);
            let mut finding = Finding::new(index, path, message);
            finding.value = Some(owner);
            out.push(finding);
        }
    }
}

/// Standard base64 with or without padding; `None` for anything else.
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0_u32, 0);
    for byte in text.bytes().filter(|b| !b.is_ascii_whitespace()) {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => continue,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_in_each_way_of_writing() {
        let command = "kubelet --config=/a --read-only-port 0 --anonymous-auth --v=2";
        assert_eq!(argument(command, "config"), Some("/a"));
        assert_eq!(argument(command, "read-only-port"), Some("0"));
        assert_eq!(argument(command, "anonymous-auth"), Some("true"));
        assert_eq!(argument(command, "anonymous"), None);
        assert_eq!(decode("YTog\nMQ==").as_deref(), Some("a: 1"));
    }
}
