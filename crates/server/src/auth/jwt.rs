//! ID tokens of an OpenID provider: signature, issuer, audience, times, nonce.
//!
//! RFC 7515, 7518, 7519 and OpenID Connect Core 1.0 §3.1.3.7, as far as RS256 and ES256 go; every other algorithm, `none`
//! first of all, is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Seconds that two clocks may differ.
const LEEWAY: i64 = 60;
/// Longest token that is looked at, in bytes; real ones have one to four KiB.
const MAX_TOKEN: usize = 64 * 1024;

/// Keys of a provider (RFC 7517).
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Keys {
    /// The keys.
    #[serde(default)]
    pub keys: Vec<Key>,
}

/// One key; of other kinds than RSA and P-256 only the kind is kept.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Key {
    /// Kind: `RSA` or `EC`.
    #[serde(default)]
    pub kty: String,
    /// Name.
    #[serde(default)]
    pub kid: Option<String>,
    /// `sig` or `enc`.
    #[serde(default, rename = "use")]
    pub usage: Option<String>,
    /// Curve.
    #[serde(default)]
    pub crv: Option<String>,
    /// RSA modulus.
    #[serde(default)]
    pub n: String,
    /// RSA exponent.
    #[serde(default)]
    pub e: String,
    /// First coordinate.
    #[serde(default)]
    pub x: String,
    /// Second coordinate.
    #[serde(default)]
    pub y: String,
}

/// What a token must say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expected<'a> {
    /// Issuer, exactly.
    pub issuer: &'a str,
    /// Our client id.
    pub audience: &'a str,
    /// The nonce of the request.
    pub nonce: &'a str,
    /// Now, in seconds since the epoch.
    pub now: i64,
}

/// Why a token is not believed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum JwtError {
    /// Not a token at all.
    #[error("the ID token is malformed: {0}")]
    Malformed(&'static str),
    /// Another algorithm than RS256 and ES256.
    #[error("the ID token is signed with `{0}`; RS256 and ES256 are accepted")]
    Algorithm(String),
    /// No such key.
    #[error("the provider has no key that could have signed the ID token")]
    UnknownKey,
    /// Signature.
    #[error("the signature of the ID token is wrong")]
    Signature,
    /// A claim is not what it must be.
    #[error("the ID token's `{0}` is not what was expected")]
    Claim(&'static str),
}

/// Checks a token and gives its claims.
///
/// # Errors
/// [`JwtError`] says why it is not believed.
pub(crate) fn verify(
    token: &str,
    keys: &Keys,
    expected: Expected<'_>,
) -> Result<Map<String, Json>, JwtError> {
    if token.len() > MAX_TOKEN {
        return Err(JwtError::Malformed("too long"));
    }
    let mut parts = token.split('.');
    let (Some(head), Some(body), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(JwtError::Malformed("not three parts"));
    };
    #[derive(Deserialize)]
    struct Head {
        alg: String,
        kid: Option<String>,
        crit: Option<Json>,
    }
    let header: Head = serde_json::from_slice(&decode(head)?)
        .map_err(|_| JwtError::Malformed("the header is not JSON"))?;
    if header.crit.is_some() {
        return Err(JwtError::Malformed("it has critical extensions"));
    }
    let kind = match header.alg.as_str() {
        "RS256" => "RSA",
        "ES256" => "EC",
        _ => return Err(JwtError::Algorithm(header.alg)),
    };
    let signed = &token.as_bytes()[..head.len() + 1 + body.len()];
    let signature = decode(signature)?;
    let mut candidates = keys
        .keys
        .iter()
        .filter(|key| key.kty == kind && key.usage.as_deref().is_none_or(|usage| usage == "sig"))
        .filter(|key| header.kid.is_none() || key.kid == header.kid)
        .peekable();
    if candidates.peek().is_none() {
        return Err(JwtError::UnknownKey);
    }
    if !candidates.any(|key| signed_by(key, signed, &signature)) {
        return Err(JwtError::Signature);
    }
    let claims: Map<String, Json> = serde_json::from_slice(&decode(body)?)
        .map_err(|_| JwtError::Malformed("the claims are not JSON"))?;
    check(&claims, expected)?;
    Ok(claims)
}

fn decode(part: &str) -> Result<Vec<u8>, JwtError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| JwtError::Malformed("a part is not base64url"))
}

fn signed_by(key: &Key, signed: &[u8], signature: &[u8]) -> bool {
    if key.kty == "RSA" {
        let (Ok(n), Ok(e)) = (decode(&key.n), decode(&key.e)) else {
            return false;
        };
        return RsaPublicKeyComponents { n, e }
            .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
            .is_ok();
    }
    let (Ok(x), Ok(y)) = (decode(&key.x), decode(&key.y)) else {
        return false;
    };
    if key.crv.as_deref() != Some("P-256") || x.len() != 32 || y.len() != 32 {
        return false;
    }
    let point = [&[4][..], &x, &y].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed, signature)
        .is_ok()
}

fn check(claims: &Map<String, Json>, expected: Expected<'_>) -> Result<(), JwtError> {
    let text = |name: &str| claims.get(name).and_then(Json::as_str);
    let number = |name: &str| claims.get(name).and_then(Json::as_f64).map(|n| n as i64);
    if text("iss") != Some(expected.issuer) {
        return Err(JwtError::Claim("iss"));
    }
    let others = match claims.get("aud") {
        Some(Json::String(one)) if one == expected.audience => false,
        Some(Json::Array(many)) if many.iter().any(|one| one == expected.audience) => {
            many.len() > 1
        }
        _ => return Err(JwtError::Claim("aud")),
    };
    let party = text("azp");
    if (others && party.is_none()) || party.is_some_and(|party| party != expected.audience) {
        return Err(JwtError::Claim("azp"));
    }
    if number("exp").is_none_or(|exp| exp.saturating_add(LEEWAY) <= expected.now) {
        return Err(JwtError::Claim("exp"));
    }
    if number("iat").is_none_or(|iat| iat.saturating_sub(LEEWAY) > expected.now) {
        return Err(JwtError::Claim("iat"));
    }
    if number("nbf").is_some_and(|nbf| nbf.saturating_sub(LEEWAY) > expected.now) {
        return Err(JwtError::Claim("nbf"));
    }
    if text("nonce") != Some(expected.nonce) {
        return Err(JwtError::Claim("nonce"));
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err(JwtError::Claim("sub"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::json;

    struct Issuer(EcdsaKeyPair);

    impl Issuer {
        fn new() -> Self {
            let random = SystemRandom::new();
            let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
            Self(EcdsaKeyPair::from_pkcs8(kind, pair.as_ref(), &random).unwrap())
        }

        fn keys(&self) -> Keys {
            let point = self.0.public_key().as_ref();
            let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
            serde_json::from_value(json!({"keys": [
                {"kty": "oct", "k": "AA"},
                {"kty": "EC", "kid": "k1", "use": "sig", "crv": "P-256",
                 "x": encode(&point[1..33]), "y": encode(&point[33..])},
            ]}))
            .unwrap()
        }

        fn token(&self, head: &Json, claims: &Json) -> String {
            let encode = |value: &Json| URL_SAFE_NO_PAD.encode(value.to_string());
            let signed = format!("{}.{}", encode(head), encode(claims));
            let signature = self
                .0
                .sign(&SystemRandom::new(), signed.as_bytes())
                .unwrap();
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://issuer",
        audience: "vedette",
        nonce: "n",
        now: 1000,
    };

    fn claims() -> Json {
        json!({"iss": "https://issuer", "aud": "vedette", "nonce": "n", "sub": "s", "exp": 2000, "iat": 990})
    }

    #[test]
    fn a_sound_token_is_believed_and_others_are_not() {
        let issuer = Issuer::new();
        let keys = issuer.keys();
        let head = json!({"alg": "ES256", "kid": "k1"});
        let verdict = |head: &Json, claims: &Json| {
            verify(&issuer.token(head, claims), &keys, EXPECTED).map(|_| ())
        };
        assert_eq!(verdict(&head, &claims()), Ok(()));
        let with = |name: &str, value: Json| {
            let mut claims = claims();
            claims[name] = value;
            verdict(&head, &claims)
        };
        assert_eq!(with("aud", json!(["vedette"])), Ok(()));
        assert_eq!(
            with("aud", json!(["vedette", "b"])),
            Err(JwtError::Claim("azp"))
        );
        assert_eq!(with("aud", json!("other")), Err(JwtError::Claim("aud")));
        assert_eq!(
            with("iss", json!("https://evil")),
            Err(JwtError::Claim("iss"))
        );
        assert_eq!(with("exp", json!(900)), Err(JwtError::Claim("exp")));
        assert_eq!(with("exp", Json::Null), Err(JwtError::Claim("exp")));
        assert_eq!(with("iat", json!(5000)), Err(JwtError::Claim("iat")));
        assert_eq!(with("nbf", json!(5000)), Err(JwtError::Claim("nbf")));
        assert_eq!(with("nonce", json!("m")), Err(JwtError::Claim("nonce")));
        assert_eq!(with("sub", json!("")), Err(JwtError::Claim("sub")));
        for alg in ["none", "HS256", "RS512"] {
            let refused = verdict(&json!({"alg": alg}), &claims());
            assert_eq!(refused, Err(JwtError::Algorithm(alg.to_owned())));
        }
        let other = verdict(&json!({"alg": "ES256", "kid": "k2"}), &claims());
        assert_eq!(other, Err(JwtError::UnknownKey));
        let forged = Issuer::new().token(&head, &claims());
        assert_eq!(verify(&forged, &keys, EXPECTED), Err(JwtError::Signature));
        for broken in ["", "a.b", "a.b.c.d", "!.!.!"] {
            assert!(matches!(
                verify(broken, &keys, EXPECTED),
                Err(JwtError::Malformed(_))
            ));
        }
    }

    #[test]
    fn rs256_is_verified() {
        // A key and a signature that OpenSSL made; the private key was thrown away.
        let keys: Keys = serde_json::from_value(json!({"keys": [{
            "kty": "RSA", "kid": "r1", "e": "AQAB",
            "n": "2yQxyfu4qi4VeooEtttYIJC-wn94GcY2294GcEVuDmQrzxwOEmaQA-AJ0S9debw_Cyuojz5v-tLArPqgkCCrZLJL_8PScIgO91hAtosWAoyhcNWIp9uR4RWqiwauXyvTzn1oMa9ztKzjx-gK3pi6KHpffx4SQqxBs8dhdO41VxDwRCT0jHxw-FFX04TGkAg-_vlV54V6atI9AiwYStTBa1Z1YV3q596mts3g45F3RCMLgnfH58RgFxu3n-V0LHAakKppw3zsykbMC5PqGD78fGLMhI_Posc9DqZk-O-pvyTQxXYXUlyaWNMzzwxdOOfgMODfly5s7PWn3dQ5Onrczw",
        }]}))
        .unwrap();
        let token = concat!(
            "eyJhbGciOiJSUzI1NiIsImtpZCI6InIxIn0.",
            "eyJpc3MiOiJodHRwczovL2lzc3VlciIsImF1ZCI6InZlZGV0dGUiLCJub25jZSI6Im4iLCJzdWIiOiJzIiwiZXhwIjoyMDAwLCJpYXQiOjk5MH0.",
            "KuyCVAw-GJNEMueMuCyYjOl_gK6Fvts5nXLmvYW1OqpdoV6PZD2Tq8djR4kKbh_t_C1wmzCiQLQe4ChGKeQKJKOfDVsXIOhramYq2NDnzgyOJ3FEqoj8ybCYgEy5b-SDsTCNq-q2FjRc1_x-RkI_PM6h4-TJmx59Ud5qutSFRMwRvhTs0297_pbKKDyoMsxFHo37202bPNM8Tts5YXYvv2DkeMgngNuPOb4KUgezdzI6SaZqfvHAkmH_iaB6QbfXh6aDCDDcwkyRH4lz5BPswvGDQn-Wk0F3HGXjOuWI3VpkbhVEA_lgWR4uFrAgQMs-YSYzY7LppL9bhsz3YJJp8A",
        );
        assert_eq!(verify(token, &keys, EXPECTED).map(|_| ()), Ok(()));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let broken = format!("{signed}.A{}", &signature[1..]);
        assert_eq!(verify(&broken, &keys, EXPECTED), Err(JwtError::Signature));
        // The key of one kind does not verify what says to be of the other.
        let other = token.replacen(
            head_of(token),
            &URL_SAFE_NO_PAD.encode("{\"alg\":\"ES256\"}"),
            1,
        );
        assert_eq!(verify(&other, &keys, EXPECTED), Err(JwtError::UnknownKey));
    }

    fn head_of(token: &str) -> &str {
        token.split('.').next().unwrap()
    }
}
