//! What keeps further attempts from feeding an overload: a bucket of tokens, as gRFC A6 has it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bucket of tokens that retries and hedges of one server draw on; clones are the same bucket.
///
/// A failure takes one token, a success gives back a part of one, and in the lower half there are
/// no further attempts.
///
/// ```
/// use rpc_core::layers::{Hedge, Retry, Throttle};
/// let throttle = Throttle::new(10, 0.1);
/// let (retry, hedge) = (Retry::new().throttle(&throttle), Hedge::new().throttle(&throttle));
/// # let _ = (retry, hedge);
/// ```
#[derive(Clone, Debug)]
pub struct Throttle {
    max: f64,
    ratio: f64,
    tokens: Arc<Mutex<f64>>,
}

impl Default for Throttle {
    fn default() -> Self {
        Self::new(10, 0.1)
    }
}

impl Throttle {
    /// A full bucket of so many tokens (1 to 1,000), and what a success gives back (0 to 1).
    #[must_use]
    pub fn new(tokens: u32, ratio: f64) -> Self {
        let max = f64::from(tokens.clamp(1, 1000));
        Self {
            max,
            ratio: ratio.clamp(0.0, 1.0),
            tokens: Arc::new(Mutex::new(max)),
        }
    }

    /// Whether a further attempt may be made now.
    #[must_use]
    pub fn allows(&self) -> bool {
        *self.tokens() > self.max / 2.0
    }

    /// Takes a token; whether a further attempt may still be made.
    pub(crate) fn failed(&self) -> bool {
        let mut tokens = self.tokens();
        *tokens = (*tokens - 1.0).max(0.0);
        *tokens > self.max / 2.0
    }

    pub(crate) fn succeeded(&self) {
        let mut tokens = self.tokens();
        *tokens = (*tokens + self.ratio).min(self.max);
    }

    fn tokens(&self) -> MutexGuard<'_, f64> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
