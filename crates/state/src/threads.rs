//! The table of threads: slots, groups, parents and children, leaders, and versions of what fields can see.

use rustc_hash::FxHashMap;

use crate::fd::Spare;
use crate::stats::Stats;
use crate::thread::Thread;
use crate::wire::clone;

/// Most threads that one change is told to one by one. Beyond that everybody is told at once, so that huge families cost
/// no more than others.
pub(crate) const MAX_TOUCHED: usize = 1024;

/// Most threads that are kept at once; beyond it new ones are not kept and counted. The number is Falco's; a thread
/// takes about 1 KiB, so a full table stays in the order of 128 MiB.
pub(crate) const MAX_THREADS: usize = 131_072;

/// Most ancestors that are followed, so that a loop in a damaged capture ends.
pub(crate) const MAX_ANCESTORS: usize = 1024;

/// Threads of one process.
#[derive(Clone, Debug, Default)]
struct Group {
    pid: i64,
    /// Slots, the main thread first when it is there.
    threads: Vec<u32>,
    alive: u32,
    /// Orphans below are handed to this process.
    reaper: bool,
    /// Time of the latest change that its threads were told of.
    touched: u64,
}

/// The table.
#[derive(Debug, Default)]
pub(crate) struct Threads {
    slots: Vec<Thread>,
    free: Vec<u32>,
    by_tid: FxHashMap<i64, u32>,
    groups: Vec<Group>,
    free_groups: Vec<u32>,
    group_by_pid: FxHashMap<i64, u32>,
    /// How many threads name an id as their session or process group.
    leader_refs: FxHashMap<i64, u32>,
    /// Counts every change; versions are taken from it, so none ever repeats.
    clock: u64,
    /// Version of what every thread can see: leaders, accounts, containers.
    epoch: u64,
    pub(crate) spare: Spare,
    pub(crate) stats: Stats,
    /// Work list of [`Threads::touch`], kept for its room.
    pending: Vec<u32>,
}

impl Threads {
    /// The thread in `slot`.
    #[inline]
    pub(crate) fn at(&self, slot: u32) -> &Thread {
        &self.slots[slot as usize]
    }

    /// The thread in `slot`, to be changed. Say [`Threads::touch`] or [`Threads::touch_own`] when fields can see it.
    #[inline]
    pub(crate) fn at_mut(&mut self, slot: u32) -> &mut Thread {
        &mut self.slots[slot as usize]
    }

    /// Slot of thread `tid`.
    #[inline]
    pub(crate) fn find(&self, tid: i64) -> Option<u32> {
        self.by_tid.get(&tid).copied()
    }

    /// Every slot that is in use.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> {
        self.by_tid.values().copied()
    }

    /// Number of threads.
    pub(crate) fn len(&self) -> usize {
        self.by_tid.len()
    }

    /// Version of everything that process-scope fields of `slot` can see.
    pub(crate) fn version(&self, slot: u32) -> u64 {
        self.at(slot).version.max(self.epoch)
    }

    /// Notes that something every thread can see has changed.
    pub(crate) fn touch_all(&mut self) {
        self.clock += 1;
        self.epoch = self.clock;
    }

    /// Notes a change that only fields of this very thread can see.
    pub(crate) fn touch_own(&mut self, slot: u32) {
        self.clock += 1;
        self.slots[slot as usize].version = self.clock;
    }

    /// Notes a change that the thread, its siblings and everything below them can see, and everybody when others name
    /// the thread as their leader.
    pub(crate) fn touch(&mut self, slot: u32) {
        self.clock += 1;
        let now = self.clock;
        let tid = self.at(slot).tid;
        if self.names_leader(tid) {
            self.epoch = now;
        }
        let mut pending = std::mem::take(&mut self.pending);
        pending.push(slot);
        let mut left = MAX_TOUCHED;
        while let Some(slot) = pending.pop() {
            let thread = &mut self.slots[slot as usize];
            if thread.version == now {
                continue;
            }
            thread.version = now;
            left -= 1;
            let members = thread
                .group
                .map(|group| &mut self.groups[group as usize])
                .filter(|group| group.touched != now)
                .map_or(&[][..], |group| {
                    group.touched = now;
                    &group.threads
                });
            if left == 0 || pending.len() + thread.children.len() + members.len() > MAX_TOUCHED {
                self.epoch = now;
                pending.clear();
                break;
            }
            pending.extend_from_slice(&thread.children);
            pending.extend_from_slice(members);
        }
        self.pending = pending;
    }

    fn names_leader(&self, tid: i64) -> bool {
        self.leader_refs.get(&tid).is_some_and(|&refs| refs > 0)
    }

    /// Sets session and process group of a thread, keeping count of who is named.
    pub(crate) fn set_leaders(&mut self, slot: u32, sid: i64, vpgid: i64, pgid: i64) {
        self.count_leaders(slot, false);
        let thread = &mut self.slots[slot as usize];
        thread.sid = sid;
        thread.vpgid = vpgid;
        thread.pgid = pgid;
        self.count_leaders(slot, true);
    }

    fn count_leaders(&mut self, slot: u32, add: bool) {
        let thread = &self.slots[slot as usize];
        let (tid, ids) = (thread.tid, [thread.sid, thread.vpgid, thread.pgid]);
        for id in ids {
            // A leader's own changes reach itself anyway.
            if id == tid || id < 0 {
                continue;
            }
            if add {
                *self.leader_refs.entry(id).or_insert(0) += 1;
            } else if let Some(refs) = self.leader_refs.get_mut(&id) {
                *refs -= 1;
                if *refs == 0 {
                    self.leader_refs.remove(&id);
                }
            }
        }
    }

    /// Puts a thread into the table; an older one with its id must have been removed. `None` when the table is full.
    pub(crate) fn add(&mut self, thread: Thread) -> Option<u32> {
        if self.by_tid.len() >= MAX_THREADS {
            self.stats.threads_dropped += 1;
            return None;
        }
        let tid = thread.tid;
        if let Some(old) = self.find(tid) {
            self.stats.tid_reused += 1;
            self.free_slot(old);
        }
        self.clock += 1;
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = thread;
            slot
        } else {
            self.slots.push(thread);
            (self.slots.len() - 1) as u32
        };
        self.slots[slot as usize].version = self.clock;
        self.by_tid.insert(tid, slot);
        self.count_leaders(slot, true);
        if self.names_leader(tid) {
            self.epoch = self.clock;
        }
        self.stats.threads_added += 1;
        self.stats.threads = self.by_tid.len() as u64;
        self.link(slot);
        Some(slot)
    }

    /// Puts a thread into the table without looking for its family yet, as when a start-up list is read.
    pub(crate) fn add_unlinked(&mut self, thread: Thread) -> Option<u32> {
        if self.by_tid.len() >= MAX_THREADS {
            self.stats.threads_dropped += 1;
            return None;
        }
        let tid = thread.tid;
        if let Some(old) = self.find(tid) {
            self.free_slot(old);
        }
        self.clock += 1;
        self.slots.push(thread);
        let slot = (self.slots.len() - 1) as u32;
        self.slots[slot as usize].version = self.clock;
        self.by_tid.insert(tid, slot);
        self.count_leaders(slot, true);
        self.stats.threads_added += 1;
        self.stats.threads = self.by_tid.len() as u64;
        Some(slot)
    }

    /// Gives a thread its group and its parent. A parent that is not known becomes 0.
    pub(crate) fn link(&mut self, slot: u32) {
        let thread = self.at(slot);
        if thread.is_invalid() || thread.group.is_some() {
            return;
        }
        let (pid, ptid, main) = (thread.pid, thread.ptid, thread.is_main());
        let reaper = pid == 1 || thread.vpid == 1;
        let group = if let Some(&group) = self.group_by_pid.get(&pid) {
            let members = &mut self.groups[group as usize];
            if main {
                members.threads.insert(0, slot);
            } else {
                members.threads.push(slot);
            }
            members.alive += 1;
            group
        } else {
            let new = Group {
                pid,
                threads: vec![slot],
                alive: 1,
                reaper,
                touched: 0,
            };
            let group = if let Some(group) = self.free_groups.pop() {
                self.groups[group as usize] = new;
                group
            } else {
                self.groups.push(new);
                (self.groups.len() - 1) as u32
            };
            self.group_by_pid.insert(pid, group);
            group
        };
        self.at_mut(slot).group = Some(group);
        self.touch(slot);
        if pid == 1 {
            return;
        }
        match self.find(ptid) {
            Some(parent) if parent != slot && !self.at(parent).is_invalid() => {
                self.add_child(parent, slot);
            }
            _ => self.at_mut(slot).ptid = 0,
        }
    }

    fn add_child(&mut self, parent: u32, child: u32) {
        let tid = self.at(parent).tid;
        self.at_mut(parent).children.push(child);
        self.at_mut(child).ptid = tid;
    }

    /// Number of threads of the group that are alive.
    pub(crate) fn alive(&self, slot: u32) -> u32 {
        self.at(slot)
            .group
            .map_or(0, |group| self.groups[group as usize].alive)
    }

    /// Every thread of the same process.
    pub(crate) fn siblings(&self, slot: u32) -> &[u32] {
        self.at(slot)
            .group
            .map_or(&[], |group| &self.groups[group as usize].threads)
    }

    /// Says whether orphans below are handed to the thread's process.
    pub(crate) fn set_reaper(&mut self, slot: u32, reaper: bool) {
        if let Some(group) = self.at(slot).group {
            self.groups[group as usize].reaper = reaper;
        }
    }

    /// The first thread of the process, when it is known.
    #[inline]
    pub(crate) fn main_of(&self, slot: u32) -> Option<u32> {
        let thread = self.at(slot);
        if thread.is_main() {
            return Some(slot);
        }
        let first = *self.groups[thread.group? as usize].threads.first()?;
        self.at(first).is_main().then_some(first)
    }

    /// The thread whose descriptors this one uses.
    #[inline]
    pub(crate) fn fd_owner(&self, slot: u32) -> Option<u32> {
        if self.at(slot).flags & clone::FILES == 0 {
            Some(slot)
        } else {
            self.main_of(slot)
        }
    }

    /// Main thread of the `n`th ancestor process, 0 being the process itself.
    pub(crate) fn ancestor(&self, slot: u32, n: u64) -> Option<u32> {
        let mut main = self.main_of(slot)?;
        for step in 0..n {
            if step as usize >= MAX_ANCESTORS {
                return None;
            }
            let parent = self.find(self.at(main).ptid)?;
            main = self.main_of(parent)?;
        }
        Some(main)
    }

    /// Calls `visit` with every ancestor thread, nearest first, until it answers false or a loop shows.
    pub(crate) fn ancestors(&self, slot: u32, mut visit: impl FnMut(&Thread) -> bool) {
        let parent = |slot: u32| self.find(self.at(slot).ptid);
        let mut slow = parent(slot);
        let mut fast = slow.and_then(parent);
        while let Some(current) = slow {
            let thread = self.at(current);
            if thread.tid == -1 || !visit(thread) {
                return;
            }
            slow = parent(current);
            for _ in 0..2 {
                fast = fast.and_then(parent);
                if let Some(next) = slow
                    && (fast == Some(next) || self.at(next).tid == self.at(next).ptid)
                {
                    return;
                }
            }
        }
    }

    /// The thread that leads a session or process group: the one with that id, or else the oldest ancestor in an
    /// unbroken line that names the same one. `is_virtual` ids cannot be looked up from inside a pid namespace.
    pub(crate) fn leader(
        &self,
        slot: u32,
        id: fn(&Thread) -> i64,
        is_virtual: bool,
    ) -> Option<u32> {
        let thread = self.at(slot);
        let wanted = id(thread);
        if wanted == -1 {
            return None;
        }
        if (!is_virtual || !thread.is_in_pid_namespace())
            && let Some(leader) = self.find(wanted)
        {
            return Some(leader);
        }
        let mut leader = None;
        self.ancestors(slot, |ancestor| {
            let same = id(ancestor) == wanted;
            if same {
                leader = Some(ancestor.tid);
            }
            same
        });
        leader.and_then(|tid| self.find(tid))
    }

    /// Notes that a thread has exited; it stays until [`Threads::remove`].
    pub(crate) fn mark_dead(&mut self, slot: u32) {
        let thread = &mut self.slots[slot as usize];
        if let Some(group) = thread.group
            && !thread.is_dead()
        {
            let group = &mut self.groups[group as usize];
            group.alive = group.alive.saturating_sub(1);
        }
        thread.flags |= clone::CLOSED;
    }

    /// Undoes [`Threads::mark_dead`], for a thread that another one of its process replaced in execve.
    pub(crate) fn resurrect(&mut self, slot: u32) {
        let thread = &mut self.slots[slot as usize];
        if !thread.is_dead() {
            return;
        }
        thread.flags &= !clone::CLOSED;
        if let Some(group) = thread.group {
            self.groups[group as usize].alive += 1;
        }
    }

    /// Takes a thread out: hands its children over and keeps a dead main thread as long as others of its process live.
    pub(crate) fn remove(&mut self, tid: i64) {
        let Some(slot) = self.find(tid) else {
            self.stats.thread_lookups_failed += 1;
            return;
        };
        let Some(group) = self.at(slot).group else {
            self.free_slot(slot);
            return;
        };
        self.mark_dead(slot);
        if !self.at(slot).children.is_empty() {
            self.hand_over_children(slot);
        }
        let is_main = self.at(slot).is_main();
        if self.groups[group as usize].alive == 0 {
            let main = self.find(self.at(slot).pid);
            if !is_main {
                self.free_slot(slot);
            }
            if let Some(main) = main {
                self.free_slot(main);
            }
        } else if !is_main {
            self.free_slot(slot);
        }
    }

    fn hand_over_children(&mut self, slot: u32) {
        let reaper_tid = self.at(slot).reaper_tid;
        let told = (reaper_tid > 0)
            .then(|| self.find(reaper_tid))
            .flatten()
            .filter(|&reaper| !self.at(reaper).is_invalid() && reaper != slot);
        let reaper = told.or_else(|| self.find_reaper(slot));
        if let Some(reaper) = reaper {
            let other_process = self.at(reaper).pid != self.at(slot).pid;
            if other_process {
                self.set_reaper(reaper, true);
            }
        }
        let children = std::mem::take(&mut self.at_mut(slot).children);
        for child in children {
            match reaper {
                Some(reaper) if reaper != child => self.add_child(reaper, child),
                _ => self.at_mut(child).ptid = 0,
            }
            self.touch(child);
        }
    }

    /// Who takes orphans over: a living thread of the same process, the nearest reaper above in the same namespace.
    fn find_reaper(&self, slot: u32) -> Option<u32> {
        let living = |threads: &[u32]| {
            threads
                .iter()
                .copied()
                .find(|&other| other != slot && !self.at(other).is_dead())
        };
        if let Some(sibling) = living(self.siblings(slot)) {
            return Some(sibling);
        }
        let inside = self.at(slot).is_in_pid_namespace();
        let mut above = self.find(self.at(slot).ptid);
        for _ in 0..MAX_ANCESTORS {
            let current = above?;
            if current == slot || self.at(current).is_in_pid_namespace() != inside {
                return None;
            }
            if let Some(group) = self.at(current).group {
                let group = &self.groups[group as usize];
                if group.reaper
                    && group.alive > 0
                    && let Some(reaper) = living(&group.threads)
                {
                    return Some(reaper);
                }
            }
            above = self.find(self.at(current).ptid);
        }
        None
    }

    /// Takes a thread out of every list and frees its slot.
    fn free_slot(&mut self, slot: u32) {
        self.count_leaders(slot, false);
        let (tid, ptid, group) = {
            let thread = self.at(slot);
            (thread.tid, thread.ptid, thread.group)
        };
        self.clock += 1;
        if self.names_leader(tid) {
            self.epoch = self.clock;
        }
        if let Some(parent) = self.find(ptid) {
            self.at_mut(parent).children.retain(|&child| child != slot);
        }
        // Children that were not handed over have lost their parent.
        for child in std::mem::take(&mut self.at_mut(slot).children) {
            self.touch(child);
        }
        if let Some(group) = group {
            let members = &mut self.groups[group as usize];
            members.threads.retain(|&thread| thread != slot);
            if !self.slots[slot as usize].is_dead() {
                members.alive = members.alive.saturating_sub(1);
            }
            if members.threads.is_empty() {
                self.group_by_pid.remove(&members.pid);
                *members = Group::default();
                self.free_groups.push(group);
            } else if let Some(&sibling) = members.threads.first() {
                self.touch(sibling);
            }
        }
        if self.by_tid.get(&tid) == Some(&slot) {
            self.by_tid.remove(&tid);
        }
        let thread = &mut self.slots[slot as usize];
        thread.fds.clear(&mut self.spare);
        *thread = Thread::default();
        self.free.push(slot);
        self.stats.threads_removed += 1;
        self.stats.threads = self.by_tid.len() as u64;
    }
}
