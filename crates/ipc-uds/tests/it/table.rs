//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod stream "Unix stream" = ipc_uds::Stream {
        try "kernel (MSG_DONTWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of the stream; with `watch_peer` a pidfd proves the death)",
        identity "kernel (SO_PEERCRED, SO_PEERPIDFD, SCM_CREDENTIALS)",
        persistence "impossible (it ends with its last descriptor)",
    }
}

ipc_testkit::mechanism! {
    mod seqpacket "Unix seqpacket" = ipc_uds::SeqPacket {
        try "kernel (MSG_DONTWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "kernel (end of the connection; with `watch_peer` a pidfd proves the death)",
        identity "kernel (SO_PEERCRED, SO_PEERPIDFD, SCM_CREDENTIALS)",
        persistence "impossible (it ends with its last descriptor)",
    }
}

ipc_testkit::mechanism! {
    mod datagram "Unix datagram" = ipc_uds::Datagram {
        try "kernel (MSG_DONTWAIT)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, then a try)" recv_timeout,
        awaited "ours (epoll; room at an address by a socket connected to it)",
        peer_death "kernel (of a connected pair; else the next send is refused)",
        identity "kernel (SCM_CREDENTIALS, with each message)",
        persistence "impossible (it ends with its last descriptor)",
    }
}

ipc_testkit::mechanism! {
    mod listener "Unix listener" = ipc_uds::Listener {
        try "ours (ppoll, then accept on a description of our own)" try_accept,
        block "kernel" accept,
        timed "ours (ppoll)" accept_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (nobody is connected yet)",
        identity "kernel (SO_PEERCRED, before the first byte)",
        persistence "impossible (the path stays, and is replaced at the next start)",
    }
}
