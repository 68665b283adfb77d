//! TLS streams go through the claims of the suite that do not look below the endpoint.

use super::authority::both_sides;
use ipc_core::{Framed, Result};
use ipc_net::{Options, tls};
use ipc_testkit::conformance::{self as suite, Channel};
use std::time::{Duration, Instant};

/// Two streams whose handshake is made.
pub(super) fn pair() -> Result<(tls::Stream, tls::Stream)> {
    let mut options = Options::new();
    options
        .send_buffer_bytes(65_536)
        .receive_buffer_bytes(65_536);
    let (left, right) = options.pair()?;
    let (server, client) = both_sides();
    let (client, server) = (client.begin("server.test", left)?, server.begin(right)?);
    std::thread::scope(|scope| {
        let shaking = scope.spawn(|| server.handshake());
        client.handshake()?;
        shaking.join().expect("no panic")
    })?;
    Ok((client, server))
}

/// Implements the suite's view of a channel, and runs those of its claims that hold for every
/// channel: a killed process cannot hold up a TLS stream whose state is here, and the engine
/// allocates.
macro_rules! claims {
    ($name:ident, $end:ty, $messages:literal, $pair:expr, $($claim:ident)*) => {
        mod $name {
            use super::*;

            struct Subject;

            impl Channel for Subject {
                type Tx = $end;
                type Rx = $end;
                const ENDS: bool = true;
                const ENDS_AT_ONCE: bool = false;
                const MESSAGES: bool = $messages;
                fn pair() -> ($end, $end) {
                    $pair.expect("a channel")
                }
                fn send(tx: &$end, message: &[u8]) -> Result<()> {
                    tx.send(message)
                }
                fn try_send(tx: &$end, message: &[u8]) -> Result<()> {
                    tx.try_send(message)
                }
                fn send_timeout(tx: &$end, message: &[u8], timeout: Duration) -> Result<()> {
                    tx.send_timeout(message, timeout)
                }
                fn send_deadline(tx: &$end, message: &[u8], deadline: Instant) -> Result<()> {
                    tx.send_deadline(message, deadline)
                }
                fn recv(rx: &$end, buffer: &mut [u8]) -> Result<usize> {
                    rx.recv(buffer)
                }
                fn try_recv(rx: &$end, buffer: &mut [u8]) -> Result<usize> {
                    rx.try_recv(buffer)
                }
                fn recv_timeout(rx: &$end, buffer: &mut [u8], timeout: Duration) -> Result<usize> {
                    rx.recv_timeout(buffer, timeout)
                }
                fn recv_deadline(rx: &$end, buffer: &mut [u8], deadline: Instant) -> Result<usize> {
                    rx.recv_deadline(buffer, deadline)
                }
                fn try_flush(tx: &$end) -> Result<()> {
                    tx.try_flush()
                }
            }

            $(#[test]
            fn $claim() {
                fn here() {}
                suite::$claim::<Subject>(std::any::type_name_of_val(&here));
            })*
        }
    };
}

claims! {
    streams, tls::Stream, false, pair(),
    every_form_sends_and_receives
    an_empty_channel_makes_no_form_wait_too_short
    a_message_wakes_a_waiting_receiver
    a_full_channel_says_so_and_loses_nothing
    room_wakes_a_waiting_sender
    the_end_shows_after_the_last_message
    a_missing_receiver_is_an_error_and_no_signal
    a_storm_of_signals_changes_nothing
    descriptors_are_above_stdio_and_close_on_exec
    a_timed_out_error_is_as_cheap_as_a_try
}

claims! {
    framed_streams, Framed<tls::Stream>, true,
    pair().map(|(left, right)| (left.framed(), right.framed())),
    every_form_sends_and_receives
    an_empty_channel_makes_no_form_wait_too_short
    a_message_wakes_a_waiting_receiver
    a_full_channel_says_so_and_loses_nothing
    room_wakes_a_waiting_sender
    the_end_shows_after_the_last_message
    a_missing_receiver_is_an_error_and_no_signal
    a_storm_of_signals_changes_nothing
    descriptors_are_above_stdio_and_close_on_exec
    a_timed_out_error_is_as_cheap_as_a_try
}
