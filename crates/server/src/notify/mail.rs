//! E-mail: one message over SMTP (RFC 5321), with STARTTLS or TLS from the start.
//!
//! A small client of its own instead of a library: it sends one plain-text message, and what it puts on the wire is
//! encoded, so that nothing of an alert can become a header or a command.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};

use super::target::Targets;

/// Time one step may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Longest line of an answer, in bytes; RFC 5321 allows 512.
const MAX_LINE: u64 = 2048;
/// Lines of one answer that are read at most.
const MAX_LINES: usize = 64;

/// How a mail server is reached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mailbox {
    /// Host name.
    pub host: String,
    /// Port: 587 with `starttls`, 465 with `tls`.
    pub port: u16,
    /// Encryption.
    #[serde(default)]
    pub security: Security,
    /// Sender.
    pub from: String,
    /// Recipients.
    pub to: Vec<String>,
    /// User name, when the server asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Security {
    /// In the clear: for a relay on this machine only; no password is sent this way.
    None,
    /// Upgraded before anything else is said; refused when the server cannot.
    #[default]
    Starttls,
    /// From the first byte.
    Tls,
}

impl Mailbox {
    /// Whether the settings can work.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.host.is_empty() || self.port == 0 {
            return Err("a mail server needs a host and a port".to_owned());
        }
        if self.to.is_empty() || self.to.len() > 50 {
            return Err("between 1 and 50 recipients are needed".to_owned());
        }
        for address in self.to.iter().chain([&self.from]) {
            if !is_address(address) {
                return Err(format!("`{}` is no mail address", address.escape_debug()));
            }
        }
        if self.security == Security::None && self.password.is_some() {
            return Err(
                "a password is not sent without encryption; use starttls or tls".to_owned(),
            );
        }
        Ok(())
    }
}

/// A plain address (`name@host`) without anything that SMTP could read as something else.
fn is_address(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    text.len() <= 254
        && text.split_once('@').is_some_and(|(name, host)| {
            let host_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
            !name.is_empty()
                && name.chars().all(plain)
                && !host.is_empty()
                && host.chars().all(host_plain)
        })
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

struct Session {
    stream: BufReader<Box<dyn Stream>>,
}

/// Sends one message.
///
/// # Errors
/// Says in words which step failed.
pub(crate) fn send(
    mailbox: &Mailbox,
    targets: &Targets,
    roots: Option<Arc<RootCertStore>>,
    subject: &str,
    text: &str,
) -> Result<(), String> {
    mailbox.check()?;
    let addresses = targets.resolve(&mailbox.host, mailbox.port)?;
    let socket = addresses
        .iter()
        .find_map(|address| TcpStream::connect_timeout(address, TIMEOUT).ok())
        .ok_or_else(|| format!("no connection to {}:{}", mailbox.host, mailbox.port))?;
    socket
        .set_read_timeout(Some(TIMEOUT))
        .and_then(|()| socket.set_write_timeout(Some(TIMEOUT)))
        .map_err(|error| error.to_string())?;
    let mut session = if mailbox.security == Security::Tls {
        Session::new(encrypted(socket, &mailbox.host, roots.clone())?)
    } else {
        let copy = socket.try_clone().map_err(|error| error.to_string())?;
        let mut session = Session::new(Box::new(copy));
        if mailbox.security == Security::Starttls {
            session.expect("greeting", 220)?;
            let offers = session.command("EHLO vedette", 250)?;
            if !offers
                .iter()
                .any(|line| line.eq_ignore_ascii_case("STARTTLS"))
            {
                return Err("the server offers no STARTTLS; nothing was sent".to_owned());
            }
            session.command("STARTTLS", 220)?;
            if !session.stream.buffer().is_empty() {
                return Err("the server sent text before encryption began".to_owned());
            }
            Session::new(encrypted(socket, &mailbox.host, roots)?)
        } else {
            session
        }
    };
    if mailbox.security != Security::Starttls {
        session.expect("greeting", 220)?;
    }
    session.command("EHLO vedette", 250)?;
    if let (Some(user), Some(password)) = (&mailbox.user, &mailbox.password) {
        let plain = STANDARD.encode(format!("\0{user}\0{password}"));
        session.say(&format!("AUTH PLAIN {plain}"))?;
        session.expect("AUTH", 235)?;
    }
    session.command(&format!("MAIL FROM:<{}>", mailbox.from), 250)?;
    for to in &mailbox.to {
        session.command(&format!("RCPT TO:<{to}>"), 250)?;
    }
    session.command("DATA", 354)?;
    session.say(&format!("{}\r\n.", message(mailbox, subject, text)))?;
    session.expect("DATA", 250)?;
    // The message is accepted; how the farewell goes does not matter.
    let _ = session.say("QUIT");
    Ok(())
}

/// The message; its lines are base64 or chosen here, so none begins with a dot.
fn message(mailbox: &Mailbox, subject: &str, text: &str) -> String {
    let now = jiff::Zoned::now();
    let date = jiff::fmt::rfc2822::to_string(&now).unwrap_or_default();
    let mut out = format!(
        "From: Vedette <{}>\r\nTo: {}\r\nDate: {date}\r\nSubject: {}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n",
        mailbox.from,
        mailbox.to.join(",\r\n "),
        encoded_words(subject)
    );
    let body = STANDARD.encode(text);
    for line in body.as_bytes().chunks(76) {
        out.push_str("\r\n");
        out.push_str(&String::from_utf8_lossy(line));
    }
    out
}

/// RFC 2047: words of at most 75 characters, which end between characters.
fn encoded_words(text: &str) -> String {
    let mut words = Vec::new();
    let mut piece = String::new();
    for c in text.chars() {
        if piece.len() + c.len_utf8() > 45 {
            words.push(std::mem::take(&mut piece));
        }
        piece.push(c);
    }
    words.push(piece);
    let words = words
        .iter()
        .map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word)));
    words.collect::<Vec<_>>().join("\r\n ")
}

fn encrypted(
    socket: TcpStream,
    host: &str,
    roots: Option<Arc<RootCertStore>>,
) -> Result<Box<dyn Stream>, String> {
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| format!("`{host}` is no host name"))?;
    let roots = roots.unwrap_or_else(|| {
        let mut store = RootCertStore::empty();
        store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        Arc::new(store)
    });
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), name).map_err(|error| error.to_string())?;
    Ok(Box::new(StreamOwned::new(connection, socket)))
}

impl Session {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    fn say(&mut self, line: &str) -> Result<(), String> {
        let stream = self.stream.get_mut();
        stream
            .write_all(format!("{line}\r\n").as_bytes())
            .and_then(|()| stream.flush())
            .map_err(|error| format!("sending: {error}"))
    }

    fn command(&mut self, line: &str, code: u16) -> Result<Vec<String>, String> {
        self.say(line)?;
        let word = line.split(' ').next().unwrap_or_default();
        self.expect(word, code)
    }

    /// Reads an answer of one or more lines.
    fn expect(&mut self, step: &str, code: u16) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        while lines.len() < MAX_LINES {
            let mut line = String::new();
            (&mut self.stream)
                .take(MAX_LINE)
                .read_line(&mut line)
                .map_err(|error| format!("{step}: {error}"))?;
            let line = line.trim_end();
            let (number, rest) = line.split_at_checked(3).unwrap_or((line, ""));
            let more = rest.starts_with('-');
            if number != code.to_string() {
                return Err(format!(
                    "{step}: the server answered `{}`",
                    line.escape_debug()
                ));
            }
            lines.push(rest.get(1..).unwrap_or_default().to_owned());
            if !more {
                return Ok(lines);
            }
        }
        Err(format!("{step}: the server's answer does not end"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    fn mailbox(port: u16, security: Security) -> Mailbox {
        Mailbox {
            host: "localhost".to_owned(),
            port,
            security,
            from: "vedette@example.org".to_owned(),
            to: vec!["a@example.org".to_owned(), "b@example.org".to_owned()],
            user: None,
            password: None,
        }
    }

    fn open() -> Targets {
        Targets {
            allowed: vec!["127.0.0.0/8".parse().unwrap(), "::1".parse().unwrap()],
        }
    }

    /// Plays a mail server that ends after one message; hands out what it was told.
    fn server(
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> mpsc::Receiver<Vec<String>> {
        fn talk(stream: &mut dyn Stream, heard: &mut Vec<String>, starttls: bool) -> bool {
            let mut byte = [0];
            let (mut line, mut in_data) = (Vec::new(), false);
            while stream.read(&mut byte).unwrap_or(0) == 1 {
                line.push(byte[0]);
                if byte[0] != b'\n' {
                    continue;
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                heard.push(text.clone());
                let answer = match text.split([' ', ':']).next().unwrap_or_default() {
                    _ if in_data && text != "." => continue,
                    "." => "250 ok",
                    "EHLO" if starttls => "250-me\r\n250 STARTTLS",
                    "EHLO" => "250-me\r\n250 AUTH PLAIN",
                    "STARTTLS" => "220 go",
                    "AUTH" => "235 ok",
                    "DATA" => "354 go",
                    "QUIT" => return false,
                    _ => "250 ok",
                };
                in_data = text == "DATA";
                stream
                    .write_all(format!("{answer}\r\n").as_bytes())
                    .unwrap();
                stream.flush().unwrap();
                if text == "STARTTLS" {
                    return true;
                }
            }
            false
        }
        let (send, heard) = mpsc::channel();
        thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            let mut lines = Vec::new();
            socket.write_all(b"220 hello\r\n").unwrap();
            if talk(&mut socket, &mut lines, tls.is_some())
                && let Some(config) = tls
            {
                let connection = rustls::ServerConnection::new(config).unwrap();
                let mut stream = StreamOwned::new(connection, socket);
                talk(&mut stream, &mut lines, false);
            }
            let _ = send.send(lines);
        });
        heard
    }

    fn decoded(lines: &[String]) -> String {
        let at = lines.iter().position(String::is_empty).unwrap();
        let end = lines.iter().position(|line| line == ".").unwrap();
        String::from_utf8(STANDARD.decode(lines[at + 1..end].concat()).unwrap()).unwrap()
    }

    #[test]
    fn a_message_arrives_and_nothing_of_it_becomes_a_header_or_a_command() {
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = server(listener, None);
        let text = "line\r\n.\r\nMAIL FROM:<evil@example.org>\r\nü".repeat(9);
        let subject = "hit\r\nBcc: evil@example.org ".repeat(4);
        send(
            &mailbox(port, Security::None),
            &open(),
            None,
            &subject,
            &text,
        )
        .unwrap();
        let lines = heard.recv().unwrap();
        assert_eq!(
            lines[0..4].join("|"),
            "EHLO vedette|MAIL FROM:<vedette@example.org>|RCPT TO:<a@example.org>|RCPT TO:<b@example.org>"
        );
        assert!(
            !lines
                .iter()
                .any(|line| line.contains("Bcc") || line.contains("evil")),
            "{lines:?}"
        );
        assert_eq!(decoded(&lines), text);
    }

    #[test]
    fn starttls_is_used_before_the_password_and_a_stranger_is_refused() {
        let names = vec!["localhost".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let key =
            rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let config = Arc::new(config);
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let listener = TcpListener::bind("localhost:0").unwrap();
        let mut mailbox = mailbox(listener.local_addr().unwrap().port(), Security::Starttls);
        mailbox.user = Some("u".to_owned());
        mailbox.password = Some("p".to_owned());
        let heard = server(listener.try_clone().unwrap(), Some(Arc::clone(&config)));
        send(&mailbox, &open(), Some(Arc::new(roots)), "s", "t").unwrap();
        let lines = heard.recv().unwrap();
        let starttls = lines.iter().position(|line| line == "STARTTLS").unwrap();
        let auth = lines
            .iter()
            .position(|line| line == "AUTH PLAIN AHUAcA==")
            .unwrap();
        assert!(starttls < auth);
        // Without knowing the certificate nothing is said.
        let heard = server(listener.try_clone().unwrap(), Some(config));
        assert!(send(&mailbox, &open(), None, "s", "t").is_err());
        assert!(
            !heard
                .recv()
                .unwrap()
                .iter()
                .any(|line| line.starts_with("AUTH"))
        );
        // A server without STARTTLS gets neither password nor message.
        let heard = server(listener, None);
        let error = send(&mailbox, &open(), None, "s", "t").unwrap_err();
        assert!(error.contains("STARTTLS"), "{error}");
        drop(heard);
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let sound = mailbox(25, Security::None);
        assert_eq!(sound.check(), Ok(()));
        let with = |change: &dyn Fn(&mut Mailbox)| {
            let mut mailbox = sound.clone();
            change(&mut mailbox);
            mailbox.check().is_err()
        };
        assert!(with(&|m| m.to.clear()));
        assert!(with(&|m| m.to = vec!["a@b\r\nRCPT TO:<c@d>".to_owned()]));
        assert!(with(&|m| m.from = "a b@c".to_owned()));
        assert!(with(&|m| m.password = Some("p".to_owned())));
        assert!(with(&|m| m.port = 0));
    }
}
