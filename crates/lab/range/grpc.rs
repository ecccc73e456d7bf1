//! One call of a gRPC service over a stream: as much of HTTP/2 (RFC 9113) as a call without streaming takes.
//!
//! What the peer sends is bounded by [`MAX_ANSWER`] and [`MAX_FRAMES`]. Headers of answers are compressed, and are not read:
//! a service that refuses a call answers with trailers alone, so whether a message came says how the call ended.

use std::io::{self, Read, Write};

/// Most bytes of a request: what every peer takes without opening its window any further.
const MAX_REQUEST: usize = 65_535;
/// Most bytes of an answer. The longest is the output of a command in a container.
const MAX_ANSWER: usize = 4 << 20;
/// Most frames of an answer, so that a peer that says nothing for ever comes to an end.
const MAX_FRAMES: usize = 65_536;
/// Most bytes of a frame when nothing else was agreed on.
const MAX_FRAME: usize = 16_384;
/// What every connection begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The window of a connection before anybody opens it any further.
const WINDOW: u32 = 65_535;
/// The one stream of the connection.
const STREAM: u32 = 1;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
/// The last frame of a stream; on settings and pings: the answer to the peer's.
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
/// Setting: how much of a stream may come before it has to be opened any further.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// Calls `/SERVICE/METHOD` with a message and gives the message of the answer; `None` when the service refused.
pub(crate) fn call(
    stream: &mut (impl Read + Write),
    path: &str,
    message: &[u8],
) -> io::Result<Option<Vec<u8>>> {
    stream.write_all(&request(path, message)?)?;
    let mut body = Vec::new();
    let mut ended = false;
    for _ in 0..MAX_FRAMES {
        if ended {
            return Ok(message_of(&body));
        }
        let frame = Frame::read(stream)?;
        let own = frame.stream == STREAM;
        match frame.kind {
            DATA if own => {
                body.extend_from_slice(frame.data().ok_or_else(|| bad("padding"))?);
                if body.len() > MAX_ANSWER {
                    return Err(bad("length"));
                }
                ended = frame.flags & END_STREAM != 0;
            }
            // headers that go on in further frames matter as little as these
            HEADERS if own => ended = frame.flags & END_STREAM != 0,
            RST_STREAM if own => return Ok(None),
            GOAWAY => return Err(io::Error::other("the service ends the connection")),
            SETTINGS if frame.flags & ACK == 0 => write(stream, SETTINGS, ACK, 0, &[])?,
            PING if frame.flags & ACK == 0 => write(stream, PING, ACK, 0, &frame.payload)?,
            _ => {}
        }
    }
    Err(bad("number of frames"))
}

fn bad(what: &str) -> io::Error {
    io::Error::other(format!("the service's answer has a wrong {what}"))
}

/// Everything that a call sends.
fn request(path: &str, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = vec![0];
    body.extend((message.len() as u32).to_be_bytes());
    body.extend(message);
    if body.len() > MAX_REQUEST {
        return Err(io::Error::other("the request is too long"));
    }
    let mut out = PREFACE.to_vec();
    // as much as is taken at all, so that nothing has to be opened later
    let most = MAX_ANSWER as u32;
    let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    setting.extend(most.to_be_bytes());
    write(&mut out, SETTINGS, 0, 0, &setting)?;
    write(
        &mut out,
        WINDOW_UPDATE,
        0,
        0,
        &(most - WINDOW).to_be_bytes(),
    )?;
    let mut headers = Vec::new();
    for (name, value) in [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        // RFC 7541, 6.2.2: a literal that nobody is to remember, with its name
        headers.push(0);
        for text in [name, value] {
            let length = u8::try_from(text.len())
                .ok()
                .filter(|length| *length < 127)
                .ok_or_else(|| io::Error::other("a header is too long"))?;
            headers.push(length);
            headers.extend(text.as_bytes());
        }
    }
    write(&mut out, HEADERS, END_HEADERS, STREAM, &headers)?;
    let mut pieces = body.chunks(MAX_FRAME).peekable();
    while let Some(piece) = pieces.next() {
        let flags = if pieces.peek().is_none() {
            END_STREAM
        } else {
            0
        };
        write(&mut out, DATA, flags, STREAM, piece)?;
    }
    Ok(out)
}

/// The message in a body: one that is not compressed and whole.
fn message_of(body: &[u8]) -> Option<Vec<u8>> {
    let (head, rest) = body.split_first_chunk::<5>()?;
    let [0, length @ ..] = *head else { return None };
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    rest.get(..length).map(<[u8]>::to_vec)
}

fn write(out: &mut impl Write, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
    let [_, length @ ..] = (payload.len() as u32).to_be_bytes();
    let mut frame = length.to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    out.write_all(&frame)
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    fn read(stream: &mut impl Read) -> io::Result<Self> {
        let mut head = [0; 9];
        stream.read_exact(&mut head)?;
        let [a, b, c, kind, flags, number @ ..] = head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        if length > MAX_FRAME {
            return Err(bad("frame"));
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        Ok(Self {
            kind,
            flags,
            // the first bit is reserved
            stream: u32::from_be_bytes(number) & (u32::MAX >> 1),
            payload,
        })
    }

    /// The payload without its padding.
    fn data(&self) -> Option<&[u8]> {
        if self.flags & PADDED == 0 {
            return Some(&self.payload);
        }
        let (padding, rest) = self.payload.split_first()?;
        rest.get(..rest.len().checked_sub(usize::from(*padding))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that has said everything already.
    struct Peer<'a> {
        says: &'a [u8],
        hears: Vec<u8>,
    }

    impl Read for Peer<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            self.says.read(room)
        }
    }

    impl Write for Peer<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.hears.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn frames(list: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (kind, flags, stream, payload) in list {
            write(&mut out, *kind, *flags, *stream, payload).unwrap();
        }
        out
    }

    fn answer(says: &[u8]) -> (io::Result<Option<Vec<u8>>>, Vec<u8>) {
        let mut peer = Peer {
            says,
            hears: Vec::new(),
        };
        let answer = call(&mut peer, "/a.B/C", b"question");
        (answer, peer.hears)
    }

    #[test]
    fn an_answer_is_put_together_from_its_frames() {
        let says = frames(&[
            (SETTINGS, 0, 0, &[]),
            (PING, 0, 0, b"01234567"),
            (HEADERS, END_HEADERS, 1, b"\x88"),
            (DATA, 0, 3, b"another stream's"),
            (DATA, 0, 1, b"\0\0\0\0\x04an"),
            (DATA, PADDED, 1, b"\x02s.."),
            (DATA, 0, 1, b"w"),
            (HEADERS, END_HEADERS | END_STREAM, 1, b"\x40"),
        ]);
        let (answer, hears) = answer(&says);
        assert_eq!(answer.unwrap().unwrap(), b"answ");
        let acknowledged = frames(&[(SETTINGS, ACK, 0, &[]), (PING, ACK, 0, b"01234567")]);
        assert!(hears.ends_with(&acknowledged));
        assert!(hears.starts_with(PREFACE));
    }

    #[test]
    fn a_refusal_is_one() {
        let trailers = frames(&[(HEADERS, END_HEADERS | END_STREAM, 1, b"\x88")]);
        assert_eq!(answer(&trailers).0.unwrap(), None);
        assert_eq!(
            answer(&frames(&[(RST_STREAM, 0, 1, &[0; 4])])).0.unwrap(),
            None
        );
        // an empty message is an answer
        let empty = frames(&[(DATA, END_STREAM, 1, &[0; 5])]);
        assert_eq!(answer(&empty).0.unwrap(), Some(Vec::new()));
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for says in [
            Vec::new(),
            vec![0xff; 64],
            frames(&[(GOAWAY, 0, 0, &[0; 8])]),
            frames(&[(DATA, PADDED, 1, b"\x09a")]),
            frames(&[(PING, ACK, 0, &[0; 8])]).repeat(MAX_FRAMES),
            frames(&[(DATA, 0, 1, &[0; MAX_FRAME])]).repeat(MAX_ANSWER / MAX_FRAME + 1),
        ] {
            assert!(
                answer(&says).0.is_err(),
                "{:?}",
                &says[..says.len().min(32)]
            );
        }
        // less than the message's own length
        let short = frames(&[(DATA, END_STREAM, 1, b"\0\0\0\0\x09ab")]);
        assert_eq!(answer(&short).0.unwrap(), None);
        assert!(request("/a", &vec![0; MAX_REQUEST]).is_err());
    }

    #[test]
    fn long_requests_go_in_several_frames() {
        let sent = request("/a.B/C", &vec![7; 20_000]).unwrap();
        let mut rest = &sent[PREFACE.len()..];
        let mut data = Vec::new();
        let mut last = 0;
        while !rest.is_empty() {
            let frame = Frame::read(&mut rest).unwrap();
            if frame.kind == DATA {
                data.push(frame.payload.len());
                last = frame.flags;
            }
        }
        assert_eq!(
            (data, last),
            (vec![MAX_FRAME, 20_005 - MAX_FRAME], END_STREAM)
        );
    }
}
