//! Listens, accepts connections and ends them in order.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use crate::app::{App, Inner, Parts};
use crate::config::{Config, Tls};
use crate::http::connection::Stalling;
use crate::http::dispatch::{self, Peer};
use crate::http::limits;

/// Threads that handlers may block.
const BLOCKING: usize = limits::AT_WORK + 16;
/// How often the stop flag is looked at.
const LOOK: Duration = Duration::from_millis(100);
/// Time that connections get to finish when the server stops.
const FAREWELL: Duration = Duration::from_secs(5);
/// How long a thread waits for findings before it looks at the stop flag.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often old data is put away.
const MAINTAIN: Duration = Duration::from_secs(300);

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The configuration is not safe or not sound.
    #[error("{0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error("listening on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A TLS file cannot be used.
    #[error("TLS file {path}: {why}")]
    Tls {
        /// Which.
        path: String,
        /// Why.
        why: String,
    },
    /// The machine gives no threads.
    #[error("starting the server's threads")]
    Threads(#[source] io::Error),
}

/// A server that listens and does not answer yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    app: App,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server on {}", self.address)
    }
}

impl Server {
    /// Checks the configuration and begins to listen.
    ///
    /// # Errors
    /// [`ServerError`] says what cannot be used.
    pub fn bind(config: Config, parts: Parts) -> Result<Self, ServerError> {
        config.check().map_err(ServerError::Config)?;
        let tls = config.tls.as_ref().map(acceptor).transpose()?;
        let failed = |source| ServerError::Listen {
            address: config.listen,
            source,
        };
        let listener = TcpListener::bind(config.listen).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            tls,
            app: Inner::new(config, parts),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` is set.
    ///
    /// # Errors
    /// When the machine gives no threads.
    pub fn run(self, stop: &AtomicBool) -> Result<(), ServerError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .max_blocking_threads(BLOCKING)
            .thread_name("server")
            .enable_all()
            .build()
            .map_err(ServerError::Threads)?;
        let app = Arc::clone(&self.app);
        thread::scope(|scope| {
            scope.spawn(|| announce(&app, stop));
            scope.spawn(|| maintain(&app, stop));
            scope.spawn(|| crate::notify::work(&app, stop));
            runtime.block_on(self.accept(stop));
        });
        runtime.shutdown_timeout(FAREWELL);
        Ok(())
    }

    async fn accept(self, stop: &AtomicBool) {
        let Ok(listener) = tokio::net::TcpListener::from_std(self.listener) else {
            return;
        };
        let router = dispatch::router(&self.app);
        let room = Arc::new(Semaphore::new(limits::CONNECTIONS));
        let peers = Arc::new(Mutex::new(HashMap::<IpAddr, usize>::new()));
        let (ending, ended) = watch::channel(false);
        let mut look = tokio::time::interval(LOOK);
        loop {
            let accepted = tokio::select! {
                _ = look.tick() => {
                    if stop.load(Relaxed) {
                        break;
                    }
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, peer)) = accepted else {
                // Too many open files, most likely: waiting a moment is all that can be done.
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let Ok(turn) = Arc::clone(&room).try_acquire_owned() else {
                self.app.metrics.refused("connections");
                continue;
            };
            let Some(place) = Place::take(&peers, peer.ip()) else {
                self.app.metrics.refused("connections_of_peer");
                continue;
            };
            let (tls, router, ended) = (self.tls.clone(), router.clone(), ended.clone());
            let app = Arc::clone(&self.app);
            tokio::spawn(async move {
                let _held = (turn, place);
                let _ = stream.set_nodelay(true);
                match tls {
                    None => serve(stream, peer.ip(), router, ended).await,
                    Some(tls) => match shake(&tls, stream).await {
                        Ok(stream) => serve(stream, peer.ip(), router, ended).await,
                        Err(why) => app.log.refused(
                            json!({"code": "tls", "peer": peer.ip().to_string(), "why": why}),
                        ),
                    },
                }
            });
        }
        self.app.stop();
        let _ = ending.send(true);
        let all = u32::try_from(limits::CONNECTIONS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(FAREWELL, room.acquire_many(all)).await;
    }
}

async fn shake(
    tls: &TlsAcceptor,
    stream: TcpStream,
) -> Result<tokio_rustls::server::TlsStream<TcpStream>, String> {
    match tokio::time::timeout(limits::HEADER_TIME, tls.accept(stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the handshake took too long".to_owned()),
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: IpAddr,
    router: axum::Router,
    mut ended: watch::Receiver<bool>,
) {
    let service = tower::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(Peer(peer));
        tower::ServiceExt::oneshot(router.clone(), request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIME)
        .max_buf_size(limits::HEADER_BYTES)
        .half_close(false)
        .serve_connection(
            TokioIo::new(Stalling::new(stream)),
            TowerToHyperService::new(service),
        );
    tokio::pin!(connection);
    let is_over = tokio::select! {
        _ = connection.as_mut() => true,
        () = async { drop(ended.wait_for(|ended| *ended).await) } => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        let _ = tokio::time::timeout(FAREWELL, connection).await;
    }
}

/// A connection's place among those of its address.
struct Place {
    peers: Arc<Mutex<HashMap<IpAddr, usize>>>,
    peer: IpAddr,
}

impl Place {
    fn take(peers: &Arc<Mutex<HashMap<IpAddr, usize>>>, peer: IpAddr) -> Option<Self> {
        let mut counts = peers.lock().ok()?;
        let count = counts.entry(peer).or_insert(0);
        if *count >= limits::CONNECTIONS_PER_PEER {
            return None;
        }
        *count += 1;
        Some(Self {
            peers: Arc::clone(peers),
            peer,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(mut counts) = self.peers.lock()
            && let Some(count) = counts.get_mut(&self.peer)
        {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.peer);
            }
        }
    }
}

/// Tells streams of new findings.
fn announce(app: &App, stop: &AtomicBool) {
    let mut last = app.history.sequence();
    while !stop.load(Relaxed) {
        let now = app.history.wait(last, PATIENCE);
        if now != last {
            last = now;
            let _ = app.last.send_replace(last);
        }
    }
}

/// Applies the retention and forgets what has expired.
fn maintain(app: &App, stop: &AtomicBool) {
    let mut waited = MAINTAIN;
    while !stop.load(Relaxed) {
        if waited < MAINTAIN {
            thread::sleep(LOOK);
            waited += LOOK;
            continue;
        }
        waited = Duration::ZERO;
        let now = crate::clock::now();
        let retention = crate::settings::retention(app);
        let done = retention
            .and_then(|retention| app.history.maintain(&retention, now))
            .and_then(|()| app.state.expire(now));
        if let Err(error) = done {
            app.log.say(
                "error",
                "maintenance",
                json!({"cause": crate::chain(&error)}),
            );
        }
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, ServerError> {
    let failed = |path: &std::path::Path, why: String| ServerError::Tls {
        path: path.display().to_string(),
        why,
    };
    let chain: Vec<_> = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key)
        .map_err(|error| failed(&tls.key, error.to_string()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&tls.certificate, error.to_string()))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| failed(&tls.certificate, error.to_string()))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
