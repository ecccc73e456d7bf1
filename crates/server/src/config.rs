//! How a server is set up.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::auth::oidc;
use crate::notify::target::Targets;

/// How a server is set up; the command line fills it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Certificate chain and key in PEM form.
    pub tls: Option<Tls>,
    /// Listen beyond this machine without TLS, because something in front of it does TLS.
    pub insecure_listen: bool,
    /// The address that people use, for links in notifications and for sign-in with OpenID: `https://vedette.example.org`.
    pub public_url: Option<String>,
    /// Private addresses that notifications may go to.
    pub targets: Targets,
    /// Sign-in with an OpenID provider.
    pub oidc: Option<oidc::Config>,
}

/// Files of a TLS server.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Certificate chain, PEM.
    pub certificate: PathBuf,
    /// Private key, PEM.
    pub key: PathBuf,
}

impl Config {
    /// Listens on `listen` with everything else at its default.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            tls: None,
            insecure_listen: false,
            public_url: None,
            targets: Targets::default(),
            oidc: None,
        }
    }

    /// Whether listening like this is safe.
    ///
    /// # Errors
    /// Says what to do when it is not.
    pub fn check(&self) -> Result<(), String> {
        if !self.listen.ip().is_loopback() && self.tls.is_none() && !self.insecure_listen {
            return Err(format!(
                "{} can be reached from other machines, and without TLS passwords and findings would cross the network in \
                 the clear; give --tls-cert and --tls-key, listen on 127.0.0.1, or say --insecure-listen when a proxy in \
                 front does TLS",
                self.listen
            ));
        }
        if let Some(url) = &self.public_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            return Err(format!(
                "`{url}` is no address of a web page; it begins with https://"
            ));
        }
        if self.oidc.is_some() && self.public_url.is_none() {
            return Err(
                "sign-in with OpenID needs --public-url, to which the provider sends people back"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Whether browsers reach the server over TLS, so that cookies may say so.
    pub(crate) fn secure(&self) -> bool {
        self.tls.is_some()
            || self
                .public_url
                .as_ref()
                .is_some_and(|url| url.starts_with("https://"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_are_only_let_in_over_tls_or_on_request() {
        let on = |address: &str| Config::new(address.parse().unwrap());
        assert!(on("127.0.0.1:1").check().is_ok() && on("[::1]:1").check().is_ok());
        let mut public = on("0.0.0.0:1");
        assert!(public.check().unwrap_err().contains("--insecure-listen"));
        public.insecure_listen = true;
        assert!(public.check().is_ok());
        let mut public = on("[::]:1");
        assert!(public.check().is_err());
        public.tls = Some(Tls {
            certificate: PathBuf::new(),
            key: PathBuf::new(),
        });
        assert!(public.check().is_ok());
    }
}
