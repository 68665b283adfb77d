//! Waiting until a try form of a registered endpoint answers, as a future and as a poll function.

use crate::looking::{self, Looking};
use crate::registration::{Registration, writable_once};
use crate::runtime::{Runtime, Seen, Watch};
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, Until};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context as Task, Poll, ready};

/// An endpoint with its registration; what writes its tails shares it.
#[derive(Debug)]
pub(crate) struct Shared<T, R: Runtime> {
    pub(crate) registration: Registration<T, R>,
    pub(crate) runtime: R,
    /// A task is paying what the endpoint owes.
    pub(crate) paying: AtomicBool,
    /// A poll function's looks before it sleeps.
    pub(crate) looking: Looking,
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Shared<T, R> {
    pub(crate) fn poll_ready<V>(
        self: &Arc<Self>,
        task: &mut Task<'_>,
        interest: Interest,
        attempt: &mut impl FnMut(&T) -> Result<V>,
    ) -> Poll<Result<V>> {
        let endpoint = self.registration.endpoint();
        let watched = self.registration.of(interest);
        if tries_first(endpoint, interest) {
            ready!(self.poll_turn(task));
            match attempt(endpoint) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => {
                    self.looking.begin_anew();
                    return Poll::Ready(outcome);
                }
            }
        }
        let mut may_hold = true;
        loop {
            let mut buffered = interest == Interest::Read && endpoint.has_buffered();
            if !buffered && interest == Interest::Read {
                buffered = ready!(self.looking.poll(task, endpoint, &self.runtime));
            }
            if !buffered && let Some(watched) = watched {
                may_hold &= !forget_earlier(task, watched, endpoint, interest);
            }
            // A task that is polled often finds that nothing has happened, which costs no call.
            let holds = std::mem::take(&mut may_hold) && !buffered && watched.is_some();
            let holds = holds && endpoint.is_undisturbed(interest);
            if !holds && (buffered || endpoint.arm(interest)?) {
                ready!(self.poll_turn(task));
                match attempt(endpoint) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    outcome => {
                        self.looking.begin_anew();
                        return Poll::Ready(outcome);
                    }
                }
                if endpoint.arm(interest)? {
                    let (shared, waker) = (Arc::clone(self), task.waker().clone());
                    self.runtime.spawn(async move {
                        shared.settle(interest).await;
                        waker.wake();
                    });
                    return Poll::Pending;
                }
            }
            let Some(watched) = watched else {
                // The caller waits for room in another way.
                return Poll::Pending;
            };
            let seen = watched.poll_ready(task, endpoint.shown_by(interest));
            let mut guard = ready!(seen).map_err(shutting_down)?;
            match attempt(endpoint) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.forget(),
                outcome => {
                    self.looking.begin_anew();
                    return Poll::Ready(outcome);
                }
            }
        }
    }

    /// [`take_turn`](Runtime::take_turn) for poll functions.
    pub(crate) fn poll_turn(&self, task: &mut Task<'_>) -> Poll<()> {
        pin!(self.runtime.take_turn()).poll(task)
    }

    pub(crate) async fn ready<V>(
        self: &Arc<Self>,
        interest: Interest,
        mut attempt: impl FnMut(&T) -> Result<V>,
    ) -> Result<V> {
        let endpoint = self.registration.endpoint();
        let watched = self.registration.of(interest);
        let mut may_look = interest == Interest::Read;
        if tries_first(endpoint, interest) {
            self.runtime.take_turn().await;
            match attempt(endpoint) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return outcome,
            }
        }
        loop {
            // What is buffered makes no descriptor ready.
            let mut buffered = interest == Interest::Read && endpoint.has_buffered();
            if !buffered && std::mem::take(&mut may_look) {
                buffered = looking::look(endpoint, &self.runtime).await;
            }
            if !buffered && let Some(watched) = watched {
                poll_fn(|task| {
                    forget_earlier(task, watched, endpoint, interest);
                    Poll::Ready(())
                })
                .await;
            }
            if buffered || endpoint.arm(interest)? {
                self.runtime.take_turn().await;
                match attempt(endpoint) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    outcome => return outcome,
                }
                if endpoint.arm(interest)? {
                    self.settle(interest).await;
                    continue;
                }
            }
            let Some(watched) = watched else {
                self.runtime.take_turn().await;
                match attempt(endpoint) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.room().await?,
                    outcome => return outcome,
                }
                continue;
            };
            let seen = watched.ready(endpoint.shown_by(interest)).await;
            let mut guard = seen.map_err(shutting_down)?;
            match attempt(endpoint) {
                // Only readiness seen before the attempt is forgotten: what came since is kept.
                Err(error) if error.kind() == ErrorKind::WouldBlock => guard.forget(),
                outcome => return outcome,
            }
        }
    }
}

impl<T: Pollable + Send + Sync + 'static, R: Runtime> Shared<T, R> {
    /// Waits for room by a registration of this wait's own, which begins with what the kernel
    /// says now, so that none is missed.
    pub(crate) async fn room(self: &Arc<Self>) -> Result<()> {
        let endpoint = self.registration.endpoint();
        match endpoint.descriptor(Interest::Write).try_clone_to_owned() {
            Ok(descriptor) => writable_once(&self.runtime, descriptor).await,
            // There are no descriptors left.
            Err(_) => {
                self.settle(Interest::Write).await;
                Ok(())
            }
        }
    }

    /// No readiness will tell of what the endpoint waits for. Where it can go on at once, the
    /// other tasks have their turn; where it is undecided for a moment, as a watched peer's end
    /// is, a thread of the runtime's pool waits for the endpoint itself to say.
    #[cold]
    async fn settle(self: &Arc<Self>, interest: Interest) {
        let endpoint = self.registration.endpoint();
        if endpoint.wait_ready(&[interest], Until::Now).is_ok() {
            return self.runtime.give_way().await;
        }
        let shared = Arc::clone(self);
        let waiting = move || {
            let endpoint = shared.registration.endpoint();
            endpoint.wait_ready(&[interest], Until::Forever)
        };
        // Whatever came of it, the next attempt says.
        let _ = self.runtime.unblock(waiting).await;
    }
}

/// There mostly is room, and to arm for it would have the peer tell of it.
fn tries_first(endpoint: &impl Pollable, interest: Interest) -> bool {
    interest == Interest::Write && endpoint.arms_anew()
}

/// Arming finds whatever a readiness that was seen before told of. Whether one was.
fn forget_earlier<T: Pollable>(
    task: &mut Task<'_>,
    watched: &impl Watch,
    endpoint: &T,
    interest: Interest,
) -> bool {
    if endpoint.arms_anew()
        && let Poll::Ready(Ok(mut seen)) = watched.poll_ready(task, endpoint.shown_by(interest))
    {
        seen.forget();
        return true;
    }
    false
}

#[cold]
pub(crate) fn shutting_down(source: std::io::Error) -> Error {
    Error::new("wait", ErrorKind::Closed)
        .hint("the runtime is shutting down")
        .caused_by(source)
}
