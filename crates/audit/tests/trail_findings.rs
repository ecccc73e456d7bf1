//! Findings in CloudTrail records: each deterministic type fires on its call and stays quiet on the neighbouring one.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    reason = "a test stops where it goes wrong and says what it ran"
)]

mod shared;

use serde_json::{Value, json};
use shared::{conformance, files};
use vedette_audit::findings::{Detector, Hit, Origin};
use vedette_audit::lists::{Format, List, ListKind, Lists, parse};
use vedette_audit::{Source, Splitter};

fn record(service: &str, name: &str, changes: Value) -> String {
    let mut record = json!({
        "eventVersion": "1.09", "eventID": format!("{service}-{name}-{changes}"), "eventTime": "2026-11-21T21:39:13Z",
        "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": "eu-central-1",
        "sourceIPAddress": "198.51.100.7", "userAgent": "aws-cli/2.15",
        "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::1:user/ada", "userName": "ada", "accessKeyId": "AKIA1"},
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    record.to_string()
}

fn hits(lists: Lists, input: &str) -> Vec<Hit> {
    let mut detector = Detector::new(Origin::default(), lists);
    let mut hits = Vec::new();
    Splitter::new(Some(Source::AwsCloudtrail)).feed(input.as_bytes(), true, &mut |record| {
        detector.observe(record.unwrap(), &mut hits);
    });
    hits
}

fn kinds(lists: Lists, input: &str) -> Vec<String> {
    hits(lists, input).into_iter().map(|hit| hit.kind).collect()
}

fn list(kind: ListKind, text: &str) -> Lists {
    let mut lists = Lists::new();
    let (entries, faults) = parse(Format::Txt, text.as_bytes());
    assert!(faults.is_empty());
    lists.add(List::new("list", kind, entries));
    lists
}

#[test]
fn deterministic_types_fire_on_their_calls_only() {
    let root = json!({"type": "Root", "arn": "arn:aws:iam::1:root"});
    let block = |open: bool| json!({"bucketName": "b", "PublicAccessBlockConfiguration": {"BlockPublicAcls": !open, "BlockPublicPolicy": true}});
    let policy = |condition: bool| {
        let mut statement = json!({"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"});
        if condition {
            statement["Condition"] = json!({"StringEquals": {"aws:PrincipalOrgID": "o"}});
        }
        json!({"bucketName": "b", "bucketPolicy": {"Statement": [statement]}})
    };
    for (kind, service, name, yes, no) in [
        (
            "Stealth:IAMUser/CloudTrailLoggingDisabled",
            "cloudtrail",
            "StopLogging",
            json!({}),
            json!({"errorCode": "AccessDenied"}),
        ),
        (
            "Stealth:IAMUser/PasswordPolicyChange",
            "iam",
            "UpdateAccountPasswordPolicy",
            json!({}),
            json!({"errorCode": "AccessDenied"}),
        ),
        (
            "DefenseEvasion:IAMUser/BedrockLoggingDisabled",
            "bedrock",
            "DeleteModelInvocationLoggingConfiguration",
            json!({}),
            json!({"errorCode": "AccessDenied"}),
        ),
        (
            "Policy:IAMUser/RootCredentialUsage",
            "s3",
            "ListBuckets",
            json!({"userIdentity": root}),
            json!({}),
        ),
        (
            "Policy:IAMUser/ShortTermRootCredentialUsage",
            "s3",
            "ListBuckets",
            json!({"userIdentity": {"type": "Root", "sessionContext": {"assumedRoot": "true"}}}),
            json!({}),
        ),
        (
            "PenTest:IAMUser/KaliLinux",
            "iam",
            "ListUsers",
            json!({"userAgent": "aws-cli/2 md/distrib#kali.2026"}),
            json!({"userAgent": "alkaline/1"}),
        ),
        (
            "PenTest:IAMUser/ParrotLinux",
            "iam",
            "ListUsers",
            json!({"userAgent": "Boto3/1 Linux/6.0.0-12parrot1-amd64"}),
            json!({"userAgent": "parrots/1"}),
        ),
        (
            "PenTest:IAMUser/PentooLinux",
            "iam",
            "ListUsers",
            json!({"userAgent": "x pentoo y"}),
            json!({}),
        ),
        (
            "PenTest:S3/KaliLinux",
            "s3",
            "GetObject",
            json!({"userAgent": "distrib#kali"}),
            json!({}),
        ),
        (
            "Policy:S3/AccountBlockPublicAccessDisabled",
            "s3",
            "PutAccountPublicAccessBlock",
            json!({"requestParameters": block(true)}),
            json!({"requestParameters": block(false)}),
        ),
        (
            "Policy:S3/BucketBlockPublicAccessDisabled",
            "s3",
            "PutBucketPublicAccessBlock",
            json!({"requestParameters": block(true)}),
            json!({"requestParameters": block(false)}),
        ),
        (
            "Policy:S3/BucketAnonymousAccessGranted",
            "s3",
            "PutBucketPolicy",
            json!({"requestParameters": policy(false)}),
            json!({"requestParameters": policy(true)}),
        ),
        (
            "Policy:S3/BucketPublicAccessGranted",
            "s3",
            "PutBucketAcl",
            json!({"requestParameters": {"bucketName": "b", "x-amz-acl": ["authenticated-read"]}}),
            json!({"requestParameters": {"x-amz-acl": ["private"]}}),
        ),
        (
            "Stealth:S3/ServerAccessLoggingDisabled",
            "s3",
            "PutBucketLogging",
            json!({"requestParameters": {"BucketLoggingStatus": {}}}),
            json!({"requestParameters": {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "l"}}}}),
        ),
    ] {
        assert_eq!(
            kinds(Lists::new(), &record(service, name, yes)),
            [kind],
            "{kind}"
        );
        assert_eq!(
            kinds(Lists::new(), &record(service, name, no)),
            Vec::<String>::new(),
            "{kind}"
        );
    }
}

#[test]
fn listed_addresses_are_told_by_kind_of_call() {
    let tor = || list(ListKind::Tor, "198.51.100.7");
    assert_eq!(
        kinds(tor(), &record("iam", "ListUsers", json!({}))),
        ["Recon:IAMUser/TorIPCaller"]
    );
    assert_eq!(
        kinds(tor(), &record("iam", "CreateUser", json!({}))),
        ["UnauthorizedAccess:IAMUser/TorIPCaller"]
    );
    assert_eq!(
        kinds(tor(), &record("s3", "GetObject", json!({}))),
        ["UnauthorizedAccess:S3/TorIPCaller"]
    );
    let threat = || list(ListKind::Threat, "198.51.100.0/24");
    assert_eq!(
        kinds(threat(), &record("s3", "GetObject", json!({}))),
        ["Exfiltration:S3/MaliciousIPCaller"]
    );
    assert_eq!(
        kinds(threat(), &record("s3", "DeleteObject", json!({}))),
        ["Impact:S3/MaliciousIPCaller"]
    );
    let elsewhere = list(ListKind::Threat, "203.0.113.0/24");
    assert!(kinds(elsewhere, &record("iam", "ListUsers", json!({}))).is_empty());
}

#[test]
fn a_record_that_arrives_twice_counts_once() {
    let one = record("cloudtrail", "StopLogging", json!({}));
    assert_eq!(kinds(Lists::new(), &format!("{one}\n{one}")).len(), 1);
}

#[test]
fn pod_credentials_used_outside_the_cluster_are_told() {
    let account = "system:serviceaccount:shop:web";
    let assume = record(
        "sts",
        "AssumeRoleWithWebIdentity",
        json!({
            "sourceIPAddress": "203.0.113.1", "userAgent": "aws-sdk-go-v2/1.2",
            "userIdentity": {"type": "WebIdentityUser", "userName": account},
            "responseElements": {"credentials": {"accessKeyId": "ASIAPOD"}},
        }),
    );
    let use_of = |address: &str, agent: &str| {
        record(
            "s3",
            "ListBuckets",
            json!({
                "sourceIPAddress": address, "userAgent": agent,
                "userIdentity": {"type": "AssumedRole", "accessKeyId": "ASIAPOD", "principalId": "AROA:web"},
            }),
        )
    };
    let told = |lists: Lists, later: &str| hits(lists, &format!("{assume}\n{later}"));
    let cluster = || list(ListKind::Cluster, "203.0.113.0/28");
    assert!(told(cluster(), &use_of("203.0.113.2", "aws-cli/2")).is_empty());
    assert!(told(cluster(), &use_of("10.0.0.1", "aws-cli/2")).is_empty());
    let outside = told(cluster(), &use_of("198.51.100.7", "aws-sdk-go-v2/1.2"));
    assert_eq!(
        outside[0].kind,
        "UnauthorizedAccess:Kubernetes/PodCredentialExfiltration.OutsideCluster"
    );
    assert_eq!(outside[0].subject, account);
    // Without the cluster's addresses, another address alone may be another way out; another client is not.
    assert!(told(Lists::new(), &use_of("198.51.100.7", "aws-sdk-go-v2/1.3")).is_empty());
    assert_eq!(
        told(Lists::new(), &use_of("198.51.100.7", "aws-cli/2")).len(),
        1
    );
}

#[test]
fn the_recorded_theft_of_instance_credentials_is_told() {
    let Some(folder) = conformance("cloudtrail/otrf") else {
        return;
    };
    let input = std::fs::read_to_string(files(&folder, ".json").remove(0)).unwrap();
    // The recording's addresses are replaced by 1.2.3.4, which is none of AWS's.
    let told = hits(list(ListKind::AwsRanges, "3.5.140.0/22"), &input);
    let stolen: Vec<&Hit> = told
        .iter()
        .filter(|hit| {
            hit.kind == "UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS"
        })
        .collect();
    println!("{} of {} hits are the theft", stolen.len(), told.len());
    assert_eq!(stolen.len(), 11);
    assert!(
        stolen
            .iter()
            .all(|hit| hit.subject == "i-0317f6c6b66ae9c40")
    );
}
