//! What the kit needs of the system beyond safe wrappers.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

/// Counts the allocations of each thread; the memory is the system allocator's.
#[derive(Debug)]
pub struct CountingAllocator;

// SAFETY: every call is handed to `System` unchanged, which keeps the contract; counting touches
// only a thread-local number that needs no allocation.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        crate::allocations::count(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`, which is `System`'s.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from `System` with this layout, as the caller promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        crate::allocations::count(size);
        // SAFETY: `block` came from `System` with this layout, as the caller promises.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Takes a descriptor that this process was started with, by the number that its parent said.
pub(crate) fn adopt(number: i32) -> OwnedFd {
    // SAFETY: fcntl(2) takes any number and only looks at it.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    assert!(flags >= 0, "descriptor {number} was not inherited");
    // SAFETY: as above; from here on it is not inherited further.
    unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
    // SAFETY: it is open (checked above), and the parent made it for this role alone, which
    // takes each number once.
    unsafe { OwnedFd::from_raw_fd(number) }
}

/// Lets the next child inherit `fd`; the caller holds the lock under which children start.
pub(crate) fn set_inheritable(fd: BorrowedFd<'_>) {
    rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::empty()).expect("an open descriptor");
}

/// Lets a program start with these signals blocked, and with SIGINT and SIGTERM not ignored.
pub(crate) fn start_blocking(command: &mut std::process::Command, signals: Vec<i32>) {
    use std::os::unix::process::CommandExt;
    let set = signals
        .iter()
        .fold(0_u64, |set, signal| set | 1 << (signal - 1));
    let before_exec = move || {
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: the default disposition runs no code of ours (signal(2)).
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let (how, nothing) = (libc::SIG_BLOCK, ptr::null_mut::<u64>());
        // SAFETY: the set is a word of the size that is passed; none is asked back
        // (rt_sigprocmask(2)).
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                how,
                &set,
                nothing,
                size_of::<u64>(),
            )
        };
        Ok(())
    };
    // SAFETY: between fork and exec it makes async-signal-safe calls only, and allocates nothing.
    unsafe { command.pre_exec(before_exec) };
}

/// Makes a network interface in this thread's network namespace whose packets (IP, without a
/// header before them) are read from and written to the descriptor, which does not block. It
/// vanishes with it. For tests that are the wire between two namespaces.
///
/// # Errors
/// As open(2) of `/dev/net/tun` and its TUNSETIFF say: without the right to, mostly.
pub fn packet_interface(name: &str) -> std::io::Result<OwnedFd> {
    let mut options = std::fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let file = options.read(true).write(true).open("/dev/net/tun")?;
    // SAFETY: of an `ifreq` every bit pattern is valid, and all its fields are plain.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    assert!(
        name.len() < request.ifr_name.len(),
        "a name of an interface"
    );
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_TUN | libc::IFF_NO_PI).expect("small");
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    // SAFETY: the request is a valid `ifreq` with a terminated name, and outlives the call
    // (netdevice(7), tuntap.rst).
    let made = unsafe { libc::ioctl(number, libc::TUNSETIFF, &request) };
    match made {
        0 => Ok(file.into()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Closes descriptors 0, 1 and 2, as a careless parent does. For isolated processes.
pub fn close_stdio() {
    for number in 0..=2 {
        // SAFETY: nobody owns the standard streams' numbers; std looks them up on each use and
        // treats a closed one as absent.
        unsafe { libc::close(number) };
    }
}

/// Runs `work` as in a process that was started with descriptors 0, 1 and 2 closed, and puts
/// them back. For isolated processes.
pub fn without_stdio<R>(work: impl FnOnce() -> R) -> R {
    let saved = [0, 1, 2].map(|number| {
        // SAFETY: fcntl(2) takes any number; the copy, if any, is owned by the next line.
        let copy = unsafe { libc::fcntl(number, libc::F_DUPFD_CLOEXEC, 10) };
        assert!(copy >= 0, "descriptor {number} is open");
        copy
    });
    close_stdio();
    let outcome = work();
    for (number, copy) in saved.into_iter().enumerate() {
        // SAFETY: `copy` is a copy of our own, and nobody owns the numbers 0 to 2.
        unsafe { libc::dup2(copy, number as i32) };
        // SAFETY: `copy` was made above, is known to nobody else, and is used no more.
        unsafe { libc::close(copy) };
    }
    outcome
}

/// A descriptor that is closed, for what a careless program hands over: its number is above all
/// that a process can have.
#[must_use]
pub fn closed_descriptor() -> BorrowedFd<'static> {
    const NEVER_OPEN: i32 = i32::MAX - 1;
    // SAFETY: nothing is ever opened at this number (fs.nr_open is at most 2^30), so nobody owns
    // it; every system call answers EBADF, which is what the caller wants to see.
    unsafe { BorrowedFd::borrow_raw(NEVER_OPEN) }
}

/// Sets SIGPIPE to its default, to end the process. For isolated processes.
pub fn set_sigpipe_default() {
    // SAFETY: the default disposition runs no code of ours (signal(2)).
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    assert_ne!(before, libc::SIG_ERR);
}

/// Sets the umask of this process and returns the one before. For isolated processes.
pub fn set_umask(mask: u32) -> u32 {
    // SAFETY: umask(2) cannot fail and touches no memory.
    unsafe { libc::umask(mask) }
}

extern "C" fn nothing(_signal: libc::c_int) {}

/// SIGUSR1 runs a handler that does nothing, and interrupts system calls.
pub(crate) fn install_interrupting_handler() {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let place = action.as_mut_ptr();
    // SAFETY: `place` points to a zeroed `sigaction`; a zero mask and zero flags (no
    // SA_RESTART) are valid.
    unsafe { (*place).sa_sigaction = nothing as *const () as usize };
    // SAFETY: `action` is initialised, and its handler is async-signal-safe: it does nothing.
    let outcome = unsafe { libc::sigaction(libc::SIGUSR1, place, ptr::null_mut()) };
    assert_eq!(outcome, 0, "SIGUSR1 can have a handler");
}

/// A thread to be interrupted.
pub(crate) struct ThisThread {
    process: libc::pid_t,
    thread: libc::pid_t,
}

impl ThisThread {
    pub(crate) fn new() -> Self {
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        let process = rustix::process::getpid().as_raw_nonzero().get();
        Self { process, thread }
    }

    pub(crate) fn interrupt(&self) {
        // SAFETY: tgkill(2) touches no memory; a thread that has ended is ESRCH.
        unsafe { libc::syscall(libc::SYS_tgkill, self.process, self.thread, libc::SIGUSR1) };
    }
}

/// Forks a copy of this process, which must be one thread; the copy runs `part` and ends.
pub(crate) fn fork(part: impl FnOnce()) -> nix::unistd::Pid {
    // SAFETY: the caller has checked that this process is one thread, so no lock is held by a
    // thread that the copy lacks; the copy never returns from here.
    match unsafe { nix::unistd::fork() } {
        Ok(nix::unistd::ForkResult::Parent { child }) => child,
        Ok(nix::unistd::ForkResult::Child) => {
            let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(part));
            // SAFETY: ends the copy without running what the original has registered for its
            // own end (exit handlers, buffered output).
            unsafe { libc::_exit(if ran.is_ok() { 0 } else { 101 }) }
        }
        Err(errno) => panic!("no process can be made: {errno}"),
    }
}

/// `count` words of memory that forked copies share, zero at first; for the laboratory's own
/// ledgers, outside what is tested. They live as long as the process.
///
/// # Panics
/// Where the host has no memory left.
#[must_use]
pub fn shared_words(count: usize) -> &'static [std::sync::atomic::AtomicU64] {
    let bytes = count * size_of::<u64>();
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a fresh anonymous mapping at an address of the kernel's choice (mmap(2)).
    let start = unsafe { libc::mmap(ptr::null_mut(), bytes, protection, flags, -1, 0) };
    assert_ne!(start, libc::MAP_FAILED, "{bytes} bytes of shared memory");
    // SAFETY: the mapping is page-aligned, `bytes` long, zeroed (a valid atomic), and is never
    // unmapped; every process that has it uses it through atomics alone.
    unsafe { std::slice::from_raw_parts(start.cast(), count) }
}
