//! Which container a waiting process belongs to.

use std::collections::HashMap;
use std::sync::Arc;

use vedette_detect::policy::drift::Effective;

use crate::process;

/// A guarded container.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) id: Arc<str>,
    pub(crate) effective: Arc<Effective>,
    pub(crate) namespace: u32,
    /// Mount namespace of what started it, see [`process::runtime_namespace`].
    pub(crate) runtime: Option<u32>,
    /// Device of its root file system.
    pub(crate) root_dev: u64,
}

/// Guarded containers by what tells them.
#[derive(Debug, Default)]
pub(crate) struct Table {
    by_namespace: HashMap<u32, Arc<Entry>>,
    by_root: HashMap<u64, Arc<Entry>>,
    by_id: HashMap<Arc<str>, Arc<Entry>>,
    pub(crate) host_namespace: u32,
}

impl Table {
    pub(crate) fn new() -> Self {
        let host = process::mount_namespace(1)
            .or_else(|_| process::mount_namespace(std::process::id()))
            .unwrap_or_default();
        Self {
            host_namespace: host,
            ..Self::default()
        }
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.remove(&Arc::clone(&entry.id));
        let entry = Arc::new(entry);
        self.by_namespace
            .insert(entry.namespace, Arc::clone(&entry));
        self.by_root.insert(entry.root_dev, Arc::clone(&entry));
        self.by_id.insert(Arc::clone(&entry.id), entry);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        if let Some(old) = self.by_id.remove(id) {
            self.by_namespace
                .retain(|_, entry| !Arc::ptr_eq(entry, &old));
            self.by_root.retain(|_, entry| !Arc::ptr_eq(entry, &old));
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The container of a process that waits for a file on this device. By mount namespace; where the process made
    /// itself a new one, by the file's file system, then by its control group. `None` for processes
    /// of the host and of the container's runtime.
    pub(crate) fn find(&self, pid: u32, dev: u64) -> Option<Arc<Entry>> {
        let namespace = process::mount_namespace(pid).ok();
        if namespace == Some(self.host_namespace) {
            return None;
        }
        if let Some(entry) = namespace.and_then(|ns| self.by_namespace.get(&ns)) {
            return Some(Arc::clone(entry));
        }
        // a runtime in a node that is a container itself does there what others do on the host
        if namespace.is_some() && self.by_id.values().any(|entry| entry.runtime == namespace) {
            return None;
        }
        if let Some(entry) = self.by_root.get(&dev) {
            return Some(Arc::clone(entry));
        }
        self.by_id
            .values()
            .find(|entry| process::is_in_container(pid, &entry.id))
            .cloned()
    }
}
