//! The server as the command line runs it: the store behind it, the first start, recordings that are fed into it.

pub(crate) mod import;
mod policies;
mod stops;

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use vedette_history::{History, State};
use vedette_server::{Config, Log, Network, OidcConfig, Parts, Role, Server, Targets, Tls};
use vedette_store::Store;

use crate::rulefiles;

/// Largest secret file that is read, in bytes.
const MAX_SECRET: u64 = 4096;

/// Options of a server.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Directory that holds everything the server keeps; made when it is not there
    #[arg(long, value_name = "DIR", default_value = "/var/lib/vedette")]
    pub(crate) data: PathBuf,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8765")]
    pub(crate) listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Listen beyond this machine without TLS, because a proxy in front does it
    #[arg(long)]
    pub(crate) insecure_listen: bool,
    /// Address that people use, for links in notifications and for OpenID
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Private address or network that notifications may go to; may be given several times
    #[arg(long, value_name = "NETWORK")]
    pub(crate) allow_target: Vec<Network>,
    /// Take findings and activity from a recording first, with secrets in it hidden: .scap, logs, or records as
    /// `vedette replay --records` prints them; may be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) import: Vec<PathBuf>,
    /// Move the times of imported records so that the last one is now, for trying things out
    #[arg(long)]
    pub(crate) import_as_now: bool,
    /// OpenID provider for sign-in: its issuer
    #[arg(long, value_name = "URL", requires = "openid_client_id")]
    pub(crate) openid_issuer: Option<String>,
    /// Client id at the OpenID provider
    #[arg(long, value_name = "ID")]
    pub(crate) openid_client_id: Option<String>,
    /// File with the client secret
    #[arg(long, value_name = "FILE")]
    pub(crate) openid_client_secret_file: Option<PathBuf>,
    /// What the button says
    #[arg(long, value_name = "TEXT", default_value = "OpenID")]
    pub(crate) openid_label: String,
    /// Scopes to ask for besides openid
    #[arg(long, value_name = "SCOPES", default_value = "profile email")]
    pub(crate) openid_scopes: String,
    /// Claim that lists groups
    #[arg(long, value_name = "CLAIM", default_value = "groups")]
    pub(crate) openid_groups_claim: String,
    /// Role of a group; may be given several times
    #[arg(long, value_name = "GROUP=ROLE", value_parser = group_role)]
    pub(crate) openid_role: Vec<(String, Role)>,
    /// Role of people in none of these groups; without it they cannot come in
    #[arg(long, value_name = "ROLE")]
    pub(crate) openid_default_role: Option<Role>,
}

fn group_role(text: &str) -> Result<(String, Role), String> {
    let (group, role) = text.rsplit_once('=').ok_or("expected GROUP=ROLE")?;
    Ok((group.to_owned(), role.parse()?))
}

impl Options {
    fn config(&self) -> anyhow::Result<Config> {
        let mut config = Config::new(self.listen);
        if let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) {
            config.tls = Some(Tls {
                certificate: certificate.clone(),
                key: key.clone(),
            });
        }
        config.insecure_listen = self.insecure_listen;
        config.public_url.clone_from(&self.public_url);
        config.targets = Targets {
            allowed: self.allow_target.clone(),
        };
        if let (Some(issuer), Some(client_id)) = (&self.openid_issuer, &self.openid_client_id) {
            let secret = self.openid_client_secret_file.as_deref();
            config.oidc = Some(OidcConfig {
                issuer: issuer.clone(),
                client_id: client_id.clone(),
                client_secret: secret.map(read_secret).transpose()?,
                label: self.openid_label.clone(),
                scopes: self.openid_scopes.clone(),
                groups_claim: self.openid_groups_claim.clone(),
                roles: self.openid_role.iter().cloned().collect(),
                default_role: self.openid_default_role,
            });
        }
        config.check().map_err(anyhow::Error::msg)?;
        Ok(config)
    }
}

/// Reads a file with one secret in it.
pub(crate) fn read_secret(path: &Path) -> anyhow::Result<String> {
    let what = || format!("reading {}", path.display());
    let size = std::fs::metadata(path).with_context(what)?.len();
    anyhow::ensure!(
        size <= MAX_SECRET,
        "{} has {size} bytes; a secret has one line",
        path.display()
    );
    Ok(std::fs::read_to_string(path)
        .with_context(what)?
        .trim()
        .to_owned())
}

/// A server that listens.
pub(crate) struct Ready {
    pub(crate) server: Server,
    pub(crate) store: Store,
}

/// Opens the store, takes recordings in, begins to listen.
pub(crate) fn open(options: &Options) -> anyhow::Result<Ready> {
    let config = options.config()?;
    let mut err = std::io::stderr().lock();
    let store = Store::open(&options.data)
        .with_context(|| format!("opening the store in {}", options.data.display()))?;
    for damage in store.damaged() {
        writeln!(err, "vedette: {damage}")?;
    }
    let first = vedette_server::first_start(&store)
        .with_context(|| format!("setting up {}", options.data.display()))?;
    if let Some(first) = &first {
        let admin = options.data.join("admin-token");
        let join = options.data.join("join-token");
        write_secret(&admin, &first.admin_token)?;
        write_secret(&join, &first.join_token)?;
        writeln!(
            err,
            "vedette: first start. Sign in with this token, which is good for 30 days and is kept in {}:\n\n    {}\n\n\
             vedette: agents join with the token in {}",
            admin.display(),
            first.admin_token,
            join.display()
        )?;
    }
    drop(err);
    import::all(&store, &options.import, options.import_as_now)?;
    let parts = Parts {
        history: Arc::new(store.clone()) as Arc<dyn History>,
        state: Arc::new(store.clone()) as Arc<dyn State>,
        shipped: rulefiles::read(&[])?,
        stops: Some(Arc::new(stops::Controls)),
        policies: Some(Arc::new(policies::Reader)),
        log: Log::default(),
    };
    let server = Server::bind(config, parts)?;
    Ok(Ready { server, store })
}

/// Writes a file that only its owner may read.
pub(crate) fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    // An older file of this name may be open to others.
    let _ = std::fs::remove_file(path);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("creating {}", path.display()))?;
    writeln!(file, "{text}").with_context(|| format!("writing {}", path.display()))
}
