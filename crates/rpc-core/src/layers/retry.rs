//! Calling again, as gRFC A6 has it, and only where that cannot run a method twice.

use super::{PerMethod, Throttle};
use crate::call::{Body, Call, CallFuture, Channel, Reply};
use crate::descriptor::MethodDescriptor;
use crate::timer::sleep_until;
use crate::{Code, Status};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tower_layer::Layer;

/// A layer for clients that calls again when a call failed for a while.
///
/// A method that is not idempotent is called again only where it provably did not run. A call is
/// committed, and never made again, once a stream of answers has begun or arguments are a stream.
/// The server's push-back is heeded. A bucket of tokens, shared by all calls through the layer,
/// keeps retries from feeding an overload: a failure takes one token, a success gives back a
/// tenth, and in the lower half there are no retries.
///
/// ```
/// use rpc_core::layers::Retry;
/// let layer = Retry::new().attempts("*", 3);
/// # let _ = layer;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Retry {
    rules: PerMethod<Rule>,
    all: RetryPolicy,
    throttle: Throttle,
}

/// When and how often a call is made again.
#[derive(Clone, Debug, PartialEq)]
pub struct RetryPolicy {
    /// How many attempts there are at most; no more than [`Retry::MAX_ATTEMPTS`].
    pub attempts: u32,
    /// After which failures.
    pub codes: Arc<[Code]>,
    /// How long to wait before the second attempt at most; each wait is random below a limit.
    pub first_backoff: Duration,
    /// How long to wait at most.
    pub max_backoff: Duration,
    /// What the limit grows by with each attempt.
    pub multiplier: f64,
}

/// What is said of a method.
#[derive(Clone, Debug)]
enum Rule {
    /// How often, and else as for all.
    Attempts(u32),
    Policy(RetryPolicy),
}

impl Rule {
    /// Whether the method is ever called again.
    const fn repeats(&self) -> bool {
        match self {
            Self::Attempts(attempts) => *attempts > 1,
            Self::Policy(policy) => policy.attempts > 1,
        }
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 1,
            codes: [Code::Unavailable].into(),
            first_backoff: Duration::from_millis(10),
            max_backoff: Duration::from_secs(1),
            multiplier: 2.0,
        }
    }
}

impl Retry {
    /// How many attempts there are at most.
    pub const MAX_ATTEMPTS: u32 = 5;

    /// No retries yet: name the methods with [`attempts`](Retry::attempts).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// At most so many attempts of `what`: `service/Method`, `service` or `*`; no more than
    /// [`Retry::MAX_ATTEMPTS`].
    #[must_use]
    pub fn attempts(mut self, what: &str, attempts: u32) -> Self {
        let attempts = attempts.clamp(1, Self::MAX_ATTEMPTS);
        self.rules.set(what, Rule::Attempts(attempts));
        self
    }

    /// The whole policy of `what`: `service/Method`, `service` or `*`. It stands before what is
    /// said for all methods.
    #[must_use]
    pub fn policy(mut self, what: &str, policy: RetryPolicy) -> Self {
        self.rules.set(what, Rule::Policy(policy));
        self
    }

    /// After which failures; `UNAVAILABLE` if this is not said.
    #[must_use]
    pub fn codes(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.all.codes = codes.into_iter().collect();
        self
    }

    /// How long to wait before the second attempt, and at most; each wait is random between
    /// nothing and a limit that doubles.
    #[must_use]
    pub fn backoff(mut self, first: Duration, max: Duration) -> Self {
        (self.all.first_backoff, self.all.max_backoff) = (first, max);
        self
    }

    /// How many tokens the bucket holds, and what a success gives back.
    #[must_use]
    pub fn budget(mut self, tokens: u32, ratio: f64) -> Self {
        self.throttle = Throttle::new(tokens, ratio);
        self
    }

    /// Draws on this bucket, which others may draw on too.
    #[must_use]
    pub fn throttle(mut self, throttle: &Throttle) -> Self {
        self.throttle = throttle.clone();
        self
    }

    fn of(&self, method: &MethodDescriptor) -> RetryPolicy {
        let mut policy = match self.rules.of(method) {
            Some(Rule::Policy(policy)) => policy.clone(),
            Some(Rule::Attempts(attempts)) => RetryPolicy {
                attempts: *attempts,
                ..self.all.clone()
            },
            None => self.all.clone(),
        };
        policy.attempts = policy.attempts.min(Self::MAX_ATTEMPTS);
        policy
    }

    /// How long to wait before another attempt; `None` where there is none.
    fn next(&self, call: &Attempt, failure: &Status) -> Option<Duration> {
        let push_back = failure.push_back_millis();
        let never = push_back == Some(Status::NEVER_AGAIN);
        // Every failure of these codes takes a token, so that all of them are within the budget,
        // and so does a server that wants no further attempt.
        let counts = never || call.policy.codes.contains(&failure.code());
        if !counts || !self.throttle.failed() || never {
            return None;
        }
        let safe = call.may_repeat || failure.did_not_run();
        if !safe || call.number + 1 >= call.policy.attempts {
            return None;
        }
        if let Some(millis) = push_back {
            return Some(Duration::from_millis(u64::from(millis)));
        }
        let exponent = i32::try_from(call.number.min(16)).unwrap_or(16);
        let growth = call.policy.multiplier.clamp(1.0, 10.0).powi(exponent);
        let limit = call.policy.first_backoff.as_secs_f64() * growth;
        let limit = limit.min(call.policy.max_backoff.as_secs_f64());
        Some(random_below(
            Duration::try_from_secs_f64(limit).unwrap_or_default(),
        ))
    }
}

fn random_below(limit: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8);
    #[allow(clippy::cast_precision_loss)]
    let part = random as f64 / u64::MAX as f64;
    limit.mul_f64(part)
}

struct Attempt {
    number: u32,
    policy: RetryPolicy,
    may_repeat: bool,
}

impl<C: Clone> Layer<C> for Retry {
    type Service = Retried<C>;
    fn layer(&self, inner: C) -> Retried<C> {
        Retried {
            inner,
            rule: self.clone(),
        }
    }
}

/// A channel that calls again; see [`Retry`].
#[derive(Clone, Debug)]
pub struct Retried<C> {
    inner: C,
    rule: Retry,
}

impl<C: Channel + Clone> Channel for Retried<C> {
    #[inline]
    fn call(&self, call: Call) -> CallFuture {
        match self.rule.rules.of(call.method) {
            Some(rule) if rule.repeats() && matches!(call.body, Body::One(_)) => {
                self.repeatedly(call)
            }
            _ => self.inner.call(call),
        }
    }

    fn behind(&self, method: &'static MethodDescriptor) -> Option<&dyn Channel> {
        (!self
            .rule
            .rules
            .of(method)
            .is_some_and(|rule| rule.repeats()))
        .then_some(&self.inner as &dyn Channel)
    }
}

impl<C: Channel + Clone> Retried<C> {
    fn repeatedly(&self, call: Call) -> CallFuture {
        let method = call.method;
        let Body::One(message) = &call.body else {
            return self.inner.call(call);
        };
        let (message, deadline) = (message.clone(), call.context.expires());
        let context = call.context;
        let attempt = move |number| {
            let mut context = context.clone();
            context.set_attempt(number);
            let body = Body::One(message.clone());
            Call {
                method,
                context,
                body,
            }
        };
        let this = self.clone();
        Box::pin(async move {
            let mut state = Attempt {
                number: 0,
                policy: this.rule.of(method),
                may_repeat: method.idempotency.may_repeat(),
            };
            let mut outcome: Result<Reply, Status> = this.inner.call(attempt(0)).await;
            loop {
                let failure = match outcome {
                    Ok(reply) => {
                        this.rule.throttle.succeeded();
                        return Ok(reply);
                    }
                    Err(failure) => failure,
                };
                let Some(wait) = this.rule.next(&state, &failure) else {
                    return Err(failure);
                };
                let at = Instant::now() + wait;
                // No time for another attempt: what is known now is the better answer.
                if deadline.is_some_and(|deadline| at >= deadline) {
                    return Err(failure);
                }
                sleep_until(at).await;
                state.number += 1;
                outcome = this.inner.call(attempt(state.number)).await;
            }
        })
    }
}
