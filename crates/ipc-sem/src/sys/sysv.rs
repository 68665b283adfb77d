//! System V semaphore sets.

use ipc_core::{Error, ErrorKind, Mode, Result, Until};
use ipc_sys::os_error;
use rustix::io::Errno;
use std::time::Duration;

/// What semctl(2) takes as its fourth argument.
#[repr(C)]
union Argument {
    value: libc::c_int,
    status: *mut libc::semid_ds,
    values: *mut libc::c_ushort,
}

/// Makes a new set under `key`, or one that only its id names; `None` where the key is taken.
pub(crate) fn make_set(key: Option<i32>, count: u16, mode: Mode) -> Result<Option<i32>> {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | mode.bits() as libc::c_int;
    let key = key.unwrap_or(libc::IPC_PRIVATE);
    // SAFETY: no memory is touched (semget(2)).
    let id = unsafe { libc::semget(key, libc::c_int::from(count), flags) };
    if id >= 0 {
        return Ok(Some(id));
    }
    match last_errno() {
        Errno::EXIST => Ok(None),
        Errno::NOSPC => Err(Error::new("create set", ErrorKind::LimitReached)
            .hint("the host has all the sets or semaphores it may have (kernel.sem)")),
        Errno::INVAL => Err(
            Error::new("create set", ErrorKind::LimitReached).hint(format!(
                "{count} semaphores are more than a set may have (kernel.sem)"
            )),
        ),
        errno => Err(os_error("create set", errno)),
    }
}

/// The id of the set under `key`, if there is one.
pub(crate) fn find_set(key: i32) -> Option<i32> {
    // SAFETY: no memory is touched (semget(2)).
    let id = unsafe { libc::semget(key, 0, 0) };
    (id >= 0).then_some(id)
}

/// What is known of a set: how many semaphores, owner, mode, times.
pub(crate) fn stat_set(id: i32) -> Result<libc::semid_ds> {
    let mut status = std::mem::MaybeUninit::<libc::semid_ds>::zeroed();
    let argument = Argument {
        status: status.as_mut_ptr(),
    };
    // SAFETY: `status` is valid for writes of a `semid_ds`, which is what IPC_STAT wants
    // (semctl(2)).
    check("stat set", unsafe {
        libc::semctl(id, 0, libc::IPC_STAT, argument)
    })?;
    // SAFETY: zeroed, which is a valid `semid_ds`, and filled by the kernel.
    Ok(unsafe { status.assume_init() })
}

/// Sets owner and mode.
pub(crate) fn change_set(id: i32, mut status: libc::semid_ds) -> Result<()> {
    let argument = Argument {
        status: &mut status,
    };
    // SAFETY: `status` is a valid `semid_ds` and outlives the call (semctl(2)).
    check("change set", unsafe {
        libc::semctl(id, 0, libc::IPC_SET, argument)
    })
    .map(drop)
}

/// Removes a set; who waits at it is told.
pub(crate) fn remove_set(id: i32) -> Result<()> {
    // SAFETY: IPC_RMID takes no argument (semctl(2)).
    check("remove set", unsafe { libc::semctl(id, 0, libc::IPC_RMID) }).map(drop)
}

/// The value of one semaphore.
pub(crate) fn value(id: i32, index: u16) -> Result<u16> {
    // SAFETY: GETVAL takes no argument (semctl(2)).
    let value = check("value", unsafe {
        libc::semctl(id, libc::c_int::from(index), libc::GETVAL)
    })?;
    Ok(value as u16)
}

/// Sets the value of one semaphore, and forgets what its holders' deaths would undo.
pub(crate) fn set_value(id: i32, index: u16, value: u16) -> Result<()> {
    let argument = Argument {
        value: libc::c_int::from(value),
    };
    // SAFETY: SETVAL reads the argument as a number (semctl(2)).
    let outcome = unsafe { libc::semctl(id, libc::c_int::from(index), libc::SETVAL, argument) };
    check("set value", outcome).map(drop)
}

/// All values at one moment; `values` is as long as the set.
pub(crate) fn values(id: i32, values: &mut [u16]) -> Result<()> {
    let argument = Argument {
        values: values.as_mut_ptr(),
    };
    // SAFETY: the caller's slice is as long as the set, whose length never changes (semctl(2)).
    check("values", unsafe {
        libc::semctl(id, 0, libc::GETALL, argument)
    })
    .map(drop)
}

/// Does all operations at once, waiting until that is possible.
#[inline]
pub(crate) fn apply(id: i32, operations: &mut [libc::sembuf], until: Until) -> Result<()> {
    if until == Until::Now {
        for operation in &mut *operations {
            operation.sem_flg |= libc::IPC_NOWAIT as libc::c_short;
        }
    }
    loop {
        let outcome = match until {
            // SAFETY: the slice is valid for its length (semop(2)).
            Until::Now | Until::Forever => unsafe {
                libc::semop(id, operations.as_mut_ptr(), operations.len())
            },
            Until::At(_) => apply_in_time(id, operations, until),
        };
        if outcome == 0 {
            return Ok(());
        }
        match last_errno() {
            Errno::INTR => {}
            Errno::AGAIN => match until.remaining() {
                // A time-out longer than the kernel's clock is cut.
                Some(left) if !left.is_zero() => {}
                _ => return Err(until.over("apply")),
            },
            Errno::TOOBIG => {
                return Err(Error::new("apply", ErrorKind::TooLarge)
                    .hint("more operations than one call may do (kernel.sem, SEMOPM)"));
            }
            Errno::RANGE => {
                return Err(Error::new("apply", ErrorKind::LimitReached)
                    .hint("a semaphore would stand above 32767 (SEMVMX)"));
            }
            Errno::FBIG => {
                return Err(Error::new("apply", ErrorKind::InvalidInput)
                    .hint("an operation names a semaphore that the set does not have"));
            }
            errno => return Err(gone("apply", errno)),
        }
    }
}

#[cold]
fn apply_in_time(id: i32, operations: &mut [libc::sembuf], until: Until) -> libc::c_int {
    let left = until
        .remaining()
        .unwrap_or(Duration::MAX)
        .min(Duration::from_secs(365 * 86_400));
    let left = libc::timespec {
        tv_sec: left.as_secs() as i64,
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    // SAFETY: the slice is valid for its length, and `left` outlives the call (semtimedop(2)).
    let outcome = unsafe {
        libc::syscall(
            libc::SYS_semtimedop,
            id,
            operations.as_mut_ptr(),
            operations.len(),
            &raw const left,
        )
    };
    outcome as libc::c_int
}

fn check(operation: &'static str, outcome: libc::c_int) -> Result<libc::c_int> {
    if outcome >= 0 {
        Ok(outcome)
    } else {
        Err(gone(operation, last_errno()))
    }
}

/// The error of a set that may have been removed, before or while somebody waited.
fn gone(operation: &'static str, errno: Errno) -> Error {
    match errno {
        Errno::IDRM | Errno::INVAL => Error::new(operation, ErrorKind::NotFound)
            .caused_by(errno.into())
            .hint("the set was removed, or never was"),
        errno => os_error(operation, errno),
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
