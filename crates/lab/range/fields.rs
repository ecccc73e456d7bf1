//! Protobuf messages that are read field by field.

/// Wire types: a number, and everything with a length in front.
const NUMBER: u64 = 0;
const DELIMITED: u64 = 2;

/// The fields of a message in which everything has a length in front; numbers are passed over. Ends where the message makes
/// no sense any more.
pub(crate) fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        loop {
            let key = take_varint(&mut rest)?;
            let length = match key & 7 {
                NUMBER => {
                    take_varint(&mut rest)?;
                    continue;
                }
                DELIMITED => usize::try_from(take_varint(&mut rest)?).ok()?,
                _ => return None,
            };
            let (value, after) = rest.split_at_checked(length)?;
            rest = after;
            return Some((key >> 3, value));
        }
    })
}

/// The first field of this number, as text; empty where there is none.
pub(crate) fn text(message: &[u8], field: u64) -> String {
    String::from_utf8_lossy(bytes(message, field)).into_owned()
}

/// The first field of this number; empty where there is none.
pub(crate) fn bytes(message: &[u8], field: u64) -> &[u8] {
    fields(message)
        .find(|(number, _)| *number == field)
        .map_or(&[], |(_, value)| value)
}

/// A number; zero, its default, where there is none.
pub(crate) fn number(mut rest: &[u8], field: u64) -> u64 {
    while let Some(key) = take_varint(&mut rest) {
        let Some(value) = take_varint(&mut rest) else {
            break;
        };
        match key & 7 {
            NUMBER if key >> 3 == field => return value,
            NUMBER => {}
            DELIMITED => {
                let after = usize::try_from(value).ok().and_then(|to| rest.get(to..));
                let Some(after) = after else { break };
                rest = after;
            }
            _ => break,
        }
    }
    0
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    #[test]
    fn what_is_written_is_read() {
        let inner = Message::default().text(1, "web").number(2, 300);
        let message = Message::default()
            .number(6, 1)
            .message(3, &inner)
            .message(8, &Message::default().text(1, "app").text(2, "cart"))
            .bytes(9, &[7; 200]);
        let encoded = message.encoded();
        assert_eq!(number(encoded, 6), 1);
        assert_eq!(number(encoded, 7), 0);
        assert_eq!(text(bytes(encoded, 3), 1), "web");
        assert_eq!(number(bytes(encoded, 3), 2), 300);
        let map: Vec<_> = fields(encoded).filter(|(field, _)| *field == 8).collect();
        assert_eq!(
            (text(map[0].1, 1), text(map[0].1, 2)),
            ("app".into(), "cart".into())
        );
        assert_eq!(bytes(encoded, 9).len(), 200);
    }

    #[test]
    fn what_makes_no_sense_ends_the_message() {
        for bad in [
            &b"\x0a"[..],
            b"\x0a\x09a",
            b"\x0d....",
            b"\x08",
            &[0xff; 20],
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        ] {
            assert_eq!(fields(bad).count(), 0, "{bad:?}");
            assert_eq!(number(bad, 5), 0);
        }
    }
}
