//! Path prefixes, compared component by component (`pmatch`).
//!
//! `/var/run` covers `/var/run` and `/var/run/x`, not `/var/runx`. Empty components do not count, so leading, doubled
//! and closing slashes make no difference; a component with `?`, `*` or `[` is a shell pattern for one component.

use rustc_hash::FxHashMap;

use super::glob;

/// True when the components of `prefix` lead those of `path`.
pub fn covers(prefix: &[u8], path: &[u8]) -> bool {
    let mut path = components(path);
    components(prefix).all(|want| path.next().is_some_and(|have| fits(want, have)))
}

fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|c| *c == b'/').filter(|part| !part.is_empty())
}

fn fits(want: &[u8], have: &[u8]) -> bool {
    if is_pattern(want) {
        glob::matches(want, have, false)
    } else {
        want == have
    }
}

fn is_pattern(component: &[u8]) -> bool {
    component.iter().any(|c| matches!(c, b'?' | b'*' | b'['))
}

/// Many prefixes in one tree of components.
#[derive(Debug, Default)]
pub struct PrefixTree {
    /// The root is node 0; empty for no prefixes at all.
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    /// A prefix ends here: everything below is covered.
    end: bool,
    plain: FxHashMap<Box<[u8]>, u32>,
    patterns: Vec<(Box<[u8]>, u32)>,
}

impl PrefixTree {
    /// A tree of these prefixes.
    pub fn new<'a>(prefixes: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut tree = Self::default();
        for prefix in prefixes {
            tree.add(prefix);
        }
        tree
    }

    fn add(&mut self, prefix: &[u8]) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0;
        for part in components(prefix) {
            let fresh = self.nodes.len() as u32;
            let node = &mut self.nodes[at];
            let next = if is_pattern(part) {
                let known = node.patterns.iter().find(|(pattern, _)| **pattern == *part);
                let next = known.map_or(fresh, |(_, next)| *next);
                if next == fresh {
                    node.patterns.push((part.into(), fresh));
                }
                next
            } else {
                *node.plain.entry(part.into()).or_insert(fresh)
            };
            if next == fresh {
                self.nodes.push(Node::default());
            }
            at = next as usize;
        }
        self.nodes[at].end = true;
    }

    /// True when one of the prefixes covers `path`.
    pub fn covers(&self, path: &[u8]) -> bool {
        !self.nodes.is_empty() && self.walk(0, path)
    }

    /// Recursion is as deep as the deepest prefix at most.
    fn walk(&self, at: usize, path: &[u8]) -> bool {
        let node = &self.nodes[at];
        if node.end {
            return true;
        }
        let start = path.iter().position(|c| *c != b'/').unwrap_or(path.len());
        let rest = &path[start..];
        if rest.is_empty() {
            return false;
        }
        let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
        let (part, rest) = rest.split_at(end);
        node.plain
            .get(part)
            .is_some_and(|next| self.walk(*next as usize, rest))
            || node.patterns.iter().any(|(pattern, next)| {
                glob::matches(pattern, part, false) && self.walk(*next as usize, rest)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_cover_whole_components() {
        let table: &[(&str, &str, bool)] = &[
            ("/var/run", "/var/run", true),
            ("/var/run", "/var/run/docker.sock", true),
            ("/var/run", "/var/runx", false),
            ("/var/run", "/var", false),
            ("/var/run/", "//var///run", true),
            ("var/run", "/var/run/x", true),
            ("/", "/anything", true),
            ("/", "", true),
            ("/etc", "", false),
            ("/home/*/.ssh", "/home/me/.ssh/id_rsa", true),
            ("/home/*/.ssh", "/home/.ssh", false),
            ("/home/*/.ssh", "/home/a/b/.ssh", false),
            ("/tmp/[ab]?", "/tmp/a1/x", true),
            ("/tmp/[ab]?", "/tmp/c1/x", false),
        ];
        for (prefix, path, expected) in table {
            let (prefix, path) = (prefix.as_bytes(), path.as_bytes());
            assert_eq!(covers(prefix, path), *expected, "{prefix:?} {path:?}");
            assert_eq!(
                PrefixTree::new([prefix]).covers(path),
                *expected,
                "{prefix:?} {path:?}"
            );
        }
        assert!(!PrefixTree::default().covers(b"/etc"));
    }

    #[test]
    fn patterns_and_plain_components_are_all_tried() {
        let tree = PrefixTree::new([&b"/a/b/c"[..], b"/a/*/d", b"/a/?/e/f"]);
        assert!(tree.covers(b"/a/b/c/x"));
        assert!(tree.covers(b"/a/b/d"));
        assert!(tree.covers(b"/a/b/e/f/g"));
        assert!(!tree.covers(b"/a/b/e"));
        assert!(!tree.covers(b"/a/bb/e/f"));
    }
}
