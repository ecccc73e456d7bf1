//! The world around the lab's cluster: a download mirror, a host to scan, a mining pool, and the cluster's API server. Each has its own address inside the lab's network; none of them knows a way out.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path};
use std::process::ExitCode;

use crate::http::{self, Answer, Request};
use crate::{cluster, fail};

/// An address and a port.
type Place = ([u8; 4], u16);

/// Files that the mirror hands out.
const MIRROR: &str = "/srv/mirror";
/// Addresses from the ranges that are set aside for documentation (RFC 5737), so that they belong to nobody.
const MIRROR_AT: Place = ([203, 0, 113, 10], 80);
const TARGET_AT: [Place; 2] = [([203, 0, 113, 20], 22), ([203, 0, 113, 20], 80)];
/// What the host that is scanned says first.
const BANNER: &[u8] = b"SSH-2.0-range\r\n";
const POOL_AT: Place = ([198, 51, 100, 7], 3333);
const API_SERVER_AT: Place = ([10, 96, 0, 1], 443);

/// `range-cloud`.
pub(crate) fn run(_: &[String]) -> ExitCode {
    let services: [(Place, fn(&Request) -> Answer); 2] =
        [(MIRROR_AT, mirror), (API_SERVER_AT, cluster::api_server)];
    for (place, handler) in services {
        std::thread::spawn(move || {
            if let Err(error) = http::serve(SocketAddr::from(place), handler) {
                eprintln!("range-cloud: {place:?}: {error}");
            }
        });
    }
    for place in TARGET_AT {
        std::thread::spawn(move || {
            if let Ok(listener) = TcpListener::bind(SocketAddr::from(place)) {
                for mut stream in listener.incoming().flatten() {
                    let _ = stream.write_all(BANNER);
                }
            }
        });
    }
    match TcpListener::bind(SocketAddr::from(POOL_AT)) {
        Ok(listener) => {
            for stream in listener.incoming().flatten() {
                std::thread::spawn(move || pool(&stream));
            }
            ExitCode::SUCCESS
        }
        Err(error) => fail("range-cloud", 1, error),
    }
}

fn mirror(request: &Request) -> Answer {
    let path = Path::new(request.path.trim_start_matches('/'));
    if !path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        return (404, Vec::new());
    }
    match fs::read(Path::new(MIRROR).join(path)) {
        Ok(bytes) => (200, bytes),
        Err(_) => (404, Vec::new()),
    }
}

/// Answers login and submit as a Stratum pool does.
fn pool(stream: &TcpStream) {
    let Ok(mut writer) = stream.try_clone() else {
        return;
    };
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let answer = if line.contains("\"login\"") {
            r#"{"id":1,"jsonrpc":"2.0","error":null,"result":{"id":"range","job":{"blob":"00","job_id":"1","target":"b88d0600","algo":"rx/0"},"status":"OK"}}"#
        } else {
            r#"{"id":2,"jsonrpc":"2.0","error":null,"result":{"status":"OK"}}"#
        };
        if writeln!(writer, "{answer}").is_err() {
            return;
        }
    }
}
