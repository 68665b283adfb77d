//! Regions with a name: of racing creators one makes the object, and a half-made one is seen.
//!
//! Two bytes of the object carry locks of open descriptions, which end with their process. Who
//! makes, replaces or removes the object holds `MAKER` alone; who is attached shares `ATTACHED`.
//! The first bytes say `MAKING` until all others are written. So a half-made object whose
//! `MAKER` byte is free has lost its creator, and whoever makes it next takes it over.

use crate::header::{HEADER_BYTES, Header, MAGIC, MAGIC_BYTES};
use crate::region::{Inner, Memory};
use crate::stage::{Stage, stage, wait_whole};
use crate::sys::{Lock, Mapping, Unchanging, is_locked, process_token, set_lock};
use crate::{Backing, Options, Protection, Region, attach, file, place, system_v};
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{Inode, crash_point, os_error, unlink_same};
use rustix::io::Errno;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

pub(crate) const MAKER: u64 = 0;
pub(crate) const ATTACHED: u64 = 1;

/// The first bytes of an object that is being made.
pub(crate) const MAKING: [u8; MAGIC_BYTES] = *b"ipc-mak\0";

/// The name of a region's object, and who may remove it.
#[derive(Debug)]
pub(crate) struct Name {
    path: PathBuf,
    inode: Inode,
    /// The token of the process that has made the object.
    maker: Option<u64>,
    unlink_on_drop: bool,
}

impl Name {
    /// Removes the name where this process has made the object and it still has this name.
    pub(crate) fn unlink(&self, fd: BorrowedFd<'_>, segment: Option<i32>) -> Result<bool> {
        // A forked child has the handle, but has not made the object.
        if self.maker != Some(process_token()) {
            return Ok(false);
        }
        let Some(_making) = Making::begin(fd)? else {
            return Err(busy("unlink", &self.path));
        };
        crash_point!("shm.own.locked");
        if let Some(id) = segment {
            // First: a key file without a segment is taken over, a segment without one is lost.
            let _ = crate::sys::remove_segment(id);
            crash_point!("shm.own.segment_removed");
        }
        unlink_same("unlink", &self.path, self.inode)
    }

    /// The name of an object that is open as `fd`, made by this process or by another.
    pub(crate) fn of(
        path: PathBuf,
        fd: BorrowedFd<'_>,
        made: bool,
        unlink_on_drop: bool,
    ) -> Result<Self> {
        let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("open", errno))?;
        Ok(Self {
            path,
            inode: Inode::from(&stat),
            maker: made.then(process_token),
            unlink_on_drop,
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let (Some(name), Some(fd)) = (&self.name, &self.fd)
            && name.unlink_on_drop
        {
            let _ = name.unlink(fd.as_fd(), self.segment);
        }
    }
}

/// The `MAKER` lock, for the length of a step. Released by word, not by closing: a child of
/// another thread holds a copy of every descriptor until it has called exec.
struct Making<'a>(BorrowedFd<'a>);

impl<'a> Making<'a> {
    /// None where another process holds it.
    fn begin(fd: BorrowedFd<'a>) -> Result<Option<Self>> {
        let locked = lock(fd, MAKER, Lock::Exclusive)?;
        Ok(locked.then(|| Self(fd)))
    }
}

impl Drop for Making<'_> {
    fn drop(&mut self) {
        let _ = lock(self.0, MAKER, Lock::Release);
    }
}

pub(crate) fn create(name: &Path, options: &Options) -> Result<Region> {
    let header = check_options(options)?;
    let path = place::path_of(name, options)?;
    loop {
        let (fd, made) = match place::make(&path, options) {
            Ok(fd) => {
                crash_point!("shm.create.named");
                let made = claim(&fd, &path, options, &header)?;
                (fd, made)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                match place::open(&path, options, true) {
                    Ok(fd) => {
                        let made = take_over(&fd, &path, options, &header)?;
                        (fd, made)
                    }
                    // Removed between our two looks.
                    Err(gone) if gone.kind() == ErrorKind::NotFound => continue,
                    Err(_) => return Err(error),
                }
            }
            Err(error) => return Err(error),
        };
        if let Some(mut inner) = made {
            inner.fd = Some(fd);
            return Ok(inner.into());
        }
    }
}

pub(crate) fn open(name: &Path, options: &Options, until: Until) -> Result<Region> {
    check_sealable(options)?;
    let path = place::path_of(name, options)?;
    loop {
        let fd = place::open(&path, options, !options.read_only)?;
        let named = |error: Error| error.on(path.display());
        if !wait_whole(fd.as_fd(), until).map_err(named)? {
            return Err(named(Error::new("open", ErrorKind::NotFound).hint(
                "its creator died before it was whole; create and open_or_create take it over",
            )));
        }
        if !lock(fd.as_fd(), ATTACHED, Lock::Shared)? {
            // Somebody removes or replaces it at this moment.
            if until == Until::Now {
                return Err(named(until.over("open")));
            }
            crate::stage::Watch::new(fd.as_fd())?.wait(until)?;
            continue;
        }
        crash_point!("shm.open.attached");
        if place::is_at(&path, fd.as_fd())? {
            return attach(fd, path.clone(), options).map_err(named);
        }
    }
}

pub(crate) fn open_or_create(name: &Path, options: &Options, until: Until) -> Result<Region> {
    loop {
        match open(name, options, until) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        match create(name, options) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
    }
}

pub(crate) fn unlink(name: &Path, options: &Options) -> Result<()> {
    let path = place::path_of(name, options)?;
    let fd = place::open(&path, options, true)?;
    if stage(fd.as_fd())? == Stage::Alien {
        return Err(Error::new("unlink", ErrorKind::Corrupt)
            .on(path.display())
            .hint("it is no region of this toolkit, so it stays"));
    }
    let Some(_making) = Making::begin(fd.as_fd())? else {
        return Err(busy("unlink", &path));
    };
    crash_point!("shm.unlink.locked");
    remove(&fd, &path, options)
}

pub(crate) fn is_live(name: &Path, options: &Options) -> Result<bool> {
    let path = place::path_of(name, options)?;
    let fd = place::open(&path, options, false)?;
    let asked = |byte| is_locked(fd.as_fd(), byte).map_err(|errno| os_error("is live", errno));
    Ok(asked(ATTACHED)? || asked(MAKER)?)
}

/// Makes the object that we have just given its name; none where another took it from us.
fn claim(fd: &OwnedFd, path: &Path, options: &Options, header: &Header) -> Result<Option<Inner>> {
    let Some(_making) = Making::begin(fd.as_fd())? else {
        return Ok(None);
    };
    crash_point!("shm.create.locked");
    // Between the name and the lock another may have taken it for abandoned.
    if !place::is_at(path, fd.as_fd())? || stage(fd.as_fd())? != Stage::Making {
        return Ok(None);
    }
    finish(fd, path, options, header).map(Some)
}

/// Makes the object out of one that stands there already, if it is nobody's; none where it is
/// gone and the name is free.
fn take_over(
    fd: &OwnedFd,
    path: &Path,
    options: &Options,
    header: &Header,
) -> Result<Option<Inner>> {
    let exists = |why| {
        Err(Error::new("create", ErrorKind::AlreadyExists)
            .on(path.display())
            .hint(why))
    };
    let of_segment = options.backing == Some(Backing::SystemV);
    let gone = || of_segment && system_v::is_gone(fd.as_fd());
    // The plain case takes no lock, which would be in the way of the object's own maker.
    if stage(fd.as_fd())? == Stage::Whole && !options.replace_stale && !gone() {
        return exists("it exists already");
    }
    let Some(_making) = Making::begin(fd.as_fd())? else {
        return exists("another process is making it at this moment");
    };
    crash_point!("shm.take_over.locked");
    if !place::is_at(path, fd.as_fd())? {
        return Ok(None);
    }
    match stage(fd.as_fd())? {
        Stage::Making => finish(fd, path, options, header).map(Some),
        Stage::Alien => exists("something that is no region of this toolkit has this name"),
        Stage::Whole => {
            // Whole only since we looked first.
            if !options.replace_stale && !gone() {
                return exists("it exists already");
            }
            // Exclusive, so that nobody attaches between this look and the removal.
            if !lock(fd.as_fd(), ATTACHED, Lock::Exclusive)? {
                return exists("a living process is attached to it");
            }
            crash_point!("shm.replace.locked");
            remove(fd, path, options)?;
            crash_point!("shm.replace.removed");
            Ok(None)
        }
    }
}

/// Fills an object that is ours alone by its `MAKER` lock, and publishes it. The descriptor is
/// put in by the caller, after the lock.
fn finish(fd: &OwnedFd, path: &Path, options: &Options, header: &Header) -> Result<Inner> {
    let outcome = fill(fd, options, header);
    let (header, memory, segment) = match outcome {
        Ok(filled) => filled,
        Err(error) => {
            let _ = remove(fd, path, options);
            return Err(error.on(path.display()));
        }
    };
    let name = Name::of(path.to_path_buf(), fd.as_fd(), true, options.unlink_on_drop)?;
    let mut inner = Inner::new(memory, None, header, header.size_bytes);
    inner.backing = backing_of(options);
    inner.segment = segment;
    inner.name = Some(name);
    Ok(inner)
}

fn fill(fd: &OwnedFd, options: &Options, header: &Header) -> Result<(Header, Memory, Option<i32>)> {
    let fail = |errno| os_error("create", errno);
    if !lock(fd.as_fd(), ATTACHED, Lock::Shared)? {
        return Err(Error::new("create", ErrorKind::Denied)
            .hint("another process locks the object without making it"));
    }
    let mode = rustix::fs::Mode::from_raw_mode(options.checked_mode()?.bits());
    rustix::fs::fchmod(fd, mode).map_err(fail)?;
    crash_point!("shm.fill.attached");
    if backing_of(options) == Backing::SystemV {
        let (header, mapping, id) = system_v::fill(fd.as_fd(), options, header)?;
        return Ok((header, Memory::Mapped(mapping), Some(id)));
    }
    rustix::fs::ftruncate(fd, 0).map_err(fail)?;
    file::write_new(fd.as_fd(), 0, &MAKING)?;
    crash_point!("shm.fill.marked");
    let total = header.total_bytes(backing_of(options), header.size_bytes)?;
    file::reserve(fd.as_fd(), 0, total as u64)?;
    crash_point!("shm.fill.reserved");
    publish(fd.as_fd(), header)?;
    Ok((*header, memory(fd, total, options)?, None))
}

/// Writes the header, and its first bytes last.
pub(crate) fn publish(fd: BorrowedFd<'_>, header: &Header) -> Result<()> {
    let bytes: [u8; HEADER_BYTES] = header.encode();
    file::write_new(fd, MAGIC_BYTES, &bytes[MAGIC_BYTES..])?;
    crash_point!("shm.publish.described");
    file::write_new(fd, 0, &MAGIC)?;
    crash_point!("shm.publish.whole");
    Ok(())
}

/// Attaches an object that is whole and on which we share the `ATTACHED` lock.
fn attach(fd: OwnedFd, path: PathBuf, options: &Options) -> Result<Region> {
    let header = attach::read_header(fd.as_fd(), options.layout)?.expected_by(options)?;
    let name = Name::of(path, fd.as_fd(), false, false)?;
    let backing = backing_of(options);
    let mut inner = match backing {
        Backing::SystemV => system_v::attach_key(fd, &header, options)?,
        _ => {
            attach::grown_len(fd.as_fd(), &header, backing)?;
            if header.is_growable() {
                let why = "its header says that it grows, which only sealed memory does";
                return Err(Error::new("open", ErrorKind::Corrupt).hint(why));
            }
            let total = header.total_bytes(backing, header.size_bytes)?;
            let memory = memory(&fd, total, options)?;
            Inner::new(memory, Some(fd), header, header.size_bytes)
        }
    };
    inner.backing = backing;
    inner.writable = !options.read_only;
    if options.trust_peers && options.read_only {
        inner.unchanging = Some(Unchanging::by_trust());
    }
    inner.name = Some(name);
    Ok(inner.into())
}

fn memory(fd: &OwnedFd, total: usize, options: &Options) -> Result<Memory> {
    if !options.trust_peers {
        return Ok(Memory::Called);
    }
    let writable = !options.read_only;
    let mapping = Mapping::of_descriptor(fd.as_fd(), total, writable, options.prefault)?;
    Ok(Memory::Mapped(mapping))
}

/// Removes an object on which we hold the `MAKER` lock.
fn remove(fd: &OwnedFd, path: &Path, options: &Options) -> Result<()> {
    let stat = rustix::fs::fstat(fd).map_err(|errno| os_error("unlink", errno))?;
    if backing_of(options) == Backing::SystemV && place::is_at(path, fd.as_fd())? {
        system_v::remove_of(fd.as_fd());
        crash_point!("shm.remove.segment_removed");
    }
    unlink_same("unlink", path, Inode::from(&stat)).map(drop)
}

fn busy(operation: &'static str, path: &Path) -> Error {
    Error::new(operation, ErrorKind::WouldBlock)
        .on(path.display())
        .hint("another process is making or removing it at this moment")
}

fn backing_of(options: &Options) -> Backing {
    options.backing.unwrap_or(Backing::Posix)
}

fn check_options(options: &Options) -> Result<Header> {
    let header = Header::new(options)?;
    check_sealable(options)?;
    if options.read_only {
        return Err(Error::new("create", ErrorKind::InvalidInput)
            .hint("who makes a region writes it: read_only is for those who open it"));
    }
    Ok(header)
}

/// Refuses what only sealed memory can do, instead of not doing it.
fn check_sealable(options: &Options) -> Result<()> {
    let refuse = |why| Err(Error::new("open or create", ErrorKind::InvalidInput).hint(why));
    if matches!(backing_of(options), Backing::Memory | Backing::HugePages) {
        return refuse(
            "memory files have no names: take Options::anonymous and pass the descriptor",
        );
    }
    if options.max_bytes.is_some() {
        return refuse("only sealed memory grows: take Options::anonymous");
    }
    if options.protection != Protection::ReadWrite || options.narrowable {
        return refuse("only sealed memory has protections: take Options::anonymous");
    }
    Ok(())
}

pub(crate) fn lock(fd: BorrowedFd<'_>, byte: u64, kind: Lock) -> Result<bool> {
    match set_lock(fd, byte, kind) {
        Err(Errno::NOLCK | Errno::OPNOTSUPP | Errno::INVAL) => {
            Err(Error::new("lock", ErrorKind::Unsupported)
                .hint("this file system has no locks of open descriptions"))
        }
        outcome => outcome.map_err(|errno| os_error("lock", errno)),
    }
}
