//! A made-up cluster's findings and activity for measurements and tests: the same for the same seed.
//!
//! Workloads, rules and users are drawn by Zipf's law, as they are in clusters: a few are loud, most are hardly heard
//! of. Times rise from the first to the last record, with the jitter that several agents sending at once make.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use vedette_event::{
    Action, Activity, ActivityKind, Clause, Finding, Outcome, Priority, Process, Record, record_id,
};

/// What is to be made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Number of records.
    pub records: u64,
    /// How many in a thousand are activity; the others are findings.
    pub activity_permille: u64,
    /// Number of workloads; each has one to eight pods.
    pub workloads: usize,
    /// Time of the first record in nanoseconds since the Unix epoch.
    pub from: u64,
    /// Time after the last one.
    pub to: u64,
    /// Decides every choice.
    pub seed: u64,
}

impl Plan {
    /// Findings over fourteen days that end at `to`, in a cluster of 500 workloads.
    pub fn fortnight(records: u64, to: u64) -> Self {
        Self {
            records,
            activity_permille: 0,
            workloads: 500,
            from: to.saturating_sub(14 * 86_400_000_000_000),
            to,
            seed: 1,
        }
    }
}

/// Nodes of the cluster.
const NODES: u64 = 100;
/// Namespaces that the workloads are spread over.
const NAMESPACES: usize = 25;
/// Rules that fire.
const RULES: usize = 120;
/// Largest difference between the times of records that arrive together, in nanoseconds.
const JITTER: u64 = 2_000_000_000;

const WORDS: &[&str] = &[
    "cart", "checkout", "search", "ledger", "mail", "queue", "report", "ingest", "auth", "media",
    "billing", "cache", "proxy", "index", "batch", "stream", "alert", "audit", "fleet", "quote",
];
const PROGRAMS: &[(&str, &str)] = &[
    ("bash", "/usr/bin/bash"),
    ("sh", "/usr/bin/dash"),
    ("python3", "/usr/bin/python3.11"),
    ("curl", "/usr/bin/curl"),
    ("nginx", "/usr/sbin/nginx"),
    ("java", "/opt/java/openjdk/bin/java"),
    ("node", "/usr/local/bin/node"),
    ("kubectl", "/usr/local/bin/kubectl"),
    ("cat", "/usr/bin/cat"),
    ("nc", "/usr/bin/nc.openbsd"),
];
const VERBS: &[&str] = &[
    "Shell spawned",
    "Sensitive file read",
    "Unexpected connection",
    "Drift",
    "Privilege change",
    "Package manager run",
    "Token read",
    "Binary directory written",
];
const TECHNIQUES: &[&str] = &[
    "T1059", "T1552", "T1071", "T1105", "T1548", "T1068", "T1611", "T1613",
];
const USERS: &[&str] = &[
    "root", "app", "www-data", "postgres", "nobody", "1000", "1001", "node",
];

struct Workload {
    name: String,
    namespace: String,
    image: String,
    /// Name, node and container id.
    pods: Vec<(String, String, String)>,
}

/// The records, one after the other.
pub struct Records {
    plan: Plan,
    random: u64,
    made: u64,
    workloads: Vec<Workload>,
    workload_weights: Vec<u64>,
    rule_weights: Vec<u64>,
}

/// Makes the records of a plan.
pub fn records(plan: Plan) -> Records {
    let mut records = Records {
        plan,
        random: plan.seed,
        made: 0,
        workloads: Vec::new(),
        workload_weights: zipf(plan.workloads.max(1)),
        rule_weights: zipf(RULES),
    };
    for number in 0..plan.workloads.max(1) {
        let word = WORDS[number % WORDS.len()];
        let name = format!("{word}-{}", number / WORDS.len());
        let pods = (0..=records.below(8))
            .map(|_| {
                let (hash, suffix) = (records.letters(10), records.letters(5));
                let node = format!("node-{:03}", records.below(NODES));
                let container = format!("{:012x}", records.next() >> 16);
                (format!("{name}-{hash}-{suffix}"), node, container)
            })
            .collect();
        records.workloads.push(Workload {
            namespace: format!("team-{:02}", number % NAMESPACES),
            image: format!("registry.example.org/{word}/{name}"),
            name,
            pods,
        });
    }
    records
}

/// Running sums of weights that fall as 1/n.
fn zipf(count: usize) -> Vec<u64> {
    (1..=count as u64)
        .scan(0, |sum, rank| {
            *sum += 1_000_000 / rank;
            Some(*sum)
        })
        .collect()
}

impl Records {
    /// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators" (2014), splitmix64.
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count)
            .map(|_| char::from(self.pick(b"bcdfghjklmnpqrstvwxz2456789")))
            .collect()
    }

    fn weighted(&mut self, which: impl Fn(&Self) -> &Vec<u64>) -> usize {
        let total = which(self).last().copied().unwrap_or(1);
        let at = self.below(total);
        which(self).partition_point(|sum| *sum <= at)
    }

    fn time(&mut self) -> u64 {
        let Plan {
            from, to, records, ..
        } = self.plan;
        let along = u128::from(to - from) * u128::from(self.made) / u128::from(records.max(1));
        let time = from + along as u64;
        time.saturating_add(self.below(JITTER)).min(to - 1)
    }

    fn process(&mut self, now: u64, name: &str, exepath: &str, arguments: &str) -> Process {
        Process {
            pid: 1000 + self.below(30_000) as i64,
            name: name.to_owned(),
            exepath: exepath.to_owned(),
            cmdline: format!("{name} {arguments}").trim_end().to_owned(),
            started: now - self.below(3_600_000_000_000),
            user: String::new(),
        }
    }

    /// The process behind a record and its ancestors.
    fn lineage(&mut self, now: u64) -> Vec<Process> {
        let (name, exepath) = self.pick(PROGRAMS);
        let user = self.pick(USERS);
        let argument = format!(
            "--request {:x} --mode {}",
            self.below(1 << 24),
            self.below(6)
        );
        let mut first = self.process(now, name, exepath, &argument);
        user.clone_into(&mut first.user);
        let (name, exepath) = self.pick(PROGRAMS);
        vec![
            first,
            self.process(now, name, exepath, ""),
            self.process(
                now,
                "containerd-shim",
                "/usr/bin/containerd-shim-runc-v2",
                "-namespace k8s.io",
            ),
            self.process(
                0x1000_0000_0000_0000,
                "systemd",
                "/usr/lib/systemd/systemd",
                "--system",
            ),
        ]
    }

    fn fields(&mut self, workload: usize, pod: usize) -> BTreeMap<String, Json> {
        let it = &self.workloads[workload];
        let (name, _, container) = &it.pods[pod];
        BTreeMap::from([
            ("container.id".to_owned(), json!(container)),
            ("container.name".to_owned(), json!(it.name)),
            ("container.image.repository".to_owned(), json!(it.image)),
            ("container.image.tag".to_owned(), json!("2026.1")),
            ("k8s.ns.name".to_owned(), json!(it.namespace)),
            ("k8s.pod.name".to_owned(), json!(name)),
            ("k8s.deployment.name".to_owned(), json!(it.name)),
        ])
    }

    fn place(&mut self) -> (usize, usize, String) {
        let workload = self.weighted(|it| &it.workload_weights);
        let pod = self.below(self.workloads[workload].pods.len() as u64) as usize;
        let node = self.workloads[workload].pods[pod].1.clone();
        (workload, pod, node)
    }

    fn finding(&mut self) -> Finding {
        let time = self.time();
        let (workload, pod, node) = self.place();
        let rule = self.weighted(|it| &it.rule_weights);
        let name = format!("{} ({rule:03})", VERBS[rule % VERBS.len()]);
        // What is loud is seldom urgent.
        let priority = match rule % 20 {
            0..=9 => Priority::Notice,
            10..=14 => Priority::Warning,
            15..=17 => Priority::Error,
            18 => Priority::Critical,
            _ => Priority::Informational,
        };
        let lineage = self.lineage(time);
        let mut fields = self.fields(workload, pod);
        let file = format!("/var/lib/app/{:x}", self.below(1 << 20));
        let process = &lineage[0];
        for (field, value) in [
            (
                "evt.type",
                json!(["execve", "openat", "connect", "write"][rule % 4]),
            ),
            ("proc.name", json!(process.name)),
            ("proc.exepath", json!(process.exepath)),
            ("proc.cmdline", json!(process.cmdline)),
            ("proc.pid", json!(process.pid)),
            ("proc.pname", json!(lineage[1].name)),
            ("user.name", json!(process.user)),
            ("user.loginuid", json!(-1)),
            ("fd.name", json!(file)),
        ] {
            fields.insert(field.to_owned(), value);
        }
        let message = format!(
            "{name} in {}: {} touched {file} as {}",
            self.workloads[workload].pods[pod].0, process.cmdline, process.user
        );
        let why = Clause {
            text: "and".to_owned(),
            holds: true,
            seen: None,
            clauses: [
                (
                    "evt.type in (execve, execveat, openat, connect, write)",
                    "execve",
                ),
                ("container.id != host", "4f1c"),
                ("not proc.name in (known_programs)", process.name.as_str()),
            ]
            .into_iter()
            .map(|(text, seen)| Clause {
                text: text.to_owned(),
                holds: true,
                seen: Some(seen.to_owned()),
                clauses: Vec::new(),
            })
            .collect(),
        };
        let number = self.made.to_le_bytes();
        let id = record_id(&[
            node.as_bytes(),
            &time.to_le_bytes(),
            &number,
            name.as_bytes(),
        ]);
        let denied = rule % 10 == 8;
        Finding {
            id,
            time,
            source: if rule % 9 == 7 {
                "k8s_audit"
            } else {
                "syscall"
            }
            .to_owned(),
            rule: name,
            priority,
            message,
            tags: vec![
                "container".to_owned(),
                TECHNIQUES[rule % TECHNIQUES.len()].to_owned(),
            ],
            node,
            fields,
            lineage,
            why: Some(why),
            policy: rule
                .is_multiple_of(3)
                .then(|| format!("policy-{}", rule % 7)),
            actions: denied
                .then(|| Action {
                    kind: "deny".to_owned(),
                    outcome: Outcome::Done,
                    detail: "fanotify".to_owned(),
                })
                .into_iter()
                .collect(),
            lost: 0,
        }
    }

    fn activity(&mut self) -> Activity {
        let time = self.time();
        let (workload, pod, node) = self.place();
        let kind = match self.below(100) {
            0..=54 => ActivityKind::Command,
            55..=79 => ActivityKind::Connection,
            80..=98 => ActivityKind::File,
            _ => ActivityKind::Kubernetes,
        };
        let mut lineage = self.lineage(time);
        let mut fields = self.fields(workload, pod);
        match kind {
            ActivityKind::Connection => {
                let address = format!("10.{}.{}.7", self.below(4), self.below(250));
                fields.insert("fd.sip".to_owned(), json!(address));
                fields.insert(
                    "fd.sport".to_owned(),
                    json!(self.pick(&[443, 5432, 6379, 8080])),
                );
            }
            ActivityKind::File => {
                let file = format!("/tmp/{:x}", self.below(1 << 16));
                fields.insert("fd.name".to_owned(), json!(file));
            }
            ActivityKind::Command | ActivityKind::Kubernetes => {}
        }
        // One in fifty is done by a person.
        let session = if self.below(50) == 0 {
            let hour = time / 3_600_000_000_000;
            format!("{node}/{}/{hour}", self.workloads[workload].pods[pod].2)
        } else {
            String::new()
        };
        let number = self.made.to_le_bytes();
        let parent = lineage.swap_remove(1);
        Activity {
            id: record_id(&[
                node.as_bytes(),
                &time.to_le_bytes(),
                &number,
                kind.name().as_bytes(),
            ]),
            time,
            node,
            kind,
            process: lineage.swap_remove(0),
            parent,
            session,
            fields,
        }
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        if self.made >= self.plan.records || self.plan.to <= self.plan.from {
            return None;
        }
        self.made += 1;
        Some(if self.below(1000) < self.plan.activity_permille {
            Record::Activity(self.activity())
        } else {
            Record::Finding(self.finding())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_same_plan_gives_the_same_records_and_ids_are_unique() {
        let plan = Plan {
            activity_permille: 300,
            ..Plan::fortnight(5_000, 1_767_225_600_000_000_000)
        };
        let made: Vec<Record> = records(plan).collect();
        assert_eq!(made.len(), 5_000);
        assert_eq!(made, records(plan).collect::<Vec<_>>());
        let mut ids = HashSet::new();
        let mut findings = 0;
        for record in &made {
            let (id, time) = match record {
                Record::Finding(finding) => {
                    findings += 1;
                    (&finding.id, finding.time)
                }
                Record::Activity(activity) => (&activity.id, activity.time),
            };
            assert!(ids.insert(id.clone()));
            assert!(plan.from <= time && time < plan.to);
        }
        assert!((3_000..4_000).contains(&findings), "{findings}");
    }
}
