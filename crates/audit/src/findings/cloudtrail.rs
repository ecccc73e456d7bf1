//! Findings in CloudTrail records: the deterministic types, and the list types.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::request::remote;
use super::{Hit, catalogue};
use crate::json::{Json, Kind, Text};
use crate::lists::{ListKind, Lists, Verdict};
use crate::record::Record;
use crate::source::Source;

/// A call, its parts as texts.
pub(crate) struct Call<'a> {
    pub(crate) json: Json<'a>,
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) identity: String,
    pub(crate) actor: String,
    pub(crate) error: Option<String>,
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Call<'a> {
    pub(crate) fn new(json: Json<'a>) -> Self {
        let text = |keys: &[&str]| json.text_at(keys).map(Text::to_owned_string);
        let service = text(&["eventSource"]).unwrap_or_default();
        Self {
            json,
            name: text(&["eventName"]).unwrap_or_default(),
            service: service.trim_end_matches(".amazonaws.com").to_owned(),
            identity: text(&["userIdentity", "type"]).unwrap_or_default(),
            actor: text(&["userIdentity", "arn"])
                .or_else(|| text(&["userIdentity", "principalId"]))
                .unwrap_or_default(),
            error: text(&["errorCode"]),
            address: text(&["sourceIPAddress"]).and_then(|address| address.parse().ok()),
        }
    }

    fn request(&self, keys: &[&str]) -> Option<Json<'a>> {
        self.json.get("requestParameters")?.path(keys)
    }

    /// Calls on objects in S3, which are data events.
    fn is_s3_data(&self) -> bool {
        self.service == "s3"
            && (self
                .json
                .get("eventCategory")
                .is_some_and(|category| category.is_text("Data"))
                || self.json.get("managementEvent").and_then(Json::as_bool) == Some(false)
                || matches!(
                    self.name.as_str(),
                    "GetObject"
                        | "PutObject"
                        | "DeleteObject"
                        | "DeleteObjects"
                        | "CopyObject"
                        | "HeadObject"
                ))
    }

    /// Calls that only look around.
    fn reads(&self) -> bool {
        [
            "Describe", "List", "Get", "Head", "Lookup", "Search", "BatchGet",
        ]
        .iter()
        .any(|word| self.name.starts_with(word))
    }

    pub(crate) fn bucket(&self) -> Option<String> {
        self.request(&["bucketName"]).and_then(Json::to_text)
    }

    pub(super) fn hit(&self, record: &Record<'_>, kind: &str, subject: String) -> Hit {
        Hit {
            kind: kind.to_owned(),
            severity: catalogue::severity(kind),
            subject,
            actor: self.actor.clone(),
            ts: record.ts,
            source: Source::AwsCloudtrail,
            record_id: self
                .json
                .get("eventID")
                .and_then(Json::to_text)
                .unwrap_or_default(),
            resource: self.resource().into(),
            action: self.action().into(),
            lists: Vec::new(),
            extra: Vec::new(),
            detection: None,
        }
    }

    fn resource(&self) -> Value {
        let text = |keys: &[&str]| {
            self.json
                .path(keys)
                .and_then(Json::to_text)
                .unwrap_or_default()
        };
        let name = ["sessionContext.sessionIssuer.userName", "userName"]
            .iter()
            .map(|path| {
                let keys: Vec<&str> = std::iter::once("userIdentity")
                    .chain(path.split('.'))
                    .collect();
                text(&keys)
            })
            .find(|name| !name.is_empty())
            .unwrap_or_default();
        let mut resource = Map::new();
        resource.insert(
            "accessKeyDetails".into(),
            json!({
                "accessKeyId": text(&["userIdentity", "accessKeyId"]),
                "principalId": text(&["userIdentity", "principalId"]),
                "userName": name,
                "userType": self.identity,
            }),
        );
        match self.bucket().filter(|_| self.service == "s3") {
            Some(bucket) => {
                resource.insert("resourceType".into(), json!("S3Bucket"));
                resource.insert(
                    "s3BucketDetails".into(),
                    json!([{"name": bucket, "arn": format!("arn:aws:s3:::{bucket}")}]),
                );
            }
            None => {
                resource.insert("resourceType".into(), json!("AccessKey"));
            }
        }
        Value::Object(resource)
    }

    fn action(&self) -> Value {
        let mut api = Map::new();
        api.insert("api".into(), json!(self.name));
        api.insert(
            "serviceName".into(),
            json!(format!("{}.amazonaws.com", self.service)),
        );
        if let Some(error) = &self.error {
            api.insert("errorCode".into(), json!(error));
        }
        if let Some(agent) = self.json.get("userAgent").and_then(Json::to_text) {
            api.insert("userAgent".into(), json!(agent));
        }
        match (
            self.address,
            self.json.get("sourceIPAddress").and_then(Json::to_text),
        ) {
            (Some(address), _) => {
                api.insert("callerType".into(), json!("Remote IP"));
                api.insert("remoteIpDetails".into(), remote(address));
            }
            // A service called in the caller's place.
            (None, Some(domain)) => {
                api.insert("callerType".into(), json!("Domain"));
                api.insert("domainDetails".into(), json!({"domain": domain}));
            }
            (None, None) => {}
        }
        json!({"actionType": "AWS_API_CALL", "awsApiCallAction": api})
    }
}

/// Looks at a record.
pub(super) fn observe(record: &Record<'_>, lists: &mut Lists, hits: &mut Vec<Hit>) {
    let call = Call::new(record.json);
    judge_agent(record, &call, hits);
    judge_root(record, &call, hits);
    judge_address(record, &call, lists, hits);
    if call.error.is_none() {
        judge_change(record, &call, hits);
    }
}

/// Distributions for attackers name themselves in the user agent of their tools, by distribution or kernel.
fn judge_agent(record: &Record<'_>, call: &Call<'_>, hits: &mut Vec<Hit>) {
    let Some(agent) = call.json.get("userAgent").and_then(Json::to_text) else {
        return;
    };
    let agent = agent.to_ascii_lowercase();
    for (word, name) in [
        ("kali", "KaliLinux"),
        ("parrot", "ParrotLinux"),
        ("pentoo", "PentooLinux"),
    ] {
        let named = agent.match_indices(word).any(|(at, _)| {
            let letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphabetic);
            let bytes = agent.as_bytes();
            !letter(at.checked_sub(1).and_then(|before| bytes.get(before)))
                && !letter(bytes.get(at + word.len()))
        });
        if named {
            let resource = if call.is_s3_data() { "S3" } else { "IAMUser" };
            let kind = format!("PenTest:{resource}/{name}");
            hits.push(call.hit(record, &kind, agent.clone()));
        }
    }
}

fn judge_root(record: &Record<'_>, call: &Call<'_>, hits: &mut Vec<Hit>) {
    let identity = call.json.get("userIdentity");
    let by_service = identity.is_some_and(|identity| identity.get("invokedBy").is_some())
        || call
            .json
            .get("eventType")
            .is_some_and(|kind| kind.is_text("AwsServiceEvent"));
    if call.identity != "Root" || by_service {
        return;
    }
    let assumed = call
        .json
        .path(&["userIdentity", "sessionContext", "assumedRoot"])
        .is_some_and(|assumed| assumed.is_text("true") || assumed.kind() == Kind::Bool(true));
    let kind = if assumed {
        "Policy:IAMUser/ShortTermRootCredentialUsage"
    } else {
        "Policy:IAMUser/RootCredentialUsage"
    };
    hits.push(call.hit(record, kind, "root".into()));
}

fn judge_address(record: &Record<'_>, call: &Call<'_>, lists: &mut Lists, hits: &mut Vec<Hit>) {
    let Some(address) = call.address.filter(|_| !lists.is_empty()) else {
        return;
    };
    let Verdict::Listed(matches) = lists.judge(address) else {
        return;
    };
    for (list, names) in matches {
        let family = match list {
            ListKind::Threat => "MaliciousIPCaller",
            ListKind::Custom => "MaliciousIPCaller.Custom",
            ListKind::Tor => "TorIPCaller",
            _ => continue,
        };
        let kind = if call.is_s3_data() {
            let purpose = match (list, call.name.as_str()) {
                (_, name) if name.starts_with("List") || name.starts_with("Head") => "Discovery",
                (ListKind::Threat, "GetObject" | "CopyObject") => "Exfiltration",
                (ListKind::Threat, _) => "Impact",
                _ => "UnauthorizedAccess",
            };
            format!("{purpose}:S3/{family}")
        } else {
            let purpose = if call.reads() {
                "Recon"
            } else {
                "UnauthorizedAccess"
            };
            format!("{purpose}:IAMUser/{family}")
        };
        let mut hit = call.hit(record, &kind, address.to_string());
        hit.lists = names;
        hits.push(hit);
    }
}

fn judge_change(record: &Record<'_>, call: &Call<'_>, hits: &mut Vec<Hit>) {
    let bucket = || call.bucket().unwrap_or_default();
    let found: Option<(&str, String)> = match (call.service.as_str(), call.name.as_str()) {
        ("cloudtrail", "StopLogging" | "DeleteTrail") => Some((
            "Stealth:IAMUser/CloudTrailLoggingDisabled",
            call.request(&["name"])
                .and_then(Json::to_text)
                .unwrap_or_default(),
        )),
        ("iam", "UpdateAccountPasswordPolicy" | "DeleteAccountPasswordPolicy") => Some((
            "Stealth:IAMUser/PasswordPolicyChange",
            "password policy".into(),
        )),
        ("bedrock", "DeleteModelInvocationLoggingConfiguration") => Some((
            "DefenseEvasion:IAMUser/BedrockLoggingDisabled",
            "bedrock".into(),
        )),
        ("s3", "DeleteAccountPublicAccessBlock") => Some((
            "Policy:S3/AccountBlockPublicAccessDisabled",
            "account".into(),
        )),
        ("s3", "PutAccountPublicAccessBlock") if opens_block(call) => Some((
            "Policy:S3/AccountBlockPublicAccessDisabled",
            "account".into(),
        )),
        ("s3", "DeleteBucketPublicAccessBlock") => {
            Some(("Policy:S3/BucketBlockPublicAccessDisabled", bucket()))
        }
        ("s3", "PutBucketPublicAccessBlock") if opens_block(call) => {
            Some(("Policy:S3/BucketBlockPublicAccessDisabled", bucket()))
        }
        ("s3", "PutBucketPolicy") if policy_is_public(call) => {
            Some(("Policy:S3/BucketAnonymousAccessGranted", bucket()))
        }
        ("s3", "PutBucketAcl" | "CreateBucket" | "PutObjectAcl") => match acl_opens_to(call) {
            Some(Everybody::Anonymous) => {
                Some(("Policy:S3/BucketAnonymousAccessGranted", bucket()))
            }
            Some(Everybody::AnyAccount) => Some(("Policy:S3/BucketPublicAccessGranted", bucket())),
            None => None,
        },
        ("s3", "PutBucketLogging") if logging_ends(call) => {
            Some(("Stealth:S3/ServerAccessLoggingDisabled", bucket()))
        }
        _ => None,
    };
    if let Some((kind, subject)) = found {
        hits.push(call.hit(record, kind, subject));
    }
}

/// True when one of the four parts of a public access block is set to false.
fn opens_block(call: &Call<'_>) -> bool {
    call.request(&["PublicAccessBlockConfiguration"])
        .into_iter()
        .flat_map(Json::members)
        .any(|(_, part)| part.kind() == Kind::Bool(false) || part.is_text("false"))
}

/// True when a statement allows everybody without a condition.
fn policy_is_public(call: &Call<'_>) -> bool {
    let Some(policy) = call.request(&["bucketPolicy"]) else {
        return false;
    };
    let Some(statements) = policy.get("Statement") else {
        return false;
    };
    let everybody = |principal: Json<'_>| {
        principal.is_text("*")
            || principal
                .get("AWS")
                .is_some_and(|aws| aws.is_text("*") || aws.items().any(|item| item.is_text("*")))
    };
    let public = |statement: Json<'_>| {
        statement.get("Effect").is_some_and(|e| e.is_text("Allow"))
            && statement.get("Principal").is_some_and(everybody)
            && statement.get("Condition").is_none()
    };
    public(statements) || statements.items().any(public)
}

enum Everybody {
    Anonymous,
    AnyAccount,
}

/// Who an access control list opens the bucket to.
fn acl_opens_to(call: &Call<'_>) -> Option<Everybody> {
    let canned = call
        .request(&["x-amz-acl"])
        .and_then(|acl| acl.text().or_else(|| acl.items().next()?.text()));
    if let Some(canned) = canned {
        if canned.is(b"public-read") || canned.is(b"public-read-write") {
            return Some(Everybody::Anonymous);
        }
        if canned.is(b"authenticated-read") {
            return Some(Everybody::AnyAccount);
        }
    }
    // Grants come as a list or, when there is one, as an object; the group's URI is telling wherever it stands.
    let raw = call.request(&[])?.raw();
    let has = |group: &[u8]| memchr::memmem::find(raw, group).is_some();
    if has(b"acs.amazonaws.com/groups/global/AllUsers") {
        Some(Everybody::Anonymous)
    } else if has(b"acs.amazonaws.com/groups/global/AuthenticatedUsers") {
        Some(Everybody::AnyAccount)
    } else {
        None
    }
}

/// True when the request sets logging to nothing.
fn logging_ends(call: &Call<'_>) -> bool {
    call.request(&["BucketLoggingStatus"])
        .is_some_and(|status| status.get("LoggingEnabled").is_none())
}
