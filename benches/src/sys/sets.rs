//! System V semaphore sets by plain system calls.

use std::{io, ptr};

use super::{check, done_unless_blocked, retry};

/// Makes the set of `key` with `count` semaphores at nought; it must be new.
pub fn set_create(key: u32, count: i32) -> io::Result<i32> {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o600;
    // SAFETY: semget(2) takes integers only; the kernel makes the semaphores at nought.
    let id = unsafe { libc::semget(key as libc::key_t, count, flags) };
    check(id).map(|()| id)
}

/// The set of `key`, if there is one.
pub fn set_find(key: u32) -> Option<i32> {
    // SAFETY: semget(2) takes integers only.
    let id = unsafe { libc::semget(key as libc::key_t, 0, 0) };
    (id >= 0).then_some(id)
}

/// Removes a set.
pub fn set_remove(id: i32) -> io::Result<()> {
    // SAFETY: IPC_RMID ignores its argument.
    check(unsafe { libc::semctl(id, 0, libc::IPC_RMID, ptr::null_mut::<libc::c_void>()) })
}

/// Adds `change` to a semaphore, waiting until that is possible; false where it would wait.
pub fn set_change(id: i32, index: u16, change: i16, polling: bool) -> io::Result<bool> {
    let flags = if polling { libc::IPC_NOWAIT } else { 0 };
    let mut operation = libc::sembuf {
        sem_num: index,
        sem_op: change,
        sem_flg: flags as libc::c_short,
    };
    done_unless_blocked(retry(|| {
        // SAFETY: one valid operation, which outlives the call (semop(2)).
        check(unsafe { libc::semop(id, &mut operation, 1) })
    }))
}
