//! The command line's way to a server: where it is, with which token, and what it answers.

pub(crate) mod show;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value as Json;

use crate::commands::exit;
use crate::serving::read_secret;

/// Time one question may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Time to reach the server.
const CONNECT: Duration = Duration::from_secs(10);
/// Pause before a live stream that broke is taken up again.
const AGAIN: Duration = Duration::from_secs(2);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 256 * 1024 * 1024;
/// Longest line of a live stream, in bytes.
const MAX_EVENT: u64 = 16 * 1024 * 1024;

/// Where the server is.
#[derive(clap::Args)]
pub(crate) struct Remote {
    /// Address of the server; VEDETTE_SERVER or the configuration file when not given, else http://127.0.0.1:8765
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// API token; VEDETTE_TOKEN or the configuration file when not given
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Certificate of the authority that signed the server's, PEM
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Output format
    #[arg(short, long, value_enum, default_value_t)]
    pub(crate) output: show::Format,
}

/// A connection.
pub(crate) struct Connection {
    agent: ureq::Agent,
    server: String,
    token: String,
}

/// What the configuration file says: `server:`, `token:` or `token_file:`, `ca:`.
#[derive(Default)]
struct Configured {
    server: Option<String>,
    token: Option<String>,
    ca: Option<PathBuf>,
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads `~/.config/vedette/client.yaml`, or the file that VEDETTE_CONFIG names; it need not be there.
fn configured() -> anyhow::Result<Configured> {
    let home = || Some(PathBuf::from(variable("HOME")?).join(".config"));
    let dir = variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let Some(path) = variable("VEDETTE_CONFIG")
        .map(PathBuf::from)
        .or_else(|| Some(dir?.join("vedette/client.yaml")))
    else {
        return Ok(Configured::default());
    };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Configured::default());
        }
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let parsed = vedette_yaml::parse(&text);
    if let Some(error) = parsed.errors.first() {
        bail!("{}: {error}", path.display());
    }
    let mut found = Configured::default();
    let entries = parsed
        .documents
        .first()
        .and_then(|document| document.root.as_map());
    for (key, value) in entries.unwrap_or_default() {
        let name = key.as_str().unwrap_or_default();
        let Some(value) = value.as_str() else {
            bail!("{}: `{name}` is no text", path.display());
        };
        match name {
            "server" => found.server = Some(value.to_owned()),
            "token" => found.token = Some(value.to_owned()),
            "token_file" => found.token = Some(read_secret(value.as_ref())?),
            "ca" => found.ca = Some(PathBuf::from(value)),
            _ => bail!(
                "{}: line {}: `{name}` is no key; expected server, token, token_file or ca",
                path.display(),
                key.span.line
            ),
        }
    }
    Ok(found)
}

impl Remote {
    /// Opens the way to the server; nothing is asked yet.
    pub(crate) fn connect(&self) -> anyhow::Result<Connection> {
        let configured = configured()?;
        let server = self
            .server
            .clone()
            .or_else(|| variable("VEDETTE_SERVER"))
            .or(configured.server)
            .unwrap_or_else(|| "http://127.0.0.1:8765".to_owned());
        let token = self
            .token
            .clone()
            .or_else(|| variable("VEDETTE_TOKEN"))
            .or(configured.token)
            .unwrap_or_default();
        let ca = self.ca.clone().or(configured.ca);
        Ok(Connection {
            agent: agent(ca, Some(TIMEOUT))?,
            server: server.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// As [`Remote::connect`], for an answer that does not end.
    fn connect_live(&self) -> anyhow::Result<Connection> {
        let ca = self.ca.clone().or(configured()?.ca);
        let mut connection = self.connect()?;
        connection.agent = agent(ca, None)?;
        Ok(connection)
    }

    /// Follows the live stream for good; `from` is the sequence number to begin behind.
    pub(crate) fn follow(
        &self,
        filter: &str,
        from: Option<u64>,
        mut show: impl FnMut(&Json) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let connection = self.connect_live()?;
        let mut last = from.map(|number| number.to_string());
        loop {
            let url = connection.url("/stream", &[("filter", filter)]);
            let mut request = connection.request(connection.agent.get(&url));
            if let Some(last) = &last {
                request = request.header("last-event-id", last);
            }
            match request.call() {
                Ok(mut answer) if answer.status().is_success() => {
                    let body = answer.body_mut().as_reader();
                    events(BufReader::new(body), |id, name, data| {
                        match name {
                            "finding" => show(&serde_json::from_str(data)?)?,
                            "gap" => writeln!(
                                std::io::stderr(),
                                "vedette: findings before this were removed by the retention and are not shown"
                            )?,
                            _ => {}
                        }
                        if !id.is_empty() {
                            last = Some(id.to_owned());
                        }
                        Ok(())
                    })?;
                }
                Ok(answer) => {
                    Connection::read(answer)?;
                }
                Err(error) => writeln!(std::io::stderr(), "vedette: {error}; trying again")?,
            }
            std::thread::sleep(AGAIN);
        }
    }
}

fn agent(ca: Option<PathBuf>, timeout: Option<Duration>) -> anyhow::Result<ureq::Agent> {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_global(timeout)
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(vedette_outputs::trust(ca.as_deref())?)
        .user_agent(concat!("vedette/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.new_agent())
}

/// Reads server-sent events until the stream breaks.
fn events(
    mut lines: impl BufRead,
    mut emit: impl FnMut(&str, &str, &str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (mut id, mut name, mut data) = (String::new(), String::new(), String::new());
    let mut line = Vec::new();
    loop {
        line.clear();
        // A stream that breaks is taken up again by the caller.
        match std::io::Read::take(&mut lines, MAX_EVENT).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return Ok(()),
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            if !name.is_empty() {
                emit(&id, &name, &data)?;
            }
            (id, name, data) = Default::default();
            continue;
        }
        if let Some((field, value)) = text.split_once(':') {
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "id" => id = value.to_owned(),
                "event" => name = value.to_owned(),
                "data" => data.push_str(value),
                _ => {}
            }
        }
    }
}

impl Connection {
    fn url(&self, path: &str, query: &[(&str, &str)]) -> String {
        let given = query.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = given
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}/api/v1{path}{mark}{}", self.server, query.join("&"))
    }

    fn request<T>(&self, request: ureq::RequestBuilder<T>) -> ureq::RequestBuilder<T> {
        if self.token.is_empty() {
            return request;
        }
        request.header("authorization", format!("Bearer {}", self.token))
    }

    /// Asks a question.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Json> {
        let url = self.url(path, query);
        let answer = self.request(self.agent.get(&url)).call();
        Self::read(answer.with_context(|| format!("asking {}", self.server))?)
    }

    /// Makes a change.
    pub(crate) fn send(&self, method: &str, path: &str, body: &Json) -> anyhow::Result<Json> {
        let url = self.url(path, &[]);
        let request = match method {
            "PATCH" => self.agent.patch(&url),
            "PUT" => self.agent.put(&url),
            _ => self.agent.post(&url),
        };
        let request = self
            .request(request)
            .header("content-type", "application/json");
        let answer = request.send(body.to_string());
        Self::read(answer.with_context(|| format!("asking {}", self.server))?)
    }

    fn read(mut answer: ureq::http::Response<ureq::Body>) -> anyhow::Result<Json> {
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER)
            .read_to_vec()
            .context("reading the server's answer")?;
        if status.is_success() {
            if body.is_empty() {
                return Ok(Json::Null);
            }
            return serde_json::from_slice(&body)
                .context("the server's answer is no JSON; is this a Vedette server?");
        }
        let error: Json = serde_json::from_slice(&body).unwrap_or(Json::Null);
        let error = &error["error"];
        let mut text = match error["message"].as_str() {
            Some(message) => message.to_owned(),
            None => format!("the server answered {status}"),
        };
        if let Some(column) = error["column"].as_u64() {
            text = format!("column {column}: {text}");
        }
        if let Some(hint) = error["hint"].as_str() {
            text = format!("{text} ({hint})");
        }
        if status.as_u16() == 401 {
            text.push_str("; give a token with --token, VEDETTE_TOKEN or the configuration file");
        }
        bail!("{}", crate::table::visible(&text))
    }
}

/// Encodes text for a place in a URL.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

/// The exit code when a server was asked and answered.
pub(crate) fn answered(items: usize) -> ExitCode {
    // As grep: nothing found is told by the exit code too.
    if items == 0 {
        ExitCode::from(exit::FINDINGS)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_stream_is_read_event_by_event() {
        let text = "retry: 1\nid: 4\nevent: hello\ndata: {}\n\n: alive\n\nid: 5\r\nevent: finding\r\ndata: {\"a\":1}\r\n\r\nevent: cut off";
        let mut seen = Vec::new();
        events(text.as_bytes(), |id, name, data| {
            seen.push(format!("{id} {name} {data}"));
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, ["4 hello {}", "5 finding {\"a\":1}"]);
    }

    #[test]
    fn queries_are_encoded() {
        assert_eq!(encode("a = \"ü&\""), "a%20%3D%20%22%C3%BC%26%22");
    }
}
