//! The system calls and the shared memory that no safe crate offers: all `unsafe` of the bench.
#![allow(unsafe_code)]

#[cfg(feature = "peers")]
pub mod iceoryx;
#[cfg(feature = "peers")]
mod libraries;
#[cfg(feature = "peers")]
mod peers;
mod sets;

#[cfg(feature = "peers")]
pub use libraries::{NngEnd, Part, ZmqSocket};
#[cfg(feature = "peers")]
pub use peers::{PosixSync, RawSync, Segment, posixmq};
pub use sets::{set_change, set_create, set_find, set_remove};

use std::{
    ffi::CString,
    io, mem,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU32, AtomicU64},
};

use rustix::{
    fs::MemfdFlags,
    mm::{MapFlags, ProtFlags},
};

/// First argument of the system call that marks the beginning or the end of a counted stretch.
pub const MARK: u64 = 0x6970_635f_6265_6e63;

/// A shared mapping of a memfd. The bench maps it in two processes that trust each other.
#[derive(Debug)]
pub struct Region {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone within the process, every access goes through
// atomics or through copies that the callers order by atomics, and unmapping takes `&mut self`.
unsafe impl Send for Region {}
// SAFETY: as above: shared use is the purpose, and no method hands out a plain reference.
unsafe impl Sync for Region {}

impl Region {
    /// Makes a region of `len` zero bytes and the descriptor to pass to the other process.
    pub fn create(len: usize) -> io::Result<(Region, OwnedFd)> {
        let fd = rustix::fs::memfd_create("ipc-bench", MemfdFlags::CLOEXEC)?;
        rustix::fs::ftruncate(&fd, len as u64)?;
        Ok((Region::map(&fd, len)?, fd))
    }

    /// Maps `len` bytes of a memfd, with all pages present.
    pub fn map(fd: impl AsFd, len: usize) -> io::Result<Region> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::POPULATE;
        // SAFETY: a fresh mapping at an address of the kernel's choice replaces no other (mmap(2)).
        let base = unsafe { rustix::mm::mmap(ptr::null_mut(), len, protection, flags, fd, 0) }?;
        let base = NonNull::new(base.cast::<u8>())
            .ok_or_else(|| io::Error::other("mmap gave the zero address"))?;
        Ok(Region { base, len })
    }

    /// The word at `offset`, which must be a multiple of 4 inside the region.
    pub fn word32(&self, offset: usize) -> &AtomicU32 {
        let at = self.at(offset, 4, 4).cast::<u32>().as_ptr();
        // SAFETY: `at` checked bounds and alignment; the mapping lives as long as `self`, and both
        // processes touch this word by atomics only.
        unsafe { AtomicU32::from_ptr(at) }
    }

    /// The word at `offset`, which must be a multiple of 8 inside the region.
    pub fn word64(&self, offset: usize) -> &AtomicU64 {
        let at = self.at(offset, 8, 8).cast::<u64>().as_ptr();
        // SAFETY: `at` checked bounds and alignment; the mapping lives as long as `self`, and both
        // processes touch this word by atomics only.
        unsafe { AtomicU64::from_ptr(at) }
    }

    /// Copies `bytes` to `offset`. The caller has made sure, by a word of the region, that the
    /// other process does not touch this stretch meanwhile.
    pub fn write(&self, offset: usize, bytes: &[u8]) {
        let to = self.at(offset, bytes.len(), 1).as_ptr();
        // SAFETY: `at` checked bounds; private memory and the mapping cannot overlap; the hand-over
        // word of the caller orders this copy against the other process.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) }
    }

    /// Copies from `offset` into `bytes`, under the same condition as [`Region::write`].
    pub fn read(&self, offset: usize, bytes: &mut [u8]) {
        let from = self.at(offset, bytes.len(), 1).as_ptr();
        // SAFETY: `at` checked bounds; private memory and the mapping cannot overlap; the hand-over
        // word of the caller orders this copy against the other process.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len()) }
    }

    /// Puts a process-shared semaphore of value `value` at `offset`.
    pub fn sem_init(&self, offset: usize, value: u32) -> io::Result<()> {
        let at = self.semaphore(offset);
        // SAFETY: `semaphore` checked bounds and alignment; nobody waits on it before it exists.
        check(unsafe { libc::sem_init(at, 1, value) })
    }

    /// Posts the semaphore at `offset`.
    pub fn sem_post(&self, offset: usize) -> io::Result<()> {
        let at = self.semaphore(offset);
        // SAFETY: `sem_init` made a semaphore here before the region was handed over.
        check(unsafe { libc::sem_post(at) })
    }

    /// Waits for the semaphore at `offset`.
    pub fn sem_wait(&self, offset: usize) -> io::Result<()> {
        let at = self.semaphore(offset);
        // SAFETY: `sem_init` made a semaphore here before the region was handed over.
        retry(|| check(unsafe { libc::sem_wait(at) }))
    }

    /// Takes the semaphore at `offset` if that needs no waiting.
    pub fn sem_try_wait(&self, offset: usize) -> io::Result<bool> {
        let at = self.semaphore(offset);
        // SAFETY: `sem_init` made a semaphore here before the region was handed over.
        done_unless_blocked(retry(|| check(unsafe { libc::sem_trywait(at) })))
    }

    /// Puts a process-shared robust mutex of the C library at `offset`.
    pub fn mutex_init(&self, offset: usize) -> io::Result<()> {
        let at = self.mutex(offset);
        let mut attributes = mem::MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let place = attributes.as_mut_ptr();
        // SAFETY: `place` is valid for writes (pthread_mutexattr_init(3)).
        done(unsafe { libc::pthread_mutexattr_init(place) })?;
        // SAFETY: initialised above.
        done(unsafe { libc::pthread_mutexattr_setpshared(place, libc::PTHREAD_PROCESS_SHARED) })?;
        // SAFETY: initialised above.
        done(unsafe { libc::pthread_mutexattr_setrobust(place, libc::PTHREAD_MUTEX_ROBUST) })?;
        // SAFETY: `mutex` checked bounds and alignment; nobody locks it before it exists.
        done(unsafe { libc::pthread_mutex_init(at, place) })
    }

    /// Locks the mutex at `offset`.
    pub fn mutex_lock(&self, offset: usize) -> io::Result<()> {
        let at = self.mutex(offset);
        // SAFETY: `mutex_init` made a mutex here before the region was handed over.
        done(unsafe { libc::pthread_mutex_lock(at) })
    }

    /// Unlocks the mutex at `offset`.
    pub fn mutex_unlock(&self, offset: usize) -> io::Result<()> {
        let at = self.mutex(offset);
        // SAFETY: as for `mutex_lock`; a mutex that this thread does not hold is an error.
        done(unsafe { libc::pthread_mutex_unlock(at) })
    }

    fn mutex(&self, offset: usize) -> *mut libc::pthread_mutex_t {
        let (len, align) = (
            mem::size_of::<libc::pthread_mutex_t>(),
            mem::align_of::<libc::pthread_mutex_t>(),
        );
        self.at(offset, len, align).cast().as_ptr()
    }

    fn semaphore(&self, offset: usize) -> *mut libc::sem_t {
        self.at(
            offset,
            mem::size_of::<libc::sem_t>(),
            mem::align_of::<libc::sem_t>(),
        )
        .cast()
        .as_ptr()
    }

    fn at(&self, offset: usize, len: usize, align: usize) -> NonNull<u8> {
        let fits = offset.checked_add(len).is_some_and(|end| end <= self.len);
        assert!(
            fits && offset.is_multiple_of(align),
            "the layout of a region holds its own parts"
        );
        // SAFETY: `offset` lies inside the mapping, as was just checked.
        unsafe { self.base.add(offset) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: `base` and `len` are those of the mapping that this value owns; no reference into
        // it outlives `self`. A failure leaves the mapping, which ends with the process.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}

/// The cheapest system call; `mark` and `edge` are ignored by the kernel and read by the counter.
pub fn null_call(mark: u64, edge: u64) {
    // SAFETY: getppid(2) takes no argument, has no effect and cannot fail.
    unsafe { libc::syscall(libc::SYS_getppid, mark, edge) };
}

/// Number and arguments of the system call at whose entry a tracee stands.
pub fn syscall_entry(info: &libc::ptrace_syscall_info) -> Option<(u64, [u64; 6])> {
    if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
        return None;
    }
    // SAFETY: `op` says that the kernel filled the `entry` member of the union (ptrace(2)).
    let entry = unsafe { info.u.entry };
    Some((entry.nr, entry.args))
}

/// Gives this process the lowest scheduling class, which runs only where nothing else wants to.
pub fn become_idle_class() -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: `parameters` is a valid `sched_param` that outlives the call.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &parameters) })
}

/// Makes a POSIX queue that must be new, and unlinks its name at once: it lives by its descriptor.
pub fn mq_create(name: &str, messages: usize, size: usize, polling: bool) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    // SAFETY: `mq_attr` is plain integers, for which zero is a value.
    let mut attributes: libc::mq_attr = unsafe { mem::zeroed() };
    attributes.mq_maxmsg = messages as libc::c_long;
    attributes.mq_msgsize = size as libc::c_long;
    let wait = if polling { libc::O_NONBLOCK } else { 0 };
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC | wait;
    let mode: libc::mode_t = 0o600;
    // SAFETY: `name` is NUL-terminated, `attributes` a valid `mq_attr`; both outlive the call.
    let queue = unsafe { libc::mq_open(name.as_ptr(), flags, mode, &raw const attributes) };
    check(queue)?;
    // SAFETY: mq_open(3) gave a new descriptor, which nobody else owns.
    let queue = unsafe { OwnedFd::from_raw_fd(queue) };
    // SAFETY: `name` is NUL-terminated and outlives the call.
    check(unsafe { libc::mq_unlink(name.as_ptr()) })?;
    Ok(queue)
}

/// Sends one message; false where the queue is full and non-blocking.
pub fn mq_send(queue: &OwnedFd, message: &[u8]) -> io::Result<bool> {
    let (fd, at, len) = (queue.as_raw_fd(), message.as_ptr().cast(), message.len());
    // SAFETY: `at` and `len` describe `message`, which outlives the call.
    done_unless_blocked(retry(|| check(unsafe { libc::mq_send(fd, at, len, 0) })))
}

/// Receives one message; `None` where the queue is empty and non-blocking.
pub fn mq_receive(queue: &OwnedFd, into: &mut [u8]) -> io::Result<Option<usize>> {
    let (fd, at, len) = (queue.as_raw_fd(), into.as_mut_ptr().cast(), into.len());
    // SAFETY: `at` and `len` describe `into`, which is writable and outlives the call.
    let got = retry(|| check_len(unsafe { libc::mq_receive(fd, at, len, ptr::null_mut()) }));
    some_unless_blocked(got)
}

/// Makes the System V queue of `key`, which must be new.
pub fn msg_create(key: u32) -> io::Result<i32> {
    // SAFETY: msgget(2) takes integers only.
    let id = unsafe { libc::msgget(key as libc::key_t, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) };
    check(id).map(|()| id)
}

/// The System V queue of `key`, if there is one.
pub fn msg_find(key: u32) -> Option<i32> {
    // SAFETY: msgget(2) takes integers only.
    let id = unsafe { libc::msgget(key as libc::key_t, 0) };
    (id >= 0).then_some(id)
}

/// Removes a System V queue.
pub fn msg_remove(id: i32) -> io::Result<()> {
    // SAFETY: IPC_RMID ignores its pointer.
    check(unsafe { libc::msgctl(id, libc::IPC_RMID, ptr::null_mut()) })
}

/// Sends one message, laid out as `struct msgbuf`: eight bytes of type, then the payload.
pub fn msg_send(id: i32, packet: &[u8], polling: bool) -> io::Result<bool> {
    let flags = if polling { libc::IPC_NOWAIT } else { 0 };
    let (at, len) = (packet.as_ptr().cast(), packet.len().saturating_sub(8));
    // SAFETY: `packet` holds the type and `len` bytes after it, and outlives the call.
    done_unless_blocked(retry(|| check(unsafe { libc::msgsnd(id, at, len, flags) })))
}

/// Receives one message into a packet laid out as for [`msg_send`]; gives the payload's length.
pub fn msg_receive(id: i32, packet: &mut [u8], polling: bool) -> io::Result<Option<usize>> {
    let flags = if polling { libc::IPC_NOWAIT } else { 0 };
    let (at, len) = (packet.as_mut_ptr().cast(), packet.len().saturating_sub(8));
    // SAFETY: `packet` has room for the type and `len` bytes after it, and outlives the call.
    let got = retry(|| check_len(unsafe { libc::msgrcv(id, at, len, 0, flags) }));
    match got {
        Err(error) if error.raw_os_error() == Some(libc::ENOMSG) => Ok(None),
        other => some_unless_blocked(other),
    }
}

/// Queues a real-time signal with a value to a process; false where the queue of signals is full.
pub fn signal_queue(process: i32, signal: i32, value: usize) -> io::Result<bool> {
    let value = libc::sigval {
        sival_ptr: ptr::without_provenance_mut(value),
    };
    // SAFETY: sigqueue(3) takes integers; the value is carried, never dereferenced.
    done_unless_blocked(check(unsafe { libc::sigqueue(process, signal, value) }))
}

/// Takes the next queued `signal`, which the caller has blocked; `None` after a poll of nothing.
pub fn signal_take(signal: i32, polling: bool) -> io::Result<Option<()>> {
    let set = one_signal(signal)?;
    let now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let timeout = if polling { &raw const now } else { ptr::null() };
    // SAFETY: `set` and `timeout` (a `timespec` or null) outlive the call; no information is asked.
    let got = retry(|| check(unsafe { libc::sigtimedwait(&set, ptr::null_mut(), timeout) }));
    some_unless_blocked(got)
}

/// A descriptor from which the queued `signal` is read, which the caller has blocked.
pub fn signal_descriptor(signal: i32, polling: bool) -> io::Result<OwnedFd> {
    let set = one_signal(signal)?;
    let flags = libc::SFD_CLOEXEC | if polling { libc::SFD_NONBLOCK } else { 0 };
    // SAFETY: `set` is valid and outlives the call (signalfd(2)).
    let fd = unsafe { libc::signalfd(-1, &set, flags) };
    check(fd)?;
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Blocks one (real-time) signal for this thread and those it starts.
pub fn signal_block(signal: i32) -> io::Result<()> {
    let set = one_signal(signal)?;
    // SAFETY: `set` is valid and outlives the call; the old mask is not asked for.
    done(unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) })
}

fn one_signal(signal: i32) -> io::Result<libc::sigset_t> {
    // SAFETY: `sigset_t` is plain integers, for which zero is a value.
    let mut set: libc::sigset_t = unsafe { mem::zeroed() };
    // SAFETY: `set` is a valid set to write to.
    check(unsafe { libc::sigemptyset(&mut set) })?;
    // SAFETY: `set` was emptied just now.
    check(unsafe { libc::sigaddset(&mut set, signal) })?;
    Ok(set)
}

/// The first real-time signal that the C library leaves to programs.
pub fn real_time_signal() -> i32 {
    libc::SIGRTMIN()
}

fn check(code: i32) -> io::Result<()> {
    if code >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn check_len(len: isize) -> io::Result<usize> {
    usize::try_from(len).map_err(|_| io::Error::last_os_error())
}

fn retry<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn done_unless_blocked(result: io::Result<()>) -> io::Result<bool> {
    some_unless_blocked(result).map(|done| done.is_some())
}

fn some_unless_blocked<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// The calls of pthread return their error number.
fn done(number: libc::c_int) -> io::Result<()> {
    if number == 0 {
        return Ok(());
    }
    Err(io::Error::from_raw_os_error(number))
}
