//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod receiver "pipe and FIFO, to receive" = ipc_pipe::Receiver {
        try "ours (RWF_NOWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of the stream; a death shows as the end)",
        identity "impossible (a pipe has no credentials)",
        persistence "impossible (what is unread ends with the last descriptor, a FIFO's name stays)",
    }
}

ipc_testkit::mechanism! {
    mod sender "pipe and FIFO, to send" = ipc_pipe::Sender {
        try "ours (RWF_NOWAIT)" try_send,
        block "kernel" send,
        timed "ours (ppoll, then a try)" send_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (EPIPE, without the signal)",
        identity "impossible (a pipe has no credentials)",
        persistence "impossible (what is unread ends with the last descriptor, a FIFO's name stays)",
    }
}
