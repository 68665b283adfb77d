//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod lock "file lock" = ipc_file::Lock {
        try "kernel (F_OFD_SETLK)" try_lock,
        block "kernel (F_OFD_SETLKW)" lock,
        timed "impossible (the kernel's waits for file locks have no limit)" no lock_timeout,
        awaited "impossible (no descriptor shows a lock)",
        peer_death "kernel (the lock is free)",
        identity "impossible (who holds an OFD lock has no number)",
        persistence "impossible (until its owner ends)",
    }
}

ipc_testkit::mechanism! {
    mod spool "spool directory" = ipc_file::Spool {
        try "ours (a claim is a lock)" try_claim,
        block "ours (inotify)" claim,
        timed "ours (inotify, ppoll)" claim_timeout,
        awaited "ours (inotify, epoll)",
        peer_death "ours (a claim of the dead returns)",
        identity "kernel (owner and mode of the directory)",
        persistence "ours (fsync, rename, fsync)",
    }
}

ipc_testkit::mechanism! {
    mod reader "log, followed" = ipc_file::Reader {
        try "ours (read, checked)" try_recv,
        block "ours (inotify)" recv,
        timed "ours (inotify, ppoll)" recv_timeout,
        awaited "ours (inotify, epoll)",
        peer_death "impossible (who appended is not noted)",
        identity "kernel (owner and mode of the file)",
        persistence "ours (fdatasync before an append returns)",
    }
}

ipc_testkit::mechanism! {
    mod watch "file notification" = ipc_file::Watch {
        try "ours (RWF_NOWAIT)" try_recv,
        block "kernel (inotify)" recv,
        timed "ours (ppoll)" recv_timeout,
        awaited "ours (epoll)",
        peer_death "impossible (it does not show)",
        identity "impossible (the kernel does not say who)",
        persistence "impossible (it ends with its descriptor)",
    }
}

ipc_testkit::mechanism! {
    mod document "document" = ipc_file::Document {
        try "impossible (nothing is waited for: it is read and replaced whole)" no try_read,
        block "ours (a file is made, synced and renamed)" replace,
        timed "impossible (fdatasync has no limit)" no replace_timeout,
        awaited "impossible (a file is always ready; take a watch for its changes)",
        peer_death "ours (the old one stays; the next start removes what was left)",
        identity "kernel (owner and mode of the file)",
        persistence "ours (fsync, rename, fsync)",
    }
}
