//! Users and groups of this machine: what names stand for ids that a capture does not explain, as in Falco.

use vedette_event::boot::{Group, User};
use vedette_state::{Boot, State};

/// Tells the state the accounts in `/etc/passwd` and `/etc/group`. What a capture says of its own machine comes later and
/// wins.
pub(crate) fn tell(state: &mut State) {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    for line in passwd.lines() {
        let mut parts = line.split(':');
        let (Some(name), _, Some(uid), Some(gid), _, Some(home), Some(shell)) = (
            parts.next(),
            parts.next(),
            parts.next().and_then(|uid| uid.parse().ok()),
            parts.next().and_then(|gid| gid.parse().ok()),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            continue;
        };
        let (name, home, shell) = (name.as_bytes(), home.as_bytes(), shell.as_bytes());
        state.boot(&Boot::User(User {
            uid,
            gid,
            name,
            home,
            shell,
        }));
    }
    let group = std::fs::read_to_string("/etc/group").unwrap_or_default();
    for line in group.lines() {
        let mut parts = line.split(':');
        if let (Some(name), _, Some(gid)) = (
            parts.next(),
            parts.next(),
            parts.next().and_then(|gid| gid.parse().ok()),
        ) {
            state.boot(&Boot::Group(Group {
                gid,
                name: name.as_bytes(),
            }));
        }
    }
}
