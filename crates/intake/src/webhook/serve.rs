//! One connection: requests one after the other until either side has had enough.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rustls::{ServerConnection, StreamOwned};
use sha2::{Digest, Sha256};
use vedette_audit::Source;

use super::guard::{Place, Share};
use super::http::{Framing, Head, Incoming, Timed, Wrong, answer};
use super::{MAX_BODY, Shared};
use crate::journal::JournalError;
use crate::source::{Meta, now};

/// How long an answer may take to be taken.
const ANSWER: Duration = Duration::from_secs(10);

/// What is sent to a client that asks before it sends its body.
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Either kind of stream, with access to its deadline.
trait Stream: Read + Write {
    fn allow(&mut self, time: Duration);
}

impl Stream for Timed {
    fn allow(&mut self, time: Duration) {
        Timed::allow(self, time);
    }
}

impl Stream for StreamOwned<ServerConnection, Timed> {
    fn allow(&mut self, time: Duration) {
        self.sock.allow(time);
    }
}

/// Serves a connection to its end.
pub(super) fn serve(shared: &Shared, stream: TcpStream, place: Place) {
    let _ = stream.set_nodelay(true);
    let timed = Timed::new(stream, shared.patience.head);
    match &shared.tls {
        None => requests(shared, timed, &place),
        Some(tls) => {
            if let Ok(session) = ServerConnection::new(std::sync::Arc::clone(&tls.0)) {
                requests(shared, StreamOwned::new(session, timed), &place);
            }
        }
    }
    drop(place);
}

fn requests(shared: &Shared, mut stream: impl Stream, place: &Place) {
    let mut incoming = Incoming::default();
    let mut first = true;
    while !shared.stop.is_set() {
        if incoming.is_empty() {
            let wait = if first {
                shared.patience.head
            } else {
                shared.patience.idle
            };
            stream.allow(wait);
            if incoming.begin(&mut stream).is_err() {
                return;
            }
        }
        first = false;
        stream.allow(shared.patience.head);
        let outcome = incoming
            .head(&mut stream)
            .and_then(|head| request(shared, &mut stream, &mut incoming, &head, place));
        let (status, text, close) = match outcome {
            Ok((status, text, close)) => (status, text, close),
            Err(Wrong::Gone) => return,
            Err(Wrong::Status(status, text)) => {
                let counter = if status == 503 {
                    &shared.stats.unstored
                } else {
                    &shared.stats.refused
                };
                counter.fetch_add(1, Relaxed);
                (status, text.to_owned(), true)
            }
        };
        stream.allow(ANSWER);
        let sent = answer(&mut stream, status, &text, close);
        place.note(false, false);
        if sent.is_ok() && close && status >= 400 {
            linger(&mut stream);
        }
        if sent.is_err() || close {
            return;
        }
    }
}

/// Takes what a refused client is still sending, for a moment: closing at once would throw the answer away with it.
fn linger(stream: &mut impl Stream) {
    /// How long, and how much.
    const WHILE: Duration = Duration::from_secs(2);
    const MOST: usize = 64 << 20;
    stream.allow(WHILE);
    let mut room = [0; 16 << 10];
    let mut taken = 0;
    while let Ok(size) = stream.read(&mut room) {
        taken += size;
        if size == 0 || taken > MOST {
            return;
        }
    }
}

type Answer = (u16, String, bool);

fn request(
    shared: &Shared,
    stream: &mut impl Stream,
    incoming: &mut Incoming,
    head: &Head,
    place: &Place,
) -> Result<Answer, Wrong> {
    if head.method == "GET" || head.method == "HEAD" {
        return if head.framing == Framing::None {
            Ok(get(shared, head))
        } else {
            Err(Wrong::Status(400, "a request to read has no body"))
        };
    }
    if head.method != "POST" {
        return Err(Wrong::Status(405, "records are posted"));
    }
    // Who has no right to post does not get to send a body.
    if !allowed(shared, head) {
        return Err(Wrong::Status(401, "the bearer token is missing or wrong"));
    }
    let source = match path(&head.path) {
        Path::Of(source) => Some(source),
        Path::Any => None,
        Path::Unknown => {
            return Err(Wrong::Status(
                404,
                "expected /k8s-audit, or a path that names another source",
            ));
        }
    };
    place.note(true, true);
    if head.expects {
        stream.write_all(GO_ON)?;
        stream.flush()?;
    }
    stream.allow(shared.patience.body);
    let mut share: Share = shared.budget.share();
    let mut body = incoming.body(stream, head.framing, MAX_BODY, |bytes| share.grow(bytes))?;
    if head.gzip {
        body = unpack(&body, &mut share)?;
    }
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if !matches!(first, Some(b'{' | b'[')) {
        return Err(Wrong::Status(400, "expected JSON"));
    }
    let meta = Meta {
        origin: "webhook".to_owned(),
        source: source.map(|source| source.name().to_owned()),
        arrival: now(),
        position: None,
    };
    let stored = shared.journal.append(&meta, &body);
    let close = head.close || shared.stop.is_set();
    let wrong = stored.as_ref().err().map(said);
    shared.health.note("webhook", wrong.clone());
    match stored {
        Ok(_) => {
            shared.stats.accepted.fetch_add(1, Relaxed);
            shared.stats.bytes.fetch_add(body.len() as u64, Relaxed);
            Ok((200, "taken".to_owned(), close))
        }
        Err(error) => {
            shared.stats.unstored.fetch_add(1, Relaxed);
            let status = match error {
                JournalError::Io { .. } => 507,
                JournalError::Full(_) | JournalError::TooLarge(_) | JournalError::InUse(_) => 503,
            };
            Ok((status, wrong.unwrap_or_default(), close))
        }
    }
}

/// An error with its causes.
fn said(error: &JournalError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

fn get(shared: &Shared, head: &Head) -> Answer {
    match head.path.as_str() {
        "/healthz" | "/readyz" | "/livez" => {
            let wrongs = shared.health.wrongs();
            if wrongs.is_empty() {
                return (200, "ok".to_owned(), head.close);
            }
            let text: Vec<String> = wrongs.iter().map(|(k, v)| format!("{k}: {v}")).collect();
            (503, text.join("\n"), head.close)
        }
        "/metrics" => (200, metrics(shared), head.close),
        _ => (404, "expected /healthz or /metrics".to_owned(), head.close),
    }
}

fn metrics(shared: &Shared) -> String {
    let stats = &shared.stats;
    [
        ("connections_total", stats.connections.load(Relaxed)),
        ("displaced_total", stats.displaced.load(Relaxed)),
        ("accepted_total", stats.accepted.load(Relaxed)),
        ("accepted_bytes_total", stats.bytes.load(Relaxed)),
        ("refused_total", stats.refused.load(Relaxed)),
        ("unstored_total", stats.unstored.load(Relaxed)),
        ("journal_bytes", shared.journal.size()),
    ]
    .iter()
    .map(|(name, value)| format!("vedette_webhook_{name} {value}"))
    .collect::<Vec<_>>()
    .join("\n")
}

fn allowed(shared: &Shared, head: &Head) -> bool {
    match (&shared.token, &head.bearer) {
        (None, _) => true,
        (Some(token), Some(given)) => {
            let given: [u8; 32] = Sha256::digest(given).into();
            *token == given
        }
        (Some(_), None) => false,
    }
}

/// What a path says about the records that are posted to it.
enum Path {
    /// They are of this source.
    Of(Source),
    /// Nothing: the records say it.
    Any,
    /// It is none of ours.
    Unknown,
}

fn path(path: &str) -> Path {
    let name = path.trim_matches('/').replace('-', "_");
    match name.as_str() {
        "" | "audit" | "logs" | "webhook" => Path::Any,
        name => Source::by_name(name).map_or(Path::Unknown, Path::Of),
    }
}

/// Undoes gzip, to at most the size of a body.
fn unpack(packed: &[u8], share: &mut Share) -> Result<Vec<u8>, Wrong> {
    const PIECE: usize = 64 << 10;
    let mut decoder = flate2::read::MultiGzDecoder::new(packed);
    let mut body = Vec::new();
    let mut piece = vec![0; PIECE];
    loop {
        let size = decoder
            .read(&mut piece)
            .map_err(|_| Wrong::Status(400, "the body is not gzip"))?;
        if size == 0 {
            return Ok(body);
        }
        if body.len() + size > MAX_BODY {
            return Err(Wrong::Status(413, "the unpacked body is too large"));
        }
        if !share.grow(size) {
            return Err(Wrong::Status(
                503,
                "too much is being taken in at the moment",
            ));
        }
        body.extend_from_slice(&piece[..size]);
    }
}
