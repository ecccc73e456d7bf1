//! What went wrong with a request, in the one shape that every error answer has.

use axum::http::StatusCode;
use serde::Serialize;

/// An error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people, without a full stop.
    pub message: String,
    /// Place in the text that was sent, from 1.
    pub column: Option<u32>,
    /// What to do about it.
    pub hint: Option<String>,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u64>,
    /// What the log says of it; never sent.
    pub cause: Option<String>,
}

impl Problem {
    /// An error with this status and code.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            column: None,
            hint: None,
            retry_after: None,
            cause: None,
        }
    }

    /// The request does not make sense.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// Nobody is signed in.
    pub(crate) fn unauthenticated() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "sign in, or send a token in the Authorization header",
        )
    }

    /// Somebody is signed in who may not do this.
    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// There is no such thing, or none that the caller may see.
    pub(crate) fn missing(what: impl std::fmt::Display) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no {what}"),
        )
    }

    /// What is there stands in the way.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", message)
    }

    /// Too many requests.
    pub(crate) fn too_many(retry_after: u64) -> Self {
        let mut problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too_many_requests",
            format!("too many requests; try again in {retry_after} s"),
        );
        problem.retry_after = Some(retry_after);
        problem
    }

    /// The server itself failed; the cause goes to the log, not to the caller.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the server could not do this; its log says why",
        )
    }

    /// The same, with a place in the text that was sent.
    #[must_use]
    pub(crate) fn at(mut self, column: u32) -> Self {
        self.column = Some(column);
        self
    }

    /// The same, with what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Inner<'a> {
            code: &'a str,
            message: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            column: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            hint: Option<&'a str>,
        }
        #[derive(Serialize)]
        struct Outer<'a> {
            error: Inner<'a>,
        }
        serde_json::to_vec(&Outer {
            error: Inner {
                code: self.code,
                message: &self.message,
                column: self.column,
                hint: self.hint.as_deref(),
            },
        })
        .unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl From<vedette_history::Error> for Problem {
    fn from(error: vedette_history::Error) -> Self {
        use vedette_history::Error as E;
        match error {
            E::Question(message) => Self::bad(message),
            E::Conflict { .. } => Self::conflict("somebody else changed this meanwhile")
                .hint("load it again and make the change there"),
            E::Full { .. } => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_full",
                "no room left on the server's disk; nothing was changed",
            ),
            E::Closed => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "closing",
                "the server is shutting down",
            ),
            E::Io { .. } | E::Corrupt(_) => {
                let mut problem = Self::internal();
                problem.cause = Some(crate::chain(&error));
                problem
            }
        }
    }
}
