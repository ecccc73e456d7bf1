//! Findings, activity and documents in memory, as plainly as can be: what the server is tested on, without a disk.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use vedette_event::{Activity, Record, Severity};
use vedette_history::{
    ActivityBucket, ActivityQuery, Appended, Bucket, Change, Cursor, Document, Entry, Error,
    Expect, FacetValue, Facets, Filter, FindingQuery, Group, Histogram, History, Order, Page,
    Partial, Place, PlaceCount, Position, Result, Retention, Session, State, Stats, Status,
    StoredActivity, StoredFinding, Subject, Tail, TimeRange, Triage, TriageNote,
};

#[derive(Default)]
struct Inner {
    ids: HashSet<String>,
    findings: Vec<StoredFinding>,
    activity: Vec<StoredActivity>,
    documents: BTreeMap<(String, String), Document>,
    kept: Vec<(String, Document)>,
    logs: BTreeMap<String, Vec<Entry>>,
}

/// See the page of this file.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
    news: Condvar,
}

impl Memory {
    fn matching(&self, range: TimeRange, filter: &Filter) -> Vec<StoredFinding> {
        let inner = self.inner.lock().unwrap();
        inner
            .findings
            .iter()
            .filter(|stored| range.contains(stored.finding.time))
            .filter(|stored| passes(stored, filter))
            .cloned()
            .collect()
    }

    fn active(&self, range: TimeRange, filter: &Filter) -> Vec<StoredActivity> {
        let inner = self.inner.lock().unwrap();
        inner
            .activity
            .iter()
            .filter(|stored| range.contains(stored.activity.time))
            .filter(|stored| filter.matches(&Subject::Activity(&stored.activity)))
            .cloned()
            .collect()
    }
}

fn passes(stored: &StoredFinding, filter: &Filter) -> bool {
    filter.matches(&Subject::Finding(&stored.finding, stored.triage.status))
}

fn page<T: Clone>(
    mut items: Vec<T>,
    order: Order,
    cursor: Option<Cursor>,
    limit: usize,
    count: bool,
    position: impl Fn(&T) -> Position,
) -> Page<T> {
    let key = |item: &T| {
        let at = position(item);
        let rank = if order == Order::Severity {
            at.severity as u64
        } else {
            0
        };
        (rank, at.time, at.sequence)
    };
    items.sort_by_key(|item| key(item));
    if order != Order::Oldest {
        items.reverse();
    }
    let total = count.then_some(items.len() as u64);
    if let Some(cursor) = cursor {
        let after = cursor.after;
        let rank = if order == Order::Severity {
            after.severity as u64
        } else {
            0
        };
        let after = (rank, after.time, after.sequence);
        items.retain(|item| {
            if order == Order::Oldest {
                key(item) > after
            } else {
                key(item) < after
            }
        });
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|last| Cursor {
        order,
        after: position(last),
    });
    Page {
        items,
        next,
        total,
        partial: None,
    }
}

impl History for Memory {
    fn append(&self, records: Vec<Record>) -> Result<Appended> {
        let mut inner = self.inner.lock().unwrap();
        let mut out = Appended::default();
        for record in records {
            let id = match &record {
                Record::Finding(finding) => finding.id.clone(),
                Record::Activity(activity) => activity.id.clone(),
            };
            if !inner.ids.insert(id) {
                out.duplicate += 1;
                continue;
            }
            out.accepted += 1;
            let place = Subject::of(&record).place();
            match record {
                Record::Finding(finding) => {
                    let stored = StoredFinding {
                        sequence: inner.findings.len() as u64 + 1,
                        severity: Severity::from(finding.priority),
                        place,
                        triage: Triage::default(),
                        finding,
                    };
                    inner.findings.push(stored);
                }
                Record::Activity(activity) => {
                    let sequence = inner.activity.len() as u64 + 1;
                    inner.activity.push(StoredActivity {
                        sequence,
                        place,
                        activity,
                    });
                }
            }
        }
        out.sequence = inner.findings.len() as u64;
        self.news.notify_all();
        Ok(out)
    }

    fn findings(&self, query: &FindingQuery) -> Result<Page<StoredFinding>> {
        let items = self.matching(query.range, &query.filter);
        Ok(page(
            items,
            query.order,
            query.cursor,
            query.limit,
            query.count,
            |stored| Position {
                severity: stored.severity,
                time: stored.finding.time,
                sequence: stored.sequence,
            },
        ))
    }

    fn finding(&self, id: &str) -> Result<Option<StoredFinding>> {
        let inner = self.inner.lock().unwrap();
        Ok(inner
            .findings
            .iter()
            .find(|stored| stored.finding.id == id)
            .cloned())
    }

    fn triage(
        &self,
        id: &str,
        status: Option<Status>,
        note: Option<&str>,
        by: &str,
        at: u64,
    ) -> Result<Option<StoredFinding>> {
        let mut inner = self.inner.lock().unwrap();
        let Some(stored) = inner
            .findings
            .iter_mut()
            .find(|stored| stored.finding.id == id)
        else {
            return Ok(None);
        };
        stored.triage.status = status.unwrap_or(stored.triage.status);
        stored.triage.by = Some(by.to_owned());
        stored.triage.at = Some(at);
        if let Some(text) = note {
            stored.triage.notes.push(TriageNote {
                at,
                by: by.to_owned(),
                text: text.to_owned(),
            });
        }
        Ok(Some(stored.clone()))
    }

    fn histogram(&self, range: TimeRange, filter: &Filter, buckets: usize) -> Result<Histogram> {
        let (step, starts) = vedette_history::buckets(range, buckets);
        let mut out: Vec<Bucket> = starts
            .iter()
            .map(|at| Bucket {
                at: *at,
                ..Bucket::default()
            })
            .collect();
        for stored in self.matching(range, filter) {
            let index = out.partition_point(|bucket| bucket.at <= stored.finding.time) - 1;
            out[index].counts.add(stored.severity, 1);
        }
        Ok(Histogram {
            step,
            buckets: out,
            partial: None,
        })
    }

    fn facets(
        &self,
        range: TimeRange,
        filter: &Filter,
        fields: &[&str],
        limit: usize,
    ) -> Result<Facets> {
        let found = self.matching(range, filter);
        let mut out = Facets::default();
        for field in fields {
            let mut counts: BTreeMap<Option<String>, u64> = BTreeMap::new();
            for stored in &found {
                let subject = Subject::Finding(&stored.finding, stored.triage.status);
                let value = match subject.text(field) {
                    vedette_history::ColumnValue::Text(text) => Some(text.into_owned()),
                    _ => None,
                };
                *counts.entry(value).or_insert(0) += 1;
            }
            let mut values: Vec<_> = counts
                .into_iter()
                .map(|(value, count)| FacetValue { value, count })
                .collect();
            values.sort_by_key(|value| std::cmp::Reverse(value.count));
            values.truncate(limit);
            out.fields.insert((*field).to_owned(), values);
        }
        Ok(out)
    }

    fn facet_fields(&self) -> &'static [&'static str] {
        &["rule", "severity", "node", "k8s.ns.name"]
    }

    fn places(
        &self,
        range: TimeRange,
        filter: &Filter,
    ) -> Result<(Vec<PlaceCount>, Option<Partial>)> {
        let mut out: BTreeMap<Place, PlaceCount> = BTreeMap::new();
        for stored in self.matching(range, filter) {
            let entry = out
                .entry(stored.place.clone())
                .or_insert_with(|| PlaceCount {
                    place: stored.place.clone(),
                    counts: vedette_history::Counts::default(),
                    denied: 0,
                    last: 0,
                });
            entry.counts.add(stored.severity, 1);
            entry.last = entry.last.max(stored.finding.time);
        }
        Ok((out.into_values().collect(), None))
    }

    fn groups(
        &self,
        range: TimeRange,
        filter: &Filter,
        limit: usize,
    ) -> Result<(Vec<Group>, Option<Partial>)> {
        let mut out: BTreeMap<(String, Place), Group> = BTreeMap::new();
        for stored in self.matching(range, filter) {
            let mut place = stored.place.clone();
            place.pod.clear();
            place.container.clear();
            let time = stored.finding.time;
            let entry = out
                .entry((stored.finding.rule.clone(), place.clone()))
                .or_insert_with(|| Group {
                    rule: stored.finding.rule.clone(),
                    place,
                    counts: vedette_history::Counts::default(),
                    first: time,
                    last: time,
                    latest: stored.finding.id.clone(),
                });
            entry.counts.add(stored.severity, 1);
            entry.first = entry.first.min(time);
            if time >= entry.last {
                entry.last = time;
                entry.latest.clone_from(&stored.finding.id);
            }
        }
        let mut groups: Vec<_> = out.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse((group.counts.worst(), group.last)));
        groups.truncate(limit);
        Ok((groups, None))
    }

    fn sequence(&self) -> u64 {
        self.inner.lock().unwrap().findings.len() as u64
    }

    fn since(&self, sequence: u64, filter: &Filter, limit: usize) -> Result<Tail> {
        let inner = self.inner.lock().unwrap();
        let behind: Vec<_> = inner
            .findings
            .iter()
            .filter(|stored| stored.sequence > sequence)
            .take(limit)
            .collect();
        Ok(Tail {
            last: behind.last().map_or(sequence, |stored| stored.sequence),
            items: behind
                .into_iter()
                .filter(|stored| passes(stored, filter))
                .cloned()
                .collect(),
            gap: false,
        })
    }

    fn wait(&self, sequence: u64, patience: Duration) -> u64 {
        let inner = self.inner.lock().unwrap();
        let is_old = |inner: &mut Inner| inner.findings.len() as u64 <= sequence;
        let (inner, _) = self
            .news
            .wait_timeout_while(inner, patience, is_old)
            .unwrap();
        inner.findings.len() as u64
    }

    fn findings_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredFinding>> {
        let mut found = self.matching(range, &Filter::all());
        found.retain(|stored| {
            let first = stored.finding.lineage.first();
            stored.finding.node == node
                && first.is_some_and(|p| p.pid == pid && p.started == started)
        });
        found.reverse();
        found.truncate(limit);
        Ok(found)
    }

    fn activity(&self, query: &ActivityQuery) -> Result<Page<StoredActivity>> {
        let items = self.active(query.range, &query.filter);
        Ok(page(
            items,
            query.order,
            query.cursor,
            query.limit,
            query.count,
            |stored| Position {
                severity: Severity::Info,
                time: stored.activity.time,
                sequence: stored.sequence,
            },
        ))
    }

    fn activity_histogram(
        &self,
        range: TimeRange,
        filter: &Filter,
        buckets: usize,
    ) -> Result<(u64, Vec<ActivityBucket>, Option<Partial>)> {
        let (step, starts) = vedette_history::buckets(range, buckets);
        let mut out: Vec<ActivityBucket> = starts
            .iter()
            .map(|at| ActivityBucket {
                at: *at,
                ..ActivityBucket::default()
            })
            .collect();
        for stored in self.active(range, filter) {
            let index = out.partition_point(|bucket| bucket.at <= stored.activity.time) - 1;
            out[index].counts.add(stored.activity.kind, 1);
        }
        Ok((step, out, None))
    }

    fn sessions(&self, range: TimeRange, filter: &Filter, limit: usize) -> Result<Vec<Session>> {
        let mut out: BTreeMap<String, Session> = BTreeMap::new();
        for stored in self.active(range, filter) {
            let Activity { session, time, .. } = &stored.activity;
            if session.is_empty() {
                continue;
            }
            let entry = out.entry(session.clone()).or_insert_with(|| Session {
                session: session.clone(),
                place: stored.place.clone(),
                user: stored.activity.process.user.clone(),
                started: *time,
                last: *time,
                counts: vedette_history::KindCounts::default(),
                opened_by: None,
            });
            entry.last = entry.last.max(*time);
            entry.started = entry.started.min(*time);
            entry.counts.add(stored.activity.kind, 1);
        }
        Ok(out.into_values().take(limit).collect())
    }

    fn activity_of_process(
        &self,
        node: &str,
        pid: i64,
        started: u64,
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<StoredActivity>> {
        let mut found = self.active(range, &Filter::all());
        found.retain(|stored| {
            let activity = &stored.activity;
            let is = |p: &vedette_event::Process| p.pid == pid && p.started == started;
            activity.node == node && (is(&activity.process) || is(&activity.parent))
        });
        found.truncate(limit);
        Ok(found)
    }

    fn maintain(&self, _: &Retention, _: u64) -> Result<()> {
        Ok(())
    }

    fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }
}

impl State for Memory {
    fn get(&self, collection: &str, key: &str) -> Result<Option<Document>> {
        let inner = self.inner.lock().unwrap();
        Ok(inner
            .documents
            .get(&(collection.to_owned(), key.to_owned()))
            .cloned())
    }

    fn list(
        &self,
        collection: &str,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Document>> {
        let inner = self.inner.lock().unwrap();
        Ok(inner
            .documents
            .iter()
            .filter(|((own, key), _)| {
                own == collection
                    && key.starts_with(prefix)
                    && after.is_none_or(|after| key.as_str() > after)
            })
            .map(|(_, document)| document.clone())
            .take(limit)
            .collect())
    }

    fn versions(&self, collection: &str, key: &str, limit: usize) -> Result<Vec<Document>> {
        let inner = self.inner.lock().unwrap();
        let own = inner
            .kept
            .iter()
            .rev()
            .filter(|(own, document)| own == collection && document.key == key);
        Ok(own
            .map(|(_, document)| document.clone())
            .take(limit)
            .collect())
    }

    fn apply(&self, changes: Vec<Change>) -> Result<Vec<u64>> {
        let mut inner = self.inner.lock().unwrap();
        for change in &changes {
            let (Change::Put {
                collection,
                key,
                expect,
                ..
            }
            | Change::Delete {
                collection,
                key,
                expect,
            }) = change
            else {
                continue;
            };
            let known = inner.documents.get(&(collection.clone(), key.clone()));
            let version = known.map_or(0, |document| document.version);
            let holds = match expect {
                None => true,
                Some(Expect::Absent) => version == 0,
                Some(Expect::Version(wanted)) => version == *wanted,
            };
            if !holds {
                return Err(Error::Conflict {
                    collection: collection.clone(),
                    key: key.clone(),
                    version,
                });
            }
        }
        let mut out = Vec::new();
        for change in changes {
            out.push(match change {
                Change::Put {
                    collection,
                    key,
                    value,
                    at,
                    expires,
                    keep,
                    ..
                } => {
                    let slot = (collection.clone(), key.clone());
                    let version = inner
                        .documents
                        .get(&slot)
                        .map_or(0, |document| document.version)
                        + 1;
                    let document = Document {
                        key,
                        version,
                        updated: at,
                        expires,
                        value,
                    };
                    if keep {
                        inner.kept.push((collection, document.clone()));
                    }
                    inner.documents.insert(slot, document);
                    version
                }
                Change::Delete {
                    collection, key, ..
                } => {
                    inner.documents.remove(&(collection, key));
                    0
                }
                Change::Append { log, at, value } => {
                    let log = inner.logs.entry(log).or_default();
                    let number = log.len() as u64 + 1;
                    log.push(Entry { number, at, value });
                    number
                }
            });
        }
        Ok(out)
    }

    fn log(&self, log: &str, before: Option<u64>, limit: usize) -> Result<Vec<Entry>> {
        let inner = self.inner.lock().unwrap();
        let entries = inner.logs.get(log).into_iter().flatten().rev();
        let older = entries.filter(|entry| before.is_none_or(|before| entry.number < before));
        Ok(older.take(limit).cloned().collect())
    }

    fn expire(&self, now: u64) -> Result<u64> {
        let mut inner = self.inner.lock().unwrap();
        let before = inner.documents.len();
        inner.documents.retain(|_, document| !document.expired(now));
        Ok((before - inner.documents.len()) as u64)
    }
}
