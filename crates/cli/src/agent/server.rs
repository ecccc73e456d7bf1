//! Records on their way to the server: through a spool on disk, so that nothing is lost while the server is away or the
//! agent is killed. Records carry ids that the server knows again, so what is sent twice counts once.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value as Json;
use vedette_event::{JsonKeys, Priority, Record};
use vedette_outputs::{Fanout, Filter, Format, Full, Http, Line, Snapshot, Spool};

use super::config::Server;

/// Where the server takes records in.
const INGEST: &str = "/api/v1/ingest";
/// Largest token file that is read, in bytes.
const MAX_TOKEN: usize = 4096;

/// Sends records.
pub(crate) struct Shipper {
    fanout: Fanout,
    failed: u64,
}

impl Shipper {
    /// Opens the spool; what an earlier run left there is sent first.
    pub(crate) fn open(server: &Server) -> anyhow::Result<Self> {
        let token = server.token_file.as_deref().map(read_token).transpose()?;
        let spool = Spool::open(&server.spool, server.spool_bytes)
            .with_context(|| format!("server.spool {}", server.spool.display()))?;
        let url = format!("{}{INGEST}", server.url);
        // a batch of one would be sent as plain JSON
        let http = Http::new(url, server.batch.max(2), true, Some(spool))
            .with_ca(server.ca_file.as_deref())
            .context("server.ca_file")?
            .with_token(token)
            .through_the_spool();
        let mut fanout = Fanout::new(Full::Drop, JsonKeys::default());
        fanout.add(
            "server".to_owned(),
            Filter::default(),
            Format::Json,
            Box::new(http),
        );
        Ok(Self { fanout, failed: 0 })
    }

    /// Puts a record on its way. Never waits; a full queue is counted.
    pub(crate) fn send(&mut self, record: &Record, priority: Priority) {
        match serde_json::to_string(record) {
            Ok(text) => self.fanout.send_line(&Line { text, priority }),
            Err(_) => self.failed += 1,
        }
    }

    /// Counters, as an output's.
    pub(crate) fn snapshot(&self) -> Vec<Snapshot> {
        let mut all = self.fanout.snapshot();
        for one in &mut all {
            one.failed += self.failed;
        }
        all
    }

    /// Puts what is queued into the spool and ends.
    pub(crate) fn finish(self) -> Vec<Snapshot> {
        self.fanout.finish()
    }
}

/// Asks and tells the server what is not a record.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    /// Nothing is asked yet. `timeout` is for one request in all.
    pub(crate) fn new(server: &Server, timeout: Duration) -> anyhow::Result<Self> {
        let tls = vedette_outputs::trust(server.ca_file.as_deref()).context("server.ca_file")?;
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self {
            agent,
            url: format!("{}/api/v1", server.url),
            token: server.token_file.as_deref().map(read_token).transpose()?,
        })
    }

    fn bearer(&self) -> Option<String> {
        self.token.as_ref().map(|token| format!("Bearer {token}"))
    }

    /// The bytes of an answer, at most `most` of them.
    pub(crate) fn get(
        &self,
        path: &str,
        query: &[(&str, &str)],
        most: u64,
    ) -> anyhow::Result<Vec<u8>> {
        let what = || format!("asking {}{path}", self.url);
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in query {
            request = request.query(name, value);
        }
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        let mut answer = request.call().with_context(what)?;
        let body = answer.body_mut().with_config().limit(most);
        body.read_to_vec().with_context(what)
    }

    /// Tells something.
    pub(crate) fn post(&self, path: &str, body: &Json) -> Result<(), ureq::Error> {
        let mut request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        if let Some(bearer) = self.bearer() {
            request = request.header("authorization", bearer);
        }
        request.send(body.to_string()).map(drop)
    }
}

fn read_token(file: &Path) -> anyhow::Result<String> {
    let what = || format!("server.token_file {}", file.display());
    let text = std::fs::read_to_string(file).with_context(what)?;
    let token = text.trim();
    anyhow::ensure!(
        !token.is_empty()
            && token.len() <= MAX_TOKEN
            && token.chars().all(|c| c.is_ascii_graphic()),
        "{}: expected one line with the token that the server gave",
        what()
    );
    Ok(token.to_owned())
}
