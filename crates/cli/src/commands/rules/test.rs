//! `vedette rules test`: the Markdown tests beside rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use vedette_detect::{Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_rules::catalogue::SYSCALL;
use vedette_rules::{Loaded, Options, load};
use vedette_state::{Boot, State};
use vedette_testkit::{Case, Input, Script};

use crate::commands::exit;
use crate::replay::{self, Plan, Rules};
use crate::{input, rulefiles};

/// Run the Markdown tests beside rules
///
/// Exit code 1 when a test fails. docs/rule-tests.md says how tests are written.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Markdown files, or directories with rules and their tests
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Name the tests that passed too
    #[arg(short, long)]
    verbose: bool,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut tests = BTreeMap::<PathBuf, Vec<PathBuf>>::new();
    for path in &args.paths {
        let mut found = Vec::new();
        collect(path, &mut found)?;
        for file in found {
            tests
                .entry(file.parent().unwrap_or(Path::new("")).to_owned())
                .or_default()
                .push(file);
        }
    }
    let (mut passed, mut failed) = (0, 0);
    let mut out = std::io::stdout().lock();
    for (dir, mut files) in tests {
        files.sort();
        let bench = Bench::load(&dir)?;
        for file in files {
            for (case, verdict) in bench.run(&file)? {
                let place = format!("{}:{} {}", file.display(), case.line, case.title);
                match verdict {
                    Ok(()) => {
                        passed += 1;
                        if args.verbose {
                            writeln!(out, "ok    {place}")?;
                        }
                    }
                    Err(why) => {
                        failed += 1;
                        writeln!(
                            out,
                            "FAIL  {place}\n      {}",
                            why.replace('\n', "\n      ")
                        )?;
                    }
                }
            }
        }
    }
    writeln!(out, "{passed} passed, {failed} failed")?;
    Ok(if failed > 0 {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn collect(path: &Path, out: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    if !path.is_dir() {
        out.push(path.to_owned());
        return Ok(());
    }
    for entry in
        fs::read_dir(path).with_context(|| format!("reading directory {}", path.display()))?
    {
        let path = entry
            .with_context(|| format!("reading directory {}", path.display()))?
            .path();
        if path.is_dir() {
            collect(&path, out)?;
        } else if path.extension().is_some_and(|extension| extension == "md") {
            out.push(path);
        }
    }
    Ok(())
}

/// The rules of one directory, all switched on.
struct Bench {
    rules: Rules,
    source: String,
    /// Names of the rules that each file defines.
    by_file: BTreeMap<String, BTreeSet<String>>,
}

impl Bench {
    fn load(dir: &Path) -> anyhow::Result<Self> {
        let files = rulefiles::read(&[dir.to_owned()])?;
        let options = Options {
            append_output: Vec::new(),
            ..Options::default()
        };
        let mut loaded: Loaded = load(&files, &options);
        let errors = rulefiles::complain(&loaded.diagnostics, &files, false)?;
        anyhow::ensure!(errors == 0, "the rules in {} do not load", dir.display());
        let mut by_file = BTreeMap::<String, BTreeSet<String>>::new();
        for rule in &mut loaded.rules {
            rule.enabled = true;
            let file = &files[rule.context.last().place.file.0 as usize].0;
            by_file
                .entry(file.clone())
                .or_default()
                .insert(rule.rule.name.clone());
        }
        let settings = Settings {
            mode: Mode::All,
            least: Priority::Debug,
            hostname: "test".into(),
            time: TimeStyle::Clock,
        };
        let sources: BTreeSet<_> = loaded
            .rules
            .iter()
            .map(|rule| rule.rule.source.clone())
            .collect();
        let set =
            |source: &str| Arc::new(RuleSet::compile(&loaded.rules, source, settings.clone()));
        Ok(Self {
            rules: Rules(
                sources
                    .iter()
                    .map(|source| (source.clone(), set(source)))
                    .collect(),
            ),
            source: sources.into_iter().next().unwrap_or_default(),
            by_file,
        })
    }

    fn run(&self, file: &Path) -> anyhow::Result<Vec<(Case, Result<(), String>)>> {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let cases =
            vedette_testkit::parse_markdown(&text).with_context(|| file.display().to_string())?;
        let own = ["yaml", "yml"].iter().find_map(|extension| {
            self.by_file
                .get(&file.with_extension(extension).display().to_string())
        });
        cases
            .into_iter()
            .map(|case| {
                let verdict = match self.alerts(&case, file) {
                    Ok(alerts) => compare(&case, alerts, own),
                    Err(error) => Err(format!("{error:#}")),
                };
                Ok((case, verdict))
            })
            .collect()
    }

    /// Names of the rules that fired, one for each alert.
    fn alerts(&self, case: &Case, file: &Path) -> anyhow::Result<Vec<String>> {
        let dir = file.parent().unwrap_or(Path::new(""));
        match &case.input {
            Input::Events(text) => {
                let flag = |event: &vedette_event::EventInfo,
                            param: &vedette_event::ParamInfo,
                            name: &str| {
                    vedette_state::flag_value(event.name, param.name, param.ty, name)
                };
                let script = vedette_testkit::parse_script(text, &flag)?;
                Ok(self.play(&script))
            }
            Input::Capture(path) => self.replay(&dir.join(path), None),
            Input::Records(text) => {
                let records =
                    tempfile::NamedTempFile::new().context("making a file for the records")?;
                fs::write(records.path(), text).context("writing the records")?;
                self.replay(records.path(), Some(self.source.clone()))
            }
        }
    }

    fn play(&self, script: &Script) -> Vec<String> {
        let mut state = State::new(replay::settings("test"));
        for process in &script.processes {
            state.boot(&Boot::Process(process.entry()));
        }
        let mut fired = Vec::new();
        let Some(rules) = self.rules.of(SYSCALL) else {
            return fired;
        };
        let mut detector = Detector::new(Arc::clone(rules));
        for step in &script.steps {
            let event = step.event();
            state.apply(&event);
            detector.observe(&state.view(&event), |alert| {
                fired.push(alert.rule.to_string());
            });
        }
        fired
    }

    fn replay(&self, path: &Path, source: Option<String>) -> anyhow::Result<Vec<String>> {
        let plan = Plan {
            inputs: vec![path.to_owned()],
            passes: 1,
            threads: 1,
            source,
            rules: Rules(self.rules.0.clone()),
            hostname: "test".into(),
            progress: Arc::new(input::Progress::default()),
            records: false,
        };
        let mut fired = Vec::new();
        let (_, damages) = replay::run(&plan, |alert| {
            fired.push(alert.rule.to_string());
            Ok(())
        })?;
        anyhow::ensure!(damages.is_empty(), "{}", damages.join("\n"));
        Ok(fired)
    }
}

/// Holds what fired against what the case wants.
fn compare(
    case: &Case,
    mut alerts: Vec<String>,
    own: Option<&BTreeSet<String>>,
) -> Result<(), String> {
    if !case.all_rules {
        let Some(own) = own else {
            return Err("there is no rules file of the same name beside this test".to_owned());
        };
        alerts.retain(|rule| own.contains(rule));
    }
    if alerts == case.alerts {
        return Ok(());
    }
    let show = |rules: &[String]| {
        if rules.is_empty() {
            "nothing".to_owned()
        } else {
            rules.join("\n         ")
        }
    };
    Err(format!(
        "expected {}\nfound    {}",
        show(&case.alerts),
        show(&alerts)
    ))
}
