//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod stream "TCP" = ipc_net::Stream {
        try "kernel (MSG_DONTWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (where its host can say so; else after `unacknowledged_timeout`)",
        identity "impossible (an address proves nothing: take TLS)",
        persistence "impossible (none while nobody runs)",
    }
}

ipc_testkit::mechanism! {
    mod datagram "UDP" = ipc_net::Datagram {
        try "kernel (MSG_DONTWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (no connection)",
        identity "impossible (addresses can be forged)",
        persistence "impossible (none while nobody runs)",
    }
}

ipc_testkit::mechanism! {
    mod listener "TCP listener" = ipc_net::Listener {
        try "ours (ppoll, then accept)" try_accept,
        block "kernel" accept,
        timed "ours (ppoll)" accept_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (nobody is connected yet)",
        identity "impossible (an address proves nothing: take TLS)",
        persistence "impossible (none while nobody runs)",
    }
}

ipc_testkit::mechanism! {
    mod connecting "TCP connect" = ipc_net::Connecting {
        try "ours (all attempts looked at)" try_finish,
        block "ours (epoll over all attempts)" finish,
        timed "ours (epoll over all attempts)" finish_timeout,
        awaited "ours (epoll and a timer)",
        peer_death "kernel (refused, reset)",
        identity "impossible (an address proves nothing: take TLS)",
        persistence "impossible (none while nobody runs)",
    }
}

#[cfg(feature = "tls")]
ipc_testkit::mechanism! {
    mod tls_stream "TLS" = ipc_net::tls::Stream {
        try "ours (over the stream)" try_recv,
        block "ours (over the stream)" recv,
        timed "ours (over the stream)" recv_timeout,
        awaited "ours (epoll, over the stream)",
        peer_death "ours (a connection that is cut is told from one that ends)",
        identity "ours (certificates)",
        persistence "impossible (none while nobody runs)",
    }
}
