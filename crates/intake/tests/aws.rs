//! Pulls against a stand-in for AWS on loopback (moto, from PyPI): signed requests, S3 behind SQS, CloudWatch Logs.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test stops where it goes wrong and says what it ran"
)]

use std::collections::BTreeMap;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use vedette_intake::aws::{Client, Endpoint, LogGroup, Queue};
use vedette_intake::{Entry, Journal, Limits, Position, Stop};

/// Long enough for Python to start on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(25);

struct Moto {
    child: Child,
    address: String,
}

impl Moto {
    /// Starts moto's server; `None` where it is not installed.
    fn start() -> Option<Self> {
        let python = std::env::var("VEDETTE_MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let there = Command::new(&python)
            .args(["-c", "import moto.server, boto3"])
            .stderr(Stdio::null())
            .status();
        if !there.is_ok_and(|status| status.success()) {
            println!("skipped: moto is not installed (pip install 'moto[s3,sqs,logs,server]')");
            return None;
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let child = Command::new(&python)
            .args([
                "-m",
                "moto.server",
                "-H",
                "127.0.0.1",
                "-p",
                &port.to_string(),
            ])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moto = Self {
            child,
            address: format!("http://127.0.0.1:{port}"),
        };
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if Instant::now() > until {
                println!("skipped: moto did not start in time");
                return None;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(moto)
    }

    /// Runs Python with the clients of AWS's own library at hand, and gives what it printed.
    fn python(&self, code: &str) -> String {
        let python = std::env::var("VEDETTE_MOTO_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let head = format!(
            "import boto3, gzip, io, json, time\nk = dict(endpoint_url='{}', region_name='eu-central-1', aws_access_key_id='testing', aws_secret_access_key='testing')\ns3, sqs, logs = (boto3.client(n, **k) for n in ('s3', 'sqs', 'logs'))\n",
            self.address
        );
        let output = Command::new(python)
            .arg("-c")
            .arg(head + code)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn taken(journal: &Journal) -> (Vec<String>, BTreeMap<String, Value>) {
    let mut reader = journal.reader(Position::default());
    let mut entry = Entry::default();
    let (mut payloads, mut positions) = (Vec::new(), BTreeMap::new());
    while reader.next(&mut entry).unwrap() {
        payloads.push(String::from_utf8(entry.payload.clone()).unwrap());
        positions.extend(
            entry
                .meta
                .position
                .clone()
                .map(|at| (entry.meta.origin.clone(), at)),
        );
    }
    (payloads, positions)
}

#[test]
fn files_and_log_events_are_pulled_once() {
    let Some(moto) = Moto::start() else {
        return;
    };
    if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        // The process may not change its own environment where tests run side by side; it starts itself again instead.
        let again = Command::new(std::env::current_exe().unwrap())
            .args([
                "files_and_log_events_are_pulled_once",
                "--exact",
                "--nocapture",
            ])
            .env("AWS_ACCESS_KEY_ID", "testing")
            .env("AWS_SECRET_ACCESS_KEY", "testing")
            .status()
            .unwrap();
        assert!(again.success());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Limits::default()).unwrap();
    let client = Client::new(Endpoint {
        region: "eu-central-1".to_owned(),
        address: Some(moto.address.clone()),
    });
    let stop = Stop::new();

    let address = moto.python(
        "s3.create_bucket(Bucket='trail', CreateBucketConfiguration={'LocationConstraint': 'eu-central-1'})
url = sqs.create_queue(QueueName='q')['QueueUrl']
for n in range(3):
    key = f'AWSLogs/a b+{n}.json.gz'
    s3.put_object(Bucket='trail', Key=key, Body=gzip.compress(json.dumps({'Records': [{'n': n}]}).encode()))
    from urllib.parse import quote_plus
    note = {'Records': [{'eventName': 'ObjectCreated:Put', 's3': {'bucket': {'name': 'trail'}, 'object': {'key': quote_plus(key), 'eTag': str(n)}}}]}
    for _ in range(2):
        sqs.send_message(QueueUrl=url, MessageBody=json.dumps(note))
gone = {'Records': [{'eventName': 'ObjectCreated:Put', 's3': {'bucket': {'name': 'trail'}, 'object': {'key': 'gone', 'eTag': 'x'}}}]}
sqs.send_message(QueueUrl=url, MessageBody=json.dumps(gone))
print(url)",
    );
    let mut queue = Queue::new(&address, None, None).with_poll(0);
    let mut files = 0;
    let until = Instant::now() + PATIENCE;
    while files < 3 && Instant::now() < until {
        files += queue.pull(&client, &journal, &stop).unwrap();
    }
    while queue.pull(&client, &journal, &stop).unwrap() > 0 {}
    let (mut payloads, positions) = taken(&journal);
    payloads.sort();
    assert_eq!(
        payloads,
        [
            "{\"Records\": [{\"n\": 0}]}",
            "{\"Records\": [{\"n\": 1}]}",
            "{\"Records\": [{\"n\": 2}]}"
        ]
    );
    // Every message was deleted, and a restart knows what was taken.
    let left = moto.python(&format!(
        "print(sqs.get_queue_attributes(QueueUrl='{address}', AttributeNames=['All'])['Attributes']['ApproximateNumberOfMessages'])"
    ));
    assert_eq!(left, "0");
    moto.python(&format!(
        "note = {{'Records': [{{'eventName': 'ObjectCreated:Put', 's3': {{'bucket': {{'name': 'trail'}}, 'object': {{'key': 'AWSLogs/a+b%2B1.json.gz', 'eTag': '1'}}}}}}]}}\nsqs.send_message(QueueUrl='{address}', MessageBody=json.dumps(note))"
    ));
    let mut again = Queue::new(&address, None, positions.get(&queue.origin())).with_poll(0);
    assert_eq!(again.pull(&client, &journal, &stop).unwrap(), 0);

    let before = taken(&journal).0.len();
    moto.python(
        "logs.create_log_group(logGroupName='/aws/eks/c/cluster')
now = int(time.time() * 1000)
for stream in ('kube-apiserver-audit-1', 'authenticator-1'):
    logs.create_log_stream(logGroupName='/aws/eks/c/cluster', logStreamName=stream)
    logs.put_log_events(logGroupName='/aws/eks/c/cluster', logStreamName=stream, logEvents=[{'timestamp': now + n, 'message': json.dumps({'stream': stream, 'n': n})} for n in range(20)])",
    );
    let mut group = LogGroup::new(
        "/aws/eks/c/cluster",
        Some("kube-apiserver-audit".to_owned()),
        Some("k8s_audit".to_owned()),
        0,
        None,
    );
    assert_eq!(group.pull(&client, &journal, &stop).unwrap(), 20);
    assert_eq!(group.pull(&client, &journal, &stop).unwrap(), 0);
    let (payloads, _) = taken(&journal);
    let lines: Vec<&str> = payloads[before..]
        .iter()
        .flat_map(|text| text.lines())
        .collect();
    assert_eq!(lines.len(), 20);
    assert!(
        lines
            .iter()
            .all(|line| line.contains("kube-apiserver-audit"))
    );
    println!("3 files and 20 log events pulled from the stand-in, each once");
}
