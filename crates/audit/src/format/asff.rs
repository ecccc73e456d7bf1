//! AWS Security Finding Format, as Security Hub takes it.

use serde_json::{Map, Value, json};

use super::guardduty::arn;
use super::{MAX_TITLE, description, label, shortened};
use crate::findings::{Finding, Origin, texts};
use crate::time::to_rfc3339_millis;

/// Fields that go along without a place of their own, at most; the bound of Security Hub.
const MAX_PRODUCT_FIELDS: usize = 50;

/// Longest of these fields.
const MAX_PRODUCT_FIELD: usize = 2048;

/// The finding for Security Hub's `BatchImportFindings`.
pub fn asff(finding: &Finding, origin: &Origin) -> Value {
    let Origin {
        account,
        region,
        detector,
        ..
    } = origin;
    let hit = &finding.hit;
    let normalized = (hit.severity * 10.0).round().clamp(0.0, 100.0) as u64;
    let types = json!([taxonomy(&hit.kind)]);
    let severity = json!({
        "Product": hit.severity,
        "Label": label(hit.severity),
        "Normalized": normalized,
        "Original": hit.severity.to_string(),
    });
    let mut fields = Map::new();
    flatten(
        "aws/guardduty/service/action",
        &hit.action.value(),
        &mut fields,
    );
    fields.insert(
        "aws/guardduty/service/count".into(),
        json!(finding.count.to_string()),
    );
    fields.insert(
        "aws/guardduty/service/archived".into(),
        json!(finding.archived.to_string()),
    );
    for name in hit.lists.iter().take(1) {
        fields.insert(
            "aws/guardduty/service/evidence/threatIntelligenceDetails.0_/threatListName".into(),
            json!(name),
        );
    }
    json!({
        "SchemaVersion": "2018-10-08",
        "Id": arn(finding, origin),
        "ProductArn": format!("arn:aws:securityhub:{region}:{account}:product/{account}/default"),
        "GeneratorId": format!("arn:aws:guardduty:{region}:{account}:detector/{detector}"),
        "AwsAccountId": account,
        "Region": region,
        "ProductName": "Vedette",
        "CompanyName": "Vedette",
        "Types": types,
        "FirstObservedAt": to_rfc3339_millis(finding.first),
        "LastObservedAt": to_rfc3339_millis(finding.last),
        "CreatedAt": to_rfc3339_millis(finding.first),
        "UpdatedAt": to_rfc3339_millis(finding.last),
        "Severity": severity,
        "Title": shortened(&finding.title(), MAX_TITLE),
        "Description": description(finding),
        "Remediation": {"Recommendation": {"Text": shortened(texts(&hit.kind).remediation, 512)}},
        "ProductFields": fields,
        "Resources": resources(finding, origin),
        "Workflow": {"Status": if finding.suppressed_by.is_some() { "SUPPRESSED" } else { "NEW" }},
        "RecordState": if finding.archived { "ARCHIVED" } else { "ACTIVE" },
        "FindingProviderFields": {
            "Severity": {"Label": label(hit.severity), "Original": hit.severity.to_string()},
            "Types": types,
        },
        "Sample": finding.sample,
    })
}

/// The type in Security Hub's taxonomy, as GuardDuty files its own: by tactic, with dashes for slashes.
fn taxonomy(kind: &str) -> String {
    let (purpose, _) = kind.split_once(':').unwrap_or((kind, ""));
    let dashed = kind.replace('/', "-");
    match purpose {
        "Policy" => {
            format!("Software and Configuration Checks/AWS Security Best Practices/{dashed}")
        }
        "CryptoCurrency" | "Backdoor" => format!("TTPs/Command and Control/{dashed}"),
        _ if kind.contains("AnomalousBehavior") => format!("TTPs/AnomalousBehavior/{dashed}"),
        _ => format!("TTPs/{purpose}/{dashed}"),
    }
}

/// Nested fields as flat ones, their names joined by slashes.
fn flatten(name: &str, value: &Value, out: &mut Map<String, Value>) {
    if out.len() >= MAX_PRODUCT_FIELDS - 4 {
        return;
    }
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                flatten(&format!("{name}/{key}"), value, out);
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                flatten(&format!("{name}.{at}_"), item, out);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            out.insert(name.into(), json!(shortened(text, MAX_PRODUCT_FIELD)));
        }
        other => {
            out.insert(name.into(), json!(other.to_string()));
        }
    }
}

fn resources(finding: &Finding, origin: &Origin) -> Value {
    let resource = &finding.hit.resource.value();
    let text = |pointer: &str| resource.pointer(pointer).and_then(Value::as_str);
    let region = &origin.region;
    let partition = "aws";
    if let Some(cluster) = text("/eksClusterDetails/name") {
        let id = text("/eksClusterDetails/arn").unwrap_or(cluster);
        return json!([{
            "Type": "AwsEksCluster",
            "Id": id,
            "Partition": partition,
            "Region": region,
            "Details": {"AwsEksCluster": {"Name": cluster}},
        }]);
    }
    if let Some(bucket) = text("/s3BucketDetails/0/name") {
        return json!([{
            "Type": "AwsS3Bucket",
            "Id": format!("arn:aws:s3:::{bucket}"),
            "Partition": partition,
            "Region": region,
        }]);
    }
    let key = text("/accessKeyDetails/accessKeyId").unwrap_or("unknown");
    json!([{
        "Type": "AwsIamAccessKey",
        "Id": format!("AWS::IAM::AccessKey:{key}"),
        "Partition": partition,
        "Region": region,
        "Details": {"AwsIamAccessKey": {
            "PrincipalId": text("/accessKeyDetails/principalId").unwrap_or_default(),
            "PrincipalName": text("/accessKeyDetails/userName").unwrap_or_default(),
            "PrincipalType": text("/accessKeyDetails/userType").unwrap_or_default(),
        }},
    }])
}
