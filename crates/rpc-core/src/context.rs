//! What a call carries beside its message: deadline, trace, identity, metadata.

use crate::{Code, Metadata, Peer, Principal, Status, TraceContext};
use std::cell::RefCell;
use std::time::{Duration, Instant};

/// What a call carries beside its message.
///
/// [`Context::new`] inside a handler inherits what that handler's call has: a deadline a little
/// shorter, the trace, and for whom it runs. So a chain of calls keeps them without code.
///
/// ```
/// use rpc_core::Context;
/// use std::time::Duration;
/// let cx = Context::new().timeout(Duration::from_secs(2));
/// assert!(cx.remaining().unwrap() <= Duration::from_secs(2));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Context {
    deadline: Option<Instant>,
    trace: Option<TraceContext>,
    metadata: Metadata,
    principal: Option<Principal>,
    peer: Peer,
    /// Whose call this is part of, to be told to the next server.
    origin: Option<Principal>,
    attempt: u32,
    /// Made by a server for a handler: a call made with it is a nested one.
    inbound: bool,
}

thread_local! {
    static AMBIENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

impl Context {
    /// The metadata entry in which a nested call says for whom it runs.
    pub const ORIGIN: &'static str = "rpc-on-behalf-of";

    /// For a new call: inside a handler inherited from its call, else empty.
    #[must_use]
    pub fn new() -> Self {
        AMBIENT
            .with_borrow(|ambient| ambient.as_ref().map(Self::nested))
            .unwrap_or_default()
    }

    /// Empty, also inside a handler: for work that outlives the call.
    #[must_use]
    pub fn background() -> Self {
        Self::default()
    }

    /// What a binding makes for a handler.
    #[must_use]
    pub fn inbound(peer: Peer) -> Self {
        Self {
            peer,
            inbound: true,
            ..Self::default()
        }
    }

    /// For a call within the call that has this context: the deadline is strictly earlier, the
    /// trace has a new span, who began is kept; metadata is not passed on.
    #[must_use]
    pub fn nested(&self) -> Self {
        Self {
            deadline: self.deadline.map(earlier),
            trace: self.trace.map(TraceContext::child),
            origin: self.principal.clone().or_else(|| self.origin.clone()),
            ..Self::default()
        }
    }

    /// With this deadline, or the one it has, if that is earlier.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.set_deadline(deadline);
        self
    }

    /// With a deadline this far from now, or the one it has, if that is earlier.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        match Instant::now().checked_add(timeout) {
            Some(deadline) => self.deadline(deadline),
            None => self,
        }
    }

    /// As [`deadline`](Context::deadline), for a binding or a layer.
    pub fn set_deadline(&mut self, deadline: Instant) {
        self.deadline = Some(self.deadline.map_or(deadline, |own| own.min(deadline)));
    }

    /// In this trace.
    #[must_use]
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace);
        self
    }

    /// With one entry of metadata more.
    ///
    /// # Errors
    /// As [`Metadata::insert`].
    pub fn entry(mut self, name: &str, value: &[u8]) -> Result<Self, Status> {
        self.metadata.insert(name, value)?;
        Ok(self)
    }

    /// With this metadata instead, for a binding.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Says who calls, for an authentication layer.
    pub fn set_principal(&mut self, principal: Principal) {
        self.principal = Some(principal);
    }

    /// Which attempt of the same call this is, for a retry layer; the first is 0.
    pub const fn set_attempt(&mut self, attempt: u32) {
        self.attempt = attempt;
    }

    /// When the answer is of no use any more.
    #[must_use]
    pub const fn expires(&self) -> Option<Instant> {
        self.deadline
    }

    /// How long until then; zero when it has passed.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        let deadline = self.deadline?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Fails where the deadline has passed.
    ///
    /// # Errors
    /// [`Code::DeadlineExceeded`].
    pub fn check(&self) -> Result<(), Status> {
        match self.deadline {
            Some(deadline) if Instant::now() >= deadline => Err(expired()),
            _ => Ok(()),
        }
    }

    /// The trace it belongs to.
    #[must_use]
    pub const fn traced(&self) -> Option<TraceContext> {
        self.trace
    }

    /// What travels beside the message.
    #[must_use]
    pub const fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Who calls, once a layer has proven it.
    #[must_use]
    pub const fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// What the transport proves of the peer.
    #[must_use]
    pub const fn peer(&self) -> &Peer {
        &self.peer
    }

    /// For whom a nested call runs.
    #[must_use]
    pub const fn origin(&self) -> Option<&Principal> {
        self.origin.as_ref()
    }

    /// Which attempt of the same call this is; the first is 0.
    #[must_use]
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether [`outbound`](Context::outbound) would be the same.
    pub(crate) const fn is_sent_as_it_is(&self) -> bool {
        !self.inbound && self.origin.is_none()
    }

    /// The context of a call that is made with this one: a handler's own context makes nested
    /// calls.
    pub(crate) fn outbound(&self) -> Self {
        let mut context = if self.inbound {
            self.nested()
        } else {
            self.clone()
        };
        if let Some(origin) = &context.origin
            && context.metadata.get(Self::ORIGIN).is_none()
        {
            // A name beyond the limits is not told: the next server then sees the direct caller.
            let name = origin.origin().to_owned();
            let _ = context.metadata.insert(Self::ORIGIN, name.as_bytes());
        }
        context
    }

    /// Makes this the context that [`Context::new`] inherits from while `poll` runs.
    pub(crate) fn around<R>(slot: &mut Option<Self>, poll: impl FnOnce() -> R) -> R {
        struct Restore<'a>(&'a mut Option<Context>);
        impl Drop for Restore<'_> {
            fn drop(&mut self) {
                AMBIENT.with_borrow_mut(|ambient| std::mem::swap(ambient, self.0));
            }
        }
        AMBIENT.with_borrow_mut(|ambient| std::mem::swap(ambient, slot));
        let _restore = Restore(slot);
        poll()
    }
}

/// The failure of a call whose deadline has passed.
pub(crate) const fn expired() -> Status {
    Status::bare(Code::DeadlineExceeded)
}

/// A little before `deadline`, so that an answer still has time to travel: a 64th of what is
/// left, between a microsecond and five milliseconds.
fn earlier(deadline: Instant) -> Instant {
    let left = deadline.saturating_duration_since(Instant::now());
    let margin = (left / 64).clamp(Duration::from_micros(1), Duration::from_millis(5));
    deadline.checked_sub(margin).unwrap_or(deadline)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_deadline_is_never_lengthened() {
        let now = Instant::now();
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(9));
        let cx = Context::background().deadline(soon).deadline(late);
        assert_eq!(cx.expires(), Some(soon));
        assert_eq!(
            cx.timeout(Duration::MAX).expires(),
            Some(soon),
            "for ever changes nothing"
        );
    }

    #[test]
    fn three_hops_strictly_shrink_and_keep_trace_and_origin() {
        let mut cx = Context::inbound(Peer::Inproc).timeout(Duration::from_secs(10));
        cx = cx.trace(TraceContext::root());
        cx.set_principal(Principal::new("ann", ["clerk"]));
        let mut hop = cx.clone();
        for _ in 0..3 {
            let mut slot = Some(hop.clone());
            let next = Context::around(&mut slot, Context::new);
            assert!(next.expires() < hop.expires());
            let (a, b) = (
                next.traced().expect("traced"),
                hop.traced().expect("traced"),
            );
            assert!(a.trace_id == b.trace_id && a.span_id != b.span_id);
            assert_eq!(next.origin().map(Principal::origin), Some("ann"));
            hop = next;
        }
        assert!(Context::new().expires().is_none(), "outside of a handler");
    }
}
