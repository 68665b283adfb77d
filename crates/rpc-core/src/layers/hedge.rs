//! Calling a second time before the first has answered, where calling twice does nothing more.

use super::{PerMethod, Throttle};
use crate::call::{Body, Call, CallFuture, Channel, Reply};
use crate::descriptor::MethodDescriptor;
use crate::timer::Timer;
use crate::{Code, Status};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// A layer for clients that makes a call again while the first is still under way, and takes the
/// first answer: against a slow server among fast ones. Only where the contract says that a
/// method is idempotent; all other methods, and those with streams of arguments, are handed
/// through. What the others did is cancelled. A server that pushes back says when the next attempt
/// begins, or that there is none; and where a [`Throttle`] is in its lower half, there is none
/// beyond the first.
///
/// ```
/// use rpc_core::layers::Hedge;
/// use std::time::Duration;
/// let layer = Hedge::new().attempts("shop.v1.Stock/Get", 2, Duration::from_millis(20));
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Hedge {
    rules: PerMethod<Rule>,
    throttle: Throttle,
}

#[derive(Clone, Debug)]
struct Rule {
    attempts: u32,
    delay: Duration,
    non_fatal: Arc<[Code]>,
}

impl Hedge {
    /// How many attempts there are at most.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// No hedging yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so many attempts of `what` (`service/Method`, `service` or `*`), each `delay`
    /// after the one before, or at once when that has failed with `UNAVAILABLE`.
    #[must_use]
    pub fn attempts(self, what: &str, attempts: u32, delay: Duration) -> Self {
        self.policy(what, attempts, delay, [Code::Unavailable])
    }

    /// The same, with the failures after which the others may still answer.
    #[must_use]
    pub fn policy(
        mut self,
        what: &str,
        attempts: u32,
        delay: Duration,
        non_fatal: impl IntoIterator<Item = Code>,
    ) -> Self {
        let rule = Rule {
            attempts: attempts.clamp(1, Self::MAX_ATTEMPTS),
            delay,
            non_fatal: non_fatal.into_iter().collect(),
        };
        self.rules.set(what, rule);
        self
    }

    /// Draws on this bucket, which retries may draw on too; without it there is one of ten tokens
    /// of its own.
    #[must_use]
    pub fn throttle(mut self, throttle: &Throttle) -> Self {
        self.throttle = throttle.clone();
        self
    }
}

impl<C: Clone> Layer<C> for Hedge {
    type Service = Hedged<C>;
    fn layer(&self, inner: C) -> Hedged<C> {
        Hedged {
            inner,
            rule: self.clone(),
        }
    }
}

/// A channel that hedges; see [`Hedge`].
#[derive(Clone, Debug)]
pub struct Hedged<C> {
    inner: C,
    rule: Hedge,
}

impl<C: Channel + Clone + Unpin> Channel for Hedged<C> {
    fn call(&self, call: Call) -> CallFuture {
        let rule = self.rule.rules.of(call.method);
        let safe = call.method.idempotency.may_repeat();
        match (rule, &call.body) {
            (Some(rule), Body::One(_)) if safe && rule.attempts > 1 => Box::pin(Race {
                inner: self.inner.clone(),
                rule: rule.clone(),
                throttle: self.rule.throttle.clone(),
                call,
                running: Vec::new(),
                begun: 0,
                next: Some(Timer::at(Instant::now())),
                failure: None,
            }),
            _ => self.inner.call(call),
        }
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (self.rule.rules.of(method).is_none()).then_some(&self.inner as &dyn Channel)
    }
}

/// The attempts of one call.
struct Race<C> {
    inner: C,
    rule: Rule,
    throttle: Throttle,
    call: Call,
    running: Vec<CallFuture>,
    begun: u32,
    /// When the next attempt begins; never again once a server has pushed back.
    next: Option<Timer>,
    failure: Option<Status>,
}

impl<C: Channel> Race<C> {
    fn begin(&mut self) {
        let Body::One(message) = &self.call.body else {
            return;
        };
        let mut context = self.call.context.clone();
        context.set_attempt(self.begun);
        let call = Call {
            method: self.call.method,
            context,
            body: Body::One(message.clone()),
        };
        self.running.push(self.inner.call(call));
        self.begun += 1;
        let more = self.begun < self.rule.attempts;
        self.next = more.then(|| Timer::at(Instant::now() + self.rule.delay));
    }

    /// What an attempt's failure means for the call.
    fn failed(&mut self, status: Status) -> Option<Status> {
        let push_back = status.push_back_millis();
        let never = push_back == Some(Status::NEVER_AGAIN);
        let non_fatal = self.rule.non_fatal.contains(&status.code());
        let may_go_on = !(non_fatal || never) || self.throttle.failed();
        if !non_fatal {
            return Some(status);
        }
        if never || !may_go_on {
            self.next = None;
        } else if self.next.is_some() {
            // The server says when to come again, else the next attempt begins at once.
            let wait = Duration::from_millis(push_back.unwrap_or(0).into());
            self.next = Instant::now().checked_add(wait).map(Timer::at);
        }
        self.failure = Some(status);
        None
    }
}

impl<C: Channel> Future for Race<C>
where
    C: Unpin,
{
    type Output = Result<Reply, Status>;

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let mut at = 0;
            while at < this.running.len() {
                match this.running[at].as_mut().poll(task) {
                    Poll::Pending => at += 1,
                    Poll::Ready(Ok(reply)) => {
                        this.throttle.succeeded();
                        return Poll::Ready(Ok(reply));
                    }
                    Poll::Ready(Err(status)) => {
                        drop(this.running.swap_remove(at));
                        if let Some(fatal) = this.failed(status) {
                            return Poll::Ready(Err(fatal));
                        }
                    }
                }
            }
            match &mut this.next {
                Some(next) => match Pin::new(next).poll(task) {
                    Poll::Ready(()) if this.begun == 0 || this.throttle.allows() => this.begin(),
                    Poll::Ready(()) => this.next = None,
                    Poll::Pending => return Poll::Pending,
                },
                None if this.running.is_empty() => {
                    let nothing = || Status::bare(Code::Unavailable).before_running();
                    return Poll::Ready(Err(this.failure.take().unwrap_or_else(nothing)));
                }
                None => return Poll::Pending,
            }
        }
    }
}
