//! The live stream: findings as server-sent events, in the order of their arrival, resumable by sequence number.
//!
//! A stream has no queue of its own: it asks the store for what came after the number it sent last. So a client that reads
//! slowly falls behind without costing memory, and one that comes back, even to a restarted server, misses nothing that is
//! still kept; when something is gone it is told so by a `gap` event.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use vedette_history::{Filter, Tail};

use crate::app::App;
use crate::auth::caller;
use crate::auth::teams::{self, Zone};
use crate::clock;
use crate::findings::view::Item;
use crate::http::call::{Call, Outcome, Reply, content_type};
use crate::http::limits::{STREAMS, STREAMS_PER_USER};
use crate::http::pipe::Pipe;
use crate::http::route::{FILTER, Gives, Route, VIEWER};
use crate::problem::Problem;

/// Findings that are sent at a time.
const PIECE: usize = 200;
/// Pieces that wait for a client at most.
const WAITING: usize = 2;
/// How often an idle stream says that it is alive, and every stream checks that its user may still see it.
const PULSE: Duration = Duration::from_secs(15);

pub(crate) const ROUTES: &[Route] = &[Route::get(
    "/stream",
    VIEWER,
    "New findings as server-sent events; resumes behind Last-Event-ID",
    Gives::Text("text/event-stream"),
    stream,
)
.query(&[
    FILTER,
    (
        "after",
        "sequence number to begin behind, for clients that cannot send Last-Event-ID",
    ),
])];

/// A place among the streams.
struct Seat {
    app: App,
    user: String,
}

impl Seat {
    fn take(app: &App, user: &str) -> Result<Self, Problem> {
        let mut streams = app.streams.lock().map_err(|_| Problem::internal())?;
        let all: usize = streams.values().sum();
        let own = streams.get(user).copied().unwrap_or(0);
        if all >= STREAMS || own >= STREAMS_PER_USER {
            return Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                format!("{own} live streams are open for you already; close one"),
            ));
        }
        *streams.entry(user.to_owned()).or_insert(0) += 1;
        Ok(Self {
            app: Arc::clone(app),
            user: user.to_owned(),
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Ok(mut streams) = self.app.streams.lock()
            && let Some(own) = streams.get_mut(&self.user)
        {
            *own -= 1;
            if *own == 0 {
                streams.remove(&self.user);
            }
        }
    }
}

fn stream(call: &Call) -> Outcome {
    let own = call.query("filter").unwrap_or_default().to_owned();
    let filter = teams::within(&call.caller.zone, &own)?;
    let from = match call.header("last-event-id").or(call.query("after")) {
        None => call.app.history.sequence(),
        Some(text) => text
            .parse()
            .map_err(|_| Problem::bad("Last-Event-ID: expected a sequence number"))?,
    };
    let seat = Seat::take(&call.app, &call.caller.name)?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let task = Task {
        seat,
        headers: call.headers.clone(),
        zone: call.caller.zone.clone(),
        filter,
        last: from,
        sender,
    };
    tokio::runtime::Handle::current().spawn(task.run());
    Ok(Reply {
        status: StatusCode::OK,
        headers: vec![
            content_type("text/event-stream"),
            // Proxies that gather answers would make the stream late.
            (
                HeaderName::from_static("x-accel-buffering"),
                HeaderValue::from_static("no"),
            ),
        ],
        body: Body::new(Pipe::of(receiver)),
    })
}

struct Task {
    seat: Seat,
    headers: HeaderMap,
    zone: Zone,
    filter: Option<Filter>,
    last: u64,
    sender: mpsc::Sender<Bytes>,
}

impl Task {
    async fn run(mut self) {
        let mut news = self.seat.app.last.subscribe();
        let mut responses = self.seat.app.responses.subscribe();
        // Says at once that the stream is there, and how soon to come back when it breaks.
        let hello = format!(
            "retry: 2000\nid: {}\nevent: hello\ndata: {{}}\n\n",
            self.last
        );
        if self.send(hello).await.is_err() {
            return;
        }
        let mut pulse = Instant::now() + PULSE;
        loop {
            let newest = *news.borrow_and_update();
            while self.last < newest {
                if self.catch_up().await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = self.sender.closed() => return,
                response = responses.recv() => match response {
                    Ok((finding, response)) => if self.respond(finding, &response).await.is_err() { return },
                    // what was missed stands on the finding's page
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                changed = timeout_at(pulse, news.changed()) => match changed {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return,
                    Err(_) => {
                        pulse = Instant::now() + PULSE;
                        if !self.still_allowed().await || self.send(": alive\n\n".to_owned()).await.is_err() {
                            return;
                        }
                    }
                },
            }
            if Instant::now() >= pulse {
                pulse = Instant::now() + PULSE;
                if !self.still_allowed().await {
                    return;
                }
            }
        }
    }

    async fn send(&self, text: String) -> Result<(), ()> {
        self.sender.send(Bytes::from(text)).await.map_err(|_| ())
    }

    /// Tells that a response to a finding has changed, when this stream shows the finding.
    async fn respond(&self, finding: String, response: &serde_json::Value) -> Result<(), ()> {
        let Some(filter) = self.filter.clone() else {
            return Ok(());
        };
        let app = Arc::clone(&self.seat.app);
        let shown =
            tokio::task::spawn_blocking(move || crate::respond::concerns(&app, &filter, &finding));
        if shown.await.unwrap_or(false) {
            self.send(format!("event: response\ndata: {response}\n\n"))
                .await?;
        }
        Ok(())
    }

    /// Sends one piece of what came since.
    async fn catch_up(&mut self) -> Result<(), ()> {
        let Some(filter) = self.filter.clone() else {
            // This user sees nothing; the stream stays open and silent.
            self.last = self.seat.app.history.sequence();
            return Ok(());
        };
        let (app, last) = (Arc::clone(&self.seat.app), self.last);
        let found =
            tokio::task::spawn_blocking(move || app.history.since(last, &filter, PIECE)).await;
        let tail: Tail = match found {
            Ok(Ok(tail)) => tail,
            Ok(Err(error)) => {
                self.seat
                    .app
                    .log
                    .say("error", "stream", json!({"cause": crate::chain(&error)}));
                return Err(());
            }
            Err(_) => return Err(()),
        };
        let mut text = String::new();
        if tail.gap {
            text.push_str(&format!("event: gap\ndata: {}\n\n", json!({"after": last})));
        }
        for stored in &tail.items {
            // JSON has no line breaks, so an item cannot begin a line of its own.
            let item = json!(Item::of(stored));
            text.push_str(&format!(
                "id: {}\nevent: finding\ndata: {item}\n\n",
                stored.sequence
            ));
        }
        // A piece without progress would be asked for again and again.
        self.last = tail.last.max(last + 1);
        if text.is_empty() {
            Ok(())
        } else {
            self.send(text).await
        }
    }

    /// Whether the credentials still give the same sight.
    async fn still_allowed(&self) -> bool {
        let (app, headers) = (Arc::clone(&self.seat.app), self.headers.clone());
        let found = tokio::task::spawn_blocking(move || {
            caller::identify(&*app.state, &headers, clock::now())
        })
        .await;
        match found {
            Ok(Ok(caller)) => caller.may(VIEWER) && caller.zone == self.zone,
            _ => false,
        }
    }
}
