//! The codecs of this wire, by number.

use rpc_core::{Codec, Json, Protobuf};

/// How messages are written on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Protobuf's binary format; the default.
    #[default]
    Protobuf,
    /// JSON, as serde writes it.
    Json,
}

impl Format {
    pub(crate) fn codec(self) -> &'static dyn Codec {
        match self {
            Self::Protobuf => &Protobuf,
            Self::Json => &Json,
        }
    }

    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Protobuf => 1,
            Self::Json => 2,
        }
    }

    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Protobuf),
            2 => Some(Self::Json),
            _ => None,
        }
    }
}
