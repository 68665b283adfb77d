//! Compression of messages: which a side understands, and unpacking that a bomb cannot abuse.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use rpc_core::{Code, Status};

/// How messages are compressed on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Encoding {
    /// Not at all.
    #[default]
    Identity,
    /// By gzip.
    #[cfg(feature = "gzip")]
    Gzip,
    /// By Zstandard.
    #[cfg(feature = "zstd")]
    Zstd,
}

impl Encoding {
    /// All that this side understands.
    const ALL: &'static [Self] = &[
        Self::Identity,
        #[cfg(feature = "gzip")]
        Self::Gzip,
        #[cfg(feature = "zstd")]
        Self::Zstd,
    ];

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            #[cfg(feature = "gzip")]
            Self::Gzip => "gzip",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|own| own.name() == name)
    }

    /// What the sender of these headers compresses by.
    pub(crate) fn of_messages(headers: &HeaderMap) -> Result<Self, Status> {
        let Some(name) = headers.get("grpc-encoding") else {
            return Ok(Self::Identity);
        };
        let known = name.to_str().ok().and_then(Self::from_name);
        known.ok_or_else(|| {
            let text = format!("the encoding {name:?} is not understood here");
            Status::new(Code::Unimplemented, text)
        })
    }

    /// This, where the sender of these headers understands it, else none.
    pub(crate) fn where_accepted(self, headers: &HeaderMap) -> Self {
        let accepted = headers.get_all("grpc-accept-encoding").iter();
        let mut names = accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|names| names.split(','));
        match names.any(|name| name.trim() == self.name()) {
            true => self,
            false => Self::Identity,
        }
    }

    /// Tells the other side how messages are compressed.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        if self != Self::Identity {
            headers.insert("grpc-encoding", HeaderValue::from_static(self.name()));
        }
    }

    /// Tells the other side what is understood here.
    pub(crate) fn tell_accepted(headers: &mut HeaderMap) {
        if let Some(names) = Self::accepted() {
            headers.insert("grpc-accept-encoding", HeaderValue::from_static(names));
        }
    }

    const fn accepted() -> Option<&'static str> {
        match (cfg!(feature = "gzip"), cfg!(feature = "zstd")) {
            (true, true) => Some("identity,gzip,zstd"),
            (true, false) => Some("identity,gzip"),
            (false, true) => Some("identity,zstd"),
            (false, false) => None,
        }
    }

    /// `bytes`, smaller.
    pub(crate) fn compress(self, bytes: &[u8]) -> Result<Vec<u8>, Status> {
        match self {
            Self::Identity => Ok(bytes.to_vec()),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                use std::io::Write;
                let level = flate2::Compression::fast();
                let mut writer = flate2::write::GzEncoder::new(Vec::new(), level);
                let written = writer.write_all(bytes).and_then(|()| writer.finish());
                written.map_err(|error| failed("compress", &error))
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                zstd::bulk::compress(bytes, 1).map_err(|error| failed("compress", &error))
            }
        }
    }

    /// What was compressed, if it has at most `limit` bytes.
    pub(crate) fn decompress(self, bytes: &Bytes, limit: usize) -> Result<Bytes, Status> {
        match self {
            Self::Identity => Ok(bytes.slice(..bytes.len().min(limit))),
            #[cfg(feature = "gzip")]
            Self::Gzip => {
                let open = || Ok(flate2::bufread::MultiGzDecoder::new(&bytes[..]));
                unpack(open, |reader| bytes.len() - reader.get_ref().len(), limit)
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let open = || {
                    let mut reader = zstd::stream::read::Decoder::with_buffer(&bytes[..])?;
                    // What the peer wants remembered while unpacking is its choice up to here.
                    reader.window_log_max(WINDOW_LOG)?;
                    Ok(reader)
                };
                unpack(open, |reader| bytes.len() - reader.get_ref().len(), limit)
            }
        }
    }
}

/// The largest window that a Zstandard stream may ask for: 8 MiB, as its specification says that
/// all readers should offer.
#[cfg(feature = "zstd")]
const WINDOW_LOG: u32 = 23;

/// What unpacks to more than so many times its size may be a bomb: the rest is measured before any
/// of it is kept.
#[cfg(any(feature = "gzip", feature = "zstd"))]
const BOMB_RATIO: usize = 100;
/// How much is unpacked at once.
#[cfg(any(feature = "gzip", feature = "zstd"))]
const STEP_BYTES: usize = 8 << 10;
/// Up to here anything is kept.
#[cfg(any(feature = "gzip", feature = "zstd"))]
const HARMLESS_BYTES: usize = 64 << 10;

/// What a reader made by `open`, of whose input so much is `taken`, reads to its end.
#[cfg(any(feature = "gzip", feature = "zstd"))]
fn unpack<R: std::io::Read>(
    open: impl Fn() -> std::io::Result<R>,
    taken: impl Fn(&R) -> usize,
    limit: usize,
) -> Result<Bytes, Status> {
    let failed = |error: std::io::Error| failed("decompress", &error);
    let (mut out, mut step) = (Vec::new(), [0; STEP_BYTES]);
    let mut reader = open().map_err(failed)?;
    while out.len() <= limit {
        match reader.read(&mut step).map_err(failed)? {
            0 => return Ok(out.into()),
            length => out.extend_from_slice(&step[..length]),
        }
        if out.len() > HARMLESS_BYTES && out.len() / BOMB_RATIO > taken(&reader) {
            break;
        }
    }
    let mut length = out.len();
    drop(out);
    while length <= limit {
        match reader.read(&mut step).map_err(failed)? {
            0 => {
                let mut out = vec![0; length];
                let whole = open().and_then(|mut reader| reader.read_exact(&mut out));
                return whole.map(|()| out.into()).map_err(failed);
            }
            more => length += more,
        }
    }
    let text = format!("a message is larger than {limit} bytes once unpacked");
    Err(Status::new(Code::ResourceExhausted, text))
}

#[cfg(any(feature = "gzip", feature = "zstd"))]
fn failed(verb: &str, error: &std::io::Error) -> Status {
    Status::new(Code::Internal, format!("{verb} a message: {error}"))
}

#[cfg(all(test, feature = "gzip", feature = "zstd"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_is_unpacked_and_a_bomb_stops_at_the_limit() {
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let text = b"text ".repeat(1_000);
            let packed: Bytes = encoding.compress(&text).expect("packed").into();
            assert!(packed.len() < text.len() / 10);
            assert_eq!(
                encoding.decompress(&packed, text.len()),
                Ok(text.clone().into())
            );
            let over = encoding
                .decompress(&packed, text.len() - 1)
                .expect_err("a byte more");
            assert_eq!(over.code(), Code::ResourceExhausted);
            let bomb: Bytes = encoding
                .compress(&vec![0; 16 << 20])
                .expect("packed")
                .into();
            assert!(bomb.len() < 256 << 10, "{}", bomb.len());
            let over = encoding.decompress(&bomb, 4 << 20).expect_err("a bomb");
            assert_eq!(over.code(), Code::ResourceExhausted);
            // As dense, and within the limit to the byte.
            let length = 3 << 20;
            let dense: Bytes = encoding.compress(&vec![0; length]).expect("packed").into();
            let whole = encoding.decompress(&dense, length).expect("allowed");
            assert!(whole.len() == length && whole.iter().all(|byte| *byte == 0));
            let over = encoding
                .decompress(&dense, length - 1)
                .expect_err("a byte more");
            assert_eq!(over.code(), Code::ResourceExhausted);
            let junk = encoding.decompress(&Bytes::from_static(b"junk"), 100);
            assert_eq!(junk.expect_err("junk").code(), Code::Internal);
            let half = encoding.decompress(&packed.slice(..packed.len() / 2), 1 << 20);
            assert_eq!(half.expect_err("half").code(), Code::Internal);
        }
    }
}
