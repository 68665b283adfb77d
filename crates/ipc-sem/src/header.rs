//! The first line of every object in a region: what it is, and whether it is ready.

use crate::atomic::AtomicU32;
use crate::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sys::{ALIGN_BYTES, Waited, Words, lives, process_id, wait_any, wake};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::crash_point;
use std::time::{Duration, Instant};

/// How many bytes the header takes; what an object is begins behind it.
pub(crate) const HEADER_BYTES: usize = 64;

const MAGIC: u32 = u32::from_be_bytes(*b"IPLK");
const VERSION: u32 = 1;

const AT_MAGIC: usize = 0;
const AT_KIND: usize = 4;
const AT_SIZE: usize = 8;
const AT_LAYOUT: usize = 12;
const AT_NAMESPACE: usize = 16;
const AT_OFFSET: usize = 24;
const AT_STATE: usize = 32;
const AT_FLAGS: usize = 36;

/// States: fresh memory; else the process that makes the object; at last this.
const FRESH: u32 = 0;
const READY: u32 = u32::MAX;

/// How long an open waits for a creator that lives and does not finish.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits between two looks whether the creator lives.
const GLANCE: Duration = Duration::from_millis(10);

/// What an object is, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    /// Which of the crate's objects.
    pub(crate) kind: u32,
    /// How many bytes it takes, header included.
    pub(crate) size: usize,
    /// The size and alignment of the user's type, where there is one.
    pub(crate) layout: u32,
    /// Where it stands in its region: a copy elsewhere is not the object.
    pub(crate) offset: usize,
}

impl Identity {
    /// The identity of an object that holds a `T`.
    ///
    /// # Errors
    /// `TooLarge` where it would take 4 GiB or more; `InvalidInput` for an alignment above a
    /// cache line.
    pub(crate) fn of<T>(kind: u32, size: usize, offset: usize) -> Result<Self> {
        if u32::try_from(size).is_err() {
            return Err(Error::new("place", ErrorKind::TooLarge)
                .hint("data under a lock takes less than 4 GiB"));
        }
        if align_of::<T>() > ALIGN_BYTES {
            return Err(Error::new("place", ErrorKind::InvalidInput)
                .hint("data under a lock is aligned to at most 64 bytes"));
        }
        // Spread so that size and alignment do not cancel out.
        let layout = (size_of::<T>() as u32).wrapping_mul(0x9E37_79B1) ^ align_of::<T>() as u32;
        Ok(Self {
            kind,
            size,
            layout,
            offset,
        })
    }

    /// Kind, format version and word size in one.
    fn kind_word(self) -> u32 {
        self.kind | VERSION << 8 | (usize::BITS / 8) << 16
    }
}

/// Makes an object in fresh memory: `build` fills it before anybody can open it.
///
/// # Errors
/// `AlreadyExists` where one is there, or is being made by a process that lives.
pub(crate) fn create(
    words: &Words,
    identity: Identity,
    flags: u32,
    build: impl FnOnce() -> Result<()>,
) -> Result<()> {
    claim(words.u32(AT_STATE))?;
    crash_point!("create.claimed");
    words.u32(AT_MAGIC).store(MAGIC, Relaxed);
    words.u32(AT_KIND).store(identity.kind_word(), Relaxed);
    words.u32(AT_SIZE).store(identity.size as u32, Relaxed);
    words.u32(AT_LAYOUT).store(identity.layout, Relaxed);
    words.u64(AT_NAMESPACE).store(pid_namespace(), Relaxed);
    words.u64(AT_OFFSET).store(identity.offset as u64, Relaxed);
    words.u32(AT_FLAGS).store(flags, Relaxed);
    crash_point!("create.named");
    let built = build();
    crash_point!("create.built");
    publish(words.u32(AT_STATE), built)
}

/// Checks the object that stands there, waiting for one that is being made; returns its flags.
///
/// # Errors
/// `NotFound` in fresh memory; `PeerDied` where its creator died half-way; `WrongType`,
/// `Corrupt`, `Unsupported` say what differs.
pub(crate) fn open(words: &Words, identity: Identity) -> Result<u32> {
    await_ready(words.u32(AT_STATE))?;
    let refuse = |kind, why: String| Err(Error::new("open", kind).hint(why));
    let magic = words.u32(AT_MAGIC).load(Relaxed);
    if magic == MAGIC.swap_bytes() {
        let why = "it was made on a machine of the other byte order".into();
        return refuse(ErrorKind::Unsupported, why);
    }
    if magic != MAGIC {
        return refuse(
            ErrorKind::Corrupt,
            format!("no object begins here (magic {magic:#010x})"),
        );
    }
    let (found, wanted) = (words.u32(AT_KIND).load(Relaxed), identity.kind_word());
    if found >> 8 != wanted >> 8 {
        let why = format!(
            "its format is {:#x}, this program's {:#x}",
            found >> 8,
            wanted >> 8
        );
        return refuse(ErrorKind::Unsupported, why);
    }
    if found != wanted {
        let why = format!("it is an object of kind {found}, not {wanted}");
        return refuse(ErrorKind::WrongType, why);
    }
    let size = words.u32(AT_SIZE).load(Relaxed);
    let layout = words.u32(AT_LAYOUT).load(Relaxed);
    if size != identity.size as u32 || layout != identity.layout {
        let why = format!(
            "it holds another type of data: {size} bytes, not {}",
            identity.size
        );
        return refuse(ErrorKind::WrongType, why);
    }
    let offset = words.u64(AT_OFFSET).load(Relaxed);
    if offset != identity.offset as u64 {
        let why = format!("it was made at offset {offset}: a lock that is copied is no lock");
        return refuse(ErrorKind::Corrupt, why);
    }
    same_namespace(words.u64(AT_NAMESPACE).load(Relaxed))?;
    Ok(words.u32(AT_FLAGS).load(Relaxed))
}

/// Refuses what was made in the PID namespace `theirs` where this process is in another.
pub(crate) fn same_namespace(theirs: u64) -> Result<()> {
    let ours = pid_namespace();
    if theirs != ours && theirs != 0 && ours != 0 {
        let why = format!(
            "it belongs to PID namespace {theirs}, this process to {ours}: the kernel marks the \
             owner of a lock by a thread id, which means another thread in each namespace"
        );
        return Err(Error::new("open", ErrorKind::Unsupported).hint(why));
    }
    Ok(())
}

/// Says that this process makes the object.
pub(crate) fn claim(state: &AtomicU32) -> Result<()> {
    let mut found = state.load(Acquire);
    loop {
        if found == READY || (found != FRESH && lives(found)) {
            return Err(Error::new("create", ErrorKind::AlreadyExists));
        }
        match state.compare_exchange(found, process_id(), AcqRel, Acquire) {
            Ok(_) => return Ok(()),
            Err(other) => found = other,
        }
    }
}

/// Says that the object is made, or was not.
pub(crate) fn publish(state: &AtomicU32, built: Result<()>) -> Result<()> {
    let now = if built.is_ok() { READY } else { FRESH };
    state.store(now, Release);
    crash_point!("create.ready");
    wake(state, u32::MAX);
    built
}

/// Waits for a creator that is at it.
pub(crate) fn await_ready(state: &AtomicU32) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let creator = match state.load(Acquire) {
            READY => return Ok(()),
            FRESH => {
                return Err(Error::new("open", ErrorKind::NotFound)
                    .hint("nothing was created at this offset"));
            }
            creator => creator,
        };
        if !lives(creator) {
            return Err(Error::new("open", ErrorKind::PeerDied)
                .hint("its creator died half-way: create it again"));
        }
        if wait_any(&[(state, creator)], Until::after(GLANCE))? == Waited::TimedOut
            && Instant::now() >= deadline
        {
            return Err(Error::new("open", ErrorKind::TimedOut)
                .hint(format!("process {creator} does not finish making it")));
        }
    }
}

/// Which PID namespace this process is in; 0 where `/proc` does not say.
pub(crate) fn pid_namespace() -> u64 {
    rustix::fs::stat("/proc/self/ns/pid").map_or(0, |stat| stat.st_ino)
}
