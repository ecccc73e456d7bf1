//! The activity audit: which events are worth remembering although nothing is wrong with them.
//!
//! What is remembered is said as conditions of the rules language, so that the kernel's pre-filter can be told with the
//! same means as for rules.

use std::collections::VecDeque;
use std::sync::Arc;

use rustc_hash::FxHashSet;
use serde_json::Value as Json;
use vedette_event::{Activity, ActivityKind, Extract, record_id};
use vedette_rules::program::{Evaluator, Mode, RuleIndex};
use vedette_rules::{Options, catalogue::SYSCALL, load};

use crate::finding::Describer;
use crate::{RuleSet, Settings, TimeStyle};

/// Kind and condition of what is remembered. A start counts when it succeeded, a connection when it was made or is
/// under way, a file when its content, name or mode changed; devices, kernel file systems and what a
/// runtime does before a container's first program are left out.
const REMEMBERED: &[(ActivityKind, &str)] = &[
    (
        ActivityKind::Command,
        "evt.type in (execve, execveat) and evt.res=SUCCESS",
    ),
    (
        ActivityKind::Connection,
        "evt.type in (connect, accept, accept4) and fd.l4proto in (tcp, udp) and \
         (evt.rawres>=0 or evt.res=EINPROGRESS) and fd.sport!=53",
    ),
    (
        ActivityKind::File,
        "not proc.name startswith \"runc:[\" and ((evt.type in (open, openat, openat2, creat) and evt.is_open_write=true and fd.num>=0 and \
         not fd.name startswith /proc/ and not fd.name startswith /sys/ and not fd.name startswith /dev/) or \
         (evt.type in (unlink, unlinkat, rename, renameat, renameat2, chmod, fchmod, fchmodat, link, linkat, symlink, \
         symlinkat, chown, fchown, lchown, fchownat) and evt.rawres>=0))",
    ),
];

/// File records a second and node; a package installation makes tens of thousands that say little more than its command.
const FILES_A_SECOND: u32 = 200;

/// Recent (process, path) pairs of which a further record would say nothing new.
const RECENT_FILES: usize = 4096;

/// Remembers what happened.
#[derive(Debug)]
pub struct ActivityLog {
    rules: Arc<RuleSet>,
    evaluator: Evaluator,
    matched: Vec<RuleIndex>,
    describer: Describer,
    hostname: Arc<str>,
    recent: FxHashSet<(i64, String)>,
    order: VecDeque<(i64, String)>,
    second: u64,
    files: u32,
    left_out: u64,
}

impl ActivityLog {
    /// A log of what happens on `hostname`.
    pub fn new(hostname: Arc<str>) -> Self {
        let mut text = String::new();
        for (kind, condition) in REMEMBERED {
            text.push_str(&format!(
                "- rule: {}\n  desc: activity\n  condition: >\n    {condition}\n  output: activity\n  priority: debug\n",
                kind.name()
            ));
        }
        let options = Options {
            append_output: Vec::new(),
            ..Options::default()
        };
        let loaded = load(&[("activity".to_owned(), text)], &options);
        let settings = Settings {
            mode: Mode::First,
            least: vedette_event::Priority::Debug,
            hostname: Arc::clone(&hostname),
            time: TimeStyle::Clock,
        };
        let rules = Arc::new(RuleSet::compile(&loaded.rules, SYSCALL, settings));
        Self {
            evaluator: Evaluator::new(Arc::clone(&rules.program)),
            rules,
            matched: Vec::new(),
            describer: Describer::default(),
            hostname,
            recent: FxHashSet::default(),
            order: VecDeque::new(),
            second: 0,
            files: 0,
            left_out: 0,
        }
    }

    /// The conditions as a rule set, for whoever decides which events are needed.
    pub fn rules(&self) -> &Arc<RuleSet> {
        &self.rules
    }

    /// File records that were left out because there were too many in a second.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The record of an event that is worth remembering.
    pub fn observe<E: Extract + ?Sized>(&mut self, event: &E) -> Option<Activity> {
        self.evaluator
            .matches(event, Mode::First, &mut self.matched);
        let index = *self.matched.first()? as usize;
        let kind = REMEMBERED.get(index)?.0;
        let mut fields = self.describer.context(SYSCALL, event);
        let mut lineage = self.describer.lineage(event).into_iter();
        let process = lineage.next()?;
        if kind == ActivityKind::File && !self.worth_a_record(event.ts(), process.pid, &fields) {
            return None;
        }
        let session = session(&fields);
        // the record says these itself
        for own in [
            "proc.name",
            "proc.exepath",
            "proc.cmdline",
            "proc.pid",
            "proc.pname",
            "proc.pcmdline",
            "proc.ppid",
        ] {
            fields.remove(own);
        }
        Some(Activity {
            id: record_id(&[
                self.hostname.as_bytes(),
                &event.ts().to_le_bytes(),
                &event.num().to_le_bytes(),
                kind.name().as_bytes(),
            ]),
            time: event.ts(),
            node: self.hostname.to_string(),
            kind,
            parent: lineage.next().unwrap_or_default(),
            process,
            session,
            fields,
        })
    }

    fn worth_a_record(
        &mut self,
        time: u64,
        pid: i64,
        fields: &std::collections::BTreeMap<String, Json>,
    ) -> bool {
        let path = ["fs.path.name", "fd.name", "fs.path.target"]
            .iter()
            .find_map(|name| fields.get(*name).and_then(Json::as_str))
            .unwrap_or_default();
        let key = (pid, path.to_owned());
        if self.recent.contains(&key) {
            return false;
        }
        let second = time / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.files = 0;
        }
        if self.files >= FILES_A_SECOND {
            self.left_out += 1;
            return false;
        }
        self.files += 1;
        if self.order.len() == RECENT_FILES
            && let Some(oldest) = self.order.pop_front()
        {
            self.recent.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.recent.insert(key);
        true
    }
}

/// The interactive session of a process: one with a terminal, or one that was started inside a running container
/// (`kubectl exec` makes a session of its own beside the container's first process).
fn session(fields: &std::collections::BTreeMap<String, Json>) -> String {
    let number = |name: &str| fields.get(name).and_then(Json::as_i64).unwrap_or(0);
    let container = fields
        .get("container.id")
        .and_then(Json::as_str)
        .unwrap_or("host");
    let sid = number("proc.sid");
    let inside = container != "host" && !container.is_empty();
    if sid > 0 && (number("proc.tty") != 0 || (inside && sid != 1)) {
        format!("{container}/{sid}")
    } else {
        String::new()
    }
}
