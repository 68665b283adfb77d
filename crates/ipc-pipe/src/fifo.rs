//! A FIFO: a pipe with a name, at which senders and receivers come and go.

use crate::sys::{ReadEnd, WriteEnd, set_blocking, set_packets};
use crate::{Options, Receiver, Sender};
use ipc_core::{Error, ErrorKind, Mode, Result};
use ipc_sys::{Inode, Place, above_stdio, in_words, open_at, os_error, set_mode};
use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

const ROOT: u32 = 0;

/// A FIFO that is open for reference: whoever replaces its name cannot replace it.
///
/// It stays at its path until it is unlinked; a killed process leaves the name behind, and
/// [`open_or_create`](crate::open_or_create) takes it up again.
#[derive(Debug)]
pub struct Fifo {
    place: Place,
    reference: OwnedFd,
    inode: Inode,
    options: Options,
}

impl Fifo {
    /// Opens an end to receive from, at once; receiving waits for the first sender.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] without the right to read; [`ErrorKind::LimitReached`].
    pub fn receiver(&self) -> Result<Receiver> {
        // The description is new and ours: opened without blocking, and blocking from then on.
        let read = self.open_end(OFlags::RDONLY | OFlags::NONBLOCK)?;
        set_blocking(&read)?;
        // With the reader open a writer's open does not wait.
        let keeper = match self.options.keep_open {
            true => Some(self.open_end(OFlags::WRONLY | OFlags::NONBLOCK)?),
            false => None,
        };
        Ok(
            Receiver::of_fifo(ReadEnd::new(read), self.options.record, keeper)
                .spinning(self.options.spin),
        )
    }

    /// Opens an end to send into, waiting for ever until there is a receiver. The kernel has no
    /// timed form of this wait.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] without the right to write; [`ErrorKind::LimitReached`].
    pub fn sender(&self) -> Result<Sender> {
        self.open_sender(OFlags::WRONLY)
    }

    /// [`sender`](Fifo::sender) without waiting.
    ///
    /// # Errors
    /// [`ErrorKind::WouldBlock`] where there is no receiver.
    pub fn try_sender(&self) -> Result<Sender> {
        self.open_sender(OFlags::WRONLY | OFlags::NONBLOCK)
    }

    /// Removes the name, where it still means this FIFO; open ends live on. Whether it did.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] without the right to write to the directory.
    pub fn unlink(&self) -> Result<bool> {
        self.place.unlink_same("unlink", self.inode)
    }

    /// The path it was opened at.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.place.path()
    }

    fn open_sender(&self, access: OFlags) -> Result<Sender> {
        let write = self.open_end(access)?;
        // Either call makes the description, which is new and ours, a blocking one.
        match self.options.record {
            true => set_packets(&write)?,
            false => set_blocking(&write)?,
        }
        let end = WriteEnd::new(write, self.options.record);
        let sender = Sender::new(end, self.options.record, self.options.grows());
        let sender = sender.spinning(self.options.spin);
        self.options.apply_capacity("open FIFO", &sender)?;
        Ok(sender)
    }

    fn open_end(&self, flags: OFlags) -> Result<OwnedFd> {
        match open_at(self.reference.as_fd(), flags) {
            Ok(fd) => above_stdio(fd),
            Err(Errno::NXIO) => Err(Error::new("open FIFO", ErrorKind::WouldBlock)),
            Err(Errno::NOENT) => Err(Error::new("open FIFO", ErrorKind::Unsupported)
                .on(self.place.display())
                .hint("opening a FIFO safely needs /proc, which is not mounted")),
            Err(errno) => Err(os_error("open FIFO", errno).on(self.place.display())),
        }
    }
}

pub(crate) fn create(place: Place, mode: Mode, options: &Options) -> Result<Fifo> {
    place.make_fifo("create FIFO", mode)?;
    // The umask can only have narrowed the mode, so nobody had more than this before it is set.
    // Who is told that it failed finds nothing there that the next create would stumble over.
    let opened = open(place.clone(), mode, options);
    let fifo = opened.inspect_err(|_| place.unlink_unopened(FileType::Fifo))?;
    let set = set_mode("create FIFO", &fifo.reference, mode);
    set.inspect_err(|_| drop(fifo.unlink()))?;
    Ok(fifo)
}

pub(crate) fn open(place: Place, mode: Mode, options: &Options) -> Result<Fifo> {
    let (reference, stat) = place.open_reference("open FIFO")?;
    check(&place, &stat, mode, options)?;
    let options = options.clone();
    Ok(Fifo {
        place,
        reference,
        inode: Inode::from(&stat),
        options,
    })
}

pub(crate) fn open_or_create(place: &Place, mode: Mode, options: &Options) -> Result<Fifo> {
    loop {
        match open(place.clone(), mode, options) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            outcome => return outcome,
        }
        match create(place.clone(), mode, options) {
            // Another was faster, or has removed it again between our two looks.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            outcome => return outcome,
        }
    }
}

fn check(path: &Place, stat: &Stat, mode: Mode, options: &Options) -> Result<()> {
    let refuse =
        |kind, why: String| Err(Error::new("open FIFO", kind).on(path.display()).hint(why));
    let found = FileType::from_raw_mode(stat.st_mode);
    if found != FileType::Fifo {
        let why = format!(
            "it is {}, not a FIFO; a link is never followed",
            in_words(found)
        );
        return refuse(ErrorKind::WrongType, why);
    }
    let ours = [ROOT, rustix::process::geteuid().as_raw()].contains(&stat.st_uid);
    if !ours && !options.foreign_owner {
        let why = format!(
            "it belongs to user {}; Options::foreign_owner accepts it where that is meant",
            stat.st_uid
        );
        return refuse(ErrorKind::Denied, why);
    }
    if mode.lets_strangers_write(stat.st_mode) && !options.foreign_owner {
        let why = format!(
            "its mode {:#o} lets others write into it; Options::mode accepts it where that is \
             meant",
            stat.st_mode & 0o777
        );
        return refuse(ErrorKind::Denied, why);
    }
    if stat.st_nlink != 1 {
        return refuse(
            ErrorKind::Denied,
            format!("it has {} names (hard links)", stat.st_nlink),
        );
    }
    Ok(())
}
