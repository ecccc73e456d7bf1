//! Users and groups of the host, from `/etc/passwd` and `/etc/group`. Name services are not asked: they would load
//! libraries into the agent and could wait for a network.

use std::path::Path;

use vedette_event::boot::{Group, User};

use super::{Fact, read};

/// Tells every well-formed line; others are passed over.
pub(super) fn tell(root: &Path, sink: &mut dyn FnMut(Fact<'_>)) {
    if let Some(text) = read(&root.join("etc/passwd")) {
        for line in text.split(|&b| b == b'\n') {
            if let Some(user) = user(line) {
                sink(Fact::User(user));
            }
        }
    }
    if let Some(text) = read(&root.join("etc/group")) {
        for line in text.split(|&b| b == b'\n') {
            if let Some(group) = group(line) {
                sink(Fact::Group(group));
            }
        }
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

/// `name:password:uid:gid:comment:home:shell`
fn user(line: &[u8]) -> Option<User<'_>> {
    let mut fields = line.split(|&b| b == b':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let uid = number(fields.nth(1)?)?;
    let gid = number(fields.next()?)?;
    let home = fields.nth(1)?;
    let shell = fields.next()?;
    Some(User {
        uid,
        gid,
        name,
        home,
        shell,
    })
}

/// `name:password:gid:members`
fn group(line: &[u8]) -> Option<Group<'_>> {
    let mut fields = line.split(|&b| b == b':');
    let name = fields.next().filter(|name| !name.is_empty())?;
    let gid = number(fields.nth(1)?)?;
    Some(Group { gid, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let user = user(b"daemon:x:1:2:Some, One:/usr/sbin:/bin/sh").unwrap();
        assert_eq!((user.uid, user.gid), (1, 2));
        assert_eq!(
            (user.name, user.home, user.shell),
            (&b"daemon"[..], &b"/usr/sbin"[..], &b"/bin/sh"[..])
        );
        assert_eq!(
            group(b"adm:x:4:syslog,me").unwrap(),
            Group {
                gid: 4,
                name: b"adm"
            }
        );
        for bad in [
            &b""[..],
            b"x",
            b"a:b:c:d:e:f:g",
            b":x:0:0::/:/bin/sh",
            b"+::::::",
        ] {
            assert!(super::user(bad).is_none() && group(bad).is_none());
        }
    }
}
