//! Sign-in with an OpenID provider, against one on loopback.

#![allow(
    clippy::unwrap_used,
    reason = "a broken expectation shall fail the test"
)]

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value as Json, json};
use support::{Answer, Running, now, start_with};
use vedette_server::{Config, OidcConfig, Role};

/// What the provider will say of whoever comes next, and what it was asked.
#[derive(Default)]
struct Provider {
    claims: Json,
    nonce: String,
    challenge: String,
    forms: Vec<String>,
}

struct Issuer {
    url: String,
    provider: Arc<Mutex<Provider>>,
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Starts a provider that answers until the test ends.
fn issuer() -> Issuer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let provider: Arc<Mutex<Provider>> = Arc::default();
    let (own, shared) = (url.clone(), Arc::clone(&provider));
    std::thread::spawn(move || {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(kind, pair.as_ref(), &random).unwrap();
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut reader = BufReader::new(stream);
            let (mut first, mut length) = (String::new(), 0);
            reader.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let answer = match first.split(' ').nth(1).unwrap() {
                "/.well-known/openid-configuration" => json!({
                    "issuer": own, "authorization_endpoint": format!("{own}/authorize"),
                    "token_endpoint": format!("{own}/token"), "jwks_uri": format!("{own}/keys"),
                }),
                "/keys" => {
                    let point = pair.public_key().as_ref();
                    json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": encode(&point[1..33]), "y": encode(&point[33..])}]})
                }
                _ => {
                    let form = String::from_utf8(body).unwrap();
                    let mut provider = shared.lock().unwrap();
                    // PKCE: the verifier must be the one whose hash was sent before.
                    let verifier = form.split('&').find_map(|pair| pair.strip_prefix("code_verifier=")).unwrap();
                    let hash = ring::digest::digest(&ring::digest::SHA256, verifier.as_bytes());
                    assert_eq!(encode(hash.as_ref()), provider.challenge);
                    provider.forms.push(form);
                    let mut claims = provider.claims.clone();
                    let seconds = now() / 1_000_000_000;
                    for (name, value) in [
                        ("iss", json!(own)),
                        ("aud", json!("vedette")),
                        ("nonce", json!(provider.nonce)),
                        ("iat", json!(seconds)),
                        ("exp", json!(seconds + 60)),
                    ] {
                        if claims.get(name).is_none() {
                            claims[name] = value;
                        }
                    }
                    let head = encode(json!({"alg": "ES256", "kid": "k"}).to_string().as_bytes());
                    let signed = format!("{head}.{}", encode(claims.to_string().as_bytes()));
                    let signature = pair.sign(&random, signed.as_bytes()).unwrap();
                    json!({"access_token": "a", "token_type": "Bearer", "id_token": format!("{signed}.{}", encode(signature.as_ref()))})
                }
            }
            .to_string();
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            let _ = reader.get_mut().write_all((head + &answer).as_bytes());
        }
    });
    Issuer { url, provider }
}

fn server(issuer: &Issuer, default_role: Option<Role>) -> Running {
    let mut config = Config::new("127.0.0.1:0".parse().unwrap());
    config.public_url = Some("https://vedette.example.org".to_owned());
    config.oidc = Some(OidcConfig {
        issuer: issuer.url.clone(),
        client_id: "vedette".to_owned(),
        client_secret: None,
        label: "Example".to_owned(),
        scopes: "profile".to_owned(),
        groups_claim: "groups".to_owned(),
        roles: BTreeMap::from([("soc".to_owned(), Role::Responder)]),
        default_role,
    });
    start_with(config, |_| {})
}

/// Goes to the provider and comes back, as a browser does; `change` may tamper with the way back.
fn sign_in(
    server: &Running,
    issuer: &Issuer,
    claims: &Json,
    change: impl Fn(String) -> String,
) -> Answer {
    let begun = server.nobody().get("/session/openid");
    begun.expect(303);
    let to = begun.header("location").unwrap();
    let value = |name: &str| {
        let query = to.split('?').nth(1).unwrap();
        let found = query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
        found.unwrap().to_owned()
    };
    assert_eq!(
        (value("response_type"), value("code_challenge_method")),
        ("code".to_owned(), "S256".to_owned())
    );
    assert_eq!(
        value("redirect_uri"),
        "https%3A%2F%2Fvedette.example.org%2Fapi%2Fv1%2Fsession%2Fopenid%2Fcallback"
    );
    {
        let mut provider = issuer.provider.lock().unwrap();
        provider.claims = claims.clone();
        provider.nonce = value("nonce");
        provider.challenge = value("code_challenge");
    }
    let cookie = begun.header("set-cookie").unwrap();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Secure")
    );
    let browser = server
        .nobody()
        .with("cookie", cookie.split(';').next().unwrap());
    browser.get(&change(format!(
        "/session/openid/callback?code=c&state={}",
        value("state")
    )))
}

#[test]
fn people_of_the_provider_come_in_with_the_role_of_their_group() {
    let issuer = issuer();
    let server = server(&issuer, None);
    assert_eq!(
        server.nobody().get("/session/methods").json()["openid"],
        "Example"
    );
    let ana = json!({"sub": "1", "preferred_username": "ana", "groups": ["dev", "soc"]});
    let back = sign_in(&server, &issuer, &ana, |path| path);
    back.expect(303);
    assert_eq!(back.header("location"), Some("/"));
    let cookie = back
        .headers
        .iter()
        .find(|(name, value)| name == "set-cookie" && value.starts_with("vedette_session="));
    let cookie = cookie.unwrap().1.split(';').next().unwrap().to_owned();
    let session = server
        .nobody()
        .with("cookie", &cookie)
        .get("/session")
        .json();
    assert_eq!(
        (session["user"].clone(), session["role"].clone()),
        (json!("ana"), json!("responder"))
    );
    // Nobody signs in as her with a password, since she has none.
    server
        .nobody()
        .post("/session", &json!({"user": "ana", "password": ""}))
        .expect(401);
    // The role follows the groups at the next sign-in.
    let demoted = json!({"sub": "1", "preferred_username": "ana", "groups": []});
    sign_in(&server, &issuer, &demoted, |path| path).expect(403);
    assert!(
        issuer
            .provider
            .lock()
            .unwrap()
            .forms
            .iter()
            .all(|form| form.contains("client_id=vedette"))
    );
}

#[test]
fn who_is_not_who_they_should_be_stays_outside() {
    let issuer = issuer();
    let server = server(&issuer, None);
    let ana = json!({"sub": "1", "preferred_username": "ana", "groups": ["soc"]});
    let with = |name: &str, value: Json| {
        let mut claims = ana.clone();
        claims[name] = value;
        claims
    };
    let refused = |claims: &Json, status: u16| {
        let answer = sign_in(&server, &issuer, claims, |path| path);
        answer.expect(status);
        let session = answer
            .headers
            .iter()
            .any(|(_, value)| value.starts_with("vedette_session="));
        assert!(!session, "{claims}");
    };
    refused(&with("nonce", json!("another")), 502);
    refused(&with("aud", json!("another")), 502);
    refused(&with("iss", json!("https://evil.example")), 502);
    refused(&with("exp", json!(1)), 502);
    // Without a role, and under the name of a local user.
    refused(&with("groups", json!([])), 403);
    refused(&with("preferred_username", json!("admin")), 403);
    // A state that was not given out, one that was used, and another browser.
    sign_in(&server, &issuer, &ana, |path| format!("{path}x")).expect(502);
    let used = Mutex::new(String::new());
    sign_in(&server, &issuer, &ana, |path| {
        path.clone_into(&mut used.lock().unwrap());
        path
    })
    .expect(303);
    server.nobody().get(&used.lock().unwrap()).expect(502);
    let begun = server.nobody().get("/session/openid");
    let state = begun
        .header("location")
        .unwrap()
        .split("state=")
        .nth(1)
        .unwrap()
        .split('&')
        .next()
        .unwrap()
        .to_owned();
    server
        .nobody()
        .get(&format!("/session/openid/callback?code=c&state={state}"))
        .expect(502);
    server
        .nobody()
        .get("/session/openid/callback?error=access_denied")
        .expect(401);
    assert!(server.logged(&["openid", "not begun here"]));
}
