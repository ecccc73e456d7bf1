//! What is compared of a call to AWS.

use super::behaviour::{Behaviour, Factor, Gate, client, network};
use crate::findings::facts::TrailCall;
use crate::json::Json;

/// Calls by what they may be part of, ours after AWS's published examples; a name that ends in `*` stands for all that
/// begin so. The first row that fits counts.
const CALLS: &[(&str, &[&str])] = &[
    (
        "CredentialAccess:IAMUser/AnomalousBehavior",
        &[
            "GetPasswordData",
            "GetSecretValue",
            "BatchGetSecretValue",
            "GenerateDbAuthToken",
            "GetParametersByPath",
            "GetCredentialReport",
            "GenerateCredentialReport",
        ],
    ),
    (
        "DefenseEvasion:IAMUser/AnomalousBehavior",
        &[
            "DeleteFlowLogs",
            "DisableAlarmActions",
            "DeleteAlarms",
            "StopLogging",
            "DeleteTrail",
            "UpdateTrail",
            "PutEventSelectors",
            "DeleteDetector",
            "UpdateDetector",
            "DisableSecurityHub",
            "DeleteConfigRule",
            "StopConfigurationRecorder",
            "DeleteConfigurationRecorder",
            "DeleteLogGroup",
            "DeleteLogStream",
            "LeaveOrganization",
            "DeleteWebACL",
        ],
    ),
    (
        "Exfiltration:IAMUser/AnomalousBehavior",
        &[
            "PutBucketReplication",
            "CreateSnapshot",
            "CreateSnapshots",
            "RestoreDBInstanceFromDBSnapshot",
            "ModifySnapshotAttribute",
            "ModifyImageAttribute",
            "ModifyDBSnapshotAttribute",
            "CreateDBSnapshot",
            "CreateInstanceExportTask",
            "ExportSnapshot*",
        ],
    ),
    (
        "PrivilegeEscalation:IAMUser/AnomalousBehavior",
        &[
            "AttachUserPolicy",
            "AttachRolePolicy",
            "AttachGroupPolicy",
            "PutUserPolicy",
            "PutRolePolicy",
            "PutGroupPolicy",
            "AddUserToGroup",
            "CreatePolicyVersion",
            "SetDefaultPolicyVersion",
            "AddRoleToInstanceProfile",
            "AssociateIamInstanceProfile",
        ],
    ),
    (
        "Persistence:IAMUser/AnomalousBehavior",
        &[
            "CreateAccessKey",
            "CreateUser",
            "CreateLoginProfile",
            "UpdateLoginProfile",
            "CreateRole",
            "UpdateAssumeRolePolicy",
            "ImportKeyPair",
            "CreateKeyPair",
            "AuthorizeSecurityGroupIngress",
            "UpdateFunctionCode*",
            "ModifyInstanceAttribute",
            "CreateVirtualMFADevice",
        ],
    ),
    (
        "Impact:IAMUser/AnomalousBehavior",
        &[
            "DeleteSecurityGroup",
            "UpdateUser",
            "PutBucketPolicy",
            "PutBucketLifecycle*",
            "TerminateInstances",
            "StopInstances",
            "DeleteDB*",
            "DeleteVolume",
            "DeleteSnapshot",
            "ScheduleKeyDeletion",
            "DisableKey",
            "DeleteBucket",
            "DeleteUser",
            "DeleteRole",
            "DeleteCluster",
            "RunInstances",
        ],
    ),
    (
        "InitialAccess:IAMUser/AnomalousBehavior",
        &[
            "StartSession",
            "GetAuthorizationToken",
            "ConsoleLogin",
            "AssumeRoleWithSAML",
            "SendCommand",
            "SendSSHPublicKey",
        ],
    ),
    (
        "Discovery:IAMUser/AnomalousBehavior",
        &[
            "Describe*",
            "List*",
            "Get*",
            "Lookup*",
            "Search*",
            "Simulate*",
        ],
    ),
];

/// Calls on what lies in S3.
const OBJECTS: &[(&str, &[&str])] = &[
    (
        "Impact:S3/AnomalousBehavior.Permission",
        &[
            "PutObjectAcl",
            "PutBucketAcl",
            "PutBucketPublicAccessBlock",
            "DeleteBucketPolicy",
        ],
    ),
    ("Impact:S3/AnomalousBehavior.Delete", &["DeleteObject*"]),
    (
        "Impact:S3/AnomalousBehavior.Write",
        &[
            "PutObject*",
            "CopyObject",
            "UploadPart*",
            "CompleteMultipartUpload",
        ],
    ),
    (
        "Discovery:S3/AnomalousBehavior",
        &[
            "ListObjects*",
            "ListMultipartUploads",
            "ListParts",
            "HeadObject",
            "GetObjectAcl",
            "GetObjectAttributes",
        ],
    ),
    (
        "Exfiltration:S3/AnomalousBehavior",
        &["GetObject", "SelectObjectContent", "GetObjectTorrent"],
    ),
];

fn row(
    rows: &'static [(&'static str, &'static [&'static str])],
    name: &str,
) -> Option<&'static str> {
    rows.iter()
        .find(|(_, names)| {
            names.iter().any(|known| match known.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => *known == name,
            })
        })
        .map(|(kind, _)| *kind)
}

/// Reads a call.
pub(super) fn behaviour(json: Json<'_>) -> Option<Behaviour> {
    let call = TrailCall::new(json);
    if call.actor.is_empty() || call.name.is_empty() || call.identity == "AWSService" {
        return None;
    }
    let principal = without_session(&call.actor);
    let account = json
        .path(&["userIdentity", "accountId"])
        .and_then(Json::to_text)
        .unwrap_or_default();
    let agent = json.get("userAgent").and_then(Json::to_text);
    let mut factors = vec![
        (Factor::Action, format!("{} {}", call.service, call.name)),
        (
            Factor::Outcome,
            call.error.clone().unwrap_or_else(|| "allowed".to_owned()),
        ),
        (
            Factor::Agent,
            agent.as_deref().map(client).unwrap_or_default(),
        ),
    ];
    let place = match call.address {
        Some(address) => Some(network(address)),
        // A service that calls in the caller's place is named instead.
        None => json.get("sourceIPAddress").and_then(Json::to_text),
    };
    factors.extend(place.map(|place| (Factor::Network, place)));
    let bucket = call.bucket();
    if let Some(bucket) = &bucket {
        factors.push((Factor::Bucket, bucket.clone()));
    }
    let mut gate = None;
    if call.error.is_none() {
        let object = (call.service == "s3")
            .then(|| row(OBJECTS, &call.name))
            .flatten();
        gate = object.or_else(|| row(CALLS, &call.name)).map(|kind| Gate {
            kind,
            subject: match &bucket {
                Some(bucket) => format!("{} of {bucket}", call.service),
                None => call.service.clone(),
            },
            severity: None,
        });
    }
    Some(Behaviour {
        peers: format!("{} of {account}", call.identity),
        principal,
        factors,
        scope: Vec::new(),
        gate,
        trusted: true,
        founds: None,
    })
}

/// `arn:aws:sts::1:assumed-role/Role/session` without its session: sessions are new every hour.
fn without_session(actor: &str) -> String {
    match actor.split_once(":assumed-role/") {
        Some((head, rest)) => {
            let role = rest.split('/').next().unwrap_or(rest);
            format!("{head}:assumed-role/{role}")
        }
        None => actor.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_fall_under_the_documented_types() {
        for (name, tactic) in [
            ("GetPasswordData", "CredentialAccess"),
            ("StopLogging", "DefenseEvasion"),
            ("DescribeInstances", "Discovery"),
            ("GetRolePolicy", "Discovery"),
            ("ListAccessKeys", "Discovery"),
            ("CreateSnapshot", "Exfiltration"),
            ("DeleteSecurityGroup", "Impact"),
            ("StartSession", "InitialAccess"),
            ("GetAuthorizationToken", "InitialAccess"),
            ("CreateAccessKey", "Persistence"),
            ("AttachUserPolicy", "PrivilegeEscalation"),
        ] {
            let kind = row(CALLS, name).unwrap();
            assert!(kind.starts_with(tactic), "{name}: {kind}");
        }
        assert_eq!(
            row(OBJECTS, "DeleteObjects"),
            Some("Impact:S3/AnomalousBehavior.Delete")
        );
        assert_eq!(
            row(OBJECTS, "PutObjectAcl"),
            Some("Impact:S3/AnomalousBehavior.Permission")
        );
        assert_eq!(row(CALLS, "TagResource"), None);
        let role = "arn:aws:sts::1:assumed-role/R";
        assert_eq!(without_session(&format!("{role}/i-1")), role);
    }
}
