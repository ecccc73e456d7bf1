//! Whom HTTPS peers are trusted to be: the public authorities, or one private authority's certificate.

use std::fs;
use std::path::Path;

use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::Failure;

/// Largest file of certificates that is read, in bytes; the bundle of every public authority has some 220 KB.
const MAX_PEM: u64 = 1 << 20;

/// TLS that trusts the certificates in a PEM file and no others, or the public authorities when there is no file.
///
/// # Errors
/// When the file cannot be read or has no certificate.
pub fn trust(ca: Option<&Path>) -> Result<TlsConfig, Failure> {
    let tls = TlsConfig::builder();
    let Some(path) = ca else {
        return Ok(tls.build());
    };
    let what = || format!("reading certificates of {}", path.display());
    let wrong = |why: String| Failure::Refused(format!("{}: {why}", path.display()));
    let size = fs::metadata(path).map_err(Failure::io(what()))?.len();
    if size > MAX_PEM {
        return Err(wrong(format!("{size} bytes are too many for certificates")));
    }
    let pem = fs::read(path).map_err(Failure::io(what()))?;
    let mut certificates: Vec<Certificate<'static>> = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| wrong(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(wrong(
            "no certificate is in it (PEM is expected)".to_owned(),
        ));
    }
    Ok(tls
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}
