//! Certificate and key of the endpoint, and whose client certificates it asks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use thiserror::Error;

/// TLS of the endpoint.
#[derive(Clone, Debug)]
pub struct Tls(pub(super) Arc<ServerConfig>);

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file with certificates or a key cannot be read.
    #[error("reading {0}")]
    Pem(PathBuf, #[source] rustls::pki_types::pem::Error),
    /// A file holds no certificate.
    #[error("{0} holds no certificate")]
    Empty(PathBuf),
    /// Certificate and key do not fit, or are of a kind that is not known.
    #[error("certificate and key")]
    Pair(#[from] rustls::Error),
    /// The authority for clients cannot be used.
    #[error("authority for client certificates")]
    Clients(#[from] rustls::server::VerifierBuilderError),
}

impl Tls {
    /// Reads a certificate chain and its key in PEM. With `clients`, only clients with a certificate of that authority
    /// are served.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn from_files(
        certificate: &Path,
        key: &Path,
        clients: Option<&Path>,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let builder = match clients {
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                for root in certificates(authority)? {
                    roots.add(root)?;
                }
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                        .build()?;
                builder.with_client_cert_verifier(verifier)
            }
            None => builder.with_no_client_auth(),
        };
        let chain = certificates(certificate)?;
        let key = PrivateKeyDer::from_pem_file(key)
            .map_err(|error| TlsError::Pem(key.to_owned(), error))?;
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let wrong = |error| TlsError::Pem(path.to_owned(), error);
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .map_err(wrong)?
        .collect::<Result<_, _>>()
        .map_err(wrong)?;
    if all.is_empty() {
        return Err(TlsError::Empty(path.to_owned()));
    }
    Ok(all)
}
