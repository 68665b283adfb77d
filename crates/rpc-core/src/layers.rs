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
mod throttle;

pub use authenticate::{Authenticate, Authenticated};
pub use authorize::{Authorize, Authorized};
pub use concurrency::{Concurrency, Limited};
pub use deadlines::{Bounded, Deadlines};
pub use hedge::{Hedge, Hedged};
pub use rate::{Rate, RateLimited};
pub use retry::{Retried, Retry, RetryPolicy};
pub use spans::{Spanned, Spans};
pub use statistics::{Counted, MethodStatistics, Statistics};
pub use throttle::Throttle;

use crate::descriptor::{MethodDescriptor, method_id};

/// What holds for each method: `service/Method`, then `service`, then everything.
///
/// A method of which nothing is said must cost next to nothing, though much is said of others: it
/// is looked for by its number, and no text is made.
#[derive(Clone, Debug)]
pub(crate) struct PerMethod<T> {
    /// Sorted by the method's number.
    methods: Vec<MethodRule<T>>,
    /// A bit for each method of which something is said, so that the others are told apart at a
    /// glance; all bits where something is said of a service, or of everything.
    seen: u64,
    services: Vec<(String, T)>,
    all: Option<T>,
}

#[derive(Clone, Debug)]
struct MethodRule<T> {
    id: u32,
    service: String,
    name: String,
    rule: T,
}

impl<T> Default for PerMethod<T> {
    fn default() -> Self {
        Self {
            methods: Vec::new(),
            seen: 0,
            services: Vec::new(),
            all: None,
        }
    }
}

impl<T> PerMethod<T> {
    pub(crate) fn set(&mut self, what: &str, rule: T) {
        if what == "*" {
            self.seen = u64::MAX;
            self.all = Some(rule);
        } else if let Some((service, name)) = what.split_once('/') {
            let same = |rule: &MethodRule<T>| rule.service == service && rule.name == name;
            self.methods.retain(|rule| !same(rule));
            let id = method_id(name);
            let at = self.methods.partition_point(|rule| rule.id < id);
            let (service, name) = (service.to_owned(), name.to_owned());
            let rule = MethodRule {
                id,
                service,
                name,
                rule,
            };
            self.methods.insert(at, rule);
            self.seen |= 1 << (id % 64);
        } else {
            self.seen = u64::MAX;
            self.services.retain(|(service, _)| service != what);
            self.services.push((what.to_owned(), rule));
        }
    }

    #[inline]
    pub(crate) fn of(&self, method: &MethodDescriptor) -> Option<&T> {
        match self.seen & (1 << (method.id % 64)) {
            0 => None,
            _ => self.search(method),
        }
    }

    fn search(&self, method: &MethodDescriptor) -> Option<&T> {
        let first = self.methods.partition_point(|rule| rule.id < method.id);
        let mut own = self.methods[first..]
            .iter()
            .take_while(|rule| rule.id == method.id);
        if let Some(own) =
            own.find(|rule| rule.service == method.service && rule.name == method.name)
        {
            return Some(&own.rule);
        }
        // Names in a contract are ASCII identifiers and dots: what is compared is what was sent.
        let services = &mut self.services.iter();
        match services.find(|(service, _)| service == method.service) {
            Some((_, rule)) => Some(rule),
            None => self.all.as_ref(),
        }
    }
}
