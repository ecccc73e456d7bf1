//! Users and groups, of the machine and of each container.

use rustc_hash::FxHashMap;

/// Most accounts that are kept, machine and containers together; more are not kept and counted.
const MAX_ACCOUNTS: usize = 262_144;

/// Longest name, home directory or shell that is kept; the capture format has no longer ones.
const MAX_TEXT: usize = 1024;

/// A user.
#[derive(Clone, Debug, Default)]
pub(crate) struct User {
    pub(crate) name: Box<[u8]>,
    pub(crate) home: Box<[u8]>,
    pub(crate) shell: Box<[u8]>,
}

/// Users and groups of one place.
#[derive(Clone, Debug, Default)]
struct Accounts {
    users: FxHashMap<u32, User>,
    groups: FxHashMap<u32, Box<[u8]>>,
}

/// Every place's accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    host: Accounts,
    containers: FxHashMap<Box<[u8]>, Accounts>,
    len: usize,
}

impl Directory {
    fn place(&self, container: &[u8]) -> Option<&Accounts> {
        if container.is_empty() {
            Some(&self.host)
        } else {
            self.containers.get(container)
        }
    }

    fn place_mut(&mut self, container: &[u8]) -> &mut Accounts {
        if container.is_empty() {
            &mut self.host
        } else {
            self.containers.entry(container.into()).or_default()
        }
    }

    /// The user with this id in `container` (empty: on the machine).
    pub(crate) fn user(&self, container: &[u8], uid: u32) -> Option<&User> {
        if uid == u32::MAX {
            return None;
        }
        self.place(container)?.users.get(&uid)
    }

    /// Name of the group with this id.
    pub(crate) fn group(&self, container: &[u8], gid: u32) -> Option<&[u8]> {
        if gid == u32::MAX {
            return None;
        }
        self.place(container)?.groups.get(&gid).map(|name| &**name)
    }

    /// Adds or replaces a user. False when there is no room.
    pub(crate) fn add_user(
        &mut self,
        container: &[u8],
        uid: u32,
        name: &[u8],
        home: &[u8],
        shell: &[u8],
    ) -> bool {
        if uid == u32::MAX {
            return true;
        }
        if self.len >= MAX_ACCOUNTS && self.user(container, uid).is_none() {
            return false;
        }
        let user = User {
            name: cut(name),
            home: cut(home),
            shell: cut(shell),
        };
        if self.place_mut(container).users.insert(uid, user).is_none() {
            self.len += 1;
        }
        true
    }

    /// Takes a user out.
    pub(crate) fn remove_user(&mut self, container: &[u8], uid: u32) {
        if self.place_mut(container).users.remove(&uid).is_some() {
            self.len -= 1;
        }
    }

    /// Adds or replaces a group. False when there is no room.
    pub(crate) fn add_group(&mut self, container: &[u8], gid: u32, name: &[u8]) -> bool {
        if gid == u32::MAX {
            return true;
        }
        if self.len >= MAX_ACCOUNTS && self.group(container, gid).is_none() {
            return false;
        }
        if self
            .place_mut(container)
            .groups
            .insert(gid, cut(name))
            .is_none()
        {
            self.len += 1;
        }
        true
    }

    /// Takes a group out.
    pub(crate) fn remove_group(&mut self, container: &[u8], gid: u32) {
        if self.place_mut(container).groups.remove(&gid).is_some() {
            self.len -= 1;
        }
    }

    /// Forgets the accounts of a container.
    pub(crate) fn forget_container(&mut self, container: &[u8]) {
        if let Some(accounts) = self.containers.remove(container) {
            self.len -= accounts.users.len() + accounts.groups.len();
        }
    }
}

fn cut(text: &[u8]) -> Box<[u8]> {
    text[..text.len().min(MAX_TEXT)].into()
}
