//! The suite that all channels share: the verbs, their four forms, and what a user may rely on.

mod claims;
mod table;

pub use self::claims::*;
pub use self::table::*;

use ipc_core::{Result, TryRecv, TrySend};
use std::time::{Duration, Instant};

/// A channel as the suite sees it. [`conformance!`](crate::conformance!) implements it by calling
/// the verbs by name, so that a channel with a stray verb does not compile.
pub trait Channel {
    /// The end to send into.
    type Tx: TrySend + Send + Sync + 'static;
    /// The end to receive from.
    type Rx: TryRecv + Send + Sync + 'static;
    /// Whether the end of one side shows at the other.
    const ENDS: bool;
    /// Whether the sender's own host knows that the receiver is gone, so that the next send says
    /// so; over a network a later one does, and room shows late as well.
    const ENDS_AT_ONCE: bool;
    /// Whether an end lives for as long as any process has its descriptor, though the value that
    /// it came from is dropped.
    const HELD_BY_DESCRIPTOR: bool = true;
    /// Whether one send is one receive.
    const MESSAGES: bool;

    /// A fresh channel.
    fn pair() -> (Self::Tx, Self::Rx);
    /// `send`.
    #[allow(missing_docs)]
    fn send(tx: &Self::Tx, message: &[u8]) -> Result<()>;
    #[allow(missing_docs)]
    fn try_send(tx: &Self::Tx, message: &[u8]) -> Result<()>;
    #[allow(missing_docs)]
    fn send_timeout(tx: &Self::Tx, message: &[u8], timeout: Duration) -> Result<()>;
    #[allow(missing_docs)]
    fn send_deadline(tx: &Self::Tx, message: &[u8], deadline: Instant) -> Result<()>;
    #[allow(missing_docs)]
    fn recv(rx: &Self::Rx, buffer: &mut [u8]) -> Result<usize>;
    #[allow(missing_docs)]
    fn try_recv(rx: &Self::Rx, buffer: &mut [u8]) -> Result<usize>;
    #[allow(missing_docs)]
    fn recv_timeout(rx: &Self::Rx, buffer: &mut [u8], timeout: Duration) -> Result<usize>;
    #[allow(missing_docs)]
    fn recv_deadline(rx: &Self::Rx, buffer: &mut [u8], deadline: Instant) -> Result<usize>;
    /// Writes what is owed, where the channel can owe anything.
    fn try_flush(tx: &Self::Tx) -> Result<()>;
}

/// Puts a channel through the suite, as tests in a module `name`.
///
/// `unit` is `bytes` or `messages`; `flush` says whether the sender can owe a tail and so has
/// the flush verbs; `ends` whether the end of one side shows at the other (`later`: to a sender not
/// at its next send, but at one soon after; `by_process`: an end is more than a descriptor, and so
/// what a death does is the crate's own test); `send_with` what a channel's `send` takes besides
/// the message, such as a priority.
///
/// ```text
/// ipc_testkit::conformance! {
///     mod bytes {
///         pair: ipc_pipe::pair() => (ipc_pipe::Sender, ipc_pipe::Receiver),
///         unit: bytes, flush: yes, ends: yes,
///     }
/// }
/// ```
#[macro_export]
macro_rules! conformance {
    (
        mod $name:ident {
            pair: $pair:expr => ($tx:ty, $rx:ty),
            unit: $unit:ident, flush: $flush:ident, ends: $ends:ident
            $(, send_with: $also:expr)? $(,)?
        }
    ) => {
        mod $name {
            #[allow(unused_imports)]
            use super::*;
            use $crate::conformance as suite;

            struct Subject;

            impl suite::Channel for Subject {
                type Tx = $tx;
                type Rx = $rx;
                const ENDS: bool = $crate::conformance!(@bool $ends);
                const ENDS_AT_ONCE: bool = $crate::conformance!(@at_once $ends);
                const HELD_BY_DESCRIPTOR: bool = $crate::conformance!(@held $ends);
                const MESSAGES: bool = $crate::conformance!(@unit $unit);

                fn pair() -> (Self::Tx, Self::Rx) {
                    $pair.expect("a channel")
                }
                fn send(tx: &Self::Tx, message: &[u8]) -> suite::Outcome<()> {
                    tx.send(message $(, $also)?)
                }
                fn try_send(tx: &Self::Tx, message: &[u8]) -> suite::Outcome<()> {
                    tx.try_send(message $(, $also)?)
                }
                fn send_timeout(
                    tx: &Self::Tx, message: &[u8], timeout: std::time::Duration,
                ) -> suite::Outcome<()> {
                    tx.send_timeout(message $(, $also)?, timeout)
                }
                fn send_deadline(
                    tx: &Self::Tx, message: &[u8], deadline: std::time::Instant,
                ) -> suite::Outcome<()> {
                    tx.send_deadline(message $(, $also)?, deadline)
                }
                fn recv(rx: &Self::Rx, buffer: &mut [u8]) -> suite::Outcome<usize> {
                    rx.recv(buffer)
                }
                fn try_recv(rx: &Self::Rx, buffer: &mut [u8]) -> suite::Outcome<usize> {
                    rx.try_recv(buffer)
                }
                fn recv_timeout(
                    rx: &Self::Rx, buffer: &mut [u8], timeout: std::time::Duration,
                ) -> suite::Outcome<usize> {
                    rx.recv_timeout(buffer, timeout)
                }
                fn recv_deadline(
                    rx: &Self::Rx, buffer: &mut [u8], deadline: std::time::Instant,
                ) -> suite::Outcome<usize> {
                    rx.recv_deadline(buffer, deadline)
                }
                fn try_flush(_tx: &Self::Tx) -> suite::Outcome<()> {
                    $crate::conformance!(@flush $flush _tx)
                }
            }

            $crate::conformance!(@tests
                every_form_sends_and_receives
                an_empty_channel_makes_no_form_wait_too_short
                a_message_wakes_a_waiting_receiver
                a_full_channel_says_so_and_loses_nothing
                room_wakes_a_waiting_sender
                the_end_shows_after_the_last_message
                a_missing_receiver_is_an_error_and_no_signal
                a_killed_sender_ends_the_channel
                a_killed_receiver_ends_the_channel
                a_storm_of_signals_changes_nothing
                nothing_is_allocated_per_message
                descriptors_are_above_stdio_and_close_on_exec
                a_timed_out_error_is_as_cheap_as_a_try
            );
        }
    };
    (@tests $($test:ident)*) => {$(
        #[test]
        fn $test() {
            fn here() {}
            suite::$test::<Subject>(std::any::type_name_of_val(&here));
        }
    )*};
    (@bool yes) => { true };
    (@bool later) => { true };
    (@bool by_process) => { true };
    (@bool no) => { false };
    (@at_once later) => { false };
    (@at_once $ends:ident) => { true };
    (@held by_process) => { false };
    (@held $ends:ident) => { true };
    (@unit messages) => { true };
    (@unit bytes) => { false };
    (@flush yes $tx:ident) => { $tx.try_flush() };
    (@flush no $tx:ident) => { Ok(()) };
}

/// The result of a verb.
pub type Outcome<T> = Result<T>;
