//! Records on their way to the server: through a spool on disk, so that nothing is lost while the server is away or the
//! agent is killed. Records carry ids that the server knows again, so what is sent twice counts once.

use std::path::Path;

use anyhow::Context;
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
