//! A directory of messages: delivered whole, claimed by one, finished, or claimed again after
//! their claimer's death.
//!
//! `tmp` has what is being written, `new` what waits, `cur` what is claimed. A claim is a lock on
//! the file, taken before it is moved to `cur`: what stands in `cur` without a lock was claimed
//! by somebody who is dead, or has let go of it.

use crate::claim::Claim;
use crate::disk::Disk;
use crate::reader::silent;
use crate::segment::lock;
use crate::sys;
use crate::temporary::{Names, Temporary};
use crate::vfs::{How, Kind, PlaceLock, Vfs, VfsFile, failed, read_full, shown, write_all};
use crate::wake::Wake;
use ipc_core::{Error, ErrorKind, Interest, Pollable, Result, Until, four_forms};
use ipc_sys::crash_point;
use rustix::fs::inotify::WatchFlags;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The place that a claimer holds: another than a writer's, who may still have the file open.
pub(crate) const CLAIM: Range<u8> = 1..2;
/// Where the number of the last delivery stands.
const SEQUENCE: &str = "sequence";
/// The kernel tells that a file was closed just before it gives back the locks on it.
const AFTER_CLOSE: Duration = Duration::from_millis(1);

/// A directory of messages for whoever claims them first.
///
/// A message is delivered when it is durable. It is given to one claimer at a time, and again to
/// another where that one dies before it has finished it: at least once. The order is the order
/// of delivery; it is kept by one claimer, and among several as far as they do not overtake.
///
/// ```
/// # let dir = std::env::temp_dir().join(format!("ipc spool doc {}", std::process::id()));
/// let spool = ipc_file::open_spool(&dir)?;
/// spool.deliver(b"resize 7")?;
/// let claim = spool.claim()?;
/// assert_eq!(claim.read()?, b"resize 7");
/// claim.finish()?;
/// # std::fs::remove_dir_all(&dir).unwrap();
/// # Ok::<(), ipc_file::Error>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    vfs: Arc<dyn Vfs>,
    sequence: Box<dyn VfsFile>,
    /// Threads of this process share the open file, and so its lock.
    numbering: Mutex<()>,
    names: Names,
    max_bytes: usize,
    wake: Wake,
    polled: bool,
    /// The last look found nothing: whatever comes after it shows at the descriptor.
    drained: AtomicBool,
    /// Making a delivery durable has failed.
    over: AtomicBool,
}

impl Spool {
    pub(crate) fn at(path: &Path, max_bytes: usize, polled: Option<Duration>) -> Result<Self> {
        const OPERATION: &str = "open spool";
        let (parent, name) = Disk::of(OPERATION, path)?;
        private(&parent, &name)?;
        let fail = |error: io::Error| failed(OPERATION, &name, &error);
        parent.sync_directory(Path::new("")).map_err(fail)?;
        let disk = parent.open_directory(&name).map_err(fail)?;
        if let (None, Some(kind)) = (polled, sys::silent_file_system(&disk)?) {
            return Err(silent(OPERATION, kind));
        }
        let disk = Arc::new(disk);
        Self::open(Arc::clone(&disk) as _, Some(&disk), max_bytes, polled)
    }

    pub(crate) fn open(
        vfs: Arc<dyn Vfs>,
        disk: Option<&Disk>,
        max_bytes: usize,
        polled: Option<Duration>,
    ) -> Result<Self> {
        let wake = Wake::new(polled)?;
        for name in ["tmp", "new", "cur"] {
            private(vfs.as_ref(), Path::new(name))?;
        }
        if let (Some(disk), None) = (disk, polled) {
            let fail = |error: io::Error| failed("open spool", Path::new("new"), &error);
            let new = disk.open_directory(Path::new("new")).map_err(fail)?;
            let cur = disk.open_directory(Path::new("cur")).map_err(fail)?;
            wake.watch(new.as_fd(), WatchFlags::MOVED_TO)?;
            wake.watch(cur.as_fd(), WatchFlags::CLOSE_WRITE)?;
        }
        let names = Names::new(Path::new("tmp"), "");
        names.sweep("open spool", vfs.as_ref())?;
        let spool = Self {
            sequence: open_sequence(vfs.as_ref())?,
            numbering: Mutex::new(()),
            vfs,
            names,
            max_bytes,
            wake,
            polled: polled.is_some(),
            drained: AtomicBool::new(false),
            over: AtomicBool::new(false),
        };
        spool.raise_sequence()?;
        crash_point!("spool.opened");
        Ok(spool)
    }

    /// Delivers a message, and returns when it is durable.
    ///
    /// # Errors
    /// [`TooLarge`](ErrorKind::TooLarge) above the limit; [`NoSpace`](ErrorKind::NoSpace): it is
    /// not delivered; [`Closed`](ErrorKind::Closed), from then on, where making it durable has
    /// failed: it may or may not be there.
    pub fn deliver(&self, message: &[u8]) -> Result<()> {
        self.put(message).map_err(|error| self.named(error))
    }

    four_forms! {
        /// Claims the oldest message that nobody has, and waits for one where there is none.
        ///
        /// What a claimer had that died is claimed first, as soon as it is dead.
        ///
        /// # Errors
        /// [`LimitReached`](ErrorKind::LimitReached) without descriptors.
        claim / try_claim / claim_timeout / claim_deadline = claim_until() -> Claim
    }

    /// How many messages wait for a claim, not counting those of dead claimers.
    ///
    /// # Errors
    /// As readdir(3).
    pub fn waiting(&self) -> Result<usize> {
        let listed = self.listed("new").map_err(|error| self.named(error));
        listed.map(|names| names.len())
    }

    fn put(&self, message: &[u8]) -> Result<()> {
        const OPERATION: &str = "deliver";
        if message.len() > self.max_bytes {
            return Err(Error::new(OPERATION, ErrorKind::TooLarge).hint(format!(
                "a message of {} bytes is above the limit of {} (Options::max_bytes)",
                message.len(),
                self.max_bytes
            )));
        }
        let final_failure = || {
            Error::new(OPERATION, ErrorKind::Closed)
                .hint("making a delivery durable has failed, which is final: open the spool again")
        };
        if self.over.load(Ordering::Acquire) {
            return Err(final_failure());
        }
        let vfs = self.vfs.as_ref();
        let file = Temporary::create(OPERATION, vfs, &self.names, 0o600)?;
        file.fill(message)?;
        self.numbered(|number| {
            let name = format!("{number:020}.{:016x}", sys::random()?);
            file.rename(&Path::new("new").join(name))
        })?;
        crash_point!("spool.delivered");
        vfs.sync_directory(Path::new("new")).map_err(|error| {
            self.over.store(true, Ordering::Release);
            final_failure().caused_by(error)
        })
    }

    fn claim_until(&self, until: Until) -> Result<Claim> {
        self.claim_within(until).map_err(|error| self.named(error))
    }

    fn named(&self, error: Error) -> Error {
        shown(self.vfs.as_ref(), Path::new(""), error)
    }

    fn claim_within(&self, until: Until) -> Result<Claim> {
        self.drained.store(false, Ordering::Relaxed);
        loop {
            if let Some(claim) = self.look()? {
                return Ok(claim);
            }
            // Taken before the last look: what comes after it shows again.
            let mut notices = Vec::new();
            self.wake.take(&mut notices)?;
            if let Some(claim) = self.look()? {
                return Ok(claim);
            }
            let closed = |mask: u32| mask & WatchFlags::CLOSE_WRITE.bits() != 0;
            if !self.polled && notices.iter().any(|notice| closed(notice.mask)) {
                self.wake.again_in(AFTER_CLOSE)?;
            }
            if until == Until::Now {
                self.drained.store(true, Ordering::Relaxed);
                return Err(until.over("claim"));
            }
            self.wake.wait("claim", until)?;
        }
    }

    /// One look at all that is there, the oldest first.
    fn look(&self) -> Result<Option<Claim>> {
        let claimed = self.listed("cur")?;
        let mut all: BTreeSet<(OsString, bool)> = BTreeSet::new();
        all.extend(claimed.into_iter().map(|name| (name, true)));
        all.extend(self.listed("new")?.into_iter().map(|name| (name, false)));
        for (name, claimed) in all {
            let taken = match claimed {
                true => self.take_over(&name),
                false => self.take_new(&name),
            };
            match taken {
                Ok(Some(claim)) => return Ok(Some(claim)),
                Ok(None) => {}
                // Another was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed("claim", Path::new(&name), &error)),
            }
        }
        Ok(None)
    }

    fn take_new(&self, name: &OsStr) -> io::Result<Option<Claim>> {
        let (new, cur) = (Path::new("new").join(name), Path::new("cur").join(name));
        let Some(file) = self.locked(&new)? else {
            return Ok(None);
        };
        crash_point!("spool.claim_locked");
        self.vfs.rename(&new, &cur)?;
        crash_point!("spool.claimed");
        Ok(Some(self.claimed(file, cur, false)))
    }

    fn take_over(&self, name: &OsStr) -> io::Result<Option<Claim>> {
        let cur = Path::new("cur").join(name);
        // To read only: that it is closed again must wake nobody who waits for a death.
        if !is_message(self.vfs.as_ref(), &cur)?
            || self.vfs.open(&cur, How::Read)?.others_lock(CLAIM)?
        {
            return Ok(None);
        }
        let file = self.locked(&cur)?;
        Ok(file.map(|file| self.claimed(file, cur, true)))
    }

    /// The file at `path`, if it is ours now.
    fn locked(&self, path: &Path) -> io::Result<Option<Box<dyn VfsFile>>> {
        if !is_message(self.vfs.as_ref(), path)? {
            return Ok(None);
        }
        let file = self.vfs.open(path, How::Write)?;
        if !file.lock(CLAIM, true, false)? {
            return Ok(None);
        }
        // It may have been moved or finished before we had the lock.
        let named = self.vfs.identity(path)?;
        let found = file.identity()?;
        Ok(named.is_some_and(|named| named.is(&found)).then_some(file))
    }

    fn claimed(&self, file: Box<dyn VfsFile>, path: PathBuf, returned: bool) -> Claim {
        Claim::new(Arc::clone(&self.vfs), file, path, returned, self.max_bytes)
    }

    /// The names of messages in a directory; whatever else stands there is not touched.
    fn listed(&self, directory: &str) -> Result<BTreeSet<OsString>> {
        let names = self.vfs.list(Path::new(directory));
        let names = names.map_err(|error| failed("claim", Path::new(directory), &error))?;
        Ok(names.into_iter().filter(|n| number(n).is_some()).collect())
    }

    /// Calls `with` with the next number; the next delivery waits until it has returned.
    fn numbered(&self, with: impl FnOnce(u64) -> Result<()>) -> Result<()> {
        let fail = |error: io::Error| failed("deliver", Path::new(SEQUENCE), &error);
        let _numbering = lock(&self.numbering);
        let _sequence = PlaceLock::wait(self.sequence.as_ref(), 0..1).map_err(fail)?;
        let next = self.last_number().map_err(fail)?.saturating_add(1);
        write_all(self.sequence.as_ref(), &next.to_le_bytes(), 0).map_err(fail)?;
        crash_point!("spool.numbered");
        with(next)
    }

    fn last_number(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        read_full(self.sequence.as_ref(), &mut bytes, 0)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The number is not made durable with each delivery: after a power loss it may lag.
    fn raise_sequence(&self) -> Result<()> {
        let fail = |error: io::Error| failed("open spool", Path::new(SEQUENCE), &error);
        let _numbering = lock(&self.numbering);
        let _sequence = PlaceLock::wait(self.sequence.as_ref(), 0..1).map_err(fail)?;
        let names = [self.listed("new")?, self.listed("cur")?];
        let highest = names.iter().flatten().filter_map(|name| number(name)).max();
        let highest = highest.unwrap_or_default();
        if self.last_number().map_err(fail)? < highest {
            write_all(self.sequence.as_ref(), &highest.to_le_bytes(), 0).map_err(fail)?;
        }
        Ok(())
    }
}

impl Pollable for Spool {
    fn descriptor(&self, _interest: Interest) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
    fn wait_ready(&self, _interests: &[Interest], until: Until) -> Result<()> {
        while self.waiting()? == 0 {
            self.wake.wait("wait", until)?;
            let mut notices = Vec::new();
            self.wake.take(&mut notices)?;
            if !notices.is_empty() {
                return Ok(());
            }
        }
        Ok(())
    }
    fn arm(&self, _interest: Interest) -> Result<bool> {
        Ok(!self.drained.load(Ordering::Relaxed))
    }
}

/// The number of a message, where `name` is twenty digits, a dot and sixteen hexadecimal ones.
fn number(name: &OsStr) -> Option<u64> {
    let (digits, rest) = name.as_bytes().split_at_checked(20)?;
    let hex = rest.strip_prefix(b".")?;
    let lower = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if hex.len() != 16 || !hex.iter().all(lower) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn is_message(vfs: &dyn Vfs, path: &Path) -> io::Result<bool> {
    let found = vfs.identity(path)?;
    Ok(found.is_some_and(|found| found.kind == Kind::File && found.ours && found.names == 1))
}

/// Makes a directory of our own, or checks that it is one.
fn private(vfs: &dyn Vfs, name: &Path) -> Result<()> {
    const OPERATION: &str = "open spool";
    let fail = |error: io::Error| failed(OPERATION, name, &error);
    let refuse = |kind, why| Err(Error::new(OPERATION, kind).on(name.display()).hint(why));
    loop {
        let Some(found) = vfs.identity(name).map_err(fail)? else {
            match vfs.make_directory(name) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(fail(error));
                }
                _ => continue,
            }
        };
        return match found {
            found if found.kind != Kind::Directory => {
                refuse(ErrorKind::WrongType, "it is not a directory")
            }
            found if !found.ours => refuse(ErrorKind::Denied, "it belongs to another user"),
            found if found.mode & 0o077 != 0 => refuse(
                ErrorKind::Denied,
                "others may enter it (its mode should be 0700)",
            ),
            // Its maker died before its mode was what it should be.
            found if found.mode != 0o700 => vfs.make_directory(name).map_err(fail),
            _ => Ok(()),
        };
    }
}

fn open_sequence(vfs: &dyn Vfs) -> Result<Box<dyn VfsFile>> {
    let name = Path::new(SEQUENCE);
    let fail = |error: io::Error| failed("open spool", name, &error);
    loop {
        let opened = match vfs.identity(name).map_err(fail)? {
            Some(found) => {
                crate::vfs::check_file("open spool", name, &found)?;
                vfs.open(name, How::Write)
            }
            None => vfs.open(name, How::Create(0o600)),
        };
        match opened {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            outcome => return outcome.map_err(fail),
        }
    }
}
