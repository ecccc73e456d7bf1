//! As much of HTTP/1.1 as a webhook needs: a request's head, and its body in either framing, all bounded.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Largest head of a request.
const MAX_HEAD: usize = 16 << 10;
/// Header fields of a request.
const MAX_FIELDS: usize = 64;
/// Longest line that announces a chunk.
const MAX_CHUNK_LINE: usize = 256;
/// Bytes read at a time.
const PIECE: usize = 16 << 10;

/// A TCP stream on which every single read and write ends at a deadline: a client that sends a byte now and then does not
/// get more time by it.
#[derive(Debug)]
pub(super) struct Timed {
    stream: TcpStream,
    deadline: Instant,
}

impl Timed {
    pub(super) fn new(stream: TcpStream, time: Duration) -> Self {
        Self {
            stream,
            deadline: Instant::now() + time,
        }
    }

    pub(super) fn allow(&mut self, time: Duration) {
        self.deadline = Instant::now() + time;
    }

    fn left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Timed {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(room)
    }
}

impl Write for Timed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The parts of a head that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) method: String,
    /// Path without the query.
    pub(super) path: String,
    /// What stands behind `Authorization: Bearer`.
    pub(super) bearer: Option<String>,
    pub(super) gzip: bool,
    pub(super) framing: Framing,
    pub(super) expects: bool,
    pub(super) close: bool,
}

/// How a body's end is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Framing {
    /// No body.
    #[default]
    None,
    /// So many bytes.
    Length(usize),
    /// Chunks.
    Chunked,
}

/// Why a request could not be taken.
#[derive(Debug)]
pub(super) enum Wrong {
    /// The connection is over: closed, reset, or out of time.
    Gone,
    /// The answer with this status, and the connection is closed.
    Status(u16, &'static str),
}

impl From<io::Error> for Wrong {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads requests off a stream, keeping what belongs to the next one.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    buffer: Vec<u8>,
}

impl Incoming {
    /// True when nothing of a next request has come yet.
    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    fn more(&mut self, stream: &mut impl Read) -> Result<(), Wrong> {
        let mut piece = [0; PIECE];
        let size = stream.read(&mut piece)?;
        if size == 0 {
            return Err(Wrong::Gone);
        }
        self.buffer.extend_from_slice(&piece[..size]);
        Ok(())
    }

    /// Reads the first bytes of the next request.
    pub(super) fn begin(&mut self, stream: &mut impl Read) -> Result<(), Wrong> {
        if self.buffer.is_empty() {
            self.more(stream)?;
        }
        Ok(())
    }

    /// Reads a head.
    pub(super) fn head(&mut self, stream: &mut impl Read) -> Result<Head, Wrong> {
        loop {
            if let Some((head, size)) = parse(&self.buffer)? {
                self.buffer.drain(..size);
                return Ok(head);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Wrong::Status(431, "the header is too large"));
            }
            self.more(stream)?;
        }
    }

    /// Reads a body of at most `most` bytes; `grow` is asked before memory is taken.
    pub(super) fn body(
        &mut self,
        stream: &mut impl Read,
        framing: Framing,
        most: usize,
        mut grow: impl FnMut(usize) -> bool,
    ) -> Result<Vec<u8>, Wrong> {
        const TOO_LARGE: Wrong = Wrong::Status(413, "the body is too large");
        const BUSY: Wrong = Wrong::Status(503, "too much is being taken in at the moment");
        let mut body = Vec::new();
        let mut take = |incoming: &mut Self,
                        stream: &mut _,
                        body: &mut Vec<u8>,
                        mut wanted: usize|
         -> Result<(), Wrong> {
            while wanted > 0 {
                if incoming.buffer.is_empty() {
                    incoming.more(stream)?;
                }
                let size = wanted.min(incoming.buffer.len());
                if !grow(size) {
                    return Err(BUSY);
                }
                body.extend(incoming.buffer.drain(..size));
                wanted -= size;
            }
            Ok(())
        };
        match framing {
            Framing::None => {}
            Framing::Length(length) => {
                if length > most {
                    return Err(TOO_LARGE);
                }
                take(self, stream, &mut body, length)?;
            }
            Framing::Chunked => loop {
                let size = self.chunk_size(stream)?;
                if size > most - body.len().min(most) {
                    return Err(TOO_LARGE);
                }
                if size == 0 {
                    // Fields behind the last chunk, up to an empty line.
                    for _ in 0..MAX_FIELDS {
                        if self.line(stream)?.is_empty() {
                            return Ok(body);
                        }
                    }
                    return Err(Wrong::Status(431, "too many trailing fields"));
                }
                take(self, stream, &mut body, size)?;
                if !self.line(stream)?.is_empty() {
                    return Err(Wrong::Status(400, "a chunk does not end where it said"));
                }
            },
        }
        Ok(body)
    }

    fn line(&mut self, stream: &mut impl Read) -> Result<String, Wrong> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.buffer.len() > MAX_CHUNK_LINE {
                return Err(Wrong::Status(
                    400,
                    "the announcement of a chunk is too long",
                ));
            }
            self.more(stream)?;
        }
    }

    fn chunk_size(&mut self, stream: &mut impl Read) -> Result<usize, Wrong> {
        let line = self.line(stream)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let hexadecimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_hexdigit());
        usize::from_str_radix(digits, 16)
            .ok()
            .filter(|_| hexadecimal)
            .ok_or(Wrong::Status(400, "expected the size of a chunk"))
    }
}

/// The head at the beginning of `bytes` and its length; `None` when it is not complete.
fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, Wrong> {
    const BAD: Wrong = Wrong::Status(400, "not an HTTP/1.1 request");
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Wrong::Status(431, "too many header fields"));
        }
        Err(_) => return Err(BAD),
    };
    let mut head = Head {
        method: request.method.unwrap_or_default().to_owned(),
        path: request
            .path
            .unwrap_or_default()
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned(),
        // 1.0 closes unless told otherwise; nobody who matters speaks it.
        close: request.version == Some(0),
        ..Head::default()
    };
    let mut length = None;
    for field in request.headers.iter() {
        let value = std::str::from_utf8(field.value).map_err(|_| BAD)?.trim();
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        if is("content-length") {
            let value: usize = value
                .parse()
                .map_err(|_| Wrong::Status(400, "bad Content-Length"))?;
            if length.is_some_and(|known| known != value) {
                return Err(Wrong::Status(400, "two different lengths"));
            }
            length = Some(value);
        } else if is("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(Wrong::Status(501, "only chunked transfers are understood"));
            }
            head.framing = Framing::Chunked;
        } else if is("content-encoding") {
            match value.to_ascii_lowercase().as_str() {
                "gzip" => head.gzip = true,
                "identity" | "" => {}
                _ => return Err(Wrong::Status(415, "only gzip is understood")),
            }
        } else if is("authorization") {
            let (scheme, rest) = value.split_once(' ').unwrap_or_default();
            if scheme.eq_ignore_ascii_case("bearer") {
                head.bearer = Some(rest.trim().to_owned());
            }
        } else if is("expect") {
            head.expects = value.eq_ignore_ascii_case("100-continue");
        } else if is("connection") {
            head.close |= value.to_ascii_lowercase().contains("close");
        }
    }
    match (head.framing, length) {
        // Two ways of telling the end are how requests are smuggled.
        (Framing::Chunked, Some(_)) => {
            return Err(Wrong::Status(400, "both a length and chunks"));
        }
        (Framing::None, Some(length)) if length > 0 => head.framing = Framing::Length(length),
        _ => {}
    }
    Ok(Some((head, size)))
}

/// Writes an answer.
pub(super) fn answer(
    stream: &mut impl Write,
    status: u16,
    text: &str,
    close: bool,
) -> io::Result<()> {
    let reason = match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        507 => "Insufficient Storage",
        _ => "Error",
    };
    let mut answer = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n",
        text.len() + 1
    );
    if matches!(status, 503 | 507) {
        answer.push_str("Retry-After: 2\r\n");
    }
    if status == 401 {
        answer.push_str("WWW-Authenticate: Bearer\r\n");
    }
    if close {
        answer.push_str("Connection: close\r\n");
    }
    answer.push_str("\r\n");
    answer.push_str(text);
    answer.push('\n');
    stream.write_all(answer.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, so that every place where input may be cut is met.
    struct Drops<'a>(&'a [u8]);

    impl Read for Drops<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            let (Some(byte), Some(place)) = (self.0.first(), room.first_mut()) else {
                return Ok(0);
            };
            *place = *byte;
            self.0 = &self.0[1..];
            Ok(1)
        }
    }

    fn request(text: &str) -> Result<(Head, String), u16> {
        let mut incoming = Incoming::default();
        let mut stream = Drops(text.as_bytes());
        let status = |wrong| match wrong {
            Wrong::Status(status, _) => status,
            Wrong::Gone => 0,
        };
        let head = incoming.head(&mut stream).map_err(status)?;
        let body = incoming
            .body(&mut stream, head.framing, 100, |_| true)
            .map_err(status)?;
        Ok((head, String::from_utf8(body).unwrap()))
    }

    #[test]
    fn requests_are_read_in_either_framing() {
        let (head, body) = request(
            "POST /k8s-audit?timeout=30s HTTP/1.1\r\nHost: x\r\nAuthorization: bearer  t0ken\r\nContent-Length: 5\r\n\r\nhello",
        )
        .unwrap();
        assert_eq!((head.path.as_str(), body.as_str()), ("/k8s-audit", "hello"));
        assert_eq!(head.bearer.as_deref(), Some("t0ken"));
        let (_, body) = request(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n, world!!!\r\n0\r\nT: 1\r\n\r\n",
        )
        .unwrap();
        assert_eq!(body, "hello, world!!!");
    }

    #[test]
    fn what_is_wrong_gets_its_status() {
        for (text, status) in [
            ("GARBAGE\r\n\r\n", 400),
            ("POST / HTTP/1.1\r\nContent-Length: 200\r\n\r\n", 413),
            ("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                400,
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
            ("POST / HTTP/1.1\r\nContent-Encoding: br\r\n\r\n", 415),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n",
                400,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
                413,
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
                400,
            ),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel", 0),
        ] {
            assert_eq!(request(text).map(|(_, body)| body), Err(status), "{text}");
        }
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "y".repeat(MAX_HEAD * 2));
        assert_eq!(request(&long).map(|_| ()), Err(431));
        let many = format!(
            "GET / HTTP/1.1\r\n{}\r\n",
            "X: y\r\n".repeat(MAX_FIELDS + 1)
        );
        assert_eq!(request(&many).map(|_| ()), Err(431));
    }
}
