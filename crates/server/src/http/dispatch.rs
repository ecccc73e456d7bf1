//! From a request to its handler: identity, access, limits, body, and what every answer carries.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request};
use axum::response::Response;
use axum::routing::{self, MethodRouter};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use serde_json::json;

use super::call::{Call, Outcome, Reply, parse_query};
use super::limits;
use super::route::{self, Method, Route};
use super::ui;
use crate::app::App;
use crate::auth::caller::{self, Refusal};
use crate::auth::{Access, Caller, How, secret};
use crate::problem::Problem;
use crate::{clock, metrics};

/// Address of the other side.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// The root of the API.
pub(crate) const ROOT: &str = "/api/v1";

/// All routes.
pub(crate) fn router(app: &App) -> Router {
    let mut router = Router::new();
    for row in route::all() {
        let app = Arc::clone(app);
        let handler = move |request: Request| {
            let app = Arc::clone(&app);
            async move { answer(app, row, request).await }
        };
        let method: MethodRouter = match row.method {
            Method::Get => routing::get(handler),
            Method::Post => routing::post(handler),
            Method::Put => routing::put(handler),
            Method::Patch => routing::patch(handler),
            Method::Delete => routing::delete(handler),
        };
        router = router.route(&format!("{ROOT}{}", row.path), method);
    }
    let for_health = Arc::clone(app);
    let for_metrics = Arc::clone(app);
    let for_rest = Arc::clone(app);
    let not_allowed = Arc::clone(app);
    router
        .route(
            "/healthz",
            routing::get(move || async move {
                let found = tokio::task::spawn_blocking(move || metrics::health(&for_health)).await;
                finish(None, found.unwrap_or_else(|_| Err(Problem::internal())))
            }),
        )
        .route(
            "/metrics",
            routing::get(move |request: Request| async move {
                let found = tokio::task::spawn_blocking(move || {
                    let may = peer_of(request.extensions()).is_loopback()
                        || caller::identify(&*for_metrics.state, request.headers(), clock::now())
                            .is_ok_and(|caller| caller.may(route::VIEWER));
                    if may {
                        metrics::page(&for_metrics)
                    } else {
                        Err(Problem::unauthenticated())
                    }
                })
                .await;
                finish(None, found.unwrap_or_else(|_| Err(Problem::internal())))
            }),
        )
        .method_not_allowed_fallback(move |request: Request| {
            let app = Arc::clone(&not_allowed);
            async move {
                let problem = Problem::new(
                    StatusCode::METHOD_NOT_ALLOWED,
                    "method_not_allowed",
                    format!("{} cannot be done here", request.method()),
                );
                finish(Some(&app), Err(problem))
            }
        })
        .fallback(move |request: Request| {
            let app = Arc::clone(&for_rest);
            async move { rest(&app, &request) }
        })
}

fn peer_of(extensions: &axum::http::Extensions) -> IpAddr {
    extensions
        .get::<Peer>()
        .map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.0)
}

/// Everything that is no route: screens, and what is not there.
fn rest(app: &App, request: &Request) -> Response {
    let path = request.uri().path();
    if path.starts_with("/api/") || path == "/api" {
        return finish(
            Some(app),
            Err(Problem::missing("such endpoint; see /api/v1/openapi.json")),
        );
    }
    let lower = path.to_ascii_lowercase();
    if lower.contains("..")
        || lower.contains("%2e")
        || lower.contains("%00")
        || lower.contains('\\')
    {
        refused(
            app,
            request.method().as_str(),
            path,
            peer_of(request.extensions()),
            "",
            "path",
        );
        return finish(Some(app), Err(Problem::missing("such page")));
    }
    if request.method() != axum::http::Method::GET && request.method() != axum::http::Method::HEAD {
        let problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "the screens are only read",
        );
        return finish(Some(app), Err(problem));
    }
    finish(Some(app), Ok(ui::serve(path, request.headers())))
}

fn refused(app: &App, method: &str, path: &str, peer: IpAddr, user: &str, code: &str) {
    app.metrics.refused(code);
    app.log.refused(json!({
        "code": code, "method": method, "path": path, "peer": peer.to_string(), "user": user,
    }));
}

async fn answer(app: App, row: &'static Route, request: Request) -> Response {
    let begun = Instant::now();
    let (mut parts, body) = request.into_parts();
    let peer = peer_of(&parts.extensions);
    let mut user = String::new();
    let outcome = respond(&app, row, &mut parts, body, peer, &mut user).await;
    if let Err(problem) = &outcome {
        let status = problem.status.as_u16();
        // Screens ask at every start who is signed in; that nobody is, is nothing to write down.
        let ordinary = status == 401 && row.path == "/session" && row.method == Method::Get;
        if matches!(status, 401 | 403 | 408 | 413 | 429 | 503) && !ordinary {
            refused(
                &app,
                row.method.name(),
                parts.uri.path(),
                peer,
                &user,
                problem.code,
            );
        }
        if status >= 500 {
            let cause = problem.cause.as_deref().unwrap_or(&problem.message);
            app.log.say(
                "error",
                "failed",
                json!({"method": row.method.name(), "path": parts.uri.path(), "cause": cause}),
            );
        }
    }
    let response = finish(Some(&app), outcome);
    app.metrics
        .request(row, response.status().as_u16(), begun.elapsed());
    response
}

async fn respond(
    app: &App,
    row: &'static Route,
    parts: &mut request::Parts,
    body: Body,
    peer: IpAddr,
    user: &mut String,
) -> Outcome {
    let caller = {
        let (app, headers) = (Arc::clone(app), parts.headers.clone());
        blocking(move || admit(&app, row, &headers, peer)).await?
    };
    user.clone_from(&caller.name);
    let caller = if caller.may(row.access) {
        caller
    } else if caller.how == How::Nobody {
        return Err(Problem::unauthenticated());
    } else {
        return Err(Problem::forbidden(match row.access {
            Access::Role(role) => format!("this needs the role {}", role.name()),
            _ => "this is for agents".to_owned(),
        }));
    };
    let is_large = row.limit > limits::BODY_BYTES;
    // Large bodies take their turn before they are read, since reading them takes the memory.
    let turn = if is_large {
        Some(turn(&app.large).await?)
    } else {
        None
    };
    let bytes = read(body, row.limit).await?;
    let turn = match turn {
        Some(turn) => turn,
        None => self::turn(&app.turns).await?,
    };
    let params = RawPathParams::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::bad("the path is not UTF-8"))?;
    let call = Call {
        app: Arc::clone(app),
        caller,
        peer,
        path: params
            .iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        query: parse_query(parts.uri.query().unwrap_or_default()),
        headers: std::mem::take(&mut parts.headers),
        body: bytes,
    };
    blocking(move || {
        let _turn = turn;
        (row.run)(&call)
    })
    .await
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome,
        Err(panic) => {
            let mut problem = Problem::internal();
            problem.cause = Some(format!("a handler panicked: {panic}"));
            Err(problem)
        }
    }
}

async fn turn(
    turns: &Arc<tokio::sync::Semaphore>,
) -> Result<tokio::sync::OwnedSemaphorePermit, Problem> {
    let busy = || {
        let mut problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "the server is busy",
        );
        problem.retry_after = Some(2);
        problem
    };
    match tokio::time::timeout(limits::TURN_TIME, Arc::clone(turns).acquire_owned()).await {
        Ok(Ok(turn)) => Ok(turn),
        _ => Err(busy()),
    }
}

/// Reads a body. One that is too long is read on for a while and thrown away: a client that is still sending would not see
/// the answer otherwise.
async fn read(mut body: Body, limit: usize) -> Result<Bytes, Problem> {
    let mut whole = Vec::new();
    let mut size = 0;
    let reading = async {
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| Problem::bad("the body broke off"))?;
            let Some(data) = frame.data_ref() else {
                continue;
            };
            size += data.len();
            if size <= limit {
                whole.extend_from_slice(data);
            } else if size > limit.saturating_mul(PATIENT_READING) {
                break;
            } else {
                whole = Vec::new();
            }
        }
        Ok(())
    };
    match tokio::time::timeout(limits::BODY_TIME, reading).await {
        Ok(Ok(())) => {}
        Ok(Err(problem)) => return Err(problem),
        Err(_) => {
            return Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "too_slow",
                "the body took too long",
            ));
        }
    }
    if size > limit {
        return Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            format!("the body has more than the {limit} bytes that are read here"),
        ));
    }
    Ok(Bytes::from(whole))
}

/// How many times the limit is read before a connection is closed on a client that goes on sending.
const PATIENT_READING: usize = 8;

/// Finds out who asks and holds it to its limits.
fn admit(app: &App, row: &Route, headers: &HeaderMap, peer: IpAddr) -> Result<Caller, Problem> {
    let now = Instant::now();
    let address = peer.to_string();
    let caller = match caller::identify(&*app.state, headers, clock::now()) {
        Ok(caller) => caller,
        Err(Refusal::Wrong) => {
            app.limits
                .wrong
                .take(&address, now)
                .map_err(Problem::too_many)?;
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "the token is wrong, has expired or was withdrawn",
            ));
        }
        Err(Refusal::Store(error)) => return Err(error.into()),
    };
    if caller.how == How::Nobody {
        app.limits
            .nobody
            .take(&address, now)
            .map_err(Problem::too_many)?;
    } else {
        let limits = &app.limits;
        let buckets = if caller.how == How::Node {
            &limits.node
        } else {
            &limits.user
        };
        buckets
            .take(&caller.key(), now)
            .map_err(Problem::too_many)?;
    }
    if row.method != Method::Get {
        same_origin(headers)?;
        if let How::Session { csrf, .. } = &caller.how {
            let sent = headers
                .get("x-csrf-token")
                .and_then(|value| value.to_str().ok());
            // Signing in again over an old session sends no token yet.
            let signs_in = row.access == Access::Public;
            if !signs_in && !sent.is_some_and(|sent| secret::same(sent, csrf)) {
                return Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "csrf",
                    "the X-CSRF-Token header is missing or wrong",
                ));
            }
        }
    }
    Ok(caller)
}

/// A browser says which site's page makes a change; another site's may not.
fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = || {
        Problem::new(
            StatusCode::FORBIDDEN,
            "cross_site",
            "another site's page may not do this",
        )
    };
    if headers
        .get("sec-fetch-site")
        .is_some_and(|value| value != "same-origin" && value != "none")
    {
        return Err(foreign());
    }
    let Some(origin) = text(header::ORIGIN) else {
        return Ok(());
    };
    let host = origin.split_once("://").map(|(_, host)| host);
    if host.is_some() && host == text(header::HOST) {
        Ok(())
    } else {
        Err(foreign())
    }
}

/// What every answer carries.
const HEADERS: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

fn finish(app: Option<&App>, outcome: Outcome) -> Response {
    let reply = outcome.unwrap_or_else(|problem| {
        let mut reply = Reply::of("application/json", problem.body());
        reply.status = problem.status;
        if let Some(seconds) = problem.retry_after {
            reply = reply.with(header::RETRY_AFTER, &seconds.to_string());
        }
        if problem.status == StatusCode::UNAUTHORIZED {
            reply = reply.with(header::WWW_AUTHENTICATE, "Bearer");
        }
        reply
    });
    let mut response = Response::new(reply.body);
    *response.status_mut() = reply.status;
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    if app.is_some_and(|app| app.config.secure()) {
        headers.insert(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        );
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in reply.headers {
        if name == header::SET_COOKIE {
            headers.append(name, value);
        } else {
            headers.insert(name, value);
        }
    }
    response
}
