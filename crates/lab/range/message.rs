//! Protobuf messages that are written field by field: as much of the encoding as the runtime's interface takes
//! (protobuf.dev, "Encoding"). The lab's runner, which prepares the pods, has this file too.

/// Wire types: a number, and everything with a length in front.
const NUMBER: u64 = 0;
const DELIMITED: u64 = 2;

/// A message that is being written. Fields that are not written have their default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// A number, an enumeration's too.
    #[must_use]
    pub(crate) fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3 | NUMBER);
        self.varint(value);
        self
    }

    /// Bytes; also a message that is encoded already.
    #[must_use]
    pub(crate) fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    /// A text.
    #[must_use]
    pub(crate) fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    /// A message.
    #[must_use]
    pub(crate) fn message(self, field: u64, message: &Self) -> Self {
        self.bytes(field, &message.0)
    }

    /// The encoded message.
    pub(crate) fn encoded(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_one_after_the_other() {
        // the example of the encoding's description: 300 is 0xac 0x02
        let inner = Message::default().text(1, "web").number(2, 300);
        assert_eq!(inner.encoded(), b"\x0a\x03web\x10\xac\x02");
        let outer = Message::default().message(3, &inner).bytes(4, b"b");
        assert_eq!(outer.encoded(), b"\x1a\x08\x0a\x03web\x10\xac\x02\x22\x01b");
    }
}
