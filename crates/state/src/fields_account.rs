//! Fields of users and groups: `user.*` and `group.*`.

use vedette_event::Extracted;

use crate::fields::Account;
use crate::thread::NOT_KNOWN;
use crate::view::{View, signed, text, unsigned};

impl View<'_> {
    pub(crate) fn account(&self, which: Account) -> Extracted<'_> {
        let Some(slot) = self.thread else {
            return Extracted::Missing;
        };
        let thread = self.state.threads.at(slot);
        let container = &thread.container_id;
        let directory = &self.state.directory;
        // Nobody has to be told who root is.
        let name = |uid: u32| match directory.user(container, uid) {
            Some(user) => &*user.name,
            None if uid == 0 => b"root",
            None => NOT_KNOWN,
        };
        match which {
            Account::UserUid => unsigned(u64::from(thread.uid)),
            Account::UserName => text(name(thread.uid)),
            Account::UserHomedir => text(match directory.user(container, thread.uid) {
                Some(user) => &user.home,
                None if thread.uid == 0 => b"/root",
                None => NOT_KNOWN,
            }),
            Account::UserShell => text(match directory.user(container, thread.uid) {
                Some(user) => &user.shell,
                None => NOT_KNOWN,
            }),
            Account::UserLoginuid => signed(if thread.loginuid == u32::MAX {
                -1
            } else {
                i64::from(thread.loginuid)
            }),
            Account::UserLoginname => text(name(thread.loginuid)),
            Account::GroupGid => unsigned(u64::from(thread.gid)),
            Account::GroupName => text(match directory.group(container, thread.gid) {
                Some(name) => name,
                None if thread.gid == 0 => b"root",
                None => NOT_KNOWN,
            }),
        }
    }
}
