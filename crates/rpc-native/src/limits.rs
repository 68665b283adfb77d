//! What a side of a connection takes: every quantity that a peer could grow has its bound here.

use std::time::Duration;

/// What one side of a connection takes. All are finite, and told to the peer where it must know.
///
/// ```
/// let limits = rpc_native::Limits::new().max_calls(16).clone();
/// # let _ = limits;
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) max_calls: u32,
    pub(crate) max_message_bytes: u32,
    pub(crate) stream_credit_bytes: u32,
    pub(crate) connection_credit_bytes: u32,
    pub(crate) max_oneways: u32,
    pub(crate) max_bindings: u16,
    pub(crate) max_output_bytes: usize,
    pub(crate) straight_bytes: usize,
    pub(crate) handshake: Duration,
    pub(crate) frame: Duration,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) keep_alive_answer: Duration,
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_calls: 128,
            max_message_bytes: 4 << 20,
            stream_credit_bytes: 256 << 10,
            connection_credit_bytes: 4 << 20,
            max_oneways: 50,
            max_bindings: 64,
            max_output_bytes: 4 << 20,
            straight_bytes: Self::STRAIGHT_BYTES,
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            keep_alive: None,
            keep_alive_answer: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The largest number of calls that may be under way.
    pub const MAX_CALLS: u32 = 65_536;
    /// The largest message.
    pub const MAX_MESSAGE_BYTES: u32 = 64 << 20;
    /// From this size on messages go straight into shared memory: where that was measured to be the
    /// faster way (`examples/large_calls.rs`).
    pub const STRAIGHT_BYTES: usize = 32 << 10;
    /// The shortest time between two questions whether the peer lives.
    pub const MIN_KEEP_ALIVE: Duration = Duration::from_secs(10);
    /// How many frames in a row may ask or tell nothing of a call.
    pub const MAX_IDLE_FRAMES: u32 = 1_000;

    /// The defaults: 128 calls, 4 MiB a message, 256 KiB under way in a stream, 4 MiB in all, 50
    /// oneway calls, no keep-alive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many calls may be under way; further ones wait. At most [`Limits::MAX_CALLS`].
    pub fn max_calls(&mut self, calls: u32) -> &mut Self {
        self.max_calls = calls.clamp(1, Self::MAX_CALLS);
        self
    }

    /// How large a message may be. At most [`Limits::MAX_MESSAGE_BYTES`].
    pub fn max_message_bytes(&mut self, bytes: u32) -> &mut Self {
        self.max_message_bytes = bytes.min(Self::MAX_MESSAGE_BYTES);
        self
    }

    /// How many bytes of one stream may be under way before its sender waits.
    pub fn stream_credit_bytes(&mut self, bytes: u32) -> &mut Self {
        self.stream_credit_bytes = bytes.clamp(1, 1 << 30);
        self
    }

    /// How many bytes of calls and streams together may be under way before their sender waits.
    pub fn connection_credit_bytes(&mut self, bytes: u32) -> &mut Self {
        self.connection_credit_bytes = bytes.clamp(1, 1 << 30);
        self
    }

    /// How many oneway calls may run; further ones are dropped and counted.
    pub fn max_oneways(&mut self, calls: u32) -> &mut Self {
        self.max_oneways = calls;
        self
    }

    /// From how many bytes on a message that is sent over shared memory is encoded straight into
    /// that memory, and no copy of it is made; [`Limits::STRAIGHT_BYTES`] by default.
    pub fn straight_bytes(&mut self, bytes: usize) -> &mut Self {
        self.straight_bytes = bytes;
        self
    }

    /// How long the greeting may take.
    pub fn handshake_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.handshake = timeout;
        self
    }

    /// How long a frame may take from its first byte to its last.
    pub fn frame_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.frame = timeout;
        self
    }

    /// Asks a silent peer whether it lives, every so often; at least
    /// [`Limits::MIN_KEEP_ALIVE`]. A local peer needs none: the kernel tells of its death.
    pub fn keep_alive(&mut self, interval: Option<Duration>) -> &mut Self {
        self.keep_alive = interval.map(|interval| interval.max(Self::MIN_KEEP_ALIVE));
        self
    }

    /// How long a peer that is asked whether it lives has for its answer; 10 seconds by default.
    pub fn keep_alive_answer(&mut self, timeout: Duration) -> &mut Self {
        self.keep_alive_answer = timeout;
        self
    }

    /// How long an orderly end waits for the calls that still run.
    pub fn drain_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.drain = timeout;
        self
    }
}
