//! Input bytes to records: JSON lines, arrays, lists and the envelopes in which clouds deliver logs.
//!
//! Input may come in pieces of any size (a file read in blocks, a followed log, one webhook body). A damaged line costs
//! that line; an oversized one too. What waits for its end is bounded by [`MAX_DOCUMENT`].

mod envelope;
mod okta;

use thiserror::Error;

use crate::json::{Json, MAX_DEPTH, Syntax, SyntaxKind, Tape};
use crate::record::{Record, Zone};
use crate::source::Source;
use envelope::{Found, MAX_ENVELOPES};
use okta::MfaHistory;

/// Largest document (one line, one batch, one file that is a single value) that is held while it is incomplete. An API
/// server's batches stay below 2 MB and CloudTrail's files below 50 MB unpacked.
pub const MAX_DOCUMENT: usize = 64 << 20;

/// Largest single record. The largest that an API server writes holds request and response of a 1.5 MB object; a record
/// beyond this bound is an attempt to make the reader work.
pub const MAX_RECORD: usize = 16 << 20;

/// A part of the input that could not be read as a record; the rest was.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("line {line}, column {column}: {kind}")]
pub struct Fault {
    /// Line in the input, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// Offset in the input, in bytes.
    pub offset: u64,
    /// What is wrong.
    pub kind: FaultKind,
}

/// Why a part of the input is no record.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FaultKind {
    /// The input ends inside a value.
    #[error("the input ends inside a value")]
    Incomplete,
    /// Text that no JSON value starts with.
    #[error("expected a JSON object or array")]
    NoValue,
    /// A key was expected.
    #[error("expected a key in double quotes or the end of the object")]
    NoKey,
    /// A colon was expected.
    #[error("expected a colon")]
    NoColon,
    /// A comma or an end was expected.
    #[error("expected a comma or the end of the array or object")]
    NoComma,
    /// A line break inside a string.
    #[error("the line ends inside a string")]
    LineInText,
    /// Too deep.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// Too large.
    #[error("larger than {MAX_DOCUMENT} bytes")]
    DocumentTooLarge,
    /// Too large.
    #[error("record larger than {MAX_RECORD} bytes")]
    RecordTooLarge,
    /// Too many envelopes around one another.
    #[error("more than {MAX_ENVELOPES} envelopes around one another")]
    EnvelopesTooDeep,
    /// Not an object.
    #[error("expected a record, which is an object")]
    NotARecord,
    /// An object of another source.
    #[error("not a record of this source")]
    OtherSource,
    /// No time.
    #[error("the record has no readable time stamp")]
    NoTime,
    /// The base64 or text that should hold records does not.
    #[error("the text inside the envelope is not JSON")]
    InnerText,
}

impl From<SyntaxKind> for FaultKind {
    fn from(kind: SyntaxKind) -> Self {
        match kind {
            SyntaxKind::Incomplete => Self::Incomplete,
            SyntaxKind::NoValue => Self::NoValue,
            SyntaxKind::NoKey => Self::NoKey,
            SyntaxKind::NoColon => Self::NoColon,
            SyntaxKind::NoComma => Self::NoComma,
            SyntaxKind::LineInText => Self::LineInText,
            SyntaxKind::TooDeep => Self::TooDeep,
        }
    }
}

/// Splits input into records. See [`Splitter::feed`].
#[derive(Debug)]
pub struct Splitter {
    /// `None` until the first record says what the input is.
    source: Option<Source>,
    hostname: String,
    zone: Zone,
    arrival: u64,
    /// The beginning of a document whose end has not come.
    rest: Vec<u8>,
    /// Length of `rest` at which it is worth looking for its end again.
    look_at: usize,
    tape: Tape,
    spare: Vec<(Tape, Vec<u8>)>,
    /// Offset and line of the first byte that is not consumed yet.
    offset: u64,
    line: u64,
    num: u64,
    first_ts: u64,
    faults: u64,
    mfa: MfaHistory,
    /// The rest of this line is dropped: it belongs to a document that was too large.
    skip_line: bool,
}

/// What is the same for every record of a feed.
pub(crate) struct Context<'a> {
    pub(crate) source: &'a mut Option<Source>,
    pub(crate) hostname: &'a str,
    pub(crate) zone: &'a Zone,
    pub(crate) arrival: u64,
    pub(crate) num: &'a mut u64,
    pub(crate) first_ts: &'a mut u64,
    pub(crate) mfa: &'a mut MfaHistory,
}

/// Takes what a [`Splitter`] finds.
pub type Sink<'s> = dyn FnMut(Result<&Record<'_>, Fault>) + 's;

impl Splitter {
    /// A splitter for records of `source`; with `None` the first record that can be told decides, and records before it
    /// count as plain JSON.
    pub fn new(source: Option<Source>) -> Self {
        Self {
            source,
            hostname: String::new(),
            zone: Zone::default(),
            arrival: 0,
            rest: Vec::new(),
            look_at: 0,
            tape: Tape::default(),
            spare: Vec::new(),
            offset: 0,
            line: 1,
            num: 0,
            first_ts: 0,
            faults: 0,
            mfa: MfaHistory::default(),
            skip_line: false,
        }
    }

    /// What `evt.hostname` gives.
    #[must_use]
    pub fn with_hostname(mut self, hostname: impl Into<String>) -> Self {
        self.hostname = hostname.into();
        self
    }

    /// The zone in which fields give times.
    #[must_use]
    pub fn with_zone(mut self, zone: Zone) -> Self {
        self.zone = zone;
        self
    }

    /// Time in nanoseconds since the Unix epoch for records whose source has no time stamp (GitHub, plain JSON).
    pub fn set_arrival(&mut self, ts: u64) {
        self.arrival = ts;
    }

    /// The source, once it is known.
    pub fn source(&self) -> Option<Source> {
        self.source
    }

    /// Number of records handed out.
    pub fn records(&self) -> u64 {
        self.num
    }

    /// Number of faults handed out.
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// Reads the next piece of input and hands every record that is complete, and every fault, to `sink` in order.
    /// `last` says that nothing follows, so that what is incomplete is a fault.
    pub fn feed(&mut self, bytes: &[u8], last: bool, sink: &mut Sink<'_>) {
        if self.rest.is_empty() && !self.skip_line {
            let used = self.take(bytes, last, sink);
            self.rest.extend_from_slice(&bytes[used..]);
        } else {
            let mut bytes = bytes;
            if self.skip_line {
                let Some(end) = memchr::memchr(b'\n', bytes) else {
                    self.offset += bytes.len() as u64;
                    return;
                };
                self.skip_line = false;
                self.line += 1;
                self.offset += end as u64 + 1;
                bytes = &bytes[end + 1..];
            }
            self.rest.extend_from_slice(bytes);
            // Looking for the end of a large document at every small piece would cost the square of its size; a piece
            // that ends a line of moderate size is what a followed log brings.
            let line_end = self.rest.len() < LINE_LOOK && bytes.contains(&b'\n');
            let look_at = self.look_at.min(MAX_DOCUMENT);
            if !(last || line_end || self.rest.len() >= look_at) {
                return;
            }
            let rest = std::mem::take(&mut self.rest);
            let used = self.take(&rest, last, sink);
            self.rest = rest;
            self.rest.drain(..used);
        }
        self.look_at = self.rest.len() * 2 + 1;
        if self.rest.len() > MAX_DOCUMENT {
            let dropped = std::mem::take(&mut self.rest);
            self.fault(&dropped, 0, 0, FaultKind::DocumentTooLarge, sink);
            self.offset += dropped.len() as u64;
            self.skip_line = true;
        }
    }

    /// Handles the documents in `bytes`, gives how much of it is done with.
    fn take(&mut self, bytes: &[u8], last: bool, sink: &mut Sink<'_>) -> usize {
        let mut at = 0;
        loop {
            let start = crate::json::skip_space(bytes, at);
            self.consume(&bytes[at..start]);
            at = start;
            let Some(&first) = bytes.get(at) else {
                return at;
            };
            if matches!(first, b'{' | b'[') {
                match self.document(bytes, at, last, sink) {
                    Some(end) => {
                        self.consume(&bytes[at..end]);
                        at = end;
                        continue;
                    }
                    None if !last => return at,
                    None => {}
                }
            } else if let Some(end) = stamped(&bytes[at..]) {
                // CloudWatch's export to S3 writes a time and a blank before each message.
                self.consume(&bytes[at..at + end]);
                at += end;
                continue;
            } else {
                // Only a whole line can be judged.
                if !last && memchr::memchr(b'\n', &bytes[at..]).is_none() {
                    return at;
                }
                self.fault(bytes, at, at, FaultKind::NoValue, sink);
            }
            let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |i| at + i + 1);
            self.consume(&bytes[at..end]);
            at = end;
        }
    }

    /// Handles the document at `at`; its end, or `None` when it has none (a fault was told, unless more may come).
    fn document(
        &mut self,
        bytes: &[u8],
        at: usize,
        last: bool,
        sink: &mut Sink<'_>,
    ) -> Option<usize> {
        let mut tape = std::mem::take(&mut self.tape);
        let parsed = tape.parse(bytes, at);
        let end = match parsed {
            Ok(end) => {
                self.records_of(bytes, at, &tape, sink);
                Some(end)
            }
            Err(Syntax {
                kind: SyntaxKind::Incomplete,
                ..
            }) if !last => None,
            Err(syntax) => {
                self.fault(bytes, at, syntax.offset, syntax.kind.into(), sink);
                // The rest of the line is dropped; with more to come that is an end like any other.
                let line = memchr::memchr(b'\n', &bytes[at..]).map(|i| at + i + 1);
                if last {
                    line.or(Some(bytes.len()))
                } else {
                    line
                }
            }
        };
        self.tape = tape;
        end
    }

    fn records_of(&mut self, bytes: &[u8], at: usize, tape: &Tape, sink: &mut Sink<'_>) {
        let (line, offset) = (self.line, self.offset);
        let faults = &mut self.faults;
        let mut context = Context {
            source: &mut self.source,
            hostname: &self.hostname,
            zone: &self.zone,
            arrival: self.arrival,
            num: &mut self.num,
            first_ts: &mut self.first_ts,
            mfa: &mut self.mfa,
        };
        let Some(root) = tape.root(bytes) else {
            return;
        };
        envelope::open(
            root,
            &mut context,
            &mut self.spare,
            0,
            &mut |found| match found {
                Found::Record(record) => sink(Ok(record)),
                Found::Fault(inner, kind) => {
                    *faults += 1;
                    sink(Err(place(
                        bytes,
                        at,
                        inner.unwrap_or(at),
                        line,
                        offset,
                        kind,
                    )));
                }
            },
        );
    }

    fn fault(
        &mut self,
        bytes: &[u8],
        at: usize,
        wrong: usize,
        kind: FaultKind,
        sink: &mut Sink<'_>,
    ) {
        self.faults += 1;
        sink(Err(place(bytes, at, wrong, self.line, self.offset, kind)));
    }

    fn consume(&mut self, bytes: &[u8]) {
        self.offset += bytes.len() as u64;
        self.line += memchr::memchr_iter(b'\n', bytes).count() as u64;
    }
}

/// Up to this size an incomplete document is looked at again whenever a line ends.
const LINE_LOOK: usize = 4 << 20;

/// Position of byte `wrong` when byte `at` stands at `line` and `offset`.
fn place(bytes: &[u8], at: usize, wrong: usize, line: u64, offset: u64, kind: FaultKind) -> Fault {
    let before = &bytes[at.min(wrong)..wrong.min(bytes.len())];
    let line_start = memchr::memrchr(b'\n', &bytes[..wrong.min(bytes.len())]).map_or(0, |i| i + 1);
    Fault {
        line: line + memchr::memchr_iter(b'\n', before).count() as u64,
        column: (wrong - line_start) as u64 + 1,
        offset: offset + before.len() as u64,
        kind,
    }
}

/// Length of a leading `2026-11-21T21:39:13.170Z ` before a JSON object.
fn stamped(line: &[u8]) -> Option<usize> {
    /// Longest time stamp: nine digits of fraction and an offset.
    const LONGEST: usize = 36;
    let blank = memchr::memchr(b' ', &line[..line.len().min(LONGEST)])?;
    crate::time::parse_rfc3339(&line[..blank])?;
    (line.get(blank + 1) == Some(&b'{')).then_some(blank + 1)
}

/// Makes the record that `json` is, if it is one of the context's source.
pub(crate) fn record<'a>(
    json: Json<'a>,
    context: &'a mut Context<'_>,
) -> Result<Record<'a>, FaultKind> {
    if !json.is_object() {
        return Err(FaultKind::NotARecord);
    }
    if json.raw().len() > MAX_RECORD {
        return Err(FaultKind::RecordTooLarge);
    }
    let source = match *context.source {
        Some(source) => source,
        None => match Source::of_record(json) {
            Some(source) => *context.source.insert(source),
            None => Source::Json,
        },
    };
    if source == Source::K8sAudit && json.get("auditID").is_none() {
        return Err(FaultKind::OtherSource);
    }
    let ts = match source.ts(json) {
        Some(ts) => ts,
        None if source.needs_ts() => return Err(FaultKind::NoTime),
        None => context.arrival,
    };
    *context.num += 1;
    if *context.num == 1 {
        *context.first_ts = ts;
    }
    let mfa = if source == Source::Okta {
        context.mfa.note(json, ts)
    } else {
        &[]
    };
    Ok(Record {
        json,
        source,
        num: *context.num,
        ts,
        first_ts: *context.first_ts,
        hostname: context.hostname,
        zone: context.zone,
        mfa,
    })
}
