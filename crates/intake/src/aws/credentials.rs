//! Where credentials come from: the environment, a service account's role (IRSA), the container's agent (Pod Identity,
//! ECS), the instance's metadata service; in this order, as AWS's own clients look.

use std::env;
use std::fs;

use serde_json::Value;

use super::AwsError;
use super::client::{MAX_ANSWER, get, plain_agent, read};

/// Address of the metadata service of instances.
const IMDS: &str = "http://169.254.169.254/latest";

/// Most hosts of a container agent's address that are trusted beside loopback: those of ECS and EKS.
const AGENTS: [&str; 4] = [
    "169.254.170.2",
    "169.254.170.23",
    "[fd00:ec2::23]",
    "localhost",
];

/// A key, its secret, and the token of temporary ones.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Access key id.
    pub key_id: String,
    /// Secret access key.
    pub secret: String,
    /// Session token.
    pub session: Option<String>,
}

impl std::fmt::Debug for Credentials {
    /// Without the secret: credentials must not get into logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn var(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

impl Credentials {
    /// Finds credentials.
    ///
    /// # Errors
    /// When there are none, or the place that should give them does not.
    pub fn find(region: &str) -> Result<Self, AwsError> {
        if let (Some(key_id), Some(secret)) =
            (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY"))
        {
            return Ok(Self {
                key_id,
                secret,
                session: var("AWS_SESSION_TOKEN"),
            });
        }
        if let (Some(file), Some(role)) = (var("AWS_WEB_IDENTITY_TOKEN_FILE"), var("AWS_ROLE_ARN"))
        {
            return web_identity(&file, &role, region);
        }
        let agent = var("AWS_CONTAINER_CREDENTIALS_FULL_URI").or_else(|| {
            let path = var("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")?;
            Some(format!("http://169.254.170.2{path}"))
        });
        if let Some(agent) = agent {
            return container(&agent);
        }
        if var("AWS_EC2_METADATA_DISABLED").is_some_and(|value| value == "true") {
            return Err(AwsError::NoCredentials);
        }
        instance()
    }
}

fn web_identity(file: &str, role: &str, region: &str) -> Result<Credentials, AwsError> {
    const FROM: &str = "the service account's role";
    let wrong = |text: String| AwsError::Credentials(FROM, text);
    let token =
        fs::read_to_string(file).map_err(|error| wrong(format!("reading {file}: {error}")))?;
    let endpoint =
        var("AWS_ENDPOINT_URL_STS").unwrap_or(format!("https://sts.{region}.amazonaws.com"));
    let encode = |text: &str| super::sign::encode(text, false);
    let body = format!(
        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=vedette&RoleArn={}&WebIdentityToken={}",
        encode(role),
        encode(token.trim())
    );
    let answer = plain_agent()
        .post(&endpoint)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("accept", "application/json")
        .send(&body);
    let text = read("AssumeRoleWithWebIdentity", answer, MAX_ANSWER)?;
    let text = String::from_utf8_lossy(&text);
    if let Ok(json) = serde_json::from_str::<Value>(&text) {
        let found = json.pointer(
            "/AssumeRoleWithWebIdentityResponse/AssumeRoleWithWebIdentityResult/Credentials",
        );
        if let Some(found) = found.and_then(|found| from_json(found, "SessionToken")) {
            return Ok(found);
        }
    }
    let element = |name: &str| {
        let (_, rest) = text.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
    };
    match (element("AccessKeyId"), element("SecretAccessKey")) {
        (Some(key_id), Some(secret)) => Ok(Credentials {
            key_id,
            secret,
            session: element("SessionToken"),
        }),
        _ => Err(wrong("the answer holds no credentials".to_owned())),
    }
}

fn container(address: &str) -> Result<Credentials, AwsError> {
    const FROM: &str = "the container's agent";
    let wrong = |text: String| AwsError::Credentials(FROM, text);
    // The token goes only to agents on this machine, whatever the variable says.
    let host = address
        .strip_prefix("http://")
        .map(|rest| rest.split('/').next().unwrap_or_default())
        .map(|host| match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
            _ => host,
        });
    let local = address.starts_with("https://")
        || host.is_some_and(|host| host.starts_with("127.") || AGENTS.contains(&host));
    if !local {
        return Err(wrong(format!("{address} is not on this machine")));
    }
    let token = match var("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(file) => Some(
            fs::read_to_string(&file).map_err(|error| wrong(format!("reading {file}: {error}")))?,
        ),
        None => var("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let fields: Vec<(&str, &str)> = token
        .as_deref()
        .map(|token| ("authorization", token.trim()))
        .into_iter()
        .collect();
    let bytes = get(FROM, address, &fields)?;
    serde_json::from_slice(&bytes)
        .ok()
        .and_then(|json: Value| from_json(&json, "Token"))
        .ok_or_else(|| wrong("the answer holds no credentials".to_owned()))
}

fn instance() -> Result<Credentials, AwsError> {
    const FROM: &str = "the instance's metadata service";
    let token = plain_agent()
        .put(format!("{IMDS}/api/token"))
        .header("x-aws-ec2-metadata-token-ttl-seconds", "300")
        .send_empty();
    // No such service: this is no instance.
    let token = read(FROM, token, MAX_ANSWER).map_err(|_| AwsError::NoCredentials)?;
    let token = String::from_utf8_lossy(&token);
    let fields = [("x-aws-ec2-metadata-token", token.trim())];
    let place = format!("{IMDS}/meta-data/iam/security-credentials/");
    let role = get(FROM, &place, &fields)?;
    let role = String::from_utf8_lossy(&role);
    let bytes = get(FROM, &format!("{place}{}", role.trim()), &fields)?;
    serde_json::from_slice(&bytes)
        .ok()
        .and_then(|json: Value| from_json(&json, "Token"))
        .ok_or(AwsError::NoCredentials)
}

fn from_json(json: &Value, token: &str) -> Option<Credentials> {
    let text = |key: &str| json.get(key)?.as_str().map(str::to_owned);
    Some(Credentials {
        key_id: text("AccessKeyId")?,
        secret: text("SecretAccessKey")?,
        session: text(token),
    })
}
