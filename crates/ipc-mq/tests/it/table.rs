//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod posix "POSIX queue" = ipc_mq::Queue {
        try "kernel (a call with a past time)" try_recv,
        block "kernel" recv,
        timed "ours (ppoll, since the kernel goes by the wall clock)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (a queue knows no peer)",
        identity "impossible (no sender is noted; the mode says who may)",
        persistence "kernel (until unlinked, or the host starts again)",
    }
}

ipc_testkit::mechanism! {
    mod notification "POSIX queue, notification" = ipc_mq::Notification<&'static ipc_mq::Queue> {
        try "kernel (MSG_DONTWAIT on a netlink socket)" try_wait,
        block "ours (ppoll)" wait,
        timed "ours (ppoll)" wait_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (a queue knows no peer)",
        identity "impossible (no sender is noted)",
        persistence "impossible (it ends with its process)",
    }
}

ipc_testkit::mechanism! {
    mod system_v "System V queue" = ipc_mq::sysv::Queue {
        try "kernel (IPC_NOWAIT)" try_recv,
        block "kernel" recv,
        timed "impossible (msgrcv(2) has no time)" no recv_timeout,
        awaited "impossible (no descriptor)",
        peer_death "impossible (the last sender is a number that may be another's by now)",
        identity "impossible (the mode says who may)",
        persistence "kernel (until removed, or the host starts again)",
    }
}
