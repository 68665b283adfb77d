//! What a rude process can do: queue whatever it likes to claim, ignore, install a handler.

#![allow(unsafe_code)]

use std::io;

/// Queues `signal` to `process` with a code, a sender and a value of the caller's choice.
pub(crate) fn queue(
    process: u32,
    signal: i32,
    code: i32,
    (pid, uid): (i32, u32),
    value: u64,
) -> io::Result<()> {
    let mut info = [0_u8; 128];
    info[0..4].copy_from_slice(&signal.to_ne_bytes());
    info[8..12].copy_from_slice(&code.to_ne_bytes());
    info[16..20].copy_from_slice(&pid.to_ne_bytes());
    info[20..24].copy_from_slice(&uid.to_ne_bytes());
    info[24..32].copy_from_slice(&value.to_ne_bytes());
    // SAFETY: `info` has the size of a `siginfo_t` and outlives the call (rt_sigqueueinfo(2)).
    let sent = unsafe {
        libc::syscall(
            libc::SYS_rt_sigqueueinfo,
            process as libc::pid_t,
            signal,
            info.as_ptr(),
        )
    };
    match sent {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Ignores a signal in this process.
pub(crate) fn ignore(signal: i32) {
    // SAFETY: ignoring runs no code of ours (signal(2)).
    let before = unsafe { libc::signal(signal, libc::SIG_IGN) };
    assert_ne!(before, libc::SIG_ERR);
}
