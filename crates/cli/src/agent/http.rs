//! `/metrics` and `/healthz`: a small HTTP/1.1 server that answers two paths and nothing else.
//!
//! It needs no library: requests have no body, answers are short, each connection carries one request and is bounded in
//! size and time, and few are served at once.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;

use super::figures::Board;

/// Connections served at once; one more is closed at once. Scrapers and probes come one at a time.
const MAX_CONNECTIONS: usize = 8;
/// Longest request head that is read.
const MAX_HEAD: usize = 8 * 1024;
/// Time a connection may take in all.
const PATIENCE: Duration = Duration::from_secs(5);
/// Age of the published figures above which the event loop counts as stuck.
const STUCK: Duration = Duration::from_secs(10);

/// Listens on `address`.
pub(crate) fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).with_context(|| format!("metrics.listen {address}"))
}

/// Answers from the board, on threads of its own.
pub(crate) fn start(listener: TcpListener, board: Board) -> anyhow::Result<()> {
    std::thread::Builder::new()
        .name("metrics".to_owned())
        .spawn(move || serve(&listener, &board))
        .context("starting a thread")?;
    Ok(())
}

fn serve(listener: &TcpListener, board: &Board) {
    let open = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // out of descriptors, for example: others may be closed in the meantime
            std::thread::sleep(Duration::from_millis(100));
            continue;
        };
        if open.load(Relaxed) >= MAX_CONNECTIONS {
            continue;
        }
        open.fetch_add(1, Relaxed);
        let (board, open) = (Arc::clone(board), Arc::clone(&open));
        let ended = Arc::clone(&open);
        let spawned = std::thread::Builder::new()
            .name("metrics answer".to_owned())
            .spawn(move || {
                // the other side's failures are its own
                let _ = answer(stream, &board);
                open.fetch_sub(1, Relaxed);
            });
        if spawned.is_err() {
            ended.fetch_sub(1, Relaxed);
        }
    }
}

fn answer(mut stream: TcpStream, board: &Board) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut head = Vec::new();
    let mut room = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut room)? {
            0 => return Ok(()),
            n => head.extend_from_slice(&room[..n]),
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (method, target) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let (status, kind, body) = respond(method, target, board);
    let length = body.len();
    let body = if method == "HEAD" { "" } else { &body };
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

fn respond(method: &str, target: &str, board: &Board) -> (&'static str, &'static str, String) {
    const TEXT: &str = "text/plain; charset=utf-8";
    const JSON: &str = "application/json";
    if !matches!(method, "GET" | "HEAD") {
        return ("405 Method Not Allowed", TEXT, "only GET\n".to_owned());
    }
    let Ok(published) = board.lock().map(|board| Arc::clone(&board)) else {
        return ("500 Internal Server Error", TEXT, String::new());
    };
    let path = target.split('?').next().unwrap_or_default();
    match path {
        "/metrics" => (
            "200 OK",
            "text/plain; version=0.0.4; charset=utf-8",
            published.text.clone(),
        ),
        "/healthz" => {
            let age = published.at.elapsed();
            let unwell = if age > STUCK {
                Some(format!(
                    "no event was handled for {} seconds",
                    age.as_secs()
                ))
            } else {
                published.unwell.clone()
            };
            match unwell {
                None => ("200 OK", JSON, "{\"status\":\"ok\"}\n".to_owned()),
                Some(reason) => {
                    let mut body = String::from("{\"status\":\"unwell\",\"reason\":");
                    vedette_event::json_string(&reason, &mut body);
                    body.push_str("}\n");
                    ("503 Service Unavailable", JSON, body)
                }
            }
        }
        _ => (
            "404 Not Found",
            TEXT,
            "there are /metrics and /healthz\n".to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::{self, Published};
    use super::*;

    fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("it listens");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn two_paths_are_answered_and_nothing_else() {
        let board = figures::board();
        let any = "127.0.0.1:0".parse().expect("an address");
        let listener = listen(any).expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        start(listener, Arc::clone(&board)).expect("threads can be started");
        let health = ask(address, "GET /healthz HTTP/1.1\r\n\r\n");
        assert!(
            health.starts_with("HTTP/1.1 503 ") && health.contains("not attached yet"),
            "{health}"
        );
        *board.lock().expect("not poisoned") = Arc::new(Published {
            text: "m 1\n".to_owned(),
            unwell: None,
            at: Instant::now(),
        });
        for (request, status, body) in [
            (
                "GET /healthz HTTP/1.1\r\n\r\n",
                "200",
                "{\"status\":\"ok\"}\n",
            ),
            (
                "GET /metrics?x HTTP/1.0\r\nA: b\r\n\r\n",
                "200",
                "\r\n\r\nm 1\n",
            ),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", "200", "close\r\n\r\n"),
            ("GET / HTTP/1.1\r\n\r\n", "404", "there are"),
            ("POST /metrics HTTP/1.1\r\n\r\n", "405", "only GET"),
        ] {
            let answer = ask(address, request);
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")) && answer.contains(body),
                "{request}: {answer}"
            );
        }
        // too long a head is no request
        assert_eq!(ask(address, &"x".repeat(3 * MAX_HEAD)), "");
    }
}
