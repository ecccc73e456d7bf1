//! The cloud's instance-metadata service, one hop behind the node.
//!
//! As AWS has it, in both of its versions: version 1 answers whoever asks, version 2 wants a token that only a `PUT` gives,
//! and sends that answer with a time to live that is set for the machine. Where tokens are required that is one hop: far
//! enough for the node, not for a pod, whose packets the node forwards.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;

use crate::fail;
use crate::http::{self, Answer, Request};

const PLACE: ([u8; 4], u16) = ([169, 254, 169, 254], 80);
/// Where this file is, `HttpTokens` is `required` and `HttpPutResponseHopLimit` is 1.
const REQUIRED: &str = "/run/range/metadata-tokens";
/// The only token; it is worth nothing outside of the lab.
const TOKEN: &str = "range-metadata-token";

/// `range-metadata`.
pub(crate) fn run(_: &[String]) -> ExitCode {
    let required = Path::new(REQUIRED).exists();
    let hops = move |request: &Request| (required && request.method == "PUT").then_some(1);
    match http::serve_within(SocketAddr::from(PLACE), hops, move |request| {
        answer(request, required)
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail("range-metadata", 1, error),
    }
}

/// Credentials of the shape that the real service gives, long expired, of an account that cannot exist.
fn answer(request: &Request, required: bool) -> Answer {
    if request.method == "PUT" && request.path == "/latest/api/token" {
        return (200, TOKEN.as_bytes().to_vec());
    }
    if required && request.token != TOKEN {
        return (401, Vec::new());
    }
    let text = match request.path.as_str() {
        "/latest/meta-data/iam/info" => {
            r#"{"Code":"Success","LastUpdated":"2001-01-01T00:00:00Z","InstanceProfileArn":"arn:aws:iam::000000000000:instance-profile/range-node","InstanceProfileId":"RANGE"}"#
        }
        "/latest/meta-data/iam/security-credentials/" => "range-node",
        "/latest/meta-data/iam/security-credentials/range-node" => {
            r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIARANGEEXPIRED0000","SecretAccessKey":"expired","Token":"expired","Expiration":"2001-01-01T06:00:00Z"}"#
        }
        "/latest/meta-data/" => "iam/\ninstance-id",
        "/latest/meta-data/instance-id" => "i-0range",
        _ => return (404, Vec::new()),
    };
    (200, text.as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_tokens_are_required_nothing_is_said_without_one() {
        let mut request = Request {
            method: "GET".to_owned(),
            path: "/latest/meta-data/instance-id".to_owned(),
            ..Request::default()
        };
        assert_eq!(answer(&request, false).0, 200);
        assert_eq!(answer(&request, true).0, 401);
        TOKEN.clone_into(&mut request.token);
        assert_eq!(answer(&request, true).0, 200);
    }
}
