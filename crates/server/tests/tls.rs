//! TLS: who knows the certificate is served, everybody else is not.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;

use support::{PATIENCE, start_with};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use vedette_server::{Config, Tls};

#[test]
fn the_certificate_is_used_and_cookies_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let mut config = Config::new("127.0.0.1:0".parse().unwrap());
    config.tls = Some(Tls { certificate, key });
    let server = start_with(config, |_| {});
    let url = format!("https://localhost:{}", server.address.port());
    let known = Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&[known]))
        .build();
    let agent = ureq::Agent::config_builder()
        .tls_config(tls)
        .timeout_global(Some(PATIENCE))
        .build()
        .new_agent();
    let body = serde_json::json!({"token": server.admin_token}).to_string();
    let answer = agent
        .post(format!("{url}/api/v1/session"))
        .header("content-type", "application/json")
        .send(&body)
        .unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    assert!(answer.headers().contains_key("strict-transport-security"));
    // A client that does not know the certificate says nothing.
    assert!(ureq::get(format!("{url}/healthz")).call().is_err());
    // Plain text gets no answer, and is written down.
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(!String::from_utf8_lossy(&answer).contains("HTTP/1.1"));
    assert!(server.logged(&["refused", "\"code\":\"tls\""]));
}
