//! Files in S3 that are announced through an SQS queue: CloudTrail's way, also behind SNS.

use std::collections::VecDeque;
use std::io::Read;

use serde_json::{Value, json};

use super::{AwsError, Client};
use crate::journal::{Journal, MAX_PAYLOAD};
use crate::source::{Meta, Stop, now};

/// Seconds that one request waits for messages; SQS allows no more.
const POLL: u32 = 20;
/// Messages that one request brings; SQS allows no more.
const BATCH: u32 = 10;
/// Seconds for which a message is ours: reading and storing its files must be done by then.
const HIDDEN: u32 = 120;
/// Files that were taken in, remembered so that a message which is delivered twice does not bring its files twice.
const REMEMBERED: usize = 10_000;
/// Files that one message may announce.
const MAX_FILES: usize = 1000;

/// A queue with announcements.
#[derive(Debug)]
pub struct Queue {
    address: String,
    source: Option<String>,
    taken: VecDeque<String>,
    /// Seconds that a request waits.
    poll: u32,
}

/// A file that a message announces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Announced {
    bucket: String,
    key: String,
    /// Tells versions of a file apart.
    version: String,
}

impl Queue {
    /// The queue at this address. `position` is what the journal last said of it.
    pub fn new(
        address: impl Into<String>,
        source: Option<String>,
        position: Option<&Value>,
    ) -> Self {
        let taken = position
            .and_then(|position| serde_json::from_value(position.clone()).ok())
            .unwrap_or_default();
        Self {
            address: address.into(),
            source,
            taken,
            poll: POLL,
        }
    }

    /// Origin of what comes by this queue.
    pub fn origin(&self) -> String {
        format!("sqs {}", self.address)
    }

    /// Waits less for messages than SQS allows, for those who must not wait.
    #[must_use]
    pub fn with_poll(mut self, seconds: u32) -> Self {
        self.poll = seconds;
        self
    }

    /// Asks once for messages and takes their files in; gives the number of files.
    ///
    /// # Errors
    /// When AWS or the journal refuses. Messages that were not handled come again.
    pub fn pull(
        &mut self,
        client: &Client,
        journal: &Journal,
        stop: &Stop,
    ) -> Result<u64, AwsError> {
        let answer = client.call(
            "sqs",
            "AmazonSQS.ReceiveMessage",
            "1.0",
            &json!({
                "QueueUrl": self.address,
                "MaxNumberOfMessages": BATCH,
                "WaitTimeSeconds": self.poll,
                "VisibilityTimeout": HIDDEN,
            }),
        )?;
        let mut files = 0;
        let messages = answer.get("Messages").and_then(Value::as_array);
        for message in messages.into_iter().flatten() {
            if stop.is_set() {
                break;
            }
            let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
            for file in announced(text("Body")) {
                files += u64::from(self.take(client, journal, &file)?);
            }
            // Everything it announced is on disk here.
            client.call(
                "sqs",
                "AmazonSQS.DeleteMessage",
                "1.0",
                &json!({"QueueUrl": self.address, "ReceiptHandle": text("ReceiptHandle")}),
            )?;
        }
        Ok(files)
    }

    /// Takes a file in; false when it was taken in before or is not there any more.
    fn take(
        &mut self,
        client: &Client,
        journal: &Journal,
        file: &Announced,
    ) -> Result<bool, AwsError> {
        let name = format!("{}/{}#{}", file.bucket, file.key, file.version);
        if self.taken.contains(&name) {
            return Ok(false);
        }
        let bytes = match client.object(&file.bucket, &file.key) {
            Ok(bytes) => bytes,
            // Deleted since: asking again and again would hold up the queue.
            Err(AwsError::Refused { status: 404, .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let bytes = unpacked(bytes, &name)?;
        let mut taken = self.taken.clone();
        taken.push_back(name);
        while taken.len() > REMEMBERED {
            taken.pop_front();
        }
        let meta = Meta {
            origin: self.origin(),
            source: self.source.clone(),
            arrival: now(),
            // Only the last names: the note of an entry is small, and a message comes twice soon or never.
            position: Some(json!(
                taken.iter().rev().take(NOTED).rev().collect::<Vec<_>>()
            )),
        };
        journal
            .append(&meta, &bytes)
            .map_err(|error| AwsError::Journal(error.to_string()))?;
        self.taken = taken;
        Ok(true)
    }
}

/// Names that stand in the journal beside each file.
const NOTED: usize = 100;

fn unpacked(bytes: Vec<u8>, name: &str) -> Result<Vec<u8>, AwsError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let wrong = || AwsError::Answer(format!("{name}: cannot be unpacked"));
    let mut out = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .take(MAX_PAYLOAD as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|_| wrong())?;
    if out.len() > MAX_PAYLOAD {
        return Err(wrong());
    }
    Ok(out)
}

/// The files that a message announces: an S3 notification, CloudTrail's own, an EventBridge event, each of them perhaps
/// inside an SNS notification.
fn announced(body: &str) -> Vec<Announced> {
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        return Vec::new();
    };
    let text = |value: &Value, pointer: &str| {
        let value = value.pointer(pointer)?;
        value.as_str().map(str::to_owned)
    };
    if let Some(inner) = text(&json, "/Message").filter(|_| json.get("TopicArn").is_some()) {
        return announced(&inner);
    }
    let mut files = Vec::new();
    let mut add = |bucket: Option<String>, key: Option<String>, version: Option<String>| {
        if let (Some(bucket), Some(key)) = (bucket, key)
            && files.len() < MAX_FILES
        {
            files.push(Announced {
                bucket,
                key,
                version: version.unwrap_or_default(),
            });
        }
    };
    for record in json
        .get("Records")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let created =
            text(record, "/eventName").is_some_and(|name| name.starts_with("ObjectCreated"));
        if created {
            let version =
                text(record, "/s3/object/eTag").or_else(|| text(record, "/s3/object/sequencer"));
            // Keys in notifications are encoded as in forms.
            let key = text(record, "/s3/object/key").map(|key| form_decoded(&key));
            add(text(record, "/s3/bucket/name"), key, version);
        }
    }
    // CloudTrail's SNS notification.
    if let Some(keys) = json.get("s3ObjectKey").and_then(Value::as_array) {
        for key in keys {
            add(
                text(&json, "/s3Bucket"),
                key.as_str().map(str::to_owned),
                None,
            );
        }
    }
    // EventBridge.
    if json
        .get("detail-type")
        .is_some_and(|kind| kind == "Object Created")
    {
        add(
            text(&json, "/detail/bucket/name"),
            text(&json, "/detail/object/key"),
            text(&json, "/detail/object/etag"),
        );
    }
    files
}

/// A key of an object, which notifications write as forms do.
fn form_decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_encoding::percent_decode_str(&text)
        .decode_utf8_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_of_every_kind_name_their_files() {
        let s3 = json!({"Records": [
            {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"}, "object": {"key": "a+b%2Fc.gz", "eTag": "1"}}},
            {"eventName": "ObjectRemoved:Delete", "s3": {"bucket": {"name": "b"}, "object": {"key": "d"}}},
        ]});
        let file = |key: &str, version: &str| Announced {
            bucket: "b".to_owned(),
            key: key.to_owned(),
            version: version.to_owned(),
        };
        assert_eq!(announced(&s3.to_string()), [file("a b/c.gz", "1")]);
        let sns = json!({"TopicArn": "t", "Message": s3.to_string()});
        assert_eq!(announced(&sns.to_string()), [file("a b/c.gz", "1")]);
        let trail = json!({"s3Bucket": "b", "s3ObjectKey": ["x", "y"]});
        assert_eq!(
            announced(&trail.to_string()),
            [file("x", ""), file("y", "")]
        );
        let bridge = json!({"detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": {"key": "k", "etag": "2"}}});
        assert_eq!(announced(&bridge.to_string()), [file("k", "2")]);
        assert_eq!(announced("hello"), []);
        assert_eq!(announced(r#"{"Event": "s3:TestEvent"}"#), []);
    }
}
