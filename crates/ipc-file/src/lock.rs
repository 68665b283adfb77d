//! Advisory locks on a file or on bytes of it, which their owner's death gives back.

use crate::disk::{Disk, DiskFile, identity};
use crate::segment::lock;
use crate::sys::{self, Bytes, Hold};
use crate::vfs::{How, Identity, Vfs, VfsFile, check_file, failed};
use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, os_error, retry};
use rustix::fs::FlockOperation;
use rustix::io::Errno;
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Mutex;

/// A file to be locked: all of it, or ranges of its bytes.
///
/// A lock belongs to this open file, not to a thread or a process: who wants to be kept out opens
/// the file itself. The kernel gives a lock back when the last copy of the descriptor is closed,
/// so when its process dies, unless a child that was forked without exec still has a copy.
///
/// There are a blocking and a trying form, and no others: the kernel's waits for file locks have
/// no limit in time, and no descriptor.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("ipc lock doc {}", std::process::id()));
/// # std::fs::create_dir(&dir).unwrap();
/// let one = ipc_file::open_lock(dir.join("turn"))?;
/// let other = ipc_file::open_lock(dir.join("turn"))?;
/// let guard = one.lock()?;
/// assert_eq!(other.try_lock().unwrap_err().kind(), ipc_file::ErrorKind::WouldBlock);
/// drop(guard);
/// drop(other.try_lock()?);
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Debug)]
pub struct Lock {
    file: DiskFile,
    /// Where it stands, to see whether it still does.
    place: Option<(Disk, PathBuf)>,
    held: Mutex<Vec<Held>>,
}

/// What a guard of this open file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Bytes from … to; `u64::MAX` is the end, wherever that is.
    Range(u64, u64),
    /// The other kind of lock, which the kernel keeps apart.
    Flock,
}

impl Held {
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Range(a, b), Self::Range(c, d)) => a < d && c < b,
            (Self::Flock, Self::Flock) => true,
            _ => false,
        }
    }
}

impl Lock {
    pub(crate) fn open(disk: Disk, name: PathBuf, mode: u32) -> Result<Self> {
        let fail = |error: io::Error| failed("open lock", &name, &error);
        loop {
            let opened = match disk.identity(&name).map_err(fail)? {
                Some(found) => {
                    check_file("open lock", &name, &found)?;
                    disk.open_file(&name, How::Write)
                }
                None => disk.open_file(&name, How::Create(mode)),
            };
            match opened {
                Ok(file) => {
                    let found = file.identity().map_err(fail)?;
                    if found.names == 0 {
                        continue;
                    }
                    check_file("open lock", &name, &found)?;
                    return Ok(Self {
                        file,
                        place: Some((disk, name)),
                        held: Mutex::default(),
                    });
                }
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::NotFound | io::ErrorKind::AlreadyExists
                    ) => {}
                Err(error) => return Err(fail(error)),
            }
        }
    }

    /// Locks through a descriptor that the caller has, of a file or a directory. Where it is a
    /// copy of another, both are one owner.
    ///
    /// # Errors
    /// [`LimitReached`](ErrorKind::LimitReached) without descriptors.
    pub fn from_descriptor(fd: OwnedFd) -> Result<Self> {
        Ok(Self {
            file: DiskFile(above_stdio(fd)?),
            place: None,
            held: Mutex::default(),
        })
    }

    /// Waits for all of the file, alone.
    ///
    /// # Errors
    /// [`Deadlock`](ErrorKind::Deadlock) where a guard of this open file has some of it;
    /// [`NotFound`](ErrorKind::NotFound) where the file's name is gone or another file's, so that
    /// others would lock that one.
    pub fn lock(&self) -> Result<Guard<'_>> {
        self.ofd(0..u64::MAX, Hold::Exclusive, true)
    }

    /// [`lock`](Lock::lock) without waiting.
    ///
    /// # Errors
    /// As [`lock`](Lock::lock), and [`WouldBlock`](ErrorKind::WouldBlock) where another has it.
    pub fn try_lock(&self) -> Result<Guard<'_>> {
        self.ofd(0..u64::MAX, Hold::Exclusive, false)
    }

    /// Waits for all of the file, with others who share it.
    ///
    /// # Errors
    /// As [`lock`](Lock::lock).
    pub fn lock_shared(&self) -> Result<Guard<'_>> {
        self.ofd(0..u64::MAX, Hold::Shared, true)
    }

    /// [`lock_shared`](Lock::lock_shared) without waiting.
    ///
    /// # Errors
    /// As [`try_lock`](Lock::try_lock).
    pub fn try_lock_shared(&self) -> Result<Guard<'_>> {
        self.ofd(0..u64::MAX, Hold::Shared, false)
    }

    /// Waits for the bytes of `range`, alone; they need not exist. Without an end
    /// (`u64::MAX`) it is all that ever stands behind the start.
    ///
    /// # Errors
    /// As [`lock`](Lock::lock), and [`InvalidInput`](ErrorKind::InvalidInput) where it is empty
    /// or ends above `i64::MAX`.
    pub fn lock_range(&self, range: Range<u64>) -> Result<Guard<'_>> {
        self.ofd(range, Hold::Exclusive, true)
    }

    /// [`lock_range`](Lock::lock_range) without waiting.
    ///
    /// # Errors
    /// As [`lock_range`](Lock::lock_range), and [`WouldBlock`](ErrorKind::WouldBlock).
    pub fn try_lock_range(&self, range: Range<u64>) -> Result<Guard<'_>> {
        self.ofd(range, Hold::Exclusive, false)
    }

    /// Waits for the bytes of `range`, with others who share them.
    ///
    /// # Errors
    /// As [`lock_range`](Lock::lock_range).
    pub fn lock_range_shared(&self, range: Range<u64>) -> Result<Guard<'_>> {
        self.ofd(range, Hold::Shared, true)
    }

    /// [`lock_range_shared`](Lock::lock_range_shared) without waiting.
    ///
    /// # Errors
    /// As [`try_lock_range`](Lock::try_lock_range).
    pub fn try_lock_range_shared(&self, range: Range<u64>) -> Result<Guard<'_>> {
        self.ofd(range, Hold::Shared, false)
    }

    /// Waits for the file's `flock`, alone: what programs that use flock(2) see. It does not meet
    /// the other locks.
    ///
    /// # Errors
    /// As [`lock`](Lock::lock).
    pub fn flock(&self) -> Result<Guard<'_>> {
        self.whole(FlockOperation::LockExclusive)
    }

    /// [`flock`](Lock::flock) without waiting.
    ///
    /// # Errors
    /// As [`try_lock`](Lock::try_lock).
    pub fn try_flock(&self) -> Result<Guard<'_>> {
        self.whole(FlockOperation::NonBlockingLockExclusive)
    }

    /// Waits for the file's `flock`, with others who share it.
    ///
    /// # Errors
    /// As [`lock`](Lock::lock).
    pub fn flock_shared(&self) -> Result<Guard<'_>> {
        self.whole(FlockOperation::LockShared)
    }

    /// [`flock_shared`](Lock::flock_shared) without waiting.
    ///
    /// # Errors
    /// As [`try_lock`](Lock::try_lock).
    pub fn try_flock_shared(&self) -> Result<Guard<'_>> {
        self.whole(FlockOperation::NonBlockingLockShared)
    }

    /// Whether another open file has a lock on any byte of `range` that would keep an exclusive
    /// one out. By the time it is known it may have changed.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a range that cannot be locked.
    pub fn is_locked(&self, range: Range<u64>) -> Result<bool> {
        let bytes = bytes(&range)?;
        sys::others_lock(self.as_fd(), bytes).map_err(|errno| os_error("lock", errno))
    }

    fn ofd(&self, range: Range<u64>, hold: Hold, wait: bool) -> Result<Guard<'_>> {
        let bytes = bytes(&range)?;
        let held = self.reserve(Held::Range(range.start, range.end))?;
        let taken = sys::lock_bytes(self.as_fd(), bytes, hold, wait);
        self.taken(held, taken)
    }

    fn whole(&self, operation: FlockOperation) -> Result<Guard<'_>> {
        let held = self.reserve(Held::Flock)?;
        let taken = match retry(|| rustix::fs::flock(self.as_fd(), operation)) {
            Ok(()) => Ok(true),
            Err(Errno::AGAIN) => Ok(false),
            Err(errno) => Err(errno),
        };
        self.taken(held, taken)
    }

    /// To the kernel all guards of an open file are one owner: it would let the second in, and
    /// the end of either would give both back.
    fn reserve(&self, wanted: Held) -> Result<Held> {
        let mut held = lock(&self.held);
        if held.iter().any(|other| other.meets(wanted)) {
            return Err(Error::new("lock", ErrorKind::Deadlock).hint(
                "a guard of this open file has it: each thread that is to be kept out opens the \
                 file itself",
            ));
        }
        held.push(wanted);
        Ok(wanted)
    }

    fn taken(&self, held: Held, taken: rustix::io::Result<bool>) -> Result<Guard<'_>> {
        let outcome = match taken {
            Ok(true) => {
                let guard = Guard {
                    lock: self,
                    held,
                    owner: std::process::id(),
                };
                return guard.check().map(|()| guard);
            }
            Ok(false) => Err(Error::new("lock", ErrorKind::WouldBlock)),
            Err(errno) => Err(os_error("lock", errno)),
        };
        self.forget(held);
        outcome
    }

    fn forget(&self, held: Held) {
        let mut all = lock(&self.held);
        if let Some(at) = all.iter().position(|other| *other == held) {
            all.swap_remove(at);
        }
    }

    fn release(&self, held: Held) {
        match held {
            Held::Range(start, end) => {
                if let Ok(bytes) = bytes(&(start..end)) {
                    let _ = sys::unlock_bytes(self.as_fd(), bytes);
                }
            }
            Held::Flock => {
                let _ = rustix::fs::flock(self.as_fd(), FlockOperation::Unlock);
            }
        }
        self.forget(held);
    }

    fn stands(&self) -> Result<bool> {
        let fail = |error: io::Error| os_error_of(&error);
        let Some((disk, name)) = &self.place else {
            let found: Identity = identity(
                &rustix::fs::fstat(&self.file.0).map_err(|errno| os_error("lock", errno))?,
            );
            return Ok(found.names > 0);
        };
        let named = disk.identity(name).map_err(fail)?;
        let found = self.file.identity().map_err(fail)?;
        Ok(named.is_some_and(|named| named.is(&found)))
    }
}

impl AsFd for Lock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.0.as_fd()
    }
}

fn os_error_of(error: &io::Error) -> Error {
    os_error("lock", Errno::from_io_error(error).unwrap_or(Errno::IO))
}

/// The kernel's words for a range.
fn bytes(range: &Range<u64>) -> Result<Bytes> {
    let refuse = || {
        Error::new("lock", ErrorKind::InvalidInput)
            .hint("a range has at least one byte, and ends at 2^63 - 1 at most, or at u64::MAX")
    };
    if range.end <= range.start {
        return Err(refuse());
    }
    let start = i64::try_from(range.start).map_err(|_| refuse())?;
    let length = match range.end {
        u64::MAX => 0,
        end => i64::try_from(end).map_err(|_| refuse())? - start,
    };
    Ok(Bytes { start, length })
}

/// A lock that is held; dropping it gives it back.
#[derive(Debug)]
#[must_use = "the lock is given back at once"]
pub struct Guard<'a> {
    lock: &'a Lock,
    held: Held,
    owner: u32,
}

impl Guard<'_> {
    /// Whether the file still has its name: where somebody has removed or replaced it, others
    /// who open that name lock another file, and this guard keeps nobody out.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) where it has not.
    pub fn check(&self) -> Result<()> {
        if self.lock.stands()? {
            return Ok(());
        }
        Err(Error::new("lock", ErrorKind::NotFound)
            .hint("the lock file was removed or replaced: open it again"))
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // A forked child has a copy of the guard, and the lock is its parent's.
        if self.owner == std::process::id() {
            self.lock.release(self.held);
        }
    }
}
