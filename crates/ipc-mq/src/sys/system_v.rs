//! System V queues: messages in the kernel's layout, and what is done to a queue.

use super::last_errno;
use ipc_core::Mode;
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::result::Result;

/// What stands before the bytes of a message: its type, a `long`.
const HEAD_BYTES: usize = size_of::<libc::c_long>();
/// Up to this a packet stands on the stack: the kernel's default limit of a message, and a byte.
const SMALL_BYTES: usize = 8192 + 8;

/// A message in the layout of msgop(2), its bytes not initialised.
#[repr(C, align(8))]
struct Small([MaybeUninit<u8>; HEAD_BYTES + SMALL_BYTES]);

/// Runs `call` with the start of a packet that has room for a type and `bytes` bytes.
#[inline]
fn with_packet<R>(
    bytes: usize,
    call: impl FnOnce(*mut libc::c_long) -> Result<R, Errno>,
) -> Result<R, Errno> {
    if bytes <= SMALL_BYTES {
        let mut small = Small([MaybeUninit::uninit(); HEAD_BYTES + SMALL_BYTES]);
        return call((&raw mut small.0).cast());
    }
    let mut large = Vec::<libc::c_long>::new();
    let words = 1 + bytes.div_ceil(HEAD_BYTES);
    large.try_reserve_exact(words).map_err(|_| Errno::NOMEM)?;
    call(large.as_mut_ptr())
}

/// Sends `message` with type `kind`.
#[inline]
pub(crate) fn send(id: i32, kind: i64, message: &[u8], flags: i32) -> Result<(), Errno> {
    with_packet(message.len(), |packet| {
        // SAFETY: the packet begins with room for a `long`, and is aligned for one.
        unsafe { packet.write(kind) };
        // SAFETY: the packet has room for the type and as many bytes as the message has.
        let bytes = unsafe { packet.add(1) }.cast::<u8>();
        // SAFETY: as above; the packet is ours alone, so the two do not overlap.
        unsafe { bytes.copy_from_nonoverlapping(message.as_ptr(), message.len()) };
        loop {
            // SAFETY: the type and `message.len()` bytes behind it are initialised, and outlive
            // the call (msgop(2)).
            let sent = unsafe { libc::msgsnd(id, packet.cast(), message.len(), flags) };
            if sent == 0 {
                return Ok(());
            }
            match last_errno() {
                Errno::INTR => {}
                errno => return Err(errno),
            }
        }
    })
}

/// Receives a message that `selector` and `flags` choose: its type, and its length before it was
/// cut to the buffer. With `MSG_NOERROR` that is at most one byte more than the buffer has.
#[inline]
pub(crate) fn receive(
    id: i32,
    buffer: &mut [u8],
    selector: i64,
    flags: i32,
) -> Result<(i64, usize), Errno> {
    // A byte more than the buffer takes shows that a message was cut.
    let cuts = flags & libc::MSG_NOERROR != 0;
    let room = buffer.len() + usize::from(cuts);
    with_packet(room, |packet| {
        let length = loop {
            // SAFETY: the packet has room for the type and `room` bytes (msgop(2)).
            let got = unsafe { libc::msgrcv(id, packet.cast(), room, selector, flags) };
            match usize::try_from(got) {
                Ok(length) => break length,
                Err(_) => match last_errno() {
                    Errno::INTR => {}
                    errno => return Err(errno),
                },
            }
        };
        // SAFETY: the kernel has written the type of the message that it gave.
        let kind = unsafe { packet.read() };
        // SAFETY: the packet has room for the type and `room` bytes.
        let bytes = unsafe { packet.add(1) }.cast::<u8>();
        let kept = length.min(buffer.len());
        // SAFETY: the kernel has written `length` bytes behind the type, of which `kept` fit the
        // buffer; the packet is ours alone, so the two do not overlap.
        unsafe { bytes.copy_to_nonoverlapping(buffer.as_mut_ptr(), kept) };
        Ok((kind, length))
    })
}

/// Makes a new queue under `key`, or one that only its id names.
pub(crate) fn make(key: Option<i32>, mode: Mode) -> Result<i32, Errno> {
    let flags = libc::IPC_CREAT | libc::IPC_EXCL | mode.bits() as libc::c_int;
    // SAFETY: no memory is touched (msgget(2)).
    check(unsafe { libc::msgget(key.unwrap_or(libc::IPC_PRIVATE), flags) })
}

/// The id of the queue under `key`.
pub(crate) fn find(key: i32) -> Result<i32, Errno> {
    // SAFETY: no memory is touched (msgget(2)).
    check(unsafe { libc::msgget(key, 0) })
}

/// What the kernel knows of a queue.
pub(crate) fn stat(id: i32) -> Result<libc::msqid_ds, Errno> {
    let mut status = MaybeUninit::<libc::msqid_ds>::zeroed();
    // SAFETY: `status` is valid for writes of a `msqid_ds`, which is what IPC_STAT wants
    // (msgctl(2)).
    check(unsafe { libc::msgctl(id, libc::IPC_STAT, status.as_mut_ptr()) })?;
    // SAFETY: zeroed, which is a valid `msqid_ds`, and filled by the kernel.
    Ok(unsafe { status.assume_init() })
}

/// Sets owner, mode and capacity.
pub(crate) fn change(id: i32, mut status: libc::msqid_ds) -> Result<(), Errno> {
    // SAFETY: `status` is a valid `msqid_ds` and outlives the call (msgctl(2)).
    check(unsafe { libc::msgctl(id, libc::IPC_SET, &mut status) }).map(drop)
}

/// Removes a queue; who waits at it is told.
pub(crate) fn remove(id: i32) -> Result<(), Errno> {
    // SAFETY: IPC_RMID ignores its pointer (msgctl(2)).
    check(unsafe { libc::msgctl(id, libc::IPC_RMID, std::ptr::null_mut()) }).map(drop)
}

fn check(outcome: libc::c_int) -> Result<libc::c_int, Errno> {
    if outcome >= 0 {
        Ok(outcome)
    } else {
        Err(last_errno())
    }
}
