//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod receiver "signals" = ipc_signal::Receiver {
        try "kernel (sigtimedwait with no time)" try_wait,
        block "kernel" wait,
        timed "kernel (sigtimedwait)" wait_timeout,
        awaited "ours (signalfd, epoll)",
        peer_death "impossible (a signal has no connection)",
        identity "impossible (what it says of its sender is a hint: it may be claimed)",
        persistence "impossible (pending signals die with their process)",
    }
}

ipc_testkit::mechanism! {
    mod shutdown "request to end" = ipc_signal::Shutdown {
        try "ours (receiver and a latch)" try_wait,
        block "ours (epoll over both)" wait,
        timed "ours (epoll over both)" wait_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (a signal has no connection)",
        identity "impossible (what it says of its sender is a hint)",
        persistence "impossible (it ends with its process)",
    }
}

ipc_testkit::mechanism! {
    mod child "end of a child" = ipc_signal::Child {
        try "kernel (waitid with WNOHANG)" try_wait,
        block "ours (ppoll on a pidfd)" wait,
        timed "ours (ppoll on a pidfd)" wait_timeout,
        awaited "ours (pidfd, epoll)",
        peer_death "kernel (it is what is awaited)",
        identity "kernel (pidfd)",
        persistence "kernel (the status stays until it is taken)",
    }
}
