//! As much of HTTP/1.1 as the lab's services and clients speak: one request a connection, bodies by length.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Most bytes of a request's head; real ones have some hundred.
const MAX_HEAD: u64 = 16 << 10;
/// Most bytes of a body: the lab's largest download is this program itself.
const MAX_BODY: u64 = 64 << 20;
/// How long a peer may stay silent. The longest command an `/exec` waits for is the miner's 20 seconds.
const PATIENCE: Duration = Duration::from_mins(1);

/// A request.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without the query.
    pub(crate) path: String,
    /// What stands after `?`, and the body when it is a form.
    pub(crate) form: String,
    /// Bearer token, or that of the metadata service.
    pub(crate) token: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    /// A value of the form, decoded.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.form.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| decode(value))
        })
    }
}

/// Status and body of an answer.
pub(crate) type Answer = (u16, Vec<u8>);

/// Serves requests, one thread each, until the process ends.
pub(crate) fn serve(
    address: SocketAddr,
    handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    serve_within(address, |_| None, handler)
}

/// The same; an answer to a request for which `hops` says a number goes no further than that.
pub(crate) fn serve_within(
    address: SocketAddr,
    hops: impl Fn(&Request) -> Option<u32> + Send + Sync + 'static,
    handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    let both = Arc::new((hops, handler));
    for stream in listener.incoming().flatten() {
        let both = Arc::clone(&both);
        std::thread::spawn(move || {
            let _ = answer(stream, &both.0, &both.1);
        });
    }
    Ok(())
}

fn answer(
    stream: TcpStream,
    hops: &dyn Fn(&Request) -> Option<u32>,
    handler: &dyn Fn(&Request) -> Answer,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let Some(request) = read_request(&mut reader)? else {
        return Ok(());
    };
    let (status, body) = handler(&request);
    let mut stream = reader.into_inner();
    if let Some(hops) = hops(&request) {
        stream.set_ttl(hops)?;
    }
    let reason = match status {
        200 => "OK",
        201 => "Created",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        _ => "Internal Server Error",
    };
    // in one piece, so that whoever reads finds the status at its beginning
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), &body].concat())
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut request = Request::default();
    let mut length = 0u64;
    let mut head = reader.by_ref().take(MAX_HEAD);
    let mut line = String::new();
    for number in 0.. {
        line.clear();
        if head.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.trim_end();
        if number == 0 {
            let mut words = text.split(' ');
            words
                .next()
                .unwrap_or_default()
                .clone_into(&mut request.method);
            let target = words.next().unwrap_or("/");
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            request.path = decode(path);
            query.clone_into(&mut request.form);
        } else if text.is_empty() {
            break;
        } else if let Some((name, value)) = text.split_once(':') {
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or(0),
                "authorization" => {
                    value
                        .trim()
                        .trim_start_matches("Bearer ")
                        .clone_into(&mut request.token);
                }
                "x-aws-ec2-metadata-token" => value.trim().clone_into(&mut request.token),
                _ => {}
            }
        }
    }
    reader
        .take(length.min(MAX_BODY))
        .read_to_end(&mut request.body)?;
    if let Ok(text) = std::str::from_utf8(&request.body) {
        if !request.form.is_empty() {
            request.form.push('&');
        }
        request.form.push_str(text);
    }
    Ok(Some(request))
}

/// Asks a server of the lab and gives status and body.
pub(crate) fn ask(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &[u8],
) -> io::Result<Answer> {
    // one call that says how it ended, where a non-blocking one would say "in progress"; the lab drops nothing silently
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.take(MAX_BODY).read_to_end(&mut bytes)?;
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(|| io::Error::other("the answer has no end of its head"))?;
    let status = bytes
        .get(9..12)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0);
    Ok((status, bytes.split_off(end + 4)))
}

/// Undoes the encoding of forms.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = bytes
            .get(at + 1..at + 3)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, hex) {
            (b'%', Some(value)) => {
                out.push(value);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            _ => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_decoded() {
        for (text, wanted) in [
            ("a+b%2Fc", "a b/c"),
            ("%", "%"),
            ("%zz1", "%zz1"),
            ("echo+%22hi%22", "echo \"hi\""),
        ] {
            assert_eq!(decode(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_request_is_read_with_its_form() {
        let text = b"POST /exec?x=1 HTTP/1.1\r\nContent-Length: 12\r\n\r\ncommand=id%3bmore";
        let request = read_request(&mut &text[..]).unwrap().unwrap();
        assert_eq!(
            (request.path.as_str(), request.method.as_str()),
            ("/exec", "POST")
        );
        assert_eq!(request.value("command").as_deref(), Some("id%3"));
        assert_eq!(request.value("x").as_deref(), Some("1"));
        assert!(read_request(&mut &b""[..]).unwrap().is_none());
    }
}
