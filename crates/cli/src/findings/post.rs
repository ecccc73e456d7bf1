//! From the journal to whoever wants findings, each result once: judged, kept in the outbox, delivered, marked.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vedette_audit::findings::Finding;
use vedette_audit::format::wire;
use vedette_audit::lists::Lists;
use vedette_audit::{Source, Splitter};
use vedette_event::{Alert, Priority};
use vedette_intake::{Checkpoint, Entry, Health, Journal, Outbox, Position, Reader, Stop};
use vedette_outputs::{Filter, Format, Line, Output, Spec};

use super::{Judge, Show};
use crate::commands::say;

/// Bytes of the journal behind which a checkpoint is written. Judging them again after a crash takes some seconds.
const CHECKPOINT_BYTES: u64 = 128 << 20;
/// How long a checkpoint may be outstanding when little comes.
const CHECKPOINT_EVERY: Duration = Duration::from_mins(5);
/// Bytes of the outbox behind which a checkpoint empties it.
const OUTBOX_BYTES: u64 = 16 << 20;
/// Results that are kept and delivered together.
const TOGETHER: usize = 256;
/// How long to wait for something to judge before looking around.
const WAIT: Duration = Duration::from_millis(200);
/// Pause before the disk is asked again when it has no room.
const PAUSE: Duration = Duration::from_secs(1);
/// End of a file on standard output that is searched for what was printed before a crash.
const PRINTED: u64 = 4 << 20;

/// A result as it stands in the outbox.
#[derive(Serialize, Deserialize)]
struct Letter {
    line: String,
    priority: Priority,
    source: String,
    tags: Vec<String>,
}

/// Where results go.
pub(crate) struct Post {
    show: Show,
    quiet: bool,
    archived: bool,
    outputs: Vec<(String, Filter, Box<dyn Output>)>,
}

impl Post {
    /// Opens the outputs.
    pub(crate) fn open(
        specs: &[Spec],
        show: Show,
        quiet: bool,
        archived: bool,
    ) -> anyhow::Result<Self> {
        let mut outputs = Vec::new();
        for spec in specs {
            let output = spec
                .open(spec.format.unwrap_or(Format::Json))
                .with_context(|| format!("output {}", spec.text))?;
            outputs.push((spec.text.clone(), spec.filter.clone(), output));
        }
        Ok(Self {
            show,
            quiet,
            archived,
            outputs,
        })
    }

    /// Delivers results in order. An output that fails is told of; it does not hold up the others.
    fn deliver(&mut self, texts: &[String], health: &Health) -> anyhow::Result<()> {
        let letters: Vec<Letter> = texts
            .iter()
            .filter_map(|text| serde_json::from_str(text).ok())
            .collect();
        if letters.is_empty() {
            return Ok(());
        }
        if !self.quiet {
            let mut lines = String::new();
            for letter in &letters {
                lines.push_str(&letter.line);
                lines.push('\n');
            }
            let mut out = io::stdout().lock();
            out.write_all(lines.as_bytes())?;
            out.flush()?;
        }
        for (name, filter, output) in &mut self.outputs {
            let lines: Vec<Line> = letters
                .iter()
                .filter(|letter| passes(filter, letter))
                .map(|letter| Line {
                    text: letter.line.clone(),
                    priority: letter.priority,
                })
                .collect();
            for batch in lines.chunks(output.batch().max(1)) {
                let wrong = output.deliver(batch).err().map(|error| error.to_string());
                let what = format!("output {name}");
                if health.note(&what, wrong.clone())
                    && let Some(wrong) = wrong
                {
                    say(&format!("{what}: {wrong}"))?;
                }
            }
        }
        Ok(())
    }
}

fn passes(filter: &Filter, letter: &Letter) -> bool {
    filter.passes(&Alert {
        time: 0,
        rule: "".into(),
        priority: letter.priority,
        source: letter.source.as_str().into(),
        tags: letter.tags.clone().into(),
        hostname: "".into(),
        output: String::new(),
        message_at: 0,
        fields: String::new(),
    })
}

/// Judges the journal.
pub(crate) struct Desk {
    dir: PathBuf,
    journal: Journal,
    reader: Reader,
    entry: Entry,
    judge: Judge,
    splitters: HashMap<Source, Splitter>,
    outbox: Outbox,
    post: Post,
    health: Health,
    hostname: Arc<str>,
    /// Where each source goes on, by origin.
    sources: BTreeMap<String, Value>,
    checkpoint: Position,
    /// Bytes judged since the checkpoint.
    since: u64,
    saved: Instant,
    records: u64,
    faults: u64,
}

impl Desk {
    /// Takes up what the state directory holds, and delivers what was not delivered before a crash.
    pub(crate) fn open(
        dir: &Path,
        journal: Journal,
        mut judge: Judge,
        post: Post,
        health: Health,
        hostname: &Arc<str>,
    ) -> anyhow::Result<Self> {
        let shown = dir.display();
        let known = Checkpoint::load(dir)
            .with_context(|| format!("reading the checkpoint in {shown}"))?
            .unwrap_or_default();
        if !known.state.is_empty() {
            judge
                .analysis
                .restore(&known.state)
                .with_context(|| format!("reading the checkpoint in {shown}"))?;
        }
        let (outbox, pending) =
            Outbox::open(dir).with_context(|| format!("opening the outbox in {shown}"))?;
        let mut desk = Self {
            dir: dir.to_owned(),
            reader: journal.reader(known.position),
            journal,
            entry: Entry::default(),
            judge,
            splitters: HashMap::new(),
            outbox,
            post,
            health,
            hostname: Arc::clone(hostname),
            sources: known.sources,
            checkpoint: known.position,
            since: 0,
            saved: Instant::now(),
            records: 0,
            faults: 0,
        };
        if !pending.is_empty() {
            let pending = unprinted(pending);
            desk.post.deliver(&pending, &desk.health)?;
            desk.outbox.delivered().context("writing the outbox")?;
        }
        Ok(desk)
    }

    /// Where each source goes on.
    pub(crate) fn sources(&self) -> &BTreeMap<String, Value> {
        &self.sources
    }

    /// Replaces the address lists.
    pub(crate) fn set_lists(&mut self, lists: Lists) {
        self.judge.analysis.set_lists(lists);
    }

    /// Judges everything that is in the journal.
    pub(crate) fn catch_up(&mut self) -> anyhow::Result<()> {
        let stop = Stop::new();
        while self.some(&stop)? {}
        Ok(())
    }

    /// Judges what there is, or waits a moment for something; true when there was something.
    pub(crate) fn work(&mut self, stop: &Stop) -> anyhow::Result<bool> {
        let some = self.some(stop)?;
        if !some {
            self.journal.wait(self.reader.position(), WAIT);
            for (_, _, output) in &mut self.post.outputs {
                let _ = output.idle();
            }
        }
        let due = self.since >= CHECKPOINT_BYTES
            || self.outbox.size() >= OUTBOX_BYTES
            || self.since > 0 && self.saved.elapsed() >= CHECKPOINT_EVERY;
        if due {
            self.save()?;
        }
        Ok(some)
    }

    /// Judges what is left, and writes a last checkpoint.
    pub(crate) fn finish(&mut self) -> anyhow::Result<()> {
        self.catch_up()?;
        self.save()?;
        say(&format!(
            "{} records judged, {} came more than once, {} places could not be read, {} findings held",
            self.records,
            self.judge.analysis.repeated(),
            self.faults,
            self.judge.analysis.findings().sorted().len()
        ))?;
        Ok(())
    }

    /// Judges some entries; false when there was none.
    fn some(&mut self, stop: &Stop) -> anyhow::Result<bool> {
        let mut results: Vec<(String, String)> = Vec::new();
        let mut any = false;
        while results.len() < TOGETHER
            && self
                .reader
                .next(&mut self.entry)
                .context("reading the journal")?
        {
            any = true;
            self.entry(&mut results)?;
        }
        if results.is_empty() {
            return Ok(any);
        }
        // A full disk is waited for: what was judged must not be lost.
        while let Err(error) = self.outbox.keep(&results) {
            if self
                .health
                .note("outbox", Some(format!("keeping findings: {error}")))
            {
                say(&format!(
                    "keeping findings in {}: {error}; waiting",
                    self.dir.display()
                ))?;
            }
            stop.wait(PAUSE);
            if stop.is_set() {
                anyhow::bail!("findings could not be kept: {error}");
            }
        }
        self.health.note("outbox", None);
        let texts: Vec<String> = results.into_iter().map(|(_, text)| text).collect();
        self.post.deliver(&texts, &self.health)?;
        // Without the mark they are delivered again after a crash: better twice than never.
        let _ = self.outbox.delivered();
        Ok(true)
    }

    fn entry(&mut self, results: &mut Vec<(String, String)>) -> anyhow::Result<()> {
        let entry = &self.entry;
        self.since += entry.payload.len() as u64;
        if let Some(position) = &entry.meta.position {
            self.sources
                .insert(entry.meta.origin.clone(), position.clone());
        }
        let source = entry.meta.source.as_deref().and_then(Source::by_name);
        let mut unknown;
        let splitter = if let Some(source) = source {
            self.splitters
                .entry(source)
                .or_insert_with(|| splitter(Some(source), &self.hostname))
        } else {
            unknown = splitter(None, &self.hostname);
            &mut unknown
        };
        splitter.set_arrival(entry.meta.arrival);
        let origin = self.judge.analysis.origin().clone();
        let (show, archived, outbox) = (self.post.show, self.post.archived, &self.outbox);
        let judge = &mut self.judge;
        let (mut records, mut faults, mut first) = (0, 0, None);
        splitter.feed(&entry.payload, true, &mut |found| match found {
            Ok(record) => {
                records += 1;
                judge.observe(record, &mut |_, finding| {
                    if finding.archived && !archived {
                        return;
                    }
                    let key = format!("{}#{}", finding.id, finding.count);
                    if !outbox.contains(&key) {
                        results.push((key, letter(show, finding, &origin)));
                    }
                });
            }
            Err(fault) => {
                faults += 1;
                first.get_or_insert(fault);
            }
        });
        self.records += records;
        self.faults += faults;
        let wrong =
            first.map(|fault| format!("{faults} places could not be read, the first: {fault}"));
        let what = format!("records of {}", entry.meta.origin);
        if let Some(wrong) = wrong {
            say(&format!("{what}: {wrong}"))?;
        }
        Ok(())
    }

    /// Writes a checkpoint, and forgets what lies before it.
    fn save(&mut self) -> anyhow::Result<()> {
        let position = self.reader.position();
        self.saved = Instant::now();
        if position == self.checkpoint && self.outbox.size() == 0 {
            return Ok(());
        }
        // Files that are gone do not come back under the same inode.
        self.sources.retain(|origin, _| {
            origin
                .strip_prefix("file ")
                .is_none_or(|path| Path::new(path).exists())
        });
        let analysis = &self.judge.analysis;
        let stored = Checkpoint::store(&self.dir, position, &self.sources, |out| {
            analysis.save(out).map_err(io::Error::other)
        });
        let wrong = stored.as_ref().err().map(ToString::to_string);
        if let Some(error) = &wrong {
            say(&format!(
                "writing a checkpoint in {}: {error}",
                self.dir.display()
            ))?;
        }
        self.health.note("checkpoint", wrong);
        if stored.is_ok() {
            self.checkpoint = position;
            self.since = 0;
            self.journal
                .release(position)
                .context("removing judged segments")?;
            self.outbox.clear().context("emptying the outbox")?;
        }
        Ok(())
    }
}

fn splitter(source: Option<Source>, hostname: &str) -> Splitter {
    Splitter::new(source)
        .with_hostname(hostname)
        .with_zone(crate::replay::zone())
}

fn letter(show: Show, finding: &Finding, origin: &vedette_audit::findings::Origin) -> String {
    let wire = wire(finding, origin);
    let letter = Letter {
        line: show.line(finding, origin),
        priority: wire.priority,
        source: wire.source,
        tags: wire.tags,
    };
    serde_json::to_string(&letter).unwrap_or_default()
}

/// Results of which the file on standard output does not say that they were printed: between printing and marking a
/// process can be killed.
fn unprinted(pending: Vec<String>) -> Vec<String> {
    use std::io::{Read, Seek};
    let Ok(mut file) = std::fs::File::open("/proc/self/fd/1") else {
        return pending;
    };
    let Some(size) = file
        .metadata()
        .ok()
        .filter(std::fs::Metadata::is_file)
        .map(|meta| meta.len())
    else {
        return pending;
    };
    let mut end = Vec::new();
    let read = file
        .seek(io::SeekFrom::Start(size.saturating_sub(PRINTED)))
        .and_then(|_| file.read_to_end(&mut end));
    if read.is_err() {
        return pending;
    }
    let end = String::from_utf8_lossy(&end);
    let printed: std::collections::HashSet<&str> = end.lines().collect();
    pending
        .into_iter()
        .filter(|text| {
            serde_json::from_str::<Letter>(text)
                .is_ok_and(|letter| !printed.contains(letter.line.as_str()))
        })
        .collect()
}
