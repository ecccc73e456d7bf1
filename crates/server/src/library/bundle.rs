//! What agents take from here: custom rules and policies, as one text with a version that is its digest.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use vedette_history::Document;

use super::RULES;
use crate::app::{App, Inner};
use crate::http::call::{Call, Outcome, Reply};
use crate::problem::Problem;
use crate::respond::wire::{Bundle, Named};

fn named(documents: &[Document]) -> Vec<Named> {
    documents
        .iter()
        .map(|document| Named {
            name: document.key.clone(),
            text: document.value["text"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
        })
        .collect()
}

/// The bundle as it is, from the last time when nothing has changed since.
fn current(app: &Inner) -> Result<Arc<Bundle>, Problem> {
    let mut cache = app.bundle.lock().map_err(|_| Problem::internal())?;
    if let Some(bundle) = &*cache {
        return Ok(Arc::clone(bundle));
    }
    let rules = app.state.list(RULES, "", None, super::MAX_CUSTOM)?;
    let policies = app.state.list(
        crate::policies::POLICIES,
        "",
        None,
        crate::policies::MAX_POLICIES,
    )?;
    let mut bundle = Bundle {
        version: String::new(),
        rules: named(&rules),
        policies: named(&policies),
    };
    bundle.version = bundle.digest();
    let bundle = Arc::new(bundle);
    *cache = Some(Arc::clone(&bundle));
    Ok(bundle)
}

/// Version that agents should have.
pub(crate) fn version(app: &Inner) -> Result<String, Problem> {
    Ok(current(app)?.version.clone())
}

/// Rules or policies were changed: agents that wait are told.
pub(crate) fn changed(app: &App) {
    if let Ok(mut cache) = app.bundle.lock() {
        *cache = None;
    }
    app.news();
}

pub(super) fn get(call: &Call) -> Outcome {
    let bundle = current(&call.app)?;
    let tag = format!("\"{}\"", bundle.version);
    if call.header("if-none-match") == Some(&tag) {
        let mut reply = Reply::of("application/json", "");
        reply.status = StatusCode::NOT_MODIFIED;
        return Ok(reply.with(header::ETAG, &tag));
    }
    Ok(Reply::json(&*bundle)?.with(header::ETAG, &tag))
}
