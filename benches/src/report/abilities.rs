//! What each mechanism can do at all, by the rules of the kernel: no figure lives here.
//!
//! A mechanism this table does not know still takes part in everything that is decided by
//! measurement alone; it is only not proposed where an ability is demanded.

/// What a mechanism is able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Under which heading it is drawn.
    pub(crate) family: Family,
    /// What is sent in one piece arrives in one piece.
    pub(crate) boundaries: bool,
    /// Passes descriptors, and the kernel vouches for the peer's identity.
    pub(crate) descriptors: bool,
    /// Reaches another machine.
    pub(crate) machines: bool,
    /// Carries bytes, not only a wake-up or a counter.
    pub(crate) payload: bool,
}

/// Mechanisms that are drawn together, so that no panel has too many lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    /// Bytes in order.
    Streams,
    /// One message is one message.
    Messages,
    /// Memory both sides see, and the means to wake each other.
    Memory,
    /// Not in the table.
    Other,
    /// Published crates by others.
    Peers,
}

impl Family {
    /// The heading of its panels.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Streams => "byte streams",
            Self::Messages => "messages",
            Self::Memory => "memory and events",
            Self::Other => "others",
            Self::Peers => "published crates",
        }
    }
}

/// What `mechanism` is able to do; `None` for a name the table does not hold.
pub(crate) fn known(mechanism: &str) -> Option<Abilities> {
    let base = Abilities {
        family: Family::Memory,
        boundaries: false,
        descriptors: false,
        machines: false,
        payload: true,
    };
    let stream = Abilities {
        family: Family::Streams,
        ..base
    };
    let message = Abilities {
        family: Family::Messages,
        boundaries: true,
        ..base
    };
    Some(match mechanism {
        "pipe" | "fifo" | "duplex" | "pipe-duplex" => stream,
        "uds-stream" => Abilities {
            descriptors: true,
            ..stream
        },
        "tcp" => Abilities {
            machines: true,
            ..stream
        },
        "uds-datagram" | "uds-seqpacket" => Abilities {
            descriptors: true,
            ..message
        },
        "udp" => Abilities {
            machines: true,
            ..message
        },
        "mq" | "posix-mq" | "mq-posix" | "sysv-mq" | "mq-sysv" | "pipe-framed" | "pipe-record" => {
            message
        }
        "uds-framed" => Abilities {
            descriptors: true,
            ..message
        },
        "rpc-native" => message,
        "ring" | "shm-ring" => Abilities {
            boundaries: true,
            ..base
        },
        "shm" | "shm-copy" => base,
        "eventfd" | "event" | "semaphore" | "sem" | "posix-sem" | "sysv-sem" | "signal"
        | "futex" => Abilities {
            payload: false,
            ..base
        },
        _ => return None,
    })
}

/// As [`known`], and what can be assumed of a stranger.
pub(crate) fn of(mechanism: &str) -> Abilities {
    known(mechanism).unwrap_or(Abilities {
        family: Family::Other,
        boundaries: false,
        descriptors: false,
        machines: false,
        payload: true,
    })
}
