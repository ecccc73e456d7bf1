//! Paths put together the way Falco does it: textually, without asking any file system.

/// Longest path that is put together; anything longer becomes [`TOO_LONG`].
const MAX_PATH: usize = 1024;

/// What stands for a path that is too long.
const TOO_LONG: &[u8] = b"/PATH_TOO_LONG";

/// Writes `base` followed by `path` into `out` (which is cleared), resolving `.` and `..` and doubled separators of
/// `path`; an absolute `path` stands alone. `base` is taken as it is and should end with a separator.
pub(crate) fn concatenate(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    out.clear();
    append(out, base, path);
}

/// The same, after what `out` already holds.
pub(crate) fn append(out: &mut Vec<u8>, base: &[u8], path: &[u8]) {
    append_after(out, base, b"", path);
}

/// The same for a `directory` whose name does not end with a separator.
pub(crate) fn append_under(out: &mut Vec<u8>, directory: &[u8], path: &[u8]) {
    let separated = directory.is_empty() || directory.ends_with(b"/");
    append_after(out, directory, if separated { b"" } else { b"/" }, path);
}

fn append_after(out: &mut Vec<u8>, base: &[u8], separator: &[u8], path: &[u8]) {
    let path = memchr::memchr(0, path).map_or(path, |end| &path[..end]);
    if base.len() + separator.len() + path.len() + 1 > MAX_PATH {
        out.extend_from_slice(TOO_LONG);
        return;
    }
    let from = out.len();
    // An empty path takes nothing from its base.
    if path.first().is_some_and(|&c| c != b'/') {
        out.extend_from_slice(base);
        out.extend_from_slice(separator);
    }
    let empty_base = out.len() == from;
    if is_plain(path) {
        out.extend_from_slice(path);
        return;
    }
    let at = |i: usize| path.get(i).copied();
    let mut i = 0;
    while let Some(c) = at(i) {
        let last = out[from..].last().copied();
        if c == b'.' && last.is_none_or(|last| last == b'/') {
            match (at(i + 1), at(i + 2)) {
                (Some(b'.'), Some(b'/')) => {
                    to_parent(out, from);
                    i += 3;
                    continue;
                }
                (Some(b'.'), None) => {
                    to_parent(out, from);
                    i += 2;
                    continue;
                }
                (Some(b'/'), _) => {
                    i += 2;
                    continue;
                }
                (None, _) => {
                    i += 1;
                    continue;
                }
                _ => {}
            }
        } else if c == b'/' && (last == Some(b'/') || last.is_none() && !empty_base) {
            i += 1;
            continue;
        }
        out.push(c);
        i += 1;
    }
    if out.len() > from + 1 && out.last() == Some(&b'/') {
        out.pop();
    }
}

/// True when resolving would leave `path` as it is: no component is empty or begins with a dot.
fn is_plain(path: &[u8]) -> bool {
    let mut before = 0;
    let mut special = path.first() == Some(&b'.') || path.last() == Some(&b'/');
    for &byte in path {
        special |= before == b'/' && (byte == b'.' || byte == b'/');
        before = byte;
    }
    !special
}

/// Goes up one directory, never above the first character after `from`.
fn to_parent(out: &mut Vec<u8>, from: usize) {
    if out.len() <= from + 1 {
        return;
    }
    out.pop();
    while out[from..].last().is_some_and(|&last| last != b'/') {
        out.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::concatenate;

    #[test]
    fn paths_are_resolved_textually() {
        for (base, path, want) in [
            ("/a/b/", "c", "/a/b/c"),
            ("/a/b/", "../c", "/a/c"),
            ("/a/b/", "../../../../c", "/c"),
            ("/a/b/", "./c/./d/", "/a/b/c/d"),
            ("/a/b/", "/x//y/../z", "/x/z"),
            ("/a/b/", "..", "/a"),
            ("/a/b/", ".", "/a/b"),
            ("/", "etc/passwd", "/etc/passwd"),
            ("/a/", ".hidden", "/a/.hidden"),
            ("/a/", "..b", "/a/..b"),
            ("", "libc.so.6", "libc.so.6"),
            ("", "/", "/"),
            ("/tmp", "x", "/tmpx"),
            ("/a/", "", ""),
        ] {
            let mut out = Vec::new();
            concatenate(&mut out, base.as_bytes(), path.as_bytes());
            assert_eq!(String::from_utf8_lossy(&out), want, "{base} + {path}");
        }
    }

    #[test]
    fn a_path_beyond_the_limit_says_so() {
        let mut out = Vec::new();
        concatenate(&mut out, b"/", &[b'a'; 2000]);
        assert_eq!(out, b"/PATH_TOO_LONG");
    }
}
