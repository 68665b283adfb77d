//! What each side takes and holds: every quantity that a peer could grow has its bound here.

use std::time::Duration;

/// What a side takes and holds. All are finite.
///
/// ```
/// let limits = rpc_udp::Limits::new().max_datagram_bytes(8_192).clone();
/// # let _ = limits;
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    pub(crate) max_datagram_bytes: usize,
    pub(crate) max_sessions: usize,
    pub(crate) max_sessions_per_address: usize,
    pub(crate) max_calls: u32,
    pub(crate) max_kept_bytes: usize,
    pub(crate) idle: Duration,
    pub(crate) drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_datagram_bytes: 1_200,
            max_sessions: 4_096,
            max_sessions_per_address: 256,
            max_calls: 128,
            max_kept_bytes: 64 << 20,
            idle: Duration::from_secs(60),
            drain: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// The largest datagram that both families of addresses carry.
    pub const MAX_DATAGRAM_BYTES: usize = ipc_net::MAX_DATAGRAM_BYTES;
    /// The smallest that may be asked for.
    pub const MIN_DATAGRAM_BYTES: usize = 256;
    /// How far a session's newest call may be ahead of its oldest that is awaited.
    pub const WINDOW: u64 = 1_024;
    /// The largest number of calls of a session that may be under way.
    pub const MAX_CALLS: u32 = 1_024;
    /// How many sessions a client has at most: a new one is opened beside another whose window is
    /// held by a slow call.
    pub const MAX_CLIENT_SESSIONS: usize = 8;

    /// The defaults: 1,200 bytes a datagram, 4,096 sessions, 256 of one address, 128 calls under
    /// way in each, 64 MiB of kept answers, sessions forgotten after 60 seconds.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long a datagram is that this side sends, between
    /// [`MIN_DATAGRAM_BYTES`](Limits::MIN_DATAGRAM_BYTES) and
    /// [`MAX_DATAGRAM_BYTES`](Limits::MAX_DATAGRAM_BYTES). Above about 1,200 bytes a network may
    /// have to cut it, and loses it whole where it loses a part.
    pub fn max_datagram_bytes(&mut self, bytes: usize) -> &mut Self {
        self.max_datagram_bytes = bytes.clamp(Self::MIN_DATAGRAM_BYTES, Self::MAX_DATAGRAM_BYTES);
        self
    }

    /// How many sessions a server holds, in all (4,096) and of one address (256; one network of
    /// 64 bits counts as one address of IPv6).
    pub fn max_sessions(&mut self, all: usize, per_address: usize) -> &mut Self {
        self.max_sessions = all;
        self.max_sessions_per_address = per_address;
        self
    }

    /// How many calls of one session may be under way; a client's further ones wait. At most
    /// [`Limits::MAX_CALLS`].
    pub fn max_calls(&mut self, calls: u32) -> &mut Self {
        self.max_calls = calls.clamp(1, Self::MAX_CALLS);
        self
    }

    /// How many bytes of answers a server keeps until their clients have them. What runs counts
    /// with a whole datagram.
    pub fn max_kept_bytes(&mut self, bytes: usize) -> &mut Self {
        self.max_kept_bytes = bytes;
        self
    }

    /// After how long without a word a server forgets a session and ends what it runs; at least
    /// [`Limits::MIN_IDLE`].
    pub fn idle_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.idle = timeout.clamp(Self::MIN_IDLE, Self::MAX_IDLE);
        self
    }

    /// The shortest time after which a session is forgotten: a client whose call runs long repeats
    /// it far more often.
    pub const MIN_IDLE: Duration = Duration::from_secs(4);
    /// The longest.
    pub const MAX_IDLE: Duration = Duration::from_secs(24 * 3600);

    /// How long an orderly end waits for the calls that still run.
    pub fn drain_timeout(&mut self, timeout: Duration) -> &mut Self {
        self.drain = timeout;
        self
    }
}
