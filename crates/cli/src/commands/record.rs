//! `vedette record`: live events into a capture file.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use vedette_container::{Observer, Runtimes};
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_rules::catalogue::SYSCALL;
use vedette_scap::{Compression, Item, Writer};
use vedette_sensor::Watch;
use vedette_sensor::bootstrap::Fact;

use vedette_state::{Boot, State};

use crate::agent::capture::{self, Piece};
use crate::live::{self, Live, Until};
use crate::{hostname, replay, rulefiles};

/// Record system calls of this machine into a .scap capture
///
/// Ends at SIGINT, SIGTERM, or after --seconds.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// File to write; gzipped when the name ends in .gz
    #[arg(short, long, value_name = "FILE")]
    write: PathBuf,
    /// Stop after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Stop after this many events
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    events: u64,
    /// Write only events that match this condition, and nothing of what was there before but the machine's facts
    #[arg(long, value_name = "CONDITION")]
    filter: Option<String>,
}

/// Longest time that the first event of a container waits for its runtime to write down what it is.
const CONTAINER_WAIT: Duration = Duration::from_millis(20);

/// Decides which events are written.
struct Filter {
    state: State,
    detector: Detector,
}

impl Filter {
    fn new(condition: &str) -> anyhow::Result<Self> {
        let files = [(
            String::from("<filter>"),
            super::replay::event_rule(condition, "%evt.num")?,
        )];
        let loaded = vedette_rules::load(&files, &vedette_rules::Options::default());
        let errors = rulefiles::complain(&loaded.diagnostics, &files, false)?;
        anyhow::ensure!(errors == 0, "the filter is no condition");
        let settings = Settings {
            mode: Mode::First,
            least: Priority::Debug,
            hostname: hostname::current().into(),
            time: TimeStyle::Clock,
        };
        let rules = RuleSet::compile(&loaded.rules, SYSCALL, settings);
        Ok(Self {
            state: State::new(replay::settings("")),
            detector: Detector::new(rules.into()),
        })
    }

    fn wants(&mut self, event: &vedette_event::RawEvent<'_>) -> bool {
        self.state.apply(event);
        let mut wanted = false;
        self.detector
            .observe(&self.state.view(event), |_| wanted = true);
        wanted
    }
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let name = args.write.display().to_string();
    let file = File::create(&args.write).with_context(|| format!("creating {name}"))?;
    let gzip = args
        .write
        .extension()
        .is_some_and(|extension| extension == "gz");
    let mut writer = Writer::new(file, gzip.then(Compression::default));
    let until = Until::signalled(args.seconds.map(Duration::from_secs))?;
    let limit = args.events;
    let mut events = 0u64;
    let mut filter = args.filter.as_deref().map(Filter::new).transpose()?;
    let mut observer = Observer::new(Runtimes::new("/")).with_wait(CONTAINER_WAIT);
    observer.watch();
    // Containers that were there before are told once the lists of processes are complete: events end a list.
    let mut known: Vec<Piece> = Vec::new();
    let stats = live::run(
        Watch::everything(),
        &until,
        |what| {
            let mut put = |item: &Item<'_>| {
                writer
                    .write(item)
                    .with_context(|| format!("writing {name}"))
            };
            let event = match what {
                Live::Before(fact) => {
                    if let Fact::Process(process) = &fact
                        && let Some(container) = observer.introduce_at_start(process.cgroups)
                        && filter
                            .as_mut()
                            .is_none_or(|filter| filter.wants(&container))
                    {
                        known.push(Piece::of(&container));
                    }
                    let item = capture::item(&fact);
                    if let (Some(filter), Some(boot)) = (&mut filter, replay::boot(&item)) {
                        filter.state.boot(&boot);
                        if !matches!(boot, Boot::Machine(_)) {
                            return Ok(());
                        }
                    }
                    return put(&item);
                }
                // Everything is traced, so nothing is told late.
                Live::Event(event) | Live::Earlier(event) => event,
            };
            for piece in known.drain(..) {
                for container in piece.events() {
                    put(&Item::Event(container))?;
                }
            }
            if let Some(container) = observer.observe(&event)
                && filter
                    .as_mut()
                    .is_none_or(|filter| filter.wants(&container))
            {
                put(&Item::Event(container))?;
            }
            if filter.as_mut().is_some_and(|filter| !filter.wants(&event)) {
                return Ok(());
            }
            if events >= limit {
                until.stop();
                return Ok(());
            }
            events += 1;
            put(&Item::Event(event))
        },
        || Ok(()),
    )?;
    writer.finish().with_context(|| format!("writing {name}"))?;
    writeln!(
        std::io::stderr(),
        "{events} events written, {} lost in the kernel",
        stats.dropped()
    )?;
    Ok(ExitCode::SUCCESS)
}
