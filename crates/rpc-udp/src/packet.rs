//! The packets, byte by byte: what stands before each, and the messages within.

use bytes::{BufMut, Bytes, BytesMut};
use rpc_core::{Code, Metadata, Status};

/// What every packet begins with: the name of the protocol and its version.
pub(crate) const MAGIC: [u8; 5] = *b"IPCU\x01";
/// Those and the kind.
pub(crate) const HEAD_BYTES: usize = 6;
/// How long a HELLO is at least, so that no answer to it is longer.
pub(crate) const HELLO_BYTES: usize = 72;
/// How long the proof in a WELCOME is.
pub(crate) const TOKEN_BYTES: usize = 24;

/// A client that comes: what it says is padded.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Hello {
    #[prost(fixed64, tag = "1")]
    pub(crate) nonce: u64,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) padding: Bytes,
}

/// The server's word to whoever can read it at that address.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Welcome {
    #[prost(fixed64, tag = "1")]
    pub(crate) nonce: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) token: Bytes,
}

/// Asks for a session, with the proof of the address.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Open {
    #[prost(fixed64, tag = "1")]
    pub(crate) nonce: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) token: Bytes,
}

/// A session.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Opened {
    #[prost(fixed64, tag = "1")]
    pub(crate) nonce: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) session: u64,
    /// How many calls may be under way.
    #[prost(uint32, tag = "4")]
    pub(crate) max_calls: u32,
    /// How long a session lives unheard.
    #[prost(uint32, tag = "5")]
    pub(crate) idle_ms: u32,
}

/// No session.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Refused {
    #[prost(fixed64, tag = "1")]
    pub(crate) nonce: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) code: u32,
    #[prost(string, tag = "3")]
    pub(crate) message: String,
}

/// A call.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(fixed64, tag = "1")]
    pub(crate) session: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) sequence: u64,
    /// The lowest sequence that the client still waits for.
    #[prost(fixed64, tag = "4")]
    pub(crate) floor: u64,
    /// How long the answer is of use.
    #[prost(fixed32, tag = "5")]
    pub(crate) remaining_ms: u32,
    #[prost(string, tag = "6")]
    pub(crate) service: String,
    #[prost(bytes = "bytes", tag = "7")]
    pub(crate) fingerprint: Bytes,
    #[prost(fixed32, tag = "8")]
    pub(crate) method: u32,
    #[prost(string, tag = "9")]
    pub(crate) traceparent: String,
    #[prost(message, repeated, tag = "10")]
    pub(crate) metadata: Vec<Entry>,
    #[prost(bytes = "bytes", tag = "11")]
    pub(crate) body: Bytes,
}

/// One entry of metadata.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Entry {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
    #[prost(bool, tag = "3")]
    pub(crate) trailing: bool,
}

/// How a call ended.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Reply {
    #[prost(fixed64, tag = "1")]
    pub(crate) session: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) sequence: u64,
    /// From the request's arrival to this answer: no part of the way.
    #[prost(uint32, tag = "3")]
    pub(crate) held_us: u32,
    /// 0, or a status.
    #[prost(uint32, tag = "4")]
    pub(crate) code: u32,
    #[prost(string, tag = "5")]
    pub(crate) message: String,
    #[prost(bool, tag = "6")]
    pub(crate) did_not_run: bool,
    /// When to try again, plus one; 0 where nothing is said.
    #[prost(uint64, tag = "7")]
    pub(crate) retry_after_ms: u64,
    #[prost(message, repeated, tag = "8")]
    pub(crate) details: Vec<Detail>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) metadata: Vec<Entry>,
    #[prost(bytes = "bytes", tag = "10")]
    pub(crate) body: Bytes,
}

/// One detail of a status.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Detail {
    #[prost(string, tag = "1")]
    pub(crate) type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

/// A call by its number: WORKING, CANCEL.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Numbered {
    #[prost(fixed64, tag = "1")]
    pub(crate) session: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
    #[prost(fixed64, tag = "3")]
    pub(crate) sequence: u64,
    #[prost(fixed64, tag = "4")]
    pub(crate) floor: u64,
}

/// A session by its number: UNKNOWN_SESSION, with the server's own incarnation, and BYE.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct OfSession {
    #[prost(fixed64, tag = "1")]
    pub(crate) session: u64,
    #[prost(fixed64, tag = "2")]
    pub(crate) incarnation: u64,
}

/// A packet.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Packet {
    Hello(Hello),
    Welcome(Welcome),
    Open(Open),
    Opened(Opened),
    Refused(Refused),
    Request(Request),
    Reply(Reply),
    Working(Numbered),
    Cancel(Numbered),
    UnknownSession(OfSession),
    Bye(OfSession),
}

impl Packet {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Hello(message) => framed(1, message),
            Self::Welcome(message) => framed(2, message),
            Self::Open(message) => framed(3, message),
            Self::Opened(message) => framed(4, message),
            Self::Refused(message) => framed(5, message),
            Self::Request(message) => framed(6, message),
            Self::Reply(message) => framed(7, message),
            Self::Working(message) => framed(8, message),
            Self::Cancel(message) => framed(9, message),
            Self::UnknownSession(message) => framed(10, message),
            Self::Bye(message) => framed(11, message),
        }
    }

    /// What stands in `bytes`; `None` for what is no packet of this protocol. Bodies are shares of
    /// `bytes`, not copies.
    pub(crate) fn decode(mut bytes: Bytes) -> Option<Self> {
        let head = bytes.get(..HEAD_BYTES)?;
        if head[..MAGIC.len()] != MAGIC {
            return None;
        }
        let kind = head[MAGIC.len()];
        bytes::Buf::advance(&mut bytes, HEAD_BYTES);
        Some(match kind {
            1 => Self::Hello(read(bytes)?),
            2 => Self::Welcome(read(bytes)?),
            3 => Self::Open(read(bytes)?),
            4 => Self::Opened(read(bytes)?),
            5 => Self::Refused(read(bytes)?),
            6 => Self::Request(read(bytes)?),
            7 => Self::Reply(read(bytes)?),
            8 => Self::Working(read(bytes)?),
            9 => Self::Cancel(read(bytes)?),
            10 => Self::UnknownSession(read(bytes)?),
            11 => Self::Bye(read(bytes)?),
            _ => return None,
        })
    }
}

impl Hello {
    /// As long as its answer may be.
    pub(crate) fn padded(nonce: u64) -> Self {
        // Tag, length and padding after the head and the nonce.
        let padding = HELLO_BYTES - HEAD_BYTES - 9 - 2;
        Self {
            nonce,
            padding: Bytes::from(vec![0; padding]),
        }
    }
}

impl Reply {
    /// The end of a call that failed.
    pub(crate) fn failed(status: &Status) -> Self {
        let retry = status.push_back_millis().map_or(0, |ms| u64::from(ms) + 1);
        let details = status.details().iter().map(|detail| Detail {
            type_url: detail.type_url.clone(),
            value: detail.value.clone(),
        });
        Self {
            code: status.code() as u32,
            message: status.message().to_owned(),
            did_not_run: status.did_not_run(),
            retry_after_ms: retry,
            details: details.collect(),
            ..Self::default()
        }
    }

    /// What it says: metadata and a body, or why there is none.
    pub(crate) fn outcome(self) -> Result<(Metadata, Bytes), Status> {
        if self.code == Code::Ok as u32 {
            return Ok((read_metadata(&self.metadata).unwrap_or_default(), self.body));
        }
        let code = u8::try_from(self.code).map_or(Code::Unknown, Code::from_number);
        let mut status = Status::new(code, self.message);
        if self.did_not_run {
            status = status.before_running();
        }
        if let Some(ms) = self.retry_after_ms.checked_sub(1) {
            status = status.retry_after_millis(u32::try_from(ms).unwrap_or(u32::MAX));
        }
        for detail in self.details {
            status = status.detail(detail.type_url, detail.value);
        }
        Err(status)
    }
}

/// Metadata as entries.
pub(crate) fn write_metadata(metadata: &Metadata) -> Vec<Entry> {
    let mut entries = Vec::with_capacity(metadata.len());
    for trailing in [false, true] {
        entries.extend(metadata.of_place(trailing).map(|(name, value)| Entry {
            name: name.to_owned(),
            value: Bytes::copy_from_slice(value),
            trailing,
        }));
    }
    entries
}

/// Entries as metadata, within its limits.
pub(crate) fn read_metadata(entries: &[Entry]) -> Result<Metadata, Status> {
    let mut metadata = Metadata::new();
    for entry in entries {
        match entry.trailing {
            false => metadata.insert(&entry.name, &entry.value)?,
            true => metadata.insert_trailing(&entry.name, &entry.value)?,
        }
    }
    Ok(metadata)
}

fn framed(kind: u8, message: &impl prost::Message) -> Bytes {
    let mut bytes = BytesMut::with_capacity(HEAD_BYTES + message.encoded_len());
    bytes.put_slice(&MAGIC);
    bytes.put_u8(kind);
    message.encode_raw(&mut bytes);
    bytes.freeze()
}

fn read<T: prost::Message + Default>(bytes: Bytes) -> Option<T> {
    T::decode(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_answer_to_a_hello_is_longer_than_it() {
        let hello = Packet::Hello(Hello::padded(u64::MAX)).encode();
        assert_eq!(hello.len(), HELLO_BYTES);
        let welcome = Packet::Welcome(Welcome {
            nonce: u64::MAX,
            incarnation: u64::MAX,
            token: Bytes::from_static(&[7; TOKEN_BYTES]),
        });
        assert!(welcome.encode().len() <= HELLO_BYTES);
    }

    #[test]
    fn every_packet_is_read_as_it_was_written_and_no_part_of_one_as_another() {
        let reply = Reply::failed(
            &Status::new(Code::NotFound, "no item")
                .retry_after_millis(0)
                .detail("t/x", vec![1])
                .before_running(),
        );
        let packet = Packet::Reply(reply.clone());
        assert_eq!(Packet::decode(packet.encode()), Some(packet));
        let status = reply.outcome().expect_err("a status");
        assert_eq!(status.push_back_millis(), Some(0));
        assert!(status.did_not_run() && status.details().len() == 1);
        let bye = Packet::Bye(OfSession::default()).encode();
        for end in 0..HEAD_BYTES {
            assert_eq!(Packet::decode(bye.slice(..end)), None);
        }
        for at in 0..MAGIC.len() {
            let mut strange = bye.to_vec();
            strange[at] ^= 1;
            assert_eq!(Packet::decode(strange.into()), None);
        }
    }
}
