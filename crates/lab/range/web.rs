//! The web services: the vulnerable one, and the one that says hello.

use std::fs;
use std::net::SocketAddr;
use std::process::{Command, ExitCode};

use crate::database;
use crate::fail;
use crate::http::{self, Answer, Request};

/// Port of both services.
const PORT: u16 = 8080;

/// The vulnerable service. `GET /PATH` reads a file, `POST /PATH` writes one, `POST /exec` runs a command in a shell and
/// hides how it ended, `GET /health` is for probes.
pub(crate) fn gunicorn(_: &[String]) -> ExitCode {
    match http::serve(SocketAddr::from(([0, 0, 0, 0], PORT)), vulnerable) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("gunicorn", 1, error),
    }
}

fn vulnerable(request: &Request) -> Answer {
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/health") => (200, b"OK".to_vec()),
        ("POST", "/exec") => {
            let command = request.value("command").unwrap_or_default();
            match Command::new("/bin/sh").arg("-c").arg(command).output() {
                Ok(output) => (200, output.stdout),
                Err(_) => (500, Vec::new()),
            }
        }
        ("GET", path) => match fs::read_to_string(path) {
            Ok(text) => (200, text.into_bytes()),
            Err(error) => (500, error.to_string().into_bytes()),
        },
        ("POST", path) => {
            let content = request.value("content").unwrap_or_default();
            match fs::write(path, &content) {
                Ok(()) => (200, content.into_bytes()),
                Err(error) => (500, error.to_string().into_bytes()),
            }
        }
        _ => (404, Vec::new()),
    }
}

/// The service that says hello, and asks the database on its way.
pub(crate) fn hello_server(_: &[String]) -> ExitCode {
    let name = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let serving = http::serve(
        SocketAddr::from(([0, 0, 0, 0], PORT)),
        move |request| match request.path.as_str() {
            "/customers" => {
                match database::query(database::Place::Network, "SELECT count(*) FROM customer") {
                    Ok(rows) => (200, rows.into_bytes()),
                    Err(error) => (500, error.to_string().into_bytes()),
                }
            }
            _ => (
                200,
                format!("Hello, world!\nVersion: 1.0.0\nHostname: {name}").into_bytes(),
            ),
        },
    );
    match serving {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("hello-server", 1, error),
    }
}
