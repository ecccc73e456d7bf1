//! What one client may ask for, each bound with its reason.

use std::time::Duration;

/// Connections at a time; each costs some 30 KiB while it is idle.
pub(crate) const CONNECTIONS: usize = 1024;
/// Connections of one address at a time: a browser opens six, a gateway serves many people.
pub(crate) const CONNECTIONS_PER_PEER: usize = 256;
/// Time for the header of a request, the TLS handshake, or the wait for the next request of a connection.
pub(crate) const HEADER_TIME: Duration = Duration::from_secs(15);
/// Time for the whole body of a request.
pub(crate) const BODY_TIME: Duration = Duration::from_secs(30);
/// Time a client may leave an answer unread before its connection is closed.
pub(crate) const STALL_TIME: Duration = Duration::from_secs(30);
/// Bytes of a request's header section.
pub(crate) const HEADER_BYTES: usize = 32 * 1024;
/// Bytes of a body, unless a route says otherwise; the greatest is a rules file.
pub(crate) const BODY_BYTES: usize = 1024 * 1024;
/// Bytes of one batch of an agent, as the contract says.
pub(crate) const INGEST_BYTES: usize = 8 * 1024 * 1024;
/// Requests that are worked on at a time; more wait. Bounds memory together with [`INGEST_BYTES`].
pub(crate) const AT_WORK: usize = 24;
/// Time a request waits for its turn before it is told that the server is busy.
pub(crate) const TURN_TIME: Duration = Duration::from_secs(10);
/// Agents whose request for orders waits; the others ask again and again, and leave connections to people.
pub(crate) const WAITING_NODES: usize = 512;
/// Live streams in all, and of one user.
pub(crate) const STREAMS: usize = 256;
/// A person has a handful of tabs open.
pub(crate) const STREAMS_PER_USER: usize = 16;
