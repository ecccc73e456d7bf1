//! `vedette findings watch`: records as they are made.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use vedette_intake::{
    Health, Journal, Limits, Meta, Patience, Stop, TailOptions, Tailer, Tls, Webhook,
    WebhookOptions,
};
use vedette_outputs::Spec;

use super::super::{exit, say};
use super::pulls::Pulls;
use super::scan::by_name;
use crate::findings::post::{Desk, Post};
use crate::findings::{Engine, Show, reload};
use crate::hostname;

/// Smallest bound of the journal: a few of the largest posts.
const LEAST_JOURNAL_MIB: u64 = 64;

/// Bytes of standard input that are taken in at once.
const PIECE: usize = 1 << 20;

#[derive(clap::Args)]
pub(super) struct Watch {
    /// Directory for what was taken in and not judged yet, and for what was learnt; one running process a directory
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
    /// Serve the API server's audit webhook here, such as 127.0.0.1:9443; paths name the source (/k8s-audit)
    #[arg(long, value_name = "ADDRESS")]
    webhook: Option<SocketAddr>,
    /// Certificate chain of the webhook (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Key of the webhook (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Serve only clients with a certificate of this authority (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// File with the bearer token that posts must carry
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Follow a log file through rotation, or the files of a directory; may be given several times
    #[arg(long, value_name = "PATH")]
    tail: Vec<PathBuf>,
    /// Begin at the end of followed files that were never read before
    #[arg(long)]
    from_end: bool,
    /// Read standard input
    #[arg(long)]
    stdin: bool,
    #[command(flatten)]
    pulls: Pulls,
    /// Source of the records of files, standard input and pulls; told by the records when not given
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    engine: Engine,
    #[command(flatten)]
    show: Show,
    /// Tell findings that suppression rules put aside too
    #[arg(long)]
    archived: bool,
    /// Also send findings here; forms as with `vedette replay`
    #[arg(long, value_name = "OUTPUT")]
    to: Vec<Spec>,
    /// Print no findings on standard output
    #[arg(short, long)]
    quiet: bool,
    /// Load address lists again every so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    reload_lists: u64,
    /// Most megabytes that may wait on disk to be judged
    #[arg(long, value_name = "MIB", default_value_t = 1024)]
    journal_mib: u64,
    /// Stop after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
}

/// Runs the subcommand.
pub(super) fn run(args: &Watch) -> anyhow::Result<ExitCode> {
    if let Some(name) = &args.source {
        by_name(name)?;
    }
    ensure!(
        args.webhook.is_some() || !args.tail.is_empty() || args.stdin || args.pulls.any(),
        "nothing to watch: give --webhook, --tail, --stdin, --sqs or --log-group"
    );
    ensure!(
        args.journal_mib >= LEAST_JOURNAL_MIB,
        "--journal-mib: expected at least {LEAST_JOURNAL_MIB}"
    );
    let webhook = webhook_options(args)?;
    let hostname: Arc<str> = hostname::current().into();
    let Some(judge) = args.engine.judge(&hostname)? else {
        return Ok(ExitCode::from(exit::USAGE));
    };
    let limits = Limits {
        total: args.journal_mib << 20,
        ..Limits::default()
    };
    let journal = match Journal::open(&args.state, limits) {
        Ok(journal) => journal,
        Err(error) => bail!(
            "state directory {}: {:#}",
            args.state.display(),
            anyhow::Error::new(error)
        ),
    };
    let health = Health::new();
    let post = Post::open(&args.to, args.show, args.quiet, args.archived)?;
    let mut desk = Desk::open(
        &args.state,
        journal.clone(),
        judge,
        post,
        health.clone(),
        &hostname,
    )?;
    // What came before a crash is judged first, so that every source knows where it goes on.
    desk.catch_up()?;
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&flag)).context("listening for signals")?;
    }
    let stop = Stop::from_flag(flag);
    let webhook = start_webhook(args, webhook, &journal, &health, &stop)?;
    let mut threads = start_files(args, &journal, &health, &stop, desk.sources())?;
    threads.extend(args.pulls.start(
        args.source.as_deref(),
        &journal,
        &health,
        &stop,
        desk.sources(),
    )?);

    let deadline = args
        .seconds
        .map(|n| Instant::now() + Duration::from_secs(n));
    let mut lists_due = Instant::now() + Duration::from_secs(args.reload_lists.max(1));
    let only_stdin = args.stdin && webhook.is_none() && args.tail.is_empty() && !args.pulls.any();
    while !stop.is_set() {
        let more = desk.work(&stop)?;
        let now = Instant::now();
        if deadline.is_some_and(|deadline| now >= deadline) {
            break;
        }
        if only_stdin && !more && threads.iter().all(JoinHandle::is_finished) {
            desk.work(&stop)?;
            break;
        }
        if now >= lists_due && !args.engine.lists().is_empty() {
            lists_due = now + Duration::from_secs(args.reload_lists.max(1));
            match reload(&args.engine.lists()) {
                Ok(lists) => desk.set_lists(lists),
                // The lists at work stay at work.
                Err(error) => say(&format!("{error:#}; the lists stay as they were"))?,
            }
        }
    }
    stop.stop();
    if let Some(webhook) = webhook {
        webhook.join();
    }
    for thread in threads {
        // Standard input may have nothing to say for ever.
        if !args.stdin || thread.is_finished() {
            let _ = thread.join();
        }
    }
    desk.finish()?;
    Ok(ExitCode::SUCCESS)
}

fn webhook_options(args: &Watch) -> anyhow::Result<WebhookOptions> {
    let token = match &args.token_file {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            let token = text.trim().to_owned();
            ensure!(!token.is_empty(), "{} holds no token", path.display());
            Some(token)
        }
        None => None,
    };
    if let Some(address) = args.webhook
        && !address.ip().is_loopback()
        && token.is_none()
        && args.client_ca.is_none()
    {
        bail!(
            "--webhook {address}: who reaches this address could post made-up records; give --token-file or --client-ca, or listen on a loopback address"
        );
    }
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(
            Tls::from_files(certificate, key, args.client_ca.as_deref())
                .context("TLS of the webhook")?,
        ),
        _ => None,
    };
    Ok(WebhookOptions {
        tls,
        token,
        patience: Patience::default(),
    })
}

fn start_webhook(
    args: &Watch,
    options: WebhookOptions,
    journal: &Journal,
    health: &Health,
    stop: &Stop,
) -> anyhow::Result<Option<Webhook>> {
    let Some(address) = args.webhook else {
        return Ok(None);
    };
    let scheme = if options.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let webhook = Webhook::start(
        address,
        options,
        journal.clone(),
        health.clone(),
        stop.clone(),
    )
    .with_context(|| format!("listening on {address}"))?;
    say(&format!(
        "webhook listening on {scheme}://{}/k8s-audit",
        webhook.address()
    ))?;
    Ok(Some(webhook))
}

fn start_files(
    args: &Watch,
    journal: &Journal,
    health: &Health,
    stop: &Stop,
    sources: &BTreeMap<String, Value>,
) -> anyhow::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for path in &args.tail {
        let options = TailOptions {
            source: args.source.clone(),
            from_end: args.from_end,
            ..TailOptions::default()
        };
        let path = std::path::absolute(path).context("finding the path of a followed file")?;
        let tailer = Tailer::new(path, options, sources);
        let (journal, health, stop) = (journal.clone(), health.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("tail".to_owned())
            .spawn(move || tailer.run(&journal, &health, &stop))
            .context("starting a thread")?;
        threads.push(thread);
    }
    if args.stdin {
        let (journal, health, stop) = (journal.clone(), health.clone(), stop.clone());
        let source = args.source.clone();
        let thread = std::thread::Builder::new()
            .name("stdin".to_owned())
            .spawn(move || read_stdin(source, &journal, &health, &stop))
            .context("starting a thread")?;
        threads.push(thread);
    }
    Ok(threads)
}

/// Takes standard input in, whole lines at a time; a line that is larger than a piece goes together with the next.
fn read_stdin(source: Option<String>, journal: &Journal, health: &Health, stop: &Stop) {
    /// Pause before the journal is asked again when it has no room.
    const PAUSE: Duration = Duration::from_secs(1);
    let meta = Meta {
        origin: "stdin".to_owned(),
        source,
        ..Meta::default()
    };
    let mut input = std::io::stdin().lock();
    let mut held = Vec::new();
    let mut piece = vec![0; PIECE];
    let mut last = false;
    while !last && !stop.is_set() {
        match input.read(&mut piece) {
            Ok(size) => {
                last = size == 0;
                held.extend_from_slice(&piece[..size]);
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                health.note("stdin", Some(error.to_string()));
                last = true;
            }
        }
        let end = match held.iter().rposition(|byte| *byte == b'\n') {
            Some(at) if !last => at + 1,
            None if !last => continue,
            _ => held.len(),
        };
        while end > 0 && !stop.is_set() {
            match journal.append(&meta, &held[..end]) {
                Ok(_) => break,
                Err(error) => {
                    health.note("stdin", Some(error.to_string()));
                    stop.wait(PAUSE);
                }
            }
        }
        held.drain(..end);
    }
}
