//! The endpoint behind TLS: a client that knows its authority is served, one without the certificate that is asked for is
//! not, and a client that speaks no TLS costs nothing.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use vedette_intake::{Health, Journal, Limits, Stop, Tls, Webhook, WebhookOptions};

/// Makes a certificate that is its own authority; `None` without openssl.
fn certificate(dir: &Path, name: &str) -> Option<(PathBuf, PathBuf)> {
    let (cert, key) = (
        dir.join(format!("{name}.pem")),
        dir.join(format!("{name}.key")),
    );
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&cert)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    made.is_ok_and(|status| status.success())
        .then_some((cert, key))
}

/// Posts over TLS and gives the first line of the answer.
fn post(
    address: SocketAddr,
    root: &Path,
    own: Option<&(PathBuf, PathBuf)>,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(root).unwrap())
        .unwrap();
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
    let config = match own {
        Some((cert, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from_pem_file(cert).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let tcp = TcpStream::connect(address)?;
    tcp.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(session, tcp);
    stream.write_all(
        b"POST /k8s-audit HTTP/1.1\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    )?;
    let mut answer = Vec::new();
    // The end may come without a farewell.
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    match (text.lines().next(), read) {
        (Some(line), _) => Ok(line.to_owned()),
        (None, Err(error)) => Err(error),
        (None, Ok(_)) => Ok(String::new()),
    }
}

fn serve(dir: &Path, tls: Tls, stop: &Stop) -> (Webhook, Journal) {
    let journal = Journal::open(dir, Limits::default()).unwrap();
    let options = WebhookOptions {
        tls: Some(tls),
        ..WebhookOptions::default()
    };
    let address = "127.0.0.1:0".parse().unwrap();
    let webhook = Webhook::start(
        address,
        options,
        journal.clone(),
        Health::new(),
        stop.clone(),
    );
    (webhook.unwrap(), journal)
}

#[test]
fn certificates_are_shown_and_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(server), Some(client)) = (
        certificate(dir.path(), "server"),
        certificate(dir.path(), "client"),
    ) else {
        println!("skipped: no openssl to make certificates with");
        return;
    };
    let stop = Stop::new();
    let tls = Tls::from_files(&server.0, &server.1, None).unwrap();
    let (webhook, journal) = serve(&dir.path().join("a"), tls, &stop);
    // Plain HTTP is not understood, and does no harm.
    let mut plain = TcpStream::connect(webhook.address()).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(
        post(webhook.address(), &server.0, None).unwrap(),
        "HTTP/1.1 200 OK"
    );
    assert!(journal.size() > 0);

    let tls = Tls::from_files(&server.0, &server.1, Some(&client.0)).unwrap();
    let (strict, _) = serve(&dir.path().join("b"), tls, &stop);
    let refused = post(strict.address(), &server.0, None);
    assert!(
        refused.as_ref().map_or(true, String::is_empty),
        "{refused:?}"
    );
    let known = post(strict.address(), &server.0, Some(&client));
    assert_eq!(known.unwrap(), "HTTP/1.1 200 OK");

    assert!(Tls::from_files(&server.1, &server.1, None).is_err());
    drop(plain);
    stop.stop();
    webhook.join();
    strict.join();
}
