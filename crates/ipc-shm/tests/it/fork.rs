//! What a test needs of the system beyond safe wrappers: a forked child, a maker's lock, an id.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

/// Runs `work` in a forked child and waits for it. For isolated processes, which have one thread
/// when they fork.
#[track_caller]
pub(crate) fn in_child(work: impl FnOnce()) {
    // SAFETY: fork(2) in a process whose other threads hold no lock that `work` takes: the test
    // runs isolated, and the runner's own thread waits.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "a child can be made");
    if pid == 0 {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: _exit(2) ends the child without running what the parent will run.
        unsafe { libc::_exit(i32::from(outcome.is_err())) };
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writes, and the child is ours (waitpid(2)).
    let waited = unsafe { libc::waitpid(pid, &mut status, 0) };
    assert_eq!((waited, status), (pid, 0), "the child ended well");
}

/// Takes the lock that a living maker of a named object holds.
pub(crate) fn lock_first_byte(fd: &OwnedFd) {
    let request = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 1,
        l_pid: 0,
    };
    // SAFETY: `request` is initialised and outlives the call (fcntl_locking(2)).
    let set = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_OFD_SETLK, &request) };
    assert_eq!(set, 0, "the lock was free");
}

/// Becomes an unprivileged user for good. For children of tests.
pub(crate) fn become_user(uid: u32) {
    // SAFETY: these calls take numbers alone (setresgid(2), setresuid(2)); no list is read.
    unsafe { libc::setgroups(0, std::ptr::null()) };
    // SAFETY: as above.
    let group = unsafe { libc::setresgid(uid, uid, uid) };
    // SAFETY: as above.
    let user = unsafe { libc::setresuid(uid, uid, uid) };
    assert_eq!((group, user), (0, 0), "root may");
}

/// Makes a System V segment as any program may, of `bytes` and `mode`.
pub(crate) fn foreign_segment(bytes: usize, mode: i32) -> i32 {
    // SAFETY: shmget(2) touches no memory.
    let id = unsafe { libc::shmget(libc::IPC_PRIVATE, bytes, libc::IPC_CREAT | mode) };
    assert!(id >= 0, "a segment can be made");
    id
}

/// Removes a System V segment.
pub(crate) fn remove_segment(id: i32) {
    // SAFETY: the command ignores the buffer (shmctl(2)).
    unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
}

/// The first word of a segment of the crate `shared_memory`, as its programs reach it.
#[cfg(feature = "shared-memory")]
pub(crate) fn word_of(segment: &shared_memory::Shmem) -> &std::sync::atomic::AtomicU32 {
    // SAFETY: the mapping begins on a page, has more than 4 bytes, and lives as long as
    // `segment`; all programs of the test touch this word by atomics alone.
    unsafe { std::sync::atomic::AtomicU32::from_ptr(segment.as_ptr().cast()) }
}

/// Writes `bytes` at `offset` of a segment of the crate `shared_memory`.
#[cfg(feature = "shared-memory")]
pub(crate) fn fill(segment: &shared_memory::Shmem, offset: usize, bytes: &[u8]) {
    assert!(offset + bytes.len() <= segment.len());
    // SAFETY: inside the mapping, as checked above.
    let to = unsafe { segment.as_ptr().add(offset) };
    // SAFETY: as above; the two do not overlap, and nobody reads these bytes before the word says
    // that they are there.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
}
