//! `ct.*`, `s3.*`, `ec2.*`, `ecr.*`, `iam.*`: CloudTrail records, read as Falco's cloudtrail plugin does.

use std::io::Write;

use vedette_event::{Extracted, FieldRef, Value, Values};

use super::generic::bool_word;
use super::{Row, any, call, index, list, text, text_of, word};
use crate::json::{Json, compact};
use crate::record::Record;

pub(super) static ROWS: &[Row] = &[
    text("ct.id", &["eventID"]),
    text("ct.error", &["errorCode"]),
    text("ct.errormessage", &["errorMessage"]),
    text("ct.time", &["eventTime"]),
    text("ct.src", &["eventSource"]),
    call("ct.shortsrc", |r, _, room| {
        match text_of(r.json.get("eventSource"), room) {
            Extracted::One(Value::Text(src)) => Extracted::One(Value::Text(short(src))),
            other => other,
        }
    }),
    text("ct.name", &["eventName"]),
    call("ct.user", user),
    call("ct.originaluser", original_user),
    call("ct.user.accountid", |r, _, room| {
        let own = r.json.path(&["userIdentity", "accountId"]);
        let own = own.filter(|id| id.text().is_some());
        text_of(own.or_else(|| r.json.get("recipientAccountId")), room)
    }),
    text("ct.user.identitytype", &["userIdentity", "type"]),
    text("ct.user.principalid", &["userIdentity", "principalId"]),
    text("ct.user.arn", &["userIdentity", "arn"]),
    text("ct.region", &["awsRegion"]),
    text("ct.response.subnetid", &["responseElements", "subnetId"]),
    text(
        "ct.response.reservationid",
        &["responseElements", "reservationId"],
    ),
    any("ct.response", &["responseElements"]),
    text(
        "ct.request.availabilityzone",
        &["requestParameters", "availabilityZone"],
    ),
    text("ct.request.cluster", &["requestParameters", "cluster"]),
    text(
        "ct.request.functionname",
        &["requestParameters", "functionName"],
    ),
    text("ct.request.groupname", &["requestParameters", "groupName"]),
    text("ct.request.host", &["requestParameters", "Host"]),
    text("ct.request.name", &["requestParameters", "name"]),
    text("ct.request.policy", &["requestParameters", "policy"]),
    text("ct.request.reason", &["requestParameters", "reason"]),
    text("ct.request.target", &["requestParameters", "target"]),
    text(
        "ct.request.documentname",
        &["requestParameters", "documentName"],
    ),
    text(
        "ct.request.serialnumber",
        &["requestParameters", "serialNumber"],
    ),
    text(
        "ct.request.servicename",
        &["requestParameters", "serviceName"],
    ),
    text("ct.request.subnetid", &["requestParameters", "subnetId"]),
    text(
        "ct.request.taskdefinition",
        &["requestParameters", "taskDefinition"],
    ),
    text("ct.request.username", &["requestParameters", "userName"]),
    any("ct.request", &["requestParameters"]),
    text("ct.srcip", &["sourceIPAddress"]),
    text("ct.useragent", &["userAgent"]),
    call("ct.info", |r, _, room| {
        Extracted::One(room.write_text(|out| write_info(r.json, out)))
    }),
    call("ct.managementevent", |r, _, _| {
        bool_word(r, "managementEvent")
    }),
    call("ct.readonly", |r, _, _| word(is_read_only(r.json))),
    text("ct.requestid", &["requestID"]),
    text("ct.eventtype", &["eventType"]),
    text("ct.apiversion", &["apiVersion"]),
    call("ct.resources", resources),
    text("ct.recipientaccountid", &["recipientAccountId"]),
    any("ct.serviceeventdetails", &["serviceEventDetails"]),
    text("ct.sharedeventid", &["sharedEventID"]),
    text("ct.vpcendpointid", &["vpcEndpointId"]),
    text("ct.eventcategory", &["eventCategory"]),
    text("ct.addendum.reason", &["addendum", "reason"]),
    text("ct.addendum.updatedfields", &["addendum", "updatedFields"]),
    text(
        "ct.addendum.originalrequestid",
        &["addendum", "originalRequestID"],
    ),
    text(
        "ct.addendum.originaleventid",
        &["addendum", "originalEventID"],
    ),
    call("ct.sessioncredentialfromconsole", |r, _, _| {
        bool_word(r, "sessionCredentialFromConsole")
    }),
    any("ct.edgedevicedetails", &["edgeDeviceDetails"]),
    text("ct.tlsdetails.tlsversion", &["tlsDetails", "tlsVersion"]),
    text("ct.tlsdetails.ciphersuite", &["tlsDetails", "cipherSuite"]),
    text(
        "ct.tlsdetails.clientprovidedhostheader",
        &["tlsDetails", "clientProvidedHostHeader"],
    ),
    any("ct.additionaleventdata", &["additionalEventData"]),
    call("s3.uri", |r, _, room| {
        let (Some(bucket), Some(key)) = (request(r.json, "bucketName"), request(r.json, "key"))
        else {
            return Extracted::Missing;
        };
        Extracted::One(room.write_text(|out| {
            out.extend_from_slice(b"s3://");
            bucket.write(out);
            out.push(b'/');
            key.write(out);
        }))
    }),
    text("s3.bucket", &["requestParameters", "bucketName"]),
    text("s3.key", &["requestParameters", "key"]),
    call("s3.bytes", |r, _, _| {
        let (inward, outward) = (
            bytes(r, "bytesTransferredIn"),
            bytes(r, "bytesTransferredOut"),
        );
        if inward.is_none() && outward.is_none() {
            return Extracted::Missing;
        }
        count(Some(
            inward
                .unwrap_or_default()
                .saturating_add(outward.unwrap_or_default()),
        ))
    }),
    call("s3.bytes.in", |r, _, _| {
        count(bytes(r, "bytesTransferredIn"))
    }),
    call("s3.bytes.out", |r, _, _| {
        count(bytes(r, "bytesTransferredOut"))
    }),
    call("s3.cnt.get", |r, _, _| {
        count(is_named(r, "GetObject").then_some(1))
    }),
    call("s3.cnt.put", |r, _, _| {
        count(is_named(r, "PutObject").then_some(1))
    }),
    call("s3.cnt.other", |r, _, _| {
        count((!is_named(r, "GetObject") && !is_named(r, "PutObject")).then_some(1))
    }),
    call("ec2.name", instance_name),
    call("ec2.imageid", |r, _, room| {
        let first = r
            .json
            .path(&["responseElements", "tagSpecificationSet", "items", "0"]);
        let id = first.and_then(|item| item.get("imageId"));
        text_of(
            id.filter(|id| id.text().is_some_and(|id| !id.is_empty())),
            room,
        )
    }),
    call("ec2.imageids", image_ids),
    text("ecr.repository", &["requestParameters", "repositoryName"]),
    text("ecr.imagetag", &["requestParameters", "imageTag"]),
    text("iam.role", &["requestParameters", "roleName"]),
    text("iam.policy", &["requestParameters", "policyName"]),
];

/// Beginnings of the names of calls that change something, for records that do not say so themselves.
const WRITES: [&str; 35] = [
    "Activate",
    "Add",
    "Admin",
    "Assign",
    "Associate",
    "Attach",
    "Cancel",
    "Close",
    "Create",
    "Delete",
    "Deregister",
    "Destroy",
    "Detach",
    "Disable",
    "Disassociate",
    "Enable",
    "Initialize",
    "Modify",
    "Open",
    "Purchase",
    "Put",
    "Reboot",
    "Register",
    "Remove",
    "Run",
    "Set",
    "Start",
    "Stop",
    "Suspend",
    "Terminate",
    "Unassign",
    "Unlink",
    "Update",
    "Upgrade",
    "Wipe",
];

fn request<'a>(json: Json<'a>, member: &str) -> Option<crate::json::Text<'a>> {
    json.text_at(&["requestParameters", member])
}

fn bytes(record: &Record<'_>, member: &str) -> Option<u64> {
    record
        .json
        .path(&["additionalEventData", member])
        .and_then(Json::as_u64)
}

fn count(value: Option<u64>) -> Extracted<'static> {
    value.map_or(Extracted::Missing, |value| {
        Extracted::One(Value::U64(value))
    })
}

fn is_named(record: &Record<'_>, name: &str) -> bool {
    record
        .json
        .get("eventName")
        .is_some_and(|n| n.is_text(name))
}

/// The service without `.amazonaws.com`.
fn short(source: &[u8]) -> &[u8] {
    source.strip_suffix(b".amazonaws.com").unwrap_or(source)
}

/// Where the name of the caller stands, or what is said in its place, by type of identity.
enum User<'a> {
    At(Option<Json<'a>>),
    Word(&'static str),
    Unknown,
}

fn find_user(json: Json<'_>) -> User<'_> {
    let Some(identity) = json.get("userIdentity") else {
        return User::Unknown;
    };
    let Some(kind) = identity.get("type").and_then(Json::text) else {
        return User::Unknown;
    };
    if kind.is(b"Root") || kind.is(b"IAMUser") {
        User::At(identity.get("userName"))
    } else if kind.is(b"AWSService") {
        User::At(identity.get("invokedBy"))
    } else if kind.is(b"AssumedRole") {
        let issuer = identity.path(&["sessionContext", "sessionIssuer", "userName"]);
        match issuer.filter(|name| name.text().is_some()) {
            Some(name) => User::At(Some(name)),
            None => User::Word("AssumedRole"),
        }
    } else if kind.is(b"AWSAccount") {
        User::Word("AWSAccount")
    } else if kind.is(b"FederatedUser") {
        User::Word("FederatedUser")
    } else {
        User::Unknown
    }
}

fn user<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    match find_user(record.json) {
        User::At(Some(name)) if name.text().is_some() => text_of(Some(name), room),
        User::At(_) => Extracted::One(Value::Text(b"<NA>")),
        User::Word(word) => Extracted::One(Value::Text(word.as_bytes())),
        User::Unknown => Extracted::Missing,
    }
}

fn original_user<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let Some(identity) = record.json.get("userIdentity") else {
        return Extracted::Missing;
    };
    if !identity
        .get("type")
        .is_some_and(|kind| kind.is_text("AssumedRole"))
    {
        return text_of(identity.get("userName"), room);
    }
    let part = |member: &str, mark: u8, parts: usize| {
        let text = identity.get(member)?.text()?.plain()?;
        let mut split = text.split(|b| *b == mark);
        let last = split.nth(parts - 1)?;
        split.next().is_none().then_some(last)
    };
    match part("arn", b'/', 3).or_else(|| part("principalId", b':', 2)) {
        Some(session) => Extracted::One(Value::Text(session)),
        None => Extracted::Missing,
    }
}

fn is_read_only(json: Json<'_>) -> bool {
    if let Some(said) = json.get("readOnly") {
        return said.as_bool() == Some(true);
    }
    let name = json.get("eventName").and_then(Json::text);
    let name = name.and_then(crate::json::Text::plain).unwrap_or_default();
    !WRITES.iter().any(|word| name.starts_with(word.as_bytes()))
}

fn write_user(json: Json<'_>, out: &mut Vec<u8>) {
    match find_user(json) {
        User::At(name) => {
            if let Some(name) = name.and_then(Json::text) {
                name.write(out);
            } else {
                out.extend_from_slice(b"<NA>");
            }
        }
        User::Word(word) => out.extend_from_slice(word.as_bytes()),
        User::Unknown if json.text_at(&["userIdentity", "type"]).is_some() => {
            out.extend_from_slice(b"<NA>");
        }
        User::Unknown => {}
    }
}

/// Who did what from where, with an exclamation mark for a failure, an arrow to the right for a change, and the object
/// in S3.
fn write_info(json: Json<'_>, out: &mut Vec<u8>) {
    let Some(name) = json.get("eventName").and_then(Json::text) else {
        out.extend_from_slice(b"<invalid cloudtrail event: eventName field missing>");
        return;
    };
    let from = out.len();
    write_user(json, out);
    let address = json.get("sourceIPAddress").and_then(Json::text);
    if !address.is_some_and(|address| address.is(&out[from..])) {
        out.extend_from_slice(b" via ");
        if let Some(address) = address {
            address.write(out);
        }
    }
    out.push(b' ');
    if json.get("errorCode").is_some() {
        out.push(b'!');
    }
    let reads = json.get("readOnly").and_then(Json::as_bool).unwrap_or(true);
    out.extend_from_slice(if reads { "← " } else { "→ " }.as_bytes());
    name.write(out);
    let size = ["bytesTransferredIn", "bytesTransferredOut"]
        .into_iter()
        .filter_map(|member| json.path(&["additionalEventData", member])?.as_u64())
        .fold(0u64, u64::saturating_add);
    if size > 0 {
        write!(out, " Size={size}").expect("writing to memory cannot fail");
    }
    let (bucket, key) = (request(json, "bucketName"), request(json, "key"));
    match (bucket, key, request(json, "Host")) {
        (Some(bucket), Some(key), _) => {
            out.extend_from_slice(b" URI=s3://");
            bucket.write(out);
            out.push(b'/');
            key.write(out);
        }
        (Some(bucket), None, _) => {
            out.extend_from_slice(b" Bucket=");
            bucket.write(out);
        }
        (None, Some(key), _) => {
            out.extend_from_slice(b" Key=");
            key.write(out);
        }
        (None, None, Some(host)) => {
            out.extend_from_slice(b" Host=");
            host.write(out);
        }
        (None, None, None) => {}
    }
}

/// `evt.plugininfo`: region, user, service, call and what `ct.info` says.
pub(super) fn summary<'s>(
    record: &'s Record<'_>,
    _: &FieldRef,
    room: &'s mut Values,
) -> Extracted<'s> {
    let json = record.json;
    let member = |key: &str| json.get(key).and_then(Json::text);
    let (Some(source), Some(region), Some(name)) = (
        member("eventSource"),
        member("awsRegion"),
        member("eventName"),
    ) else {
        return Extracted::Missing;
    };
    Extracted::One(room.write_text(|out| {
        region.write(out);
        out.push(b' ');
        write_user(json, out);
        out.push(b' ');
        let from = out.len();
        source.write(out);
        let len = short(&out[from..]).len();
        out.truncate(from + len);
        out.push(b' ');
        name.write(out);
        out.push(b' ');
        write_info(json, out);
    }))
}

/// The resources, compact, with commas between them and no brackets.
fn resources<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let Some(resources) = record.json.get("resources") else {
        return Extracted::Missing;
    };
    if resources.items().next().is_none() {
        return Extracted::Missing;
    }
    Extracted::One(room.write_text(|out| {
        for (at, resource) in resources.items().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            compact(resource.raw(), out);
        }
    }))
}

/// The `Name` tag that an instance is started with.
fn instance_name<'s>(record: &'s Record<'_>, _: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    let items = record
        .json
        .path(&["requestParameters", "tagSpecificationSet", "items"]);
    let name = items
        .into_iter()
        .flat_map(Json::items)
        .filter(|item| {
            item.get("resourceType")
                .is_some_and(|kind| kind.is_text("instance"))
        })
        .filter_map(|item| item.get("tags"))
        .flat_map(Json::items)
        .filter(|tag| tag.get("key").is_some_and(|key| key.is_text("Name")))
        .filter_map(|tag| tag.get("value"))
        .find(|value| value.text().is_some_and(|text| !text.is_empty()));
    text_of(name, room)
}

/// Images of the instances that were started.
fn image_ids<'s>(record: &'s Record<'_>, field: &FieldRef, room: &'s mut Values) -> Extracted<'s> {
    room.clear();
    let items = record
        .json
        .path(&["responseElements", "instancesSet", "items"]);
    for (at, item) in items.into_iter().flat_map(Json::items).enumerate() {
        if index(field).is_some_and(|wanted| wanted != at) {
            continue;
        }
        if let Some(id) = item.get("imageId").and_then(Json::text) {
            room.push_written(|out| id.write(out));
        }
    }
    list(room)
}
