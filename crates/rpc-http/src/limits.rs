//! What one side of an HTTP connection takes: every quantity that a peer could grow.

use std::time::Duration;

/// What one side of an HTTP connection takes. All are finite.
///
/// ```
/// let limits = rpc_http::Limits::new().max_streams(16).clone();
/// # let _ = limits;
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) max_streams: u32,
    pub(crate) max_header_bytes: u32,
    pub(crate) stream_window_bytes: u32,
    pub(crate) connection_window_bytes: u32,
    pub(crate) max_output_bytes: usize,
    pub(crate) greeting: Duration,
    pub(crate) frame: Duration,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) keep_alive_answer: Duration,
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_streams: 128,
            max_header_bytes: 16 << 10,
            stream_window_bytes: 1 << 20,
            connection_window_bytes: 4 << 20,
            max_output_bytes: 400 << 10,
            greeting: Duration::from_secs(5),
            frame: Duration::from_secs(10),
            keep_alive: None,
            keep_alive_answer: Duration::from_secs(10),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The shortest time between two questions whether the peer lives.
    pub const MIN_KEEP_ALIVE: Duration = Duration::from_secs(10);
    /// How many frames in a row may ask or tell nothing of a request.
    pub const MAX_IDLE_FRAMES: u32 = 1_000;

    /// The defaults: 128 requests at once, 16 KiB of headers, 1 MiB under way in a stream and 4 MiB
    /// in a connection, 5 s for the greeting, 10 s for a frame, no keep-alive, 10 s to drain.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a new connection may take until it has spoken its greeting.
    #[must_use]
    pub const fn greeting(&self) -> Duration {
        self.greeting
    }

    /// How many requests of a connection may be under way; further ones wait at the client.
    pub fn max_streams(&mut self, streams: u32) -> &mut Self {
        self.max_streams = streams.max(1);
        self
    }

    /// How large the headers of a message may be, as HTTP/2 counts them.
    pub fn max_header_bytes(&mut self, bytes: u32) -> &mut Self {
        self.max_header_bytes = bytes;
        self
    }

    /// What the library is told: it refuses a list of exactly the size that it is given.
    pub(crate) const fn header_list_bytes(&self) -> u32 {
        self.max_header_bytes.saturating_add(1)
    }

    /// How many bytes of one stream may be under way before its sender waits.
    pub fn stream_window_bytes(&mut self, bytes: u32) -> &mut Self {
        self.stream_window_bytes = bytes.clamp(1 << 14, 1 << 30);
        self
    }

    /// How many bytes of all streams together may be under way before their sender waits.
    pub fn connection_window_bytes(&mut self, bytes: u32) -> &mut Self {
        self.connection_window_bytes = bytes.clamp(1 << 16, 1 << 30);
        self
    }

    /// How long a new connection may take until it has spoken its greeting.
    pub fn greeting_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.greeting = timeout;
        self
    }

    /// How long a frame, or a head of several, may take from its first byte to its last; and how
    /// long a peer may take nothing of what is written.
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

    /// How long a peer that is asked whether it lives may take to answer; 10 s by default.
    pub fn keep_alive_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.keep_alive_answer = timeout;
        self
    }

    /// How long an orderly end waits for the requests that still run.
    pub fn drain_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.drain = timeout;
        self
    }
}
