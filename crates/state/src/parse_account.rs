//! Events about users, groups and containers.

use std::sync::Arc;

use vedette_event::RawEvent;

use crate::apply::{result, text};
use crate::container_info::{Info, kind_name};
use crate::kinds as k;
use crate::state::State;
use crate::thread::NOT_KNOWN;

/// A text that may be missing.
fn optional<'a>(event: &RawEvent<'a>, index: usize) -> &'a [u8] {
    match text(event, index) {
        NOT_KNOWN => &[],
        text => text,
    }
}

impl State {
    /// A user was added or deleted.
    pub(crate) fn parse_user(&mut self, event: &RawEvent<'_>) {
        let Some(uid) = event.unsigned(0) else {
            return;
        };
        let container = optional(event, 5);
        if event.kind.0 == k::USER_ADDED_E {
            let (name, home, shell) = (text(event, 2), text(event, 3), text(event, 4));
            // In a container an unknown name hides nothing: root is root there.
            if (container.is_empty() || name != NOT_KNOWN)
                && !self
                    .directory
                    .add_user(container, uid as u32, name, home, shell)
            {
                self.threads.stats.accounts_dropped += 1;
            }
        } else {
            self.directory.remove_user(container, uid as u32);
        }
        self.threads.touch_all();
    }

    /// A group was added or deleted.
    pub(crate) fn parse_group(&mut self, event: &RawEvent<'_>) {
        let Some(gid) = event.unsigned(0) else {
            return;
        };
        let container = optional(event, 2);
        if event.kind.0 == k::GROUP_ADDED_E {
            let name = text(event, 1);
            if (container.is_empty() || name != NOT_KNOWN)
                && !self.directory.add_group(container, gid as u32, name)
            {
                self.threads.stats.accounts_dropped += 1;
            }
        } else {
            self.directory.remove_group(container, gid as u32);
        }
        self.threads.touch_all();
    }

    /// A container was found, added or removed.
    pub(crate) fn parse_container(&mut self, event: &RawEvent<'_>) {
        let (info, removed) = match event.kind.0 {
            k::ASYNCEVENT_E => match event.text(1) {
                Some(b"container") => (event.param(2).and_then(Info::from_json), false),
                Some(b"container_removed") => (event.param(2).and_then(Info::from_json), true),
                _ => return,
            },
            k::CONTAINER_E => (Some(container_of_old_event(event)), false),
            _ => (event.param(0).and_then(Info::from_json), false),
        };
        let Some(info) = info else {
            self.threads.stats.containers_malformed += 1;
            return;
        };
        let info = Arc::new(info);
        self.context.container = Some(info.clone());
        if removed {
            self.containers.remove(&info.id);
            self.directory.forget_container(info.id.as_bytes());
            self.threads.touch_all();
        } else {
            self.add_container(info);
        }
    }

    /// Looks again for the container of the thread behind the event.
    pub(crate) fn container_of_event(&mut self, event: &RawEvent<'_>) {
        if let (Some(0..), Some(slot)) = (result(event), self.threads.find(event.tid)) {
            self.find_container(slot);
        }
    }
}

fn container_of_old_event(event: &RawEvent<'_>) -> Info {
    let lossy = |index| String::from_utf8_lossy(text(event, index)).into();
    Info {
        id: lossy(0),
        kind: kind_name(event.unsigned(1).unwrap_or(u64::MAX)),
        name: lossy(2),
        image: lossy(3),
        ..Info::default()
    }
}
