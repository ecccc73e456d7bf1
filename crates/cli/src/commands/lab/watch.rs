//! The sensor's view of a lab: every event through the state, those of the lab to the rules, the judge and the recording.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use anyhow::Context;
use vedette_container::{Observer, Runtimes};
use vedette_detect::{Describer, Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::{Finding, Priority, RawEvent};
use vedette_lab::Node;
use vedette_range::{Judge, Outcome, Steps};
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::{Options, load};
use vedette_scap::{Compression, Item, Writer};
use vedette_sensor::Interest;
use vedette_sensor::bootstrap::Fact;
use vedette_state::State;

use crate::agent::capture::{Piece, item};
use crate::live::{self, Live, Until};
use crate::{hostname, replay, rulefiles};

/// The compiled rules that watch a lab.
pub(super) struct Rules {
    /// The conditions of the steps.
    pub(super) clues: Arc<RuleSet>,
    /// The shipped rules.
    pub(super) shipped: Arc<RuleSet>,
}

impl Rules {
    /// The conditions of the steps, and the shipped rules.
    pub(super) fn new(steps: &Steps) -> anyhow::Result<Self> {
        Ok(Self {
            clues: compile("steps", vec![("lab/steps.yaml".to_owned(), steps.rules())])?,
            shipped: compile("shipped rules", rulefiles::read(&[])?)?,
        })
    }
}

fn compile(what: &str, files: Vec<(String, String)>) -> anyhow::Result<Arc<RuleSet>> {
    let options = Options {
        append_output: Vec::new(),
        ..Options::default()
    };
    let loaded = load(&files, &options);
    let errors = rulefiles::complain(&loaded.diagnostics, &files, false)?;
    anyhow::ensure!(errors == 0, "the {what} do not load");
    let settings = Settings {
        mode: Mode::All,
        least: Priority::Debug,
        hostname: hostname::current().into(),
        time: TimeStyle::Clock,
    };
    Ok(Arc::new(RuleSet::compile(&loaded.rules, SYSCALL, settings)))
}

/// A sensor's view of one lab.
pub(super) struct Watch<'a> {
    lab: String,
    state: State,
    observer: Observer,
    in_lab: Detector,
    clues: Detector,
    shipped: Detector,
    describer: Describer,
    judge: Judge<'a>,
    recording: Option<Recording>,
    last: u8,
    /// Findings about the lab, in the order of their events.
    pub(super) findings: Vec<Finding>,
    /// Events of the lab.
    pub(super) events: u64,
    /// Events that the kernel could not hand over.
    pub(super) lost: u64,
}

impl<'a> Watch<'a> {
    /// A view of this lab. `recording` is the capture to write.
    pub(super) fn new(
        node: &Node,
        steps: &'a Steps,
        rules: &Rules,
        recording: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let lab = vedette_range::of_lab(node.name());
        Ok(Self {
            lab: node.name().to_owned(),
            state: State::new(replay::settings(&hostname::current())),
            observer: Observer::new(Runtimes::new(node.root())),
            in_lab: Detector::new(compile("lab's filter", vec![("<lab>".to_owned(), lab)])?),
            clues: Detector::new(Arc::clone(&rules.clues)),
            shipped: Detector::new(Arc::clone(&rules.shipped)),
            describer: Describer::default(),
            judge: Judge::new(steps),
            recording: recording.map(Recording::new).transpose()?,
            last: steps.steps.last().map_or(0, |step| step.id),
            findings: Vec::new(),
            events: 0,
            lost: 0,
        })
    }

    /// Watches until the run ends. `ready` is set when events flow.
    pub(super) fn run(&mut self, until: &Until, ready: &AtomicBool) -> anyhow::Result<()> {
        let rules = [&**self.clues.rules(), &**self.shipped.rules()];
        let watch = if self.recording.is_some() {
            // Other rules may be asked of a recording later: every open then, not only those that these rules look at.
            let kinds = rules.iter().flat_map(|rules| rules.program().kinds());
            let mut interests = Interest::for_state();
            interests.extend(kinds.map(Interest::from));
            (&interests).into()
        } else {
            live::needed(rules)
        };
        let stats = live::run(
            watch,
            until,
            |what| {
                match what {
                    Live::Before(fact) => self.before(&fact)?,
                    Live::Earlier(event) => self.earlier(&event)?,
                    Live::Event(event) => {
                        ready.store(true, Relaxed);
                        self.event(&event)?;
                        if self.finished() {
                            until.stop();
                        }
                    }
                }
                Ok(())
            },
            || {
                ready.store(true, Relaxed);
                Ok(())
            },
        )?;
        self.lost = stats.dropped();
        if let Some(recording) = self.recording.take() {
            recording.finish()?;
        }
        Ok(())
    }

    /// Whether the end of the last step was seen.
    pub(super) fn finished(&self) -> bool {
        self.judge.ended(self.last)
    }

    /// The verdicts.
    pub(super) fn verdicts(self, profile: &str) -> Vec<Outcome> {
        self.judge.finish(profile, self.lost)
    }

    /// Something that was there before the first event.
    fn before(&mut self, fact: &Fact<'_>) -> anyhow::Result<()> {
        let item = item(fact);
        if let Some(boot) = replay::boot(&item) {
            self.state.boot(&boot);
        }
        if let Fact::Process(process) = fact
            && let Some(container) = self.observer.introduce_at_start(process.cgroups)
        {
            self.state.apply(&container);
            if let Some(recording) = &mut self.recording {
                recording.containers.push(Piece::of(&container));
            }
        }
        if let Some(recording) = &mut self.recording {
            recording.before(fact, &item, &self.lab)?;
        }
        Ok(())
    }

    /// An event that is news to the state, not to the rules.
    fn earlier(&mut self, event: &RawEvent<'_>) -> anyhow::Result<()> {
        self.state.apply(event);
        let mut ours = false;
        let view = self.state.view(event);
        self.in_lab.observe(&view, |_| ours = true);
        match &mut self.recording {
            Some(recording) if ours => recording.event(*event),
            _ => Ok(()),
        }
    }

    fn event(&mut self, event: &RawEvent<'_>) -> anyhow::Result<()> {
        if let Some(container) = self.observer.observe(event) {
            self.state.apply(&container);
            if let Some(recording) = &mut self.recording {
                recording.event(container)?;
            }
        }
        self.state.apply(event);
        let view = self.state.view(event);
        let mut ours = false;
        self.in_lab.observe(&view, |_| ours = true);
        if !ours {
            return Ok(());
        }
        self.events += 1;
        self.clues.observe(&view, |alert| {
            self.judge.observe(&alert.rule, alert.time, alert.message());
        });
        let mut alerts = Vec::new();
        self.shipped.observe(&view, |alert| alerts.push(alert));
        for alert in alerts {
            let condition = self.shipped.rules().condition(&alert.rule);
            let finding = self.describer.finding(&alert, condition, &view, 0);
            self.judge.finding(finding.clone());
            self.findings.push(finding);
        }
        if let Some(recording) = &mut self.recording {
            recording.event(*event)?;
        }
        Ok(())
    }
}

/// A capture of what happens in the lab and nothing else of this machine.
struct Recording {
    name: String,
    writer: Writer<BufWriter<File>>,
    /// The process whose descriptors are told, if it is one of the lab's.
    process: Option<i64>,
    /// Containers that were there before; told with the first event, since events end the lists of processes.
    containers: Vec<Piece>,
}

impl Recording {
    fn new(path: &Path) -> anyhow::Result<Self> {
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("creating {name}"))?;
        let gzip = path.extension().is_some_and(|extension| extension == "gz");
        Ok(Self {
            name,
            writer: Writer::new(BufWriter::new(file), gzip.then(Compression::best)),
            process: None,
            containers: Vec::new(),
        })
    }

    fn before(&mut self, fact: &Fact<'_>, item: &Item<'_>, lab: &str) -> anyhow::Result<()> {
        let wanted = match fact {
            Fact::Machine(_) => true,
            Fact::Process(process) => {
                let own = process
                    .cgroups
                    .windows(lab.len())
                    .any(|window| window == lab.as_bytes());
                self.process = own.then_some(process.tid);
                own
            }
            Fact::Descriptor(pid, _) => self.process.is_some() && self.process == Some(*pid),
            Fact::User(_) | Fact::Group(_) => false,
        };
        if wanted { self.write(item) } else { Ok(()) }
    }

    fn event(&mut self, event: RawEvent<'_>) -> anyhow::Result<()> {
        for piece in std::mem::take(&mut self.containers) {
            for container in piece.events() {
                self.write(&Item::Event(container))?;
            }
        }
        self.write(&Item::Event(event))
    }

    fn write(&mut self, item: &Item<'_>) -> anyhow::Result<()> {
        self.writer
            .write(item)
            .with_context(|| format!("writing {}", self.name))
    }

    fn finish(self) -> anyhow::Result<()> {
        let mut file = self
            .writer
            .finish()
            .with_context(|| format!("writing {}", self.name))?;
        file.flush()
            .with_context(|| format!("writing {}", self.name))
    }
}
