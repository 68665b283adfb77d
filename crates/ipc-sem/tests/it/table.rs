//! What the mechanisms of this crate can do: the rows of docs/mechanisms.md.

use ipc_core::Result;
use ipc_sem::{Condvar, Guard};
use std::time::Duration;

/// A condition's verbs with one type of guard, to be named without one.
#[allow(dead_code)]
struct WaitedWith;

impl WaitedWith {
    fn wait(condvar: &Condvar, guard: &mut Guard<'_, u64>) -> Result<()> {
        condvar.wait(guard)
    }
    fn wait_timeout(condvar: &Condvar, guard: &mut Guard<'_, u64>, time: Duration) -> Result<()> {
        condvar.wait_timeout(guard, time)
    }
}

ipc_testkit::mechanism! {
    mod mutex "mutex in a region" = ipc_sem::Mutex<u64> {
        try "ours (the C library's robust mutex)" try_lock,
        block "ours (robust mutex, futex)" lock,
        timed "ours (pthread_mutex_clocklock)" lock_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "kernel (robust list: a recovery guard)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod rw_lock "read-write lock" = ipc_sem::RwLock<u64> {
        try "ours (table of seats)" try_write,
        block "ours (futex_waitv)" write,
        timed "ours (futex_waitv)" write_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "ours (each seat is a robust mutex)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod condvar "condition" = WaitedWith {
        try "impossible (who does not wait is not notified)" no try_wait,
        block "ours (futex_waitv)" wait,
        timed "ours (futex_waitv)" wait_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "ours (each seat is a robust mutex)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod semaphore "permits in a region" = ipc_sem::Semaphore {
        try "ours (ledger)" try_acquire,
        block "ours (futex_waitv)" acquire,
        timed "ours (futex_waitv)" acquire_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "ours (permits of the dead return)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod barrier "barrier" = ipc_sem::Barrier {
        try "ours (table of seats)" try_wait,
        block "ours (futex_waitv)" wait,
        timed "ours (futex_waitv)" wait_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "ours (every wait ends)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod event "event in a region" = ipc_sem::Event {
        try "ours (an atomic word)" try_wait,
        block "ours (futex_waitv)" wait,
        timed "ours (futex_waitv)" wait_timeout,
        awaited "impossible (a futex has no descriptor; take ipc-event)",
        peer_death "ours (the death of a notifier ends every wait)",
        identity "impossible (the memory is trusted)",
        persistence "impossible (as its region)",
    }
}

ipc_testkit::mechanism! {
    mod posix "POSIX semaphore" = ipc_sem::posix::Semaphore {
        try "kernel (sem_trywait)" try_acquire,
        block "kernel (sem_wait)" acquire,
        timed "kernel (sem_clockwait)" acquire_timeout,
        awaited "impossible (a futex has no descriptor)",
        peer_death "impossible (a dead holder's token is lost)",
        identity "impossible (the mode of a name says who may)",
        persistence "kernel (a name until unlinked, or the host starts again)",
    }
}

ipc_testkit::mechanism! {
    mod system_v "System V semaphores" = ipc_sem::sysv::Set {
        try "kernel (IPC_NOWAIT)" try_apply,
        block "kernel" apply,
        timed "kernel (semtimedop)" apply_timeout,
        awaited "impossible (no descriptor)",
        peer_death "kernel (SEM_UNDO)",
        identity "impossible (the mode says who may)",
        persistence "kernel (until removed, or the host starts again)",
    }
}
