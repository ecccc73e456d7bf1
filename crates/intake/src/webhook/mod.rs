//! The webhook endpoint: takes posts of audit records, puts them into the journal, and only then says so.
//!
//! Clients that are slow, many or malicious cost a bounded number of threads and bytes. When all places are taken, the
//! connection that has been quiet longest makes room, those that have shown a right to be here last.

mod guard;
mod http;
mod serve;
mod tls;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::journal::Journal;
use crate::source::{Health, Stop};
use guard::{Budget, Places};
pub use tls::{Tls, TlsError};

/// Connections at a time. An API server keeps one or two; each costs a thread and its small stack.
const MAX_CONNECTIONS: usize = 256;

/// Largest body, unpacked. The largest post that an API server makes has about 2 MB (request and response of the largest
/// object); object stores of other kinds deliver batches of up to 10 MB.
pub(crate) const MAX_BODY: usize = 24 << 20;

/// Bytes of bodies in memory at a time, of all connections together.
const BODY_BUDGET: usize = 48 << 20;

/// Stack of a connection's thread: TLS handshakes need the most of it.
const STACK: usize = 256 << 10;

/// How long a client may take for each part of a request.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// From the connection or the first byte to the end of the header, TLS handshake included.
    pub head: Duration,
    /// For the body. An API server gives up after 30 seconds itself.
    pub body: Duration,
    /// Between two requests.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_mins(2),
        }
    }
}

/// How to serve.
#[derive(Debug, Default)]
pub struct WebhookOptions {
    /// Certificate and key; without them the endpoint speaks plain HTTP.
    pub tls: Option<Tls>,
    /// What `Authorization: Bearer …` must carry; without it everybody who reaches the endpoint may post.
    pub token: Option<String>,
    /// How long clients may take.
    pub patience: Patience,
}

/// What an endpoint did.
#[derive(Debug, Default)]
pub struct WebhookStats {
    /// Connections that were accepted.
    pub connections: AtomicU64,
    /// Connections that made room for others.
    pub displaced: AtomicU64,
    /// Posts that are in the journal and were acknowledged.
    pub accepted: AtomicU64,
    /// Their bytes.
    pub bytes: AtomicU64,
    /// Posts refused because of their form or their token.
    pub refused: AtomicU64,
    /// Posts refused because they could not be stored; the client sends them again.
    pub unstored: AtomicU64,
}

/// What every connection shares.
struct Shared {
    journal: Journal,
    health: Health,
    stop: Stop,
    tls: Option<Tls>,
    /// Digest of the token: comparing digests tells nothing about how much of a guess was right.
    token: Option<[u8; 32]>,
    patience: Patience,
    places: Places,
    budget: Budget,
    stats: Arc<WebhookStats>,
}

/// An endpoint at work. Dropping it does not stop it; [`Stop`] does.
#[derive(Debug)]
pub struct Webhook {
    address: SocketAddr,
    stats: Arc<WebhookStats>,
    thread: JoinHandle<()>,
}

impl Webhook {
    /// Begins to serve on `address`.
    ///
    /// # Errors
    /// When the address cannot be used.
    pub fn start(
        address: SocketAddr,
        options: WebhookOptions,
        journal: Journal,
        health: Health,
        stop: Stop,
    ) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let stats = Arc::new(WebhookStats::default());
        let shared = Arc::new(Shared {
            journal,
            health,
            stop,
            tls: options.tls,
            token: options.token.map(|token| Sha256::digest(token).into()),
            patience: options.patience,
            places: Places::new(MAX_CONNECTIONS),
            budget: Budget::new(BODY_BUDGET),
            stats: Arc::clone(&stats),
        });
        let thread = std::thread::Builder::new()
            .name("webhook".to_owned())
            .spawn(move || accept(&listener, &shared))?;
        Ok(Self {
            address,
            stats,
            thread,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it did so far.
    pub fn stats(&self) -> &WebhookStats {
        &self.stats
    }

    /// Waits until it has stopped; posts under way are finished first.
    pub fn join(self) {
        // A connection to ourselves ends the wait for the next client.
        let _ = std::net::TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let _ = self.thread.join();
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    /// Pause after a refusal of the system, such as for want of file descriptors.
    const PAUSE: Duration = Duration::from_millis(100);
    while !shared.stop.is_set() {
        let Ok((stream, peer)) = listener.accept() else {
            shared.stop.wait(PAUSE);
            continue;
        };
        if shared.stop.is_set() {
            break;
        }
        shared.stats.connections.fetch_add(1, Relaxed);
        let Some((place, displaced)) = shared.places.enter(&stream, peer.ip()) else {
            continue;
        };
        shared.stats.displaced.fetch_add(displaced, Relaxed);
        let served = Arc::clone(shared);
        // Where no thread is to be had the connection is closed, and its place given back.
        let _ = std::thread::Builder::new()
            .name("webhook client".to_owned())
            .stack_size(STACK)
            .spawn(move || serve::serve(&served, stream, place));
    }
    // Posts under way get their answer: what is in the journal should be acknowledged.
    shared.places.close(shared.patience.body);
}
