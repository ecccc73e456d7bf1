//! Signed requests to AWS, or to a stand-in at another address.

use std::io::Read;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_audit::time::utc;

use super::sign::{Request, Scope, authorization, body_digest, encode};
use super::{AwsError, Credentials};
use crate::journal::MAX_PAYLOAD;
use crate::source::now;

/// How long a request may take: a long poll takes 20 seconds.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Largest answer of anything but a file.
pub(super) const MAX_ANSWER: usize = 16 << 20;
/// How long credentials are used before they are looked for again; the shortest that AWS gives live 15 minutes.
const CREDENTIALS_FOR: Duration = Duration::from_mins(5);
/// Beginning of a refusal that is shown.
const SHOWN: usize = 300;

/// Which AWS.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Region.
    pub region: String,
    /// Address of a stand-in for every service, such as `http://127.0.0.1:5000`; AWS itself when not given.
    pub address: Option<String>,
}

/// Makes signed requests.
#[derive(Debug)]
pub struct Client {
    endpoint: Endpoint,
    agent: ureq::Agent,
    credentials: Mutex<Option<(Instant, Credentials)>>,
}

impl Client {
    /// A client for an endpoint; credentials are looked for at the first request.
    pub fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            agent: plain_agent(),
            credentials: Mutex::new(None),
        }
    }

    fn credentials(&self) -> Result<Credentials, AwsError> {
        let mut held = self
            .credentials
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((since, credentials)) = &*held
            && since.elapsed() < CREDENTIALS_FOR
        {
            return Ok(credentials.clone());
        }
        let found = Credentials::find(&self.endpoint.region)?;
        *held = Some((Instant::now(), found.clone()));
        Ok(found)
    }

    /// A call of a service that speaks JSON. `target` is what goes into `X-Amz-Target`.
    pub(super) fn call(
        &self,
        service: &str,
        target: &str,
        version: &str,
        body: &Value,
    ) -> Result<Value, AwsError> {
        let body = body.to_string();
        let base = match &self.endpoint.address {
            Some(address) => address.clone(),
            None => format!("https://{service}.{}.amazonaws.com", self.endpoint.region),
        };
        let fields = [
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amz-target", target.to_owned()),
        ];
        let bytes = self.send(
            service,
            target,
            "POST",
            &base,
            "/",
            &fields,
            body.as_bytes(),
            MAX_ANSWER,
        )?;
        serde_json::from_slice(&bytes).map_err(|_| AwsError::Answer(target.to_owned()))
    }

    /// A file in a bucket.
    pub(super) fn object(&self, bucket: &str, key: &str) -> Result<Vec<u8>, AwsError> {
        let base = match &self.endpoint.address {
            Some(address) => address.clone(),
            None => format!("https://s3.{}.amazonaws.com", self.endpoint.region),
        };
        let path = format!("/{bucket}/{key}");
        self.send(
            "s3",
            &format!("s3://{bucket}/{key}"),
            "GET",
            &base,
            &path,
            &[],
            &[],
            MAX_PAYLOAD,
        )
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "the parts of a request, given once above"
    )]
    fn send(
        &self,
        service: &str,
        what: &str,
        method: &str,
        base: &str,
        path: &str,
        fields: &[(&str, String)],
        body: &[u8],
        most: usize,
    ) -> Result<Vec<u8>, AwsError> {
        let credentials = self.credentials()?;
        let base = base.trim_end_matches('/');
        let host = base.split_once("://").map_or(base, |(_, host)| host);
        let time = utc(now()).strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut signed: Vec<(String, String)> = fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect();
        signed.push(("host".to_owned(), host.to_owned()));
        signed.push(("x-amz-date".to_owned(), time.clone()));
        signed.push(("x-amz-content-sha256".to_owned(), body_digest(body)));
        if let Some(session) = &credentials.session {
            signed.push(("x-amz-security-token".to_owned(), session.clone()));
        }
        let request = Request {
            method,
            path,
            query: &[],
            fields: &signed,
            body,
        };
        let scope = Scope {
            region: &self.endpoint.region,
            service,
            time: &time,
        };
        let authorization = authorization(&request, &scope, &credentials);
        let mut sent = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{base}{}", encode(path, true)))
            .header("authorization", authorization);
        for (name, value) in signed.iter().filter(|(name, _)| name != "host") {
            sent = sent.header(name, value);
        }
        let sent = sent
            .body(body)
            .map_err(|_| AwsError::Answer(format!("{what}: no request can be made of it")))?;
        read(what, self.agent.run(sent), most)
    }
}

/// An agent that hands refusals over instead of turning them into errors.
pub(super) fn plain_agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .http_status_as_error(false)
        .build()
        .into()
}

/// A request to read that is not signed.
pub(super) fn get(
    what: &'static str,
    address: &str,
    fields: &[(&str, &str)],
) -> Result<Vec<u8>, AwsError> {
    let mut request = plain_agent().get(address);
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    read(what, request.call(), MAX_ANSWER)
}

/// The body of an answer that is none of refusal.
pub(super) fn read(
    what: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    most: usize,
) -> Result<Vec<u8>, AwsError> {
    let transport = |error| AwsError::Transport(what.to_owned(), Box::new(error));
    let mut answer = answer.map_err(transport)?;
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    answer
        .body_mut()
        .as_reader()
        .take(most as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| transport(error.into()))?;
    if bytes.len() > most {
        return Err(AwsError::Answer(format!("{what}: more than {most} bytes")));
    }
    if !(200..300).contains(&status) {
        let text = String::from_utf8_lossy(&bytes);
        return Err(AwsError::Refused {
            call: what.to_owned(),
            status,
            text: text.chars().take(SHOWN).collect(),
        });
    }
    Ok(bytes)
}
