//! How long a verb waits: not at all, for ever, or until an instant.

use crate::{Error, ErrorKind};
use std::time::{Duration, Instant};

/// How long a verb waits. Each of the four forms of a verb picks one.
///
/// ```
/// use ipc_core::Until;
/// use std::time::Duration;
/// assert_eq!(Until::after(Duration::MAX), Until::Forever);
/// assert!(matches!(Until::after(Duration::ZERO), Until::At(_)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Try once, do not wait.
    Now,
    /// Wait for ever.
    Forever,
    /// Wait until this instant of the monotonic clock.
    At(Instant),
}

impl Until {
    /// From now, for `duration`; a duration past the end of the clock is for ever.
    #[must_use]
    pub fn after(duration: Duration) -> Self {
        Instant::now()
            .checked_add(duration)
            .map_or(Self::Forever, Self::At)
    }

    /// What is left to wait: `None` is for ever, zero is not at all.
    #[must_use]
    pub fn remaining(self) -> Option<Duration> {
        match self {
            Self::Now => Some(Duration::ZERO),
            Self::Forever => None,
            Self::At(instant) => Some(instant.saturating_duration_since(Instant::now())),
        }
    }

    /// Whether no time is left: always of a try, never where one waits for ever.
    #[must_use]
    pub fn is_over(self) -> bool {
        self.remaining().is_some_and(|left| left.is_zero())
    }

    /// The error of `operation` when the wait is over: [`ErrorKind::WouldBlock`] for a try form,
    /// else [`ErrorKind::TimedOut`]. Allocates nothing.
    #[must_use]
    pub const fn over(self, operation: &'static str) -> Error {
        match self {
            Self::Now => Error::new(operation, ErrorKind::WouldBlock),
            Self::Forever | Self::At(_) => Error::new(operation, ErrorKind::TimedOut),
        }
    }
}

/// Defines the four forms of a verb that waits, each of which picks an [`Until`] and calls the
/// one method that does the work: `verb`, `try_verb`, `verb_timeout`, `verb_deadline`.
///
/// ```
/// use ipc_core::{four_forms, Error, ErrorKind, Result, Until};
///
/// struct Never;
/// impl Never {
///     four_forms! {
///         /// Receives what never comes.
///         recv / try_recv / recv_timeout / recv_deadline = recv_until(buffer: &mut [u8]) -> usize
///     }
///     fn recv_until(&self, _buffer: &mut [u8], until: Until) -> Result<usize> {
///         Err(until.over("recv"))
///     }
/// }
/// let error = Never.try_recv(&mut []).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::WouldBlock);
/// ```
#[macro_export]
macro_rules! four_forms {
    (
        $(#[$doc:meta])*
        $verb:ident / $try:ident / $timeout:ident / $deadline:ident
            = $until:ident($($arg:ident: $ty:ty),* $(,)?) -> $out:ty
    ) => {
        $(#[$doc])*
        ///
        /// Waits for ever. The other forms try once, or wait for a duration or until an instant.
        #[inline]
        pub fn $verb(&self, $($arg: $ty),*) -> $crate::Result<$out> {
            self.$until($($arg,)* $crate::Until::Forever)
        }

        #[doc = concat!(
            "[`", stringify!($verb), "`](Self::", stringify!($verb), ") without waiting."
        )]
        ///
        /// # Errors
        #[doc = concat!("As [`", stringify!($verb), "`](Self::", stringify!($verb), "), and")]
        /// [`WouldBlock`]($crate::ErrorKind::WouldBlock) where it would have to wait.
        #[inline]
        pub fn $try(&self, $($arg: $ty),*) -> $crate::Result<$out> {
            self.$until($($arg,)* $crate::Until::Now)
        }

        #[doc = concat!(
            "[`", stringify!($verb), "`](Self::", stringify!($verb), ") for at most `timeout`;"
        )]
        /// [`Duration::MAX`](std::time::Duration::MAX) is for ever.
        ///
        /// # Errors
        #[doc = concat!("As [`", stringify!($verb), "`](Self::", stringify!($verb), "), and")]
        /// [`TimedOut`]($crate::ErrorKind::TimedOut) when the time is over.
        pub fn $timeout(
            &self,
            $($arg: $ty,)*
            timeout: std::time::Duration,
        ) -> $crate::Result<$out> {
            self.$until($($arg,)* $crate::Until::after(timeout))
        }

        #[doc = concat!(
            "[`", stringify!($verb), "`](Self::", stringify!($verb),
            ") until `deadline` at the latest."
        )]
        ///
        /// # Errors
        #[doc = concat!("As [`", stringify!($verb), "`](Self::", stringify!($verb), "), and")]
        /// [`TimedOut`]($crate::ErrorKind::TimedOut) when the deadline has passed.
        pub fn $deadline(
            &self,
            $($arg: $ty,)*
            deadline: std::time::Instant,
        ) -> $crate::Result<$out> {
            self.$until($($arg,)* $crate::Until::At(deadline))
        }
    };
}
