//! A body that is written while it is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use tokio::sync::mpsc;

/// Pieces that wait at most.
const WAITING: usize = 8;

/// The end that is read by the connection.
pub(crate) struct Pipe(mpsc::Receiver<Bytes>);

/// The end that is written to by a thread that may block. Dropping it ends the body.
pub(crate) struct Writer(mpsc::Sender<Bytes>);

/// A pipe.
pub(crate) fn pipe() -> (Writer, Pipe) {
    let (sender, receiver) = mpsc::channel(WAITING);
    (Writer(sender), Pipe(receiver))
}

impl Writer {
    /// Sends a piece; waits while the reader is behind. False when the reader is gone.
    pub(crate) fn write(&self, bytes: Vec<u8>) -> bool {
        self.0.blocking_send(Bytes::from(bytes)).is_ok()
    }
}

impl Body for Pipe {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(cx)
            .map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

impl Pipe {
    /// The reading end of a channel that somebody else fills.
    pub(crate) fn of(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self(receiver)
    }
}
