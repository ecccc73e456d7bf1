//! Counters of what was kept, lost and not found.

/// How the state tables fared. Every loss is counted; nothing is dropped silently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Threads in the table now.
    pub threads: u64,
    /// Threads ever added.
    pub threads_added: u64,
    /// Threads ever removed.
    pub threads_removed: u64,
    /// Threads that were not kept because the table was full.
    pub threads_dropped: u64,
    /// Threads removed to make room or because they were silent for long.
    pub threads_evicted: u64,
    /// Thread ids that came back with another thread while the old one was still in the table.
    pub tid_reused: u64,
    /// Events of threads that nobody had told about.
    pub thread_lookups_failed: u64,
    /// Events that name a descriptor which nobody had told about.
    pub fd_lookups_failed: u64,
    /// Descriptors that were not kept because a table was full.
    pub fds_dropped: u64,
    /// Containers in the table now.
    pub containers: u64,
    /// Containers that were not kept because the table was full.
    pub containers_dropped: u64,
    /// Container records that could not be read.
    pub containers_malformed: u64,
    /// Users and groups that were not kept because the table was full.
    pub accounts_dropped: u64,
}
