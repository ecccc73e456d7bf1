//! `vedette prove`: what would have stopped a recorded attack.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::json;
use vedette_detect::{Describer, Detector, Mode, RuleSet, Settings, TimeStyle};
use vedette_event::Priority;
use vedette_proof::{CONTROLS, Control, Prover, StepProof, Verdict, by_id};
use vedette_rules::Options;
use vedette_rules::catalogue::SYSCALL;
use vedette_scap::{Item, Reader};
use vedette_state::State;

use super::{Listing, exit};
use crate::input::{self, Progress};
use crate::table::{Table, visible};
use crate::{hostname, replay, rulefiles};

/// Say which control would have stopped a recorded attack, step by step, and by which clause
///
/// The steps are those of --steps, or else the findings that the rules make of the recording. Every control is judged
/// alone, and the chosen ones together.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Capture of the attack; `-` is standard input
    #[arg(required_unless_present = "list_controls")]
    recording: Option<PathBuf>,
    /// Steps of the attack with the evidence of each, as in lab/steps.yaml
    #[arg(long, value_name = "FILE")]
    steps: Option<PathBuf>,
    /// The recording is of the lab: its steps are those that `vedette lab steps` lists
    #[arg(long, conflicts_with = "steps")]
    lab: bool,
    /// Put in place what this profile of the lab does
    #[arg(long, requires = "lab", conflicts_with = "controls")]
    profile: Option<String>,
    /// Compare with what really happened: the JSON of `vedette lab run`; exit with 1 where the proof says otherwise.
    /// The run is that of --profile, or of `vedette lab run --control` with the one control
    #[arg(long, value_name = "FILE", requires = "lab")]
    against: Option<PathBuf>,
    /// Controls to put in place together, such as pss-restricted,drift-prevention; all of them when none is given
    #[arg(long = "control", value_name = "ID", value_delimiter = ',')]
    controls: Vec<String>,
    /// Rules file or directory that findings are made with; the shipped rules when none is given
    #[arg(short, long, value_name = "PATH")]
    rules: Vec<PathBuf>,
    /// List the controls
    #[arg(long, conflicts_with_all = ["recording", "steps", "controls"])]
    list_controls: bool,
    /// Exit with 1 when a step is not stopped
    #[arg(long)]
    fail: bool,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    output: Listing,
}

/// Runs the subcommand.
pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    let Some(recording) = &args.recording else {
        list(&mut out, args.output)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut controls = chosen(&args.controls)?;
    let shipped = args.lab.then(|| {
        (
            PathBuf::from("lab/steps.yaml"),
            vedette_range::STEPS.to_owned(),
        )
    });
    let given = match &args.steps {
        Some(path) => Some((
            path.clone(),
            std::fs::read_to_string(path)
                .with_context(|| format!("reading steps {}", path.display()))?,
        )),
        None => shipped,
    };
    let steps = match given {
        Some((path, text)) => {
            let (steps, problems) = vedette_range::Steps::parse(&text);
            if let Some(problem) = problems.first() {
                bail!(
                    "{}:{}:{}: {}",
                    path.display(),
                    problem.line,
                    problem.column,
                    problem.message
                );
            }
            if let Some(name) = &args.profile {
                let profile = steps.profile(name).with_context(|| {
                    let known: Vec<&str> = steps.profiles.iter().map(|p| p.name.as_str()).collect();
                    format!(
                        "`{}` is no profile; expected one of {}",
                        visible(name),
                        known.join(", ")
                    )
                })?;
                controls = known(&profile.controls)?;
            }
            Some(vedette_proof::of_range(&steps))
        }
        None => None,
    };
    let by_findings = steps.is_none();
    let mut prover = Prover::new(steps.unwrap_or_default())?;
    let damage = watch(args, recording, by_findings, &mut prover)?;
    let proofs = prover.prove(&controls);
    match args.output {
        Listing::Json => {
            let whole = json!({
                "recording": recording.display().to_string(),
                "controls": controls.iter().map(|control| control.id).collect::<Vec<_>>(),
                "steps": proofs,
            });
            writeln!(out, "{whole}")?;
        }
        Listing::Table => write!(out, "{}", table(&proofs))?,
    }
    if let Some(damage) = damage {
        bail!(damage);
    }
    if let Some(file) = &args.against {
        let wrong = against(file, &run_of(args)?, &proofs)?;
        for line in &wrong {
            writeln!(std::io::stderr(), "vedette: {}", visible(line))?;
        }
        if !wrong.is_empty() {
            return Ok(ExitCode::from(exit::FINDINGS));
        }
    }
    let open = proofs.iter().any(|proof| !proof.verdict.prevented());
    Ok(if args.fail && open {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    })
}

fn chosen(ids: &[String]) -> anyhow::Result<Vec<&'static Control>> {
    if ids.is_empty() {
        return Ok(CONTROLS.iter().collect());
    }
    known(ids)
}

fn known(ids: &[String]) -> anyhow::Result<Vec<&'static Control>> {
    ids.iter()
        .map(|id| {
            by_id(id).with_context(|| {
                let known: Vec<&str> = CONTROLS.iter().map(|control| control.id).collect();
                format!(
                    "`{}` is no control; expected one of {}",
                    visible(id),
                    known.join(", ")
                )
            })
        })
        .collect()
}

/// Reads the recording; what is damaged is answered in words.
fn watch(
    args: &Args,
    path: &Path,
    by_findings: bool,
    prover: &mut Prover,
) -> anyhow::Result<Option<String>> {
    let hostname: Arc<str> = hostname::current().into();
    let mut detector = by_findings.then(|| detector(args, &hostname)).transpose()?;
    let mut describer = Describer::default();
    let mut reader = Reader::new(input::open(path, &Arc::new(Progress::default()), false)?);
    let mut state = State::new(replay::settings(&hostname));
    loop {
        let event = match reader.next() {
            Ok(Some(Item::Event(event))) => event,
            Ok(Some(Item::State(event))) => {
                state.apply(&event);
                continue;
            }
            Ok(Some(other)) => {
                if let Some(boot) = replay::boot(&other) {
                    state.boot(&boot);
                }
                continue;
            }
            Ok(None) => return Ok(None),
            Err(error) => return Ok(Some(format!("{}: {error}", path.display()))),
        };
        state.apply(&event);
        let view = state.view(&event);
        if let Some(detector) = &mut detector {
            let rules = Arc::clone(detector.rules());
            detector.observe(&view, |alert| {
                prover.add(&describer.finding(&alert, rules.condition(&alert.rule), &view, 0));
            });
        }
        prover.observe(&view);
    }
}

fn detector(args: &Args, hostname: &Arc<str>) -> anyhow::Result<Detector> {
    let files = rulefiles::read(&args.rules)?;
    let loaded = vedette_rules::load(&files, &Options::default());
    if rulefiles::complain(&loaded.diagnostics, &files, false)? > 0 {
        bail!("the rules have errors");
    }
    let settings = Settings {
        mode: Mode::First,
        least: Priority::Debug,
        hostname: Arc::clone(hostname),
        time: TimeStyle::Clock,
    };
    Ok(Detector::new(Arc::new(RuleSet::compile(
        &loaded.rules,
        SYSCALL,
        settings,
    ))))
}

/// The name of the lab's run that a proof is held against.
fn run_of(args: &Args) -> anyhow::Result<String> {
    match (&args.profile, args.controls.as_slice()) {
        (Some(profile), _) => Ok(profile.clone()),
        (None, [control]) => Ok(vedette_range::with_control("playground", control)),
        _ => bail!("--against takes the proof of one --profile or of one --control"),
    }
}

/// Where a run of the lab says otherwise than the proofs, in words.
fn against(file: &Path, profile: &str, proofs: &[StepProof]) -> anyhow::Result<Vec<String>> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let run: serde_json::Value = serde_json::from_str(&text).with_context(|| {
        format!(
            "{} is not what `vedette lab run -o json` prints",
            file.display()
        )
    })?;
    let outcomes = run["steps"]
        .as_array()
        .with_context(|| format!("{} has no `steps`", file.display()))?;
    let mut wrong = Vec::new();
    for proof in proofs {
        let proved = match proof.verdict {
            Verdict::Stopped { .. } => "blocked",
            Verdict::NotStopped => "allowed",
            Verdict::NotReached { .. } => "not_reached",
            Verdict::Unknown { .. } => "unknown",
        };
        let happened = outcomes
            .iter()
            .find(|outcome| outcome["profile"] == profile && outcome["step"] == proof.step)
            .and_then(|outcome| outcome["verdict"].as_str())
            .unwrap_or("not in the run");
        if proved != happened {
            wrong.push(format!(
                "step {}: proved {proved}, happened {happened}",
                proof.step
            ));
        }
    }
    Ok(wrong)
}

/// Steps with what the chosen controls do together and which of them would do alone; then why.
fn table(proofs: &[StepProof]) -> String {
    if proofs.is_empty() {
        return "No step of an attack is in the recording.\n".to_owned();
    }
    let mut table = Table::new(&["STEP", "WHAT", "TOGETHER", "ENOUGH ALONE"]);
    for proof in proofs {
        let enough: Vec<String> = proof
            .controls
            .iter()
            .filter_map(|alone| match alone.verdict {
                Verdict::Stopped { .. } => Some(alone.control.to_owned()),
                Verdict::NotReached { step } => Some(format!("{} (by step {step})", alone.control)),
                Verdict::Unknown { .. } => Some(format!("{}?", alone.control)),
                Verdict::NotStopped => None,
            })
            .collect();
        table.row([
            proof.step.to_string(),
            proof.title.clone(),
            proof.verdict.word().to_owned(),
            enough.join(", "),
        ]);
    }
    let mut out = table.render();
    out.push('\n');
    for proof in proofs {
        let why = match &proof.verdict {
            Verdict::Stopped { by, clause, fact } => format!("stopped by {by}: {clause} ({fact})"),
            Verdict::NotReached { step } => format!("not reached: needs step {step}"),
            Verdict::NotStopped => "not stopped".to_owned(),
            Verdict::Unknown { why } => format!("unknown: {why}"),
        };
        out.push_str(&format!("{:>3}  {}\n", proof.step, visible(&why)));
    }
    out
}

fn list(out: &mut impl Write, output: Listing) -> anyhow::Result<()> {
    match output {
        Listing::Json => {
            let all: Vec<_> = CONTROLS
                .iter()
                .map(|control| json!({"id": control.id, "title": control.title, "setting": control.setting}))
                .collect();
            writeln!(out, "{}", json!(all))?;
        }
        Listing::Table => {
            let mut table = Table::new(&["CONTROL", "WHAT", "SETTING"]);
            for control in CONTROLS {
                table.row([control.id, control.title, control.setting].map(str::to_owned));
            }
            write!(out, "{}", table.render())?;
        }
    }
    Ok(())
}
