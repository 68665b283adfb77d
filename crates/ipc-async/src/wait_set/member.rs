//! What is in a wait set: endpoints, which it borrows, shares or only knows, and timers.

use super::slots::Name;
use super::timers::Due;
use crate::sys::EventFlags;
use ipc_core::{ErrorKind, Interest, Pollable, Rest, Until};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

/// How long an end may take to say whether it is a death, at most.
const VERDICT: Duration = Duration::from_millis(10);

pub(super) type Shared<'a> = Arc<dyn Pollable + Send + Sync + 'a>;

/// Endpoints that were looked at, to be let go where no lock is held: the set may be the last to
/// have one, and what ends then may call it.
pub(super) type Late<'a> = Vec<Source<'a>>;

/// Something to be told of, and what it is called.
#[derive(Debug)]
pub(super) struct Member<'a, K> {
    pub(super) key: K,
    pub(super) what: What<'a>,
}

#[derive(Debug)]
pub(super) enum What<'a> {
    Endpoint(Watched<'a>),
    Timer { due: Due, period: Option<Duration> },
}

/// An endpoint that is waited for.
#[derive(Debug)]
pub(super) struct Watched<'a> {
    pub(super) source: Source<'a>,
    pub(super) interest: Interest,
    /// The readiness of the descriptor by which it shows.
    pub(super) shown: EventFlags,
    /// The registration, which it may share with others.
    pub(super) post: Name,
    /// It need never be asked before a sleep.
    pub(super) plain: bool,
    /// What its descriptor shows is so.
    pub(super) truly: bool,
    /// It is to be asked before the next sleep.
    pub(super) asked: bool,
    /// It said that its descriptor will show whatever comes, and knows that we rely on that.
    pub(super) rests: bool,
    pub(super) manner: Manner,
    pub(super) role: Role,
    /// Its descriptor has shown something since it was asked last.
    pub(super) came: bool,
    /// The wait that told it last: the kernel and the endpoint itself may both say so.
    pub(super) told_by: usize,
}

/// How often an endpoint is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// As long as it is ready.
    Always,
    /// Once, and it has not been yet.
    Once,
    /// It was told, and is quiet until it is asked for again.
    Quiet,
}

/// What its readiness is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// For the caller, who may have left a tail that `payer` writes.
    Tells { payer: Option<Name> },
    /// For the tail that member `of` owes.
    Pays { of: Name },
}

/// Whose an endpoint is.
#[derive(Clone)]
pub(super) enum Source<'a> {
    Kept(Shared<'a>),
    Known(Weak<dyn Pollable + Send + Sync + 'a>),
}

impl fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kept(_) => "Kept",
            Self::Known(_) => "Known",
        })
    }
}

impl<'a> Source<'a> {
    pub(super) fn get(&self) -> Option<Shared<'a>> {
        match self {
            Self::Kept(endpoint) => Some(Arc::clone(endpoint)),
            Self::Known(endpoint) => endpoint.upgrade(),
        }
    }

    /// What `look` says of it; None where it is gone.
    pub(super) fn with<R>(
        &self,
        late: &mut Late<'a>,
        look: impl FnOnce(&dyn Pollable) -> R,
    ) -> Option<R> {
        match self {
            Self::Kept(endpoint) => Some(look(&**endpoint)),
            Self::Known(endpoint) => {
                let endpoint = endpoint.upgrade()?;
                let said = look(&*endpoint);
                late.push(Self::Kept(endpoint));
                Some(said)
            }
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(self, Self::Known(endpoint) if endpoint.strong_count() == 0)
    }

    pub(super) const fn is_known_only(&self) -> bool {
        matches!(self, Self::Known(_))
    }
}

impl<'a> Watched<'a> {
    /// Whether the kernel must be told to look once only: what may go, or is told once.
    pub(super) fn is_one_shot(&self) -> bool {
        self.source.is_known_only() || self.manner != Manner::Always
    }

    /// Whether it is of those that are asked before a sleep, and not among them.
    pub(super) fn is_to_be_asked(&self) -> bool {
        !self.plain && !self.asked && matches!(self.role, Role::Tells { .. })
    }

    /// Whether wait `wait` has told it already, or it is quiet.
    pub(super) fn is_told(&self, wait: usize) -> bool {
        self.manner == Manner::Quiet || self.told_by == wait && wait != 0
    }

    pub(super) fn note_told(&mut self, wait: usize) {
        self.told_by = wait;
        if self.manner == Manner::Once {
            self.manner = Manner::Quiet;
        }
    }

    /// Whether it is ready before a sleep. One that is armed since the last, and whose descriptor
    /// has shown nothing, is not, and need not be armed again. If it can, it then rests.
    pub(super) fn is_ready_unshown(&mut self, late: &mut Late<'a>) -> Option<bool> {
        let is_stale = std::mem::take(&mut self.came) && !self.truly;
        let (interest, rests) = (self.interest, &mut self.rests);
        self.source.with(late, |endpoint| {
            if !is_stale && rest_if_armed(endpoint, interest, rests) {
                return false;
            }
            let ready = is_ready(endpoint, interest, false);
            if !ready {
                rest_if_armed(endpoint, interest, rests);
            }
            ready
        })
    }

    /// It is to be asked again.
    pub(super) fn end_rest(&mut self, late: &mut Late<'a>) {
        if std::mem::take(&mut self.rests) {
            let end = |endpoint: &dyn Pollable| endpoint.rest(self.interest).map(Rest::end);
            self.source.with(late, end);
        }
    }

    /// Whether it is ready now; `ended` where its descriptor has ended. None where it is gone.
    pub(super) fn is_ready(&self, ended: bool, late: &mut Late<'a>) -> Option<bool> {
        self.source
            .with(late, |endpoint| is_ready(endpoint, self.interest, ended))
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        // One that rests and is there is only ever dropped where no lock is held.
        self.end_rest(&mut Late::new());
    }
}

/// Relies on the descriptor from here on, where the endpoint is armed and says if that ends;
/// whether it is armed.
fn rest_if_armed(endpoint: &dyn Pollable, interest: Interest, rests: &mut bool) -> bool {
    let Some(rest) = endpoint.rest(interest) else {
        return endpoint.is_armed(interest);
    };
    // First, so that whatever ends it after the look is said to us.
    rest.begin();
    let armed = endpoint.is_armed(interest);
    match armed {
        true => *rests = true,
        false => rest.end(),
    }
    armed
}

/// Whether there is something to tell. An endpoint that must be told of a sleep is told here, and
/// what woke it for nothing is taken, so that it does not wake again.
fn is_ready(endpoint: &dyn Pollable, interest: Interest, ended: bool) -> bool {
    if interest == Interest::Read && endpoint.has_buffered() {
        return true;
    }
    let armed = match endpoint.arm(interest) {
        Ok(armed) => armed,
        // The verb will say so.
        Err(_) => return true,
    };
    if ended && !armed {
        return true;
    }
    if !ended && !armed && endpoint.arms_anew() {
        // It has looked.
        return false;
    }
    let finds_nothing = |until| {
        let looked = endpoint.wait_ready(&[interest], until);
        looked
            .is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    };
    if !finds_nothing(Until::Now) {
        return true;
    }
    if ended {
        // The end is there, and not yet what it means: the wait for that is short.
        finds_nothing(Until::At(Instant::now() + VERDICT));
    }
    ended
}
