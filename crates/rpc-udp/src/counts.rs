//! What a server has counted since it began.

/// What a server has counted since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Packets that are none of this protocol, or none that a client sends: dropped.
    pub malformed: u64,
    /// Requests for sessions with a proof that is too old or not ours: dropped.
    pub unproven: u64,
    /// Calls of sessions that are not known (any more), or not at that address: not run.
    pub unknown_sessions: u64,
    /// Calls below the floor of their session, or beyond its window: not run.
    pub outside: u64,
    /// Calls that had come before: not run again.
    pub duplicates: u64,
    /// Sessions and calls refused for a limit.
    pub refused: u64,
    /// Sessions made.
    pub sessions: u64,
    /// Calls begun.
    pub calls: u64,
}
