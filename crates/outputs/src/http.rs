//! HTTP(S): alerts as POST requests, retried with growing pauses, put into a spool on disk while nobody answers.
//!
//! With a batch of one, each request is what Falco's `http_output` sends, so falcosidekick accepts it; larger batches are
//! sent as JSON lines (`application/x-ndjson`).

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Failure, Line, Output, Spool, trust};

/// Tries of one delivery before the lines go to the spool (or fail, without one).
const TRIES: u32 = 3;
/// Pause before the second try; doubled before each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Time one request may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);
/// While the other side is away, it is asked again no more often than this.
const AWAY: Duration = Duration::from_secs(5);

/// Shortest time between two deliveries through the spool: under load more lines go into one request, and a server that
/// limits requests is not run into. Nobody notices 25 ms.
const PACE: Duration = Duration::from_millis(25);

/// Posts lines to a URL.
#[derive(Debug)]
pub struct Http {
    agent: ureq::Agent,
    url: String,
    content_type: &'static str,
    batch: usize,
    spool: Option<Spool>,
    away_until: Option<Instant>,
    /// When lines last went from the spool.
    posted: Option<Instant>,
    lost: u64,
    token: Option<String>,
    spool_first: bool,
}

/// Whether the other side would refuse the same request again. It would not where it asks for another token, another
/// address or more patience: that may be mended while the lines wait.
fn is_final(failure: &ureq::Error) -> bool {
    matches!(failure, ureq::Error::StatusCode(status @ 400..=499) if !matches!(status, 401 | 403 | 404 | 408 | 425 | 429))
}

fn client(tls: ureq::tls::TlsConfig) -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build()
        .new_agent()
}

/// A failed request.
struct Refusal {
    failure: Failure,
    /// Another try would end the same.
    is_final: bool,
}

impl Http {
    /// `batch` lines go into one request; `json` says what they are. With a spool nothing is lost while the other side is
    /// away, up to the spool's size.
    pub fn new(url: String, batch: usize, json: bool, spool: Option<Spool>) -> Self {
        let agent = client(ureq::tls::TlsConfig::default());
        let batch = batch.max(1);
        let content_type = match (json, batch) {
            (true, 1) => "application/json",
            (true, _) => "application/x-ndjson",
            (false, _) => "text/plain; charset=utf-8",
        };
        Self {
            agent,
            url,
            content_type,
            batch,
            spool,
            away_until: None,
            posted: None,
            lost: 0,
            token: None,
            spool_first: false,
        }
    }

    /// Sends this token with every request (`Authorization: Bearer`).
    #[must_use]
    pub fn with_token(mut self, token: Option<String>) -> Self {
        self.token = token;
        self
    }

    /// Trusts the authorities of this PEM file and no others.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub fn with_ca(mut self, ca: Option<&Path>) -> Result<Self, Failure> {
        self.agent = client(trust(ca)?);
        Ok(self)
    }

    /// Puts every line into the spool before it is sent, so that a line survives this process from then on. Without a
    /// spool this changes nothing.
    #[must_use]
    pub fn through_the_spool(mut self) -> Self {
        self.spool_first = true;
        self
    }

    fn post(&self, body: &str) -> Result<(), Refusal> {
        let mut request = self
            .agent
            .post(&self.url)
            .header("Content-Type", self.content_type);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let Err(error) = request.send(body) else {
            return Ok(());
        };
        let is_final = is_final(&error);
        let what = format!("posting to {}", self.url);
        let failure = match error {
            ureq::Error::Io(source) => Failure::Io { what, source },
            error => Failure::Refused(format!("{what}: {error}")),
        };
        Err(Refusal { failure, is_final })
    }

    fn post_with_retries(&mut self, body: &str) -> Result<(), Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..TRIES {
            match self.post(body) {
                Ok(()) => return Ok(()),
                Err(refusal) if refusal.is_final => return Err(refusal.failure),
                Err(_) => thread::sleep(pause),
            }
            pause *= 2;
        }
        self.post(body).map_err(|refusal| refusal.failure)
    }

    fn away(&self) -> bool {
        self.away_until.is_some_and(|until| Instant::now() < until)
    }

    /// Sends what waits in the spool, oldest first, until it is empty or the other side fails.
    fn drain(&mut self) -> Result<(), Failure> {
        let mut batch = self.batch;
        let mut given_up = Ok(());
        loop {
            let Some(spool) = &mut self.spool else {
                return Ok(());
            };
            if spool.is_empty() {
                return given_up;
            }
            let (lines, mark) = spool.peek(batch)?;
            if lines.is_empty() {
                return given_up;
            }
            match self.post(&lines.join("\n")) {
                Ok(()) => batch = self.batch,
                // One bad line must not keep all others waiting for ever: find it, and go on without it.
                Err(refusal) if refusal.is_final && lines.len() > 1 => {
                    batch = lines.len() / 2;
                    continue;
                }
                Err(refusal) if refusal.is_final => {
                    self.lost += 1;
                    given_up = Err(refusal.failure);
                    batch = self.batch;
                }
                Err(refusal) => {
                    self.away_until = Some(Instant::now() + AWAY);
                    return Err(refusal.failure);
                }
            }
            if let Some(spool) = &mut self.spool {
                spool.delivered(lines.len(), mark)?;
            }
        }
    }
}

impl Output for Http {
    fn batch(&self) -> usize {
        self.batch
    }

    fn deliver(&mut self, lines: &[Line]) -> Result<(), Failure> {
        if self.spool_first
            && let Some(spool) = &mut self.spool
        {
            spool.push(lines.iter().map(|line| line.text.as_str()))?;
            // in the spool they count as delivered; what becomes of them there is counted apart
            let since = self.posted.map_or(PACE, |posted| posted.elapsed());
            thread::sleep(PACE.saturating_sub(since));
            self.posted = Some(Instant::now());
            return if self.away() {
                Ok(())
            } else {
                self.drain().or(Ok(()))
            };
        }
        let body = lines
            .iter()
            .map(|line| line.text.as_str())
            .collect::<Vec<_>>()
            .join("\n");
        let waiting = self.spool.as_ref().is_some_and(|spool| !spool.is_empty());
        // Order is kept: while older lines wait in the spool, newer ones queue behind them.
        let failure = if self.away() || (waiting && self.drain().is_err()) {
            None
        } else {
            match self.post_with_retries(&body) {
                Ok(()) => return Ok(()),
                Err(failure) => Some(failure),
            }
        };
        if failure.is_some() {
            self.away_until = Some(Instant::now() + AWAY);
        }
        match (&mut self.spool, failure) {
            (Some(spool), _) => spool.push(lines.iter().map(|line| line.text.as_str())),
            (None, failure) => {
                self.lost += lines.len() as u64;
                Err(failure.unwrap_or_else(|| Failure::Refused(format!("{} is away", self.url))))
            }
        }
    }

    fn idle(&mut self) -> Result<(), Failure> {
        if self.away() { Ok(()) } else { self.drain() }
    }

    fn put_aside(&self) -> (u64, u64) {
        let spool = self.spool.as_ref();
        (
            spool.map_or(0, Spool::len),
            spool.map_or(0, Spool::dropped) + self.lost,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use vedette_event::Priority;

    /// Answers each request with the next status and hands out what was posted; ends with its listener's last status.
    fn server(listener: TcpListener, statuses: Vec<u16>) -> mpsc::Receiver<(String, String)> {
        let (send, received) = mpsc::channel();
        thread::spawn(move || {
            for status in statuses {
                let Ok((stream, _)) = listener.accept() else {
                    return;
                };
                let mut reader = BufReader::new(stream);
                let (mut length, mut kind) = (0, String::new());
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    let lower = line.to_ascii_lowercase();
                    if let Some(value) = lower.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if let Some(value) = lower.strip_prefix("content-type:") {
                        kind = value.trim().to_owned();
                    }
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                reader.get_mut().write_all(answer.as_bytes()).unwrap();
                let _ = send.send((kind, String::from_utf8(body).unwrap()));
            }
        });
        received
    }

    fn lines(texts: &[&str]) -> Vec<Line> {
        texts
            .iter()
            .map(|text| Line {
                text: (*text).to_owned(),
                priority: Priority::Error,
            })
            .collect()
    }

    #[test]
    fn one_alert_a_request_as_falco_sends_it_and_errors_are_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let received = server(listener, vec![503, 200]);
        let mut output = Http::new(url, 1, true, None);
        output.deliver(&lines(&["{}"])).unwrap();
        let all: Vec<_> = received.iter().take(2).collect();
        let wanted = ("application/json".to_owned(), "{}".to_owned());
        assert_eq!(all, [wanted.clone(), wanted]);
    }

    #[test]
    fn what_could_not_be_sent_waits_in_the_spool_and_goes_first() {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut output = Http::new(format!("http://{address}/"), 2, true, Some(spool));
        output.deliver(&lines(&["1", "2"])).unwrap();
        assert_eq!(output.put_aside(), (2, 0));
        let received = server(TcpListener::bind(address).unwrap(), vec![200, 200]);
        output.away_until = None;
        output.deliver(&lines(&["3"])).unwrap();
        let bodies: Vec<_> = received.iter().take(2).map(|(_, body)| body).collect();
        assert_eq!(bodies, ["1\n2", "3"]);
        assert_eq!(output.put_aside(), (0, 0));
    }

    #[test]
    fn through_the_spool_one_bad_line_goes_and_the_others_arrive() {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        // all four, the first half, the second half, its first line, its second line, one more
        let received = server(listener, vec![400, 200, 400, 400, 200, 200]);
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut output = Http::new(url, 4, true, Some(spool))
            .with_token(Some("t0ken".to_owned()))
            .through_the_spool();
        output.deliver(&lines(&["1", "2", "bad", "4"])).unwrap();
        output.deliver(&lines(&["5"])).unwrap();
        let bodies: Vec<_> = received.iter().take(6).map(|(_, body)| body).collect();
        assert_eq!(bodies, ["1\n2\nbad\n4", "1\n2", "bad\n4", "bad", "4", "5"]);
        assert_eq!(output.put_aside(), (0, 1));
    }

    #[test]
    fn a_refused_token_keeps_the_lines() {
        let dir = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let received = server(listener, vec![401, 200]);
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut output = Http::new(url, 4, true, Some(spool)).through_the_spool();
        output.deliver(&lines(&["1"])).unwrap();
        assert_eq!(output.put_aside(), (1, 0));
        output.away_until = None;
        output.idle().unwrap();
        assert_eq!(received.iter().take(2).count(), 2);
        assert_eq!(output.put_aside(), (0, 0));
    }

    #[test]
    fn without_a_spool_a_loss_is_said_and_counted() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let mut output = Http::new(url, 1, true, None);
        assert!(output.deliver(&lines(&["x"])).is_err());
        assert_eq!(output.put_aside(), (0, 1));
    }
}
