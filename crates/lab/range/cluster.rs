//! The cluster's API server, and its client.
//!
//! The server knows one request that changes something: a deployment. It decides by a table of tokens, writes an audit
//! record in Kubernetes' shape, and when it allows the deployment the node's runtime really starts a container.
//! It speaks plain HTTP: the lab's subject is who may do what, not TLS.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::http::{self, Answer, Request};
use crate::{fail, hosts, runtime};

/// One token a line: token, user, namespace, and `create` when the user may create deployments; between blanks.
const TOKENS: &str = "/run/range/tokens";
const AUDIT: &str = "/var/log/kubernetes/audit.log";
/// The workload that the last steps create, as prepared in the runtime.
const WORKLOAD: &str = "nefarious-workload";
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

struct User {
    name: String,
    namespace: String,
    may_create: bool,
}

fn users() -> HashMap<String, User> {
    let text = fs::read_to_string(TOKENS).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let token = words.next()?.to_owned();
            let user = User {
                name: words.next()?.to_owned(),
                namespace: words.next()?.to_owned(),
                may_create: words.next() == Some("create"),
            };
            Some((token, user))
        })
        .collect()
}

/// Answers a request to the API server.
pub(crate) fn api_server(request: &Request) -> Answer {
    let users = users();
    let unknown = User {
        name: "system:anonymous".to_owned(),
        namespace: String::new(),
        may_create: false,
    };
    let user = users.get(&request.token).unwrap_or(&unknown);
    let deployments = format!("/apis/apps/v1/namespaces/{}/deployments", user.namespace);
    let pods = format!("/api/v1/namespaces/{}/pods", user.namespace);
    let allowed = user.may_create && (request.path == deployments || request.path == pods);
    let verb = if request.method == "POST" {
        "create"
    } else {
        "list"
    };
    let status = match (allowed, verb) {
        (true, "create") => 201,
        (true, _) => 200,
        _ => 403,
    };
    let _ = audit(request, user, verb, status);
    let body = match status {
        201 if runtime::start(WORKLOAD) => format!("deployment.apps/{WORKLOAD} created\n"),
        201 => return (500, b"the workload did not start\n".to_vec()),
        200 => runtime::rows().unwrap_or_default(),
        _ => format!(
            "Error from server (Forbidden): {} cannot {verb} {}\n",
            user.name, request.path
        ),
    };
    (status, body.into_bytes())
}

/// One record, with the keys that audit readers need.
fn audit(request: &Request, user: &User, verb: &str, status: u16) -> io::Result<()> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let resource = request.path.rsplit('/').next().unwrap_or_default();
    let group = if resource == "deployments" {
        "apps"
    } else {
        ""
    };
    let allowed = status < 300;
    let decision = if allowed { "allow" } else { "forbid" };
    let time = timestamp(now.as_secs(), now.subsec_micros());
    let text = |value: &str| value.replace(['"', '\\'], "?");
    fs::create_dir_all("/var/log/kubernetes")?;
    let mut log = OpenOptions::new().create(true).append(true).open(AUDIT)?;
    writeln!(
        log,
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"00000000-0000-4000-8000-{:012x}","stage":"ResponseComplete","requestURI":"{}","verb":"{verb}","user":{{"username":"{}","groups":["system:serviceaccounts","system:authenticated"]}},"sourceIPs":["10.244.1.10"],"userAgent":"kubectl/v1.28.3 (linux/amd64)","objectRef":{{"resource":"{}","namespace":"{}","name":"{WORKLOAD}","apiGroup":"{group}","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":{status}}},"requestReceivedTimestamp":"{time}","stageTimestamp":"{time}","annotations":{{"authorization.k8s.io/decision":"{decision}"}}}}"#,
        now.as_nanos() & 0xffff_ffff_ffff,
        text(&request.path),
        text(&user.name),
        text(resource),
        text(&user.namespace),
    )
}

/// A time of the year 1970 or later as RFC 3339, by the civil calendar.
fn timestamp(seconds: u64, micros: u32) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // days since 0000-03-01, in eras of 400 years (146,097 days)
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 {
        (month + 3, year_of_era + era * 400)
    } else {
        (month - 9, year_of_era + era * 400 + 1)
    };
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{micros:06}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

/// `kubectl create deployment NAME --image=IMAGE` and `kubectl get pods`, as the pod's own service account.
pub(crate) fn kubectl(arguments: &[String]) -> ExitCode {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (method, resource) = match words.as_slice() {
        ["create", "deployment", ..] => ("POST", "apis/apps/v1/namespaces/{}/deployments"),
        ["get", "pods", ..] => ("GET", "api/v1/namespaces/{}/pods"),
        _ => return fail("kubectl", 1, "unknown command"),
    };
    let token = match fs::read_to_string(format!("{ACCOUNT}/token")) {
        Ok(token) => token,
        Err(error) => return fail("kubectl", 1, format!("no service account token: {error}")),
    };
    let namespace = fs::read_to_string(format!("{ACCOUNT}/namespace")).unwrap_or_default();
    let Some(server) = hosts::socket("kubernetes.default.svc", 443) else {
        return fail("kubectl", 1, "no such host: kubernetes.default.svc");
    };
    let path = format!("/{}", resource.replace("{}", namespace.trim()));
    match http::ask(server, method, &path, token.trim(), b"") {
        Ok((status, body)) => {
            let text = String::from_utf8_lossy(&body);
            if status < 300 {
                print!("{text}");
                ExitCode::SUCCESS
            } else {
                fail("kubectl", 1, text)
            }
        }
        Err(error) => fail("kubectl", 1, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_dates() {
        assert_eq!(timestamp(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(951_782_400, 5), "2000-02-29T00:00:00.000005Z");
        assert_eq!(timestamp(1_735_689_599, 0), "2024-12-31T23:59:59.000000Z");
    }
}
