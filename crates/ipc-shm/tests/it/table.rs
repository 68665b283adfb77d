//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

ipc_testkit::mechanism! {
    mod region "shared memory" = ipc_shm::Region {
        try "impossible (memory tells nobody; take a ring, an event or a lock)" no try_wait,
        block "impossible (as try)" no wait,
        timed "impossible (as try)" no wait_timeout,
        awaited "impossible (no descriptor of it becomes ready)",
        peer_death "impossible (a mapping knows no peer)",
        identity "kernel (owner and mode of a name; an anonymous one is given by descriptor)",
        persistence "kernel (a file or a name until unlinked; an anonymous one ends with its last user)",
    }
}
