//! The screens: files that were put into the binary when it was built.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ring::digest;

use super::call::Reply;

/// A file of the screens.
#[derive(Debug)]
struct Asset {
    /// Path below `/`.
    path: &'static str,
    /// Its bytes.
    plain: &'static [u8],
    /// Its bytes, compressed.
    gzip: Option<&'static [u8]>,
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Shown when the binary was built without screens.
const PLACEHOLDER: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Vedette</title>\
<h1>Vedette</h1><p>This binary was built without its screens (<code>ui/dist</code> was missing). \
The API is at <a href=\"/api/v1/openapi.json\">/api/v1/openapi.json</a>.</p></html>\n";

static TAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let tag = |asset: &Asset| {
        let hash = digest::digest(&digest::SHA256, asset.plain);
        let hex: String = hash.as_ref()[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("\"{hex}\"")
    };
    ASSETS.iter().map(tag).collect()
});

/// The answer for a path: a file, or the page itself for the paths that the screens give to their own states.
pub(crate) fn serve(path: &str, request: &HeaderMap) -> Reply {
    let path = path.trim_start_matches('/');
    let is_state = !path.rsplit('/').next().unwrap_or_default().contains('.');
    let Some(index) = ASSETS
        .iter()
        .position(|asset| asset.path == path)
        .or_else(|| {
            is_state.then(|| ASSETS.iter().position(|asset| asset.path == "index.html"))?
        })
    else {
        if is_state {
            return Reply::of("text/html; charset=utf-8", PLACEHOLDER)
                .with(header::CACHE_CONTROL, "no-cache");
        }
        let mut reply = Reply::of("text/plain; charset=utf-8", "there is no such page\n");
        reply.status = StatusCode::NOT_FOUND;
        return reply;
    };
    let (asset, tag) = (&ASSETS[index], &TAGS[index]);
    // Names below assets/ contain a hash of their content.
    let caching = if asset.path.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = request
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|tags| {
            tags.split(',')
                .any(|one| one.trim().trim_start_matches("W/") == tag)
        });
    let zipped = request
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok())
        .is_some_and(accepts_gzip);
    let mut reply = match asset.gzip {
        _ if known => {
            let mut reply = Reply::of(kind(asset.path), "");
            reply.status = StatusCode::NOT_MODIFIED;
            reply
        }
        Some(gzip) if zipped => {
            let mut reply = Reply::of(kind(asset.path), gzip);
            reply
                .headers
                .push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
            reply
        }
        _ => Reply::of(kind(asset.path), asset.plain),
    };
    if asset.gzip.is_some() {
        reply
            .headers
            .push((header::VARY, HeaderValue::from_static("accept-encoding")));
    }
    reply
        .with(header::ETAG, tag)
        .with(header::CACHE_CONTROL, caching)
}

fn accepts_gzip(text: &str) -> bool {
    text.split(',').any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|name| name.eq_ignore_ascii_case("gzip") || name == "*");
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

fn kind(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "css" => "text/css; charset=utf-8",
        "html" => "text/html; charset=utf-8",
        "ico" => "image/x-icon",
        "js" => "text/javascript; charset=utf-8",
        "json" | "map" => "application/json",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "txt" => "text/plain; charset=utf-8",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_get_the_page_and_files_that_are_not_there_do_not() {
        let none = HeaderMap::new();
        for path in ["/", "/events/abc", "/insights"] {
            let reply = serve(path, &none);
            assert_eq!(reply.status, StatusCode::OK, "{path}");
            assert_eq!(reply.headers[0].1, "text/html; charset=utf-8");
        }
        for path in ["/no.js", "/../etc/passwd.txt", "/assets/%2e%2e/x.css"] {
            assert_eq!(serve(path, &none).status, StatusCode::NOT_FOUND, "{path}");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        for (asset, tag) in ASSETS.iter().zip(TAGS.iter()) {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, tag.parse().unwrap());
            assert_eq!(serve(asset.path, &headers).status, StatusCode::NOT_MODIFIED);
        }
        assert!(
            accepts_gzip("br, gzip;q=0.5") && !accepts_gzip("gzip;q=0, br") && !accepts_gzip("")
        );
    }
}
