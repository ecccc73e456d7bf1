//! Routes: one row says path, who may use it, what it takes and gives, and which function answers.
//!
//! Router, access control and OpenAPI document are made of the same rows, so they cannot disagree.

use super::call::{Call, Outcome};
use super::limits;
use crate::auth::{Access, Role};

/// Methods that routes use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The word of an OpenAPI document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// What a route gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// JSON of this schema.
    Json(&'static str),
    /// A page of items of this schema.
    Page(&'static str),
    /// An array of items of this schema.
    List(&'static str),
    /// Nothing (204).
    Nothing,
    /// Another type.
    Text(&'static str),
}

/// A row.
#[derive(Clone, Copy)]
pub(crate) struct Route {
    pub(crate) method: Method,
    /// Below `/api/v1`.
    pub(crate) path: &'static str,
    pub(crate) access: Access,
    pub(crate) summary: &'static str,
    /// Query parameters with what they mean.
    pub(crate) query: &'static [(&'static str, &'static str)],
    /// Schema of the body.
    pub(crate) takes: Option<&'static str>,
    pub(crate) gives: Gives,
    /// Most bytes of the body.
    pub(crate) limit: usize,
    pub(crate) run: fn(&Call) -> Outcome,
}

/// Everybody.
pub(crate) const PUBLIC: Access = Access::Public;
/// Nodes.
pub(crate) const NODE: Access = Access::Node;
/// Viewers and better.
pub(crate) const VIEWER: Access = Access::Role(Role::Viewer);
/// Responders and better.
pub(crate) const RESPONDER: Access = Access::Role(Role::Responder);
/// Admins.
pub(crate) const ADMIN: Access = Access::Role(Role::Admin);

impl Route {
    const fn new(
        method: Method,
        path: &'static str,
        access: Access,
        summary: &'static str,
        gives: Gives,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        let limit = match access {
            // Before anybody is known, nothing is longer than a name and a password.
            Access::Public => 16 * 1024,
            _ => limits::BODY_BYTES,
        };
        Self {
            method,
            path,
            access,
            summary,
            query: &[],
            takes: None,
            gives,
            limit,
            run,
        }
    }

    pub(crate) const fn get(
        path: &'static str,
        access: Access,
        summary: &'static str,
        gives: Gives,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        Self::new(Method::Get, path, access, summary, gives, run)
    }

    pub(crate) const fn post(
        path: &'static str,
        access: Access,
        summary: &'static str,
        gives: Gives,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        Self::new(Method::Post, path, access, summary, gives, run)
    }

    pub(crate) const fn put(
        path: &'static str,
        access: Access,
        summary: &'static str,
        gives: Gives,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        Self::new(Method::Put, path, access, summary, gives, run)
    }

    pub(crate) const fn patch(
        path: &'static str,
        access: Access,
        summary: &'static str,
        gives: Gives,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        Self::new(Method::Patch, path, access, summary, gives, run)
    }

    pub(crate) const fn delete(
        path: &'static str,
        access: Access,
        summary: &'static str,
        run: fn(&Call) -> Outcome,
    ) -> Self {
        Self::new(Method::Delete, path, access, summary, Gives::Nothing, run)
    }

    /// The same with query parameters.
    pub(crate) const fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.query = query;
        self
    }

    /// The same with a body.
    pub(crate) const fn takes(mut self, schema: &'static str) -> Self {
        self.takes = Some(schema);
        self
    }

    /// The same with another greatest body.
    pub(crate) const fn up_to(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }
}

/// Parameters of a range of time.
pub(crate) const FROM: (&str, &str) = (
    "from",
    "begin: RFC 3339, now or now-3h; three hours ago when missing",
);
/// See [`FROM`].
pub(crate) const TO: (&str, &str) = ("to", "end: as from; now when missing");
/// A filter expression.
pub(crate) const FILTER: (&str, &str) = (
    "filter",
    "filter expression over the field catalogue and the record's own fields",
);
/// Most items.
pub(crate) const LIMIT: (&str, &str) = ("limit", "most items of the page, up to 1000");
/// Where to go on.
pub(crate) const CURSOR: (&str, &str) = ("cursor", "`next` of the page before");

/// Every route, grouped by subject.
pub(crate) fn all() -> impl Iterator<Item = &'static Route> {
    [
        crate::auth::endpoints::ROUTES,
        crate::findings::ROUTES,
        crate::findings::detail::ROUTES,
        crate::findings::export::ROUTES,
        crate::respond::ROUTES,
        crate::live::ROUTES,
        crate::overview::ROUTES,
        crate::activity::ROUTES,
        crate::tree::ROUTES,
        crate::library::ROUTES,
        crate::policies::ROUTES,
        crate::fields::ROUTES,
        crate::nodes::ROUTES,
        crate::ingest::ROUTES,
        crate::people::ROUTES,
        crate::settings::ROUTES,
        crate::notify::endpoints::ROUTES,
        crate::queries::ROUTES,
        crate::openapi::ROUTES,
    ]
    .into_iter()
    .flatten()
}
