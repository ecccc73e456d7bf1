//! The pulls of `vedette findings watch`: S3 through SQS, and CloudWatch Logs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use serde_json::Value;
use vedette_intake::aws::{AwsError, Client, Endpoint, LogGroup, Queue};
use vedette_intake::{Health, Journal, Stop};

use super::super::say;

/// Pause between two looks at a log group that had nothing new.
const PAUSE: Duration = Duration::from_secs(5);
/// Longest pause after failures in a row.
const LONGEST: Duration = Duration::from_mins(2);

/// What to pull.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Pulls {
    /// Take in the files in S3 that this SQS queue announces; may be given several times
    #[arg(long, value_name = "URL")]
    sqs: Vec<String>,
    /// Take in the events of this CloudWatch Logs group, as NAME or NAME,STREAM_PREFIX
    #[arg(long, value_name = "GROUP")]
    log_group: Vec<String>,
    /// Begin so many minutes back with log groups that were never read before
    #[arg(long, value_name = "N", default_value_t = 60)]
    since_minutes: u64,
    /// Region of queues and log groups; the variable AWS_REGION when not given
    #[arg(long, value_name = "REGION")]
    aws_region: Option<String>,
    /// Address of a stand-in for AWS
    #[arg(long, value_name = "URL")]
    aws_endpoint: Option<String>,
}

impl Pulls {
    /// True when there is something to pull.
    pub(super) fn any(&self) -> bool {
        !self.sqs.is_empty() || !self.log_group.is_empty()
    }

    /// Begins to pull, each on a thread of its own.
    pub(super) fn start(
        &self,
        source: Option<&str>,
        journal: &Journal,
        health: &Health,
        stop: &Stop,
        positions: &BTreeMap<String, Value>,
    ) -> anyhow::Result<Vec<JoinHandle<()>>> {
        if !self.any() {
            return Ok(Vec::new());
        }
        let region = self
            .aws_region
            .clone()
            .or_else(|| std::env::var("AWS_REGION").ok())
            .or_else(|| std::env::var("AWS_DEFAULT_REGION").ok())
            .context("which region? give --aws-region or set AWS_REGION")?;
        let client = Arc::new(Client::new(Endpoint {
            region,
            address: self.aws_endpoint.clone(),
        }));
        let source = source.map(str::to_owned);
        let mut threads = Vec::new();
        for address in &self.sqs {
            let name = format!("sqs {address}");
            let mut queue = Queue::new(address, source.clone(), positions.get(&name));
            let (client, journal) = (Arc::clone(&client), journal.clone());
            let look = move |stop: &Stop| queue.pull(&client, &journal, stop);
            // A long poll waits by itself.
            threads.push(spawn(name, Duration::ZERO, look, health, stop)?);
        }
        for group in &self.log_group {
            let (name, streams) = match group.split_once(',') {
                Some((name, streams)) => (name, Some(streams.to_owned())),
                None => (group.as_str(), None),
            };
            let now = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |time| time.as_millis() as u64);
            let since = now.saturating_sub(self.since_minutes * 60_000);
            let origin = format!("logs {name}");
            let mut group =
                LogGroup::new(name, streams, source.clone(), since, positions.get(&origin));
            let (client, journal) = (Arc::clone(&client), journal.clone());
            let look = move |stop: &Stop| group.pull(&client, &journal, stop);
            threads.push(spawn(origin, PAUSE, look, health, stop)?);
        }
        Ok(threads)
    }
}

/// Looks again and again, slower while it fails.
fn spawn(
    name: String,
    pause: Duration,
    mut look: impl FnMut(&Stop) -> Result<u64, AwsError> + Send + 'static,
    health: &Health,
    stop: &Stop,
) -> anyhow::Result<JoinHandle<()>> {
    let (health, stop) = (health.clone(), stop.clone());
    let thread = std::thread::Builder::new().name("pull".to_owned());
    let run = move || {
        let mut failures = 0;
        while !stop.is_set() {
            match look(&stop) {
                Ok(got) => {
                    failures = 0;
                    health.note(&name, None);
                    if got == 0 {
                        stop.wait(pause);
                    }
                }
                Err(error) => {
                    let wrong = format!("{:#}", anyhow::Error::new(error));
                    if health.note(&name, Some(wrong.clone())) {
                        let _ = say(&format!("{name}: {wrong}"));
                    }
                    stop.wait(Duration::from_secs(1 << failures).min(LONGEST));
                    failures = (failures + 1).min(7);
                }
            }
        }
    };
    thread.spawn(run).context("starting a thread")
}
