//! AWS Signature Version 4, checked against the test vectors that AWS published with it.
//!
//! Source: AWS Identity and Access Management, "Create a signed AWS API request".

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::Credentials;

/// What is signed.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    /// `GET`, `POST`.
    pub method: &'r str,
    /// Path, not yet encoded.
    pub path: &'r str,
    /// Query parameters, not yet encoded.
    pub query: &'r [(String, String)],
    /// Header fields that are signed, `host` among them; names in small letters.
    pub fields: &'r [(String, String)],
    /// Body.
    pub body: &'r [u8],
}

/// For whom and when it is signed.
#[derive(Clone, Debug)]
pub struct Scope<'s> {
    /// Region, such as `eu-central-1`.
    pub region: &'s str,
    /// Service, such as `sqs`.
    pub service: &'s str,
    /// Time as `20150830T123600Z`.
    pub time: &'s str,
}

/// The value of the `Authorization` field.
pub fn authorization(
    request: &Request<'_>,
    scope: &Scope<'_>,
    credentials: &Credentials,
) -> String {
    let (canonical, signed) = canonical(request, scope.service != "s3");
    let date = scope.time.get(..8).unwrap_or_default();
    let place = format!("{date}/{}/{}/aws4_request", scope.region, scope.service);
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{place}\n{}",
        scope.time,
        hex(&Sha256::digest(canonical))
    );
    let mut key = mac(
        format!("AWS4{}", credentials.secret).as_bytes(),
        date.as_bytes(),
    );
    for part in [scope.region, scope.service, "aws4_request"] {
        key = mac(&key, part.as_bytes());
    }
    let signature = hex(&mac(&key, text.as_bytes()));
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{place}, SignedHeaders={signed}, Signature={signature}",
        credentials.key_id
    )
}

/// The canonical form of a request, and the names of the fields in it. Every service but S3 encodes the path twice.
fn canonical(request: &Request<'_>, twice: bool) -> (String, String) {
    let path = encode(request.path, true);
    let path = if twice { encode(&path, true) } else { path };
    let mut query: Vec<(String, String)> = request
        .query
        .iter()
        .map(|(name, value)| (encode(name, false), encode(value, false)))
        .collect();
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut fields: Vec<(String, String)> = request
        .fields
        .iter()
        .map(|(name, value)| {
            let words: Vec<&str> = value.split_whitespace().collect();
            (name.to_ascii_lowercase(), words.join(" "))
        })
        .collect();
    fields.sort();
    let signed: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
    let signed = signed.join(";");
    let fields: String = fields
        .iter()
        .map(|(name, value)| format!("{name}:{value}\n"))
        .collect();
    let canonical = format!(
        "{}\n{path}\n{}\n{fields}\n{signed}\n{}",
        request.method,
        query.join("&"),
        body_digest(request.body)
    );
    (canonical, signed)
}

/// The digest that stands in the canonical request, and in `x-amz-content-sha256`.
pub fn body_digest(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// Percent-encodes everything but letters, digits and `-._~`; in paths slashes stay.
pub fn encode(text: &str, path: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || path && byte == b'/' {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cases of AWS's published `aws-sig-v4-test-suite`: method, path, query, fields beside host and date, body,
    /// signature.
    type Case = (
        &'static str,
        &'static str,
        &'static [(&'static str, &'static str)],
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );

    const CASES: &[Case] = &[
        // get-vanilla
        (
            "GET",
            "/",
            &[],
            &[],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        // get-vanilla-query-order-key-case
        (
            "GET",
            "/",
            &[("Param2", "value2"), ("Param1", "value1")],
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        // post-vanilla
        (
            "POST",
            "/",
            &[],
            &[],
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        // post-x-www-form-urlencoded
        (
            "POST",
            "/",
            &[],
            &[("content-type", "application/x-www-form-urlencoded")],
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ];

    #[test]
    fn signatures_are_those_of_the_published_suite() {
        let credentials = Credentials {
            key_id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session: None,
        };
        let owned = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            let pairs = pairs
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            pairs.collect()
        };
        for (method, path, query, fields, body, signature) in CASES {
            let mut all = owned(fields);
            all.push(("host".to_owned(), "example.amazonaws.com".to_owned()));
            all.push(("x-amz-date".to_owned(), "20150830T123600Z".to_owned()));
            let request = Request {
                method,
                path,
                query: &owned(query),
                fields: &all,
                body: body.as_bytes(),
            };
            let scope = Scope {
                region: "us-east-1",
                service: "service",
                time: "20150830T123600Z",
            };
            let got = authorization(&request, &scope, &credentials);
            assert!(
                got.ends_with(&format!("Signature={signature}")),
                "{method} {query:?}: {got}"
            );
        }
    }

    #[test]
    fn text_is_encoded_as_aws_does() {
        assert_eq!(encode("a b/c~ü", true), "a%20b/c~%C3%BC");
        assert_eq!(encode("a/b=", false), "a%2Fb%3D");
    }
}
