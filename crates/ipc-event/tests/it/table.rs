//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod event "event (eventfd)" = ipc_event::Event {
        try "ours (RWF_NOWAIT)" try_wait,
        block "kernel" wait,
        timed "ours (ppoll)" wait_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (whoever has the descriptor can notify)",
        identity "impossible (a counter notes nobody)",
        persistence "impossible (it ends with its last descriptor)",
    }
}
