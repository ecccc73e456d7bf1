//! A request as handlers see it, and what they answer with.
//!
//! Handlers are plain functions that may block; which of them runs for a request, and whether it may, is decided before.

use std::net::IpAddr;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use hyper::body::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::App;
use crate::auth::Caller;
use crate::clock;
use crate::problem::Problem;

/// A request.
pub(crate) struct Call {
    pub(crate) app: App,
    pub(crate) caller: Caller,
    pub(crate) peer: IpAddr,
    pub(crate) path: Vec<(String, String)>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) body: Body,
}

/// What handlers give.
pub(crate) type Outcome = Result<Reply, Problem>;

impl Reply {
    /// JSON with status 200.
    pub(crate) fn json(value: &impl Serialize) -> Outcome {
        Self::json_with(StatusCode::OK, value)
    }

    /// JSON with another status.
    pub(crate) fn json_with(status: StatusCode, value: &impl Serialize) -> Outcome {
        let bytes = serde_json::to_vec(value).map_err(|_| Problem::internal())?;
        Ok(Self {
            status,
            headers: vec![content_type("application/json")],
            body: Body::from(bytes),
        })
    }

    /// Nothing to say.
    pub(crate) fn done() -> Outcome {
        Ok(Self {
            status: StatusCode::NO_CONTENT,
            headers: Vec::new(),
            body: Body::empty(),
        })
    }

    /// Bytes of another type.
    pub(crate) fn of(kind: &'static str, body: impl Into<Body>) -> Self {
        Self {
            status: StatusCode::OK,
            headers: vec![content_type(kind)],
            body: body.into(),
        }
    }

    /// The same with a header more; a value that no header can have is left out.
    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }
}

/// The header that says what a body is.
pub(crate) fn content_type(kind: &'static str) -> (HeaderName, HeaderValue) {
    (
        axum::http::header::CONTENT_TYPE,
        HeaderValue::from_static(kind),
    )
}

impl Call {
    /// A part of the path; the route names it, so it is there.
    pub(crate) fn part(&self, name: &str) -> &str {
        find(&self.path, name).unwrap_or_default()
    }

    /// A query parameter; an empty one counts as not given.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        find(&self.query, name).filter(|text| !text.is_empty())
    }

    /// A header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// A number of the query between two bounds.
    pub(crate) fn number(&self, name: &str, default: u64, most: u64) -> Result<u64, Problem> {
        let Some(text) = self.query(name) else {
            return Ok(default);
        };
        match text.parse() {
            Ok(number) if (1..=most).contains(&number) => Ok(number),
            _ => Err(Problem::bad(format!(
                "parameter `{name}`: expected a number from 1 to {most}"
            ))),
        }
    }

    /// The range of time `from`…`to`; by default the last three hours.
    pub(crate) fn range(&self) -> Result<(u64, u64), Problem> {
        let now = clock::now();
        let read = |name: &str, default: &str| {
            let text = self.query(name).unwrap_or(default);
            clock::parse(text, now).ok_or_else(|| {
                Problem::bad(format!("parameter `{name}`: expected a time"))
                    .hint("RFC 3339, such as 2026-01-31T08:00:00Z, or now, now-3h, now-7d")
            })
        };
        // `now` ends behind what came in this moment.
        let (from, to) = (read("from", "now-3h")?, read("to", "now")?);
        let to = if self.query("to").is_none_or(|to| to == "now") {
            to.saturating_add(clock::SECOND)
        } else {
            to
        };
        if from > to {
            return Err(Problem::bad("`from` is later than `to`"));
        }
        Ok((from, to))
    }

    /// The body as JSON.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let kind = self.header("content-type").unwrap_or_default();
        if !kind
            .split(';')
            .next()
            .unwrap_or_default()
            .trim()
            .eq_ignore_ascii_case("application/json")
        {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                "the body must be JSON; send Content-Type: application/json",
            ));
        }
        serde_json::from_slice(&self.body).map_err(|error| {
            Problem::bad(format!("the body is not what is expected: {error}"))
                .at(u32::try_from(error.column()).unwrap_or(u32::MAX))
        })
    }
}

fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
}

/// Reads `a=b&c=d` with percent and plus encoding; what is not UTF-8 becomes replacement characters.
pub(crate) fn parse_query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name, true), decode(value, true))
        })
        .collect()
}

/// Undoes percent encoding.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' if plus => out.push(b' '),
            b'%' => {
                let rest = bytes.as_slice_copy();
                match rest {
                    Some([a, b]) => {
                        out.push(a << 4 | b);
                        bytes.nth(1);
                    }
                    None => out.push(b'%'),
                }
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

trait Hex {
    fn as_slice_copy(&self) -> Option<[u8; 2]>;
}

impl Hex for std::str::Bytes<'_> {
    /// The next two bytes as hexadecimal digits, without taking them.
    fn as_slice_copy(&self) -> Option<[u8; 2]> {
        let mut ahead = self.clone();
        let mut digit = || {
            (ahead.next()? as char)
                .to_digit(16)
                .map(|digit| digit as u8)
        };
        Some([digit()?, digit()?])
    }
}

/// Encodes text for a place in a URL.
pub(crate) fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_decoded() {
        let pairs = parse_query("a=1&filter=x%20%3D+%22%c3%bc%22&&b&c=%zz%2");
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(a, b)| (a.as_str(), b.as_str()))
            .collect();
        assert_eq!(
            pairs,
            [
                ("a", "1"),
                ("filter", "x = \"ü\""),
                ("b", ""),
                ("c", "%zz%2")
            ]
        );
        for text in ["", "a b/ü&=+%", "\0\n"] {
            assert_eq!(decode(&encode(text), false), text);
        }
    }
}
