//! Sign-in with an OpenID provider: authorization code flow with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636).
//!
//! A small client of its own: discovery, one redirect, one request for the tokens, and the checks of [`super::jwt`].
//! A begun sign-in is remembered here for ten minutes, together with a secret that only the browser that began it has.

use std::collections::{BTreeMap, HashMap};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::jwt::{self, Expected, JwtError, Keys};
use super::secret;
use super::users::Role;
use crate::clock;
use crate::http::call::encode;

/// Cookie of a browser that has begun to sign in.
pub(crate) const COOKIE: &str = "vedette_openid";
/// How long somebody may take at the provider.
const PATIENCE: Duration = Duration::from_secs(600);
/// Sign-ins that are under way at most; when there are more, the oldest is forgotten.
const MAX_BEGUN: usize = 1_000;
/// Time one request to the provider may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of an answer of the provider that are read.
const MAX_ANSWER: u64 = 512 * 1024;
/// How long the provider's documents are believed.
const FRESH: Duration = Duration::from_secs(3600);
/// How soon keys are fetched again when a token names one that is not known.
const FETCH_AGAIN: Duration = Duration::from_secs(30);

/// How the provider is used.
#[derive(Clone, Debug)]
pub struct Config {
    /// Issuer, exactly as its tokens name it: `https://idp.example.org/realms/main`.
    pub issuer: String,
    /// Our client id.
    pub client_id: String,
    /// Our client secret; none for a public client.
    pub client_secret: Option<String>,
    /// What the button says.
    pub label: String,
    /// Scopes to ask for beside `openid`.
    pub scopes: String,
    /// Claim that lists groups.
    pub groups_claim: String,
    /// Role of each group; the greatest counts.
    pub roles: BTreeMap<String, Role>,
    /// Role of those without such a group; without one, only users that an admin made may come in.
    pub default_role: Option<Role>,
}

/// Why a sign-in failed; for the log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// The provider did not answer as it should.
    #[error("asking the provider for its {what}: {why}")]
    Provider {
        /// What was asked for.
        what: &'static str,
        /// What went wrong.
        why: String,
    },
    /// The sign-in was not begun here, too long ago, or in another browser.
    #[error("a sign-in came back that was not begun here, too long ago, or in another browser")]
    NotBegun,
    /// The token is not believed.
    #[error(transparent)]
    Token(#[from] JwtError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] secret::NoRandomness),
}

/// What discovery tells.
#[derive(Clone, Debug, Deserialize)]
struct Discovered {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

struct Begun {
    nonce: String,
    verifier: String,
    browser: String,
    at: Instant,
}

#[derive(Default)]
struct Known {
    discovered: Option<(Discovered, Instant)>,
    keys: Option<(Keys, Instant)>,
}

/// The provider.
pub(crate) struct Oidc {
    config: Config,
    agent: ureq::Agent,
    known: Mutex<Known>,
    begun: Mutex<HashMap<String, Begun>>,
}

/// A sign-in that has begun.
pub(crate) struct Begin {
    /// Where the browser goes.
    pub(crate) url: String,
    /// What its cookie holds.
    pub(crate) browser: String,
}

/// Somebody who signed in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) role: Option<Role>,
}

impl Oidc {
    pub(crate) fn new(config: Config) -> Self {
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .build()
            .new_agent();
        Self {
            config,
            agent,
            known: Mutex::default(),
            begun: Mutex::default(),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// Begins a sign-in.
    pub(crate) fn begin(&self, callback: &str) -> Result<Begin, OidcError> {
        let discovered = self.discovered()?;
        let (state, browser) = (secret::generate("")?, secret::generate("")?);
        let begun = Begun {
            nonce: secret::generate("")?,
            verifier: secret::generate("")?,
            browser: browser.clone(),
            at: Instant::now(),
        };
        let challenge = ring::digest::digest(&ring::digest::SHA256, begun.verifier.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(challenge);
        let scopes = format!("openid {}", self.config.scopes);
        let query = [
            ("response_type", "code"),
            ("client_id", &self.config.client_id),
            ("redirect_uri", callback),
            ("scope", scopes.trim()),
            ("state", &state),
            ("nonce", &begun.nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]
        .map(|(name, value)| format!("{name}={}", encode(value)));
        let endpoint = &discovered.authorization_endpoint;
        let join = if endpoint.contains('?') { '&' } else { '?' };
        let url = format!("{endpoint}{join}{}", query.join("&"));
        if let Ok(mut all) = self.begun.lock() {
            all.retain(|_, begun| begun.at.elapsed() < PATIENCE);
            if all.len() >= MAX_BEGUN
                && let Some(oldest) = all
                    .iter()
                    .min_by_key(|(_, begun)| begun.at)
                    .map(|(key, _)| key.clone())
            {
                all.remove(&oldest);
            }
            all.insert(state, begun);
        }
        Ok(Begin { url, browser })
    }

    /// Ends a sign-in that came back from the provider.
    pub(crate) fn end(
        &self,
        callback: &str,
        code: &str,
        state: &str,
        browser: &str,
    ) -> Result<Person, OidcError> {
        // Taken out at once: a code and its state are good for one try.
        let begun = self.begun.lock().ok().and_then(|mut all| all.remove(state));
        let begun = begun.ok_or(OidcError::NotBegun)?;
        if begun.at.elapsed() >= PATIENCE || !secret::same(browser, &begun.browser) {
            return Err(OidcError::NotBegun);
        }
        let discovered = self.discovered()?;
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", callback),
            ("code_verifier", &begun.verifier),
        ];
        let mut request = self.agent.post(&discovered.token_endpoint);
        if let Some(secret) = &self.config.client_secret {
            let pair = format!("{}:{}", encode(&self.config.client_id), encode(secret));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(pair)));
        } else {
            form.push(("client_id", &self.config.client_id));
        }
        let form: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encode(value)))
            .collect();
        let answer = request
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form.join("&"));
        let tokens: Json = read("tokens", answer)?;
        let token = tokens["id_token"]
            .as_str()
            .ok_or_else(|| OidcError::Provider {
                what: "tokens",
                why: "the answer has no id_token".to_owned(),
            })?;
        let claims = self.verified(token, &discovered, &begun.nonce)?;
        Ok(self.person(&claims))
    }

    fn verified(
        &self,
        token: &str,
        discovered: &Discovered,
        nonce: &str,
    ) -> Result<Map<String, Json>, OidcError> {
        let expected = Expected {
            issuer: &self.config.issuer,
            audience: &self.config.client_id,
            nonce,
            now: (clock::now() / clock::SECOND) as i64,
        };
        let keys = self.keys(discovered, FRESH)?;
        match jwt::verify(token, &keys, expected) {
            // The provider may have begun to use a new key.
            Err(JwtError::UnknownKey) => {
                let keys = self.keys(discovered, FETCH_AGAIN)?;
                Ok(jwt::verify(token, &keys, expected)?)
            }
            verdict => Ok(verdict?),
        }
    }

    fn person(&self, claims: &Map<String, Json>) -> Person {
        let text = |name: &str| claims.get(name).and_then(Json::as_str).unwrap_or_default();
        let verified = claims.get("email_verified") != Some(&Json::Bool(false));
        let candidates = [
            text("preferred_username"),
            if verified { text("email") } else { "" },
            text("sub"),
        ];
        // Whatever cannot be a user's name here is replaced letter by letter; the subject keeps people apart.
        let name = candidates
            .iter()
            .find(|name| !name.is_empty())
            .unwrap_or(&"");
        let sound = |c: char| {
            if c.is_ascii_alphanumeric() || "-_.@+".contains(c) {
                c
            } else {
                '_'
            }
        };
        let name: String = name.chars().take(120).map(sound).collect();
        let groups: Vec<&str> = match claims.get(&self.config.groups_claim) {
            Some(Json::Array(groups)) => groups.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(group)) => vec![group],
            _ => Vec::new(),
        };
        let role = groups
            .iter()
            .filter_map(|group| self.config.roles.get(*group))
            .max();
        Person {
            name,
            subject: format!("{} {}", self.config.issuer, text("sub")),
            role: role.copied().or(self.config.default_role),
        }
    }

    fn discovered(&self) -> Result<Discovered, OidcError> {
        if let Ok(known) = self.known.lock()
            && let Some((discovered, at)) = &known.discovered
            && at.elapsed() < FRESH
        {
            return Ok(discovered.clone());
        }
        let wrong = |why: &str| OidcError::Provider {
            what: "configuration",
            why: why.to_owned(),
        };
        let url = format!(
            "{}/.well-known/openid-configuration",
            self.config.issuer.trim_end_matches('/')
        );
        if !is_safe(&url) {
            return Err(wrong("the issuer must be an https address"));
        }
        let found: Discovered = read("configuration", self.agent.get(&url).call())?;
        if found.issuer != self.config.issuer {
            return Err(wrong("it names another issuer"));
        }
        let endpoints = [
            &found.authorization_endpoint,
            &found.token_endpoint,
            &found.jwks_uri,
        ];
        if !endpoints.iter().all(|url| is_safe(url)) {
            return Err(wrong("an endpoint is no https address"));
        }
        if let Ok(mut known) = self.known.lock() {
            known.discovered = Some((found.clone(), Instant::now()));
        }
        Ok(found)
    }

    fn keys(&self, discovered: &Discovered, fresh: Duration) -> Result<Keys, OidcError> {
        if let Ok(known) = self.known.lock()
            && let Some((keys, at)) = &known.keys
            && at.elapsed() < fresh
        {
            return Ok(keys.clone());
        }
        let keys: Keys = read("keys", self.agent.get(&discovered.jwks_uri).call())?;
        if let Ok(mut known) = self.known.lock() {
            known.keys = Some((keys.clone(), Instant::now()));
        }
        Ok(keys)
    }
}

/// https, or this machine, where nobody listens in.
fn is_safe(url: &str) -> bool {
    let local = ["http://127.0.0.1", "http://localhost", "http://[::1]"];
    url.starts_with("https://")
        || local.iter().any(|start| {
            url.strip_prefix(start)
                .is_some_and(|rest| rest.starts_with([':', '/']) || rest.is_empty())
        })
}

fn read<T: for<'d> Deserialize<'d>>(
    what: &'static str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<T, OidcError> {
    let wrong = |why: String| OidcError::Provider { what, why };
    let mut answer = answer.map_err(|error| wrong(error.to_string()))?;
    let body = answer
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER)
        .read_to_vec()
        .map_err(|error| wrong(error.to_string()))?;
    if !answer.status().is_success() {
        let text: String = String::from_utf8_lossy(&body).chars().take(200).collect();
        return Err(wrong(format!(
            "status {}: {}",
            answer.status(),
            text.escape_debug()
        )));
    }
    serde_json::from_slice(&body).map_err(|error| wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_this_machine_are_asked() {
        for good in ["https://idp/", "http://127.0.0.1:1/x", "http://localhost/x"] {
            assert!(is_safe(good), "{good}");
        }
        for bad in [
            "http://idp/",
            "ftp://x",
            "http://127.0.0.1.evil.org/",
            "http://localhost.evil.org",
        ] {
            assert!(!is_safe(bad), "{bad}");
        }
    }
}
