//! Policies around calls, each a `tower` layer, each decided by the method that is called.
//!
//! A layer that has nothing to say of a method hands the call through: it costs a look at the
//! descriptor. Layers stand around a [`Channel`](crate::Channel), on the client's side or the
//! server's; [`Tower`](crate::Tower) adapts services of the `tower` ecosystem.

mod authenticate;
mod authorize;
mod concurrency;
mod deadlines;
mod hedge;
mod rate;
mod retry;
mod spans;
mod statistics;

pub use authenticate::{Authenticate, Authenticated};
pub use authorize::{Authorize, Authorized};
pub use concurrency::{Concurrency, Limited};
pub use deadlines::{Bounded, Deadlines};
pub use hedge::{Hedge, Hedged};
pub use rate::{Rate, RateLimited};
pub use retry::{Retried, Retry, RetryPolicy};
pub use spans::{Spanned, Spans};
pub use statistics::{Counted, MethodStatistics, Statistics};

use crate::descriptor::MethodDescriptor;
use std::collections::HashMap;

/// What holds for each method: `service/Method`, then `service`, then everything.
#[derive(Clone, Debug)]
pub(crate) struct PerMethod<T> {
    rules: HashMap<String, T>,
    all: Option<T>,
}

impl<T> Default for PerMethod<T> {
    fn default() -> Self {
        Self {
            rules: HashMap::new(),
            all: None,
        }
    }
}

impl<T> PerMethod<T> {
    pub(crate) fn set(&mut self, what: &str, rule: T) {
        match what {
            "*" => self.all = Some(rule),
            _ => {
                self.rules.insert(what.to_owned(), rule);
            }
        }
    }

    pub(crate) fn of(&self, method: &MethodDescriptor) -> Option<&T> {
        if self.rules.is_empty() {
            return self.all.as_ref();
        }
        // Names in a contract are ASCII identifiers and dots: what is compared is what was sent.
        let full = || format!("{}/{}", method.service, method.name);
        self.rules
            .get(&full())
            .or_else(|| self.rules.get(method.service))
            .or(self.all.as_ref())
    }
}
