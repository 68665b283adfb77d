//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod receiver "ring, to receive" = ipc_ring::Receiver {
        try "ours (memory)" try_recv,
        block "ours (spin, then a pipe)" recv,
        timed "ours (ppoll; for who sleeps often epoll with a timer)" recv_timeout,
        awaited "ours (the pipe, epoll)",
        peer_death "kernel (end of the pipe: `PeerDied`)",
        identity "kernel (of the socket they met over)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod sender "ring, to send" = ipc_ring::Sender {
        try "ours (memory)" try_send,
        block "ours (spin, then a pipe)" send,
        timed "ours (ppoll; for who sleeps often epoll with a timer)" send_timeout,
        awaited "ours (the pipe, epoll)",
        peer_death "kernel (end of the pipe: `PeerDied`)",
        identity "kernel (of the socket they met over)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod stream "ring, bytes" = ipc_ring::Stream {
        try "ours (memory)" try_recv,
        block "ours (spin, then a pipe)" recv,
        timed "ours (ppoll; for who sleeps often epoll with a timer)" recv_timeout,
        awaited "ours (the pipe, epoll)",
        peer_death "kernel (end of the pipe: `PeerDied`)",
        identity "kernel (of the socket they met over)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod consumer "queue of many, to receive" = ipc_ring::Consumer {
        try "ours (memory)" try_recv,
        block "ours (spin, then epoll)" recv,
        timed "ours (ppoll)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of each pipe)",
        identity "impossible (one memory for all)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod producer "queue of many, to send" = ipc_ring::Producer {
        try "ours (memory)" try_send,
        block "ours (spin, then epoll)" send,
        timed "ours (ppoll)" send_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of each pipe)",
        identity "impossible (one memory for all)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod subscriber "broadcast, to receive" = ipc_ring::Subscriber {
        try "ours (memory)" try_recv,
        block "ours (spin, then a pipe)" recv,
        timed "ours (ppoll; for who sleeps often epoll with a timer)" recv_timeout,
        awaited "ours (the pipe, epoll)",
        peer_death "kernel (end of the pipe: `PeerDied`)",
        identity "kernel (of the socket they met over)",
        persistence "impossible (memory)",
    }
}

ipc_testkit::mechanism! {
    mod broadcaster "broadcast, to send" = ipc_ring::Broadcaster {
        try "ours (memory)" try_send,
        block "ours (epoll over all bells)" send,
        timed "ours (ppoll)" send_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of a pipe: that reader is forgotten)",
        identity "kernel (of the socket they met over)",
        persistence "impossible (memory)",
    }
}
