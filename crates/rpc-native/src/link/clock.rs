//! What the clock demands of a connection: a greeting, whole frames, an answer, each in its time.

use super::Link;
use crate::frame::{self, Kind};
use bytes::BufMut;
use rpc_core::{Code, Status};
use std::time::Instant;

impl Link {
    /// When [`tick`](Link::tick) wants to be called, if nothing comes before.
    pub(crate) fn wakes(&self) -> Option<Instant> {
        if self.ended.is_some() {
            return None;
        }
        let mut earliest = None;
        let mut or_at = |at: Option<Instant>| {
            earliest = match (earliest, at) {
                (Some(a), Some(b)) => Some(std::cmp::min::<Instant>(a, b)),
                (a, b) => a.or(b),
            };
        };
        if self.theirs.is_none() {
            or_at(self.began.checked_add(self.limits.handshake));
        }
        or_at(
            self.partial_since
                .and_then(|at| at.checked_add(self.limits.frame)),
        );
        match self.asked {
            Some(at) => or_at(at.checked_add(self.limits.keep_alive_answer)),
            None => or_at(
                self.limits
                    .keep_alive
                    .and_then(|every| self.last_heard.checked_add(every)),
            ),
        }
        earliest
    }

    /// Does what the clock demands.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.wakes().is_none_or(|at| now < at) {
            return;
        }
        let over = |since: Option<Instant>, limit| {
            since.is_some_and(|at: Instant| now.saturating_duration_since(at) >= limit)
        };
        let late = if self.theirs.is_none() && over(Some(self.began), self.limits.handshake) {
            Some("the greeting took too long")
        } else if over(self.partial_since, self.limits.frame) {
            Some("a frame took too long")
        } else if over(self.asked, self.limits.keep_alive_answer) {
            Some("the peer does not answer")
        } else {
            None
        };
        if let Some(late) = late {
            self.end(Status::new(Code::Unavailable, late));
        } else if self.asked.is_none() {
            self.asked = Some(now);
            frame::begin(&mut self.output, Kind::Ping, 0, 0, |out| out.put_u64_le(0));
        }
    }
}
