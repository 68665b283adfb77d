//! How a pipe or a FIFO is made.

use crate::fifo::{self, Fifo};
use crate::sys::{self, ReadEnd, WriteEnd};
use crate::{Receiver, Sender, Stream};
use ipc_core::{Error, ErrorKind, Mode, Name, Result, Spin};
use ipc_sys::{Place, RuntimeDirectory, ToPlace, above_stdio};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// How many bytes a pipe holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capacity {
    /// The kernel's default (64 KiB), raised to up to 1 MiB by the first large send: a large
    /// pipe is several times as fast for a stream of large messages, and a small one leaves the
    /// user's share of pipe memory to others.
    #[default]
    Automatic,
    /// The kernel's default, for ever.
    Default,
    /// At least so many bytes; the kernel rounds up to a power of two pages.
    Bytes(usize),
}

/// How a pipe or a FIFO is made. Anonymous: [`pair`](Options::pair), [`duplex`](Options::duplex);
/// named: [`create`](Options::create), [`open`](Options::open),
/// [`open_or_create`](Options::open_or_create).
///
/// ```
/// let (tx, rx) = ipc_pipe::Options::new().record(true).pair()?;
/// tx.send(b"one")?;
/// tx.send(b"two")?;
/// let mut record = [0; ipc_pipe::MAX_RECORD_BYTES];
/// assert_eq!(rx.recv(&mut record)?, 3);
/// # Ok::<(), ipc_pipe::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub(crate) capacity: Capacity,
    pub(crate) record: bool,
    pub(crate) keep_open: bool,
    pub(crate) foreign_owner: bool,
    pub(crate) spin: Option<Spin>,
    mode: Option<u32>,
    directory: Option<PathBuf>,
}

impl Options {
    /// Automatic capacity, bytes, mode 0600.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes the pipe holds at least; shorthand for [`Capacity::Bytes`].
    pub fn capacity_bytes(&mut self, bytes: usize) -> &mut Self {
        self.capacity(Capacity::Bytes(bytes))
    }

    /// How many bytes the pipe holds.
    pub fn capacity(&mut self, capacity: Capacity) -> &mut Self {
        self.capacity = capacity;
        self
    }

    /// Records: each send is one record of 1 to [`MAX_RECORD_BYTES`](crate::MAX_RECORD_BYTES),
    /// received whole and alone, with any number of writers. Every writer of the pipe must be in
    /// this mode. A record takes a page of the pipe, so the default pipe holds 16.
    pub fn record(&mut self, record: bool) -> &mut Self {
        self.record = record;
        self
    }

    /// A FIFO's receivers outlive its senders: they wait for the next one instead of reporting
    /// the end when the last sender has gone.
    pub fn keep_open(&mut self, keep_open: bool) -> &mut Self {
        self.keep_open = keep_open;
        self
    }

    /// Whether a send or a receive that would wait tries again for a while before it sleeps: a
    /// peer that is awake on another processor answers sooner than a sleep and its wake take.
    /// [`Spin::Never`] by default.
    ///
    /// ```
    /// use ipc_pipe::{Options, Spin};
    /// let (tx, rx) = Options::new().spin(Spin::Learned).pair()?;
    /// tx.send(b"pear")?;
    /// assert_eq!(rx.recv(&mut [0; 8])?, 4);
    /// # Ok::<(), ipc_pipe::Error>(())
    /// ```
    pub fn spin(&mut self, spin: Spin) -> &mut Self {
        self.spin = Some(spin).filter(|spin| *spin != Spin::Never);
        self
    }

    /// Permission bits of a FIFO that is made, exactly these whatever the umask; 0600 by default.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Opens a FIFO that belongs to another user than ourselves or root too. Off by default: its
    /// owner decides who else reads and writes there.
    pub fn foreign_owner(&mut self, accept: bool) -> &mut Self {
        self.foreign_owner = accept;
        self
    }

    /// Where [`path_of`](Options::path_of) places names, instead of the user's runtime directory.
    /// It must belong to the user alone (0700); it is made if missing.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().to_path_buf());
        self
    }

    /// An anonymous pipe.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] without descriptors, or for a capacity above
    /// `fs.pipe-max-size` or the user's share (the message names which).
    pub fn pair(&self) -> Result<(Sender, Receiver)> {
        let (read, write) = sys::pipe(self.record)?;
        let end = WriteEnd::new(write, self.record);
        let sender = Sender::new(end, self.record, self.grows()).spinning(self.spin);
        let receiver = Receiver::new(ReadEnd::new(read), self.record).spinning(self.spin);
        self.apply_capacity("create pipe", &sender)?;
        Ok((sender, receiver))
    }

    /// Two anonymous pipes, as a stream in both directions.
    ///
    /// # Errors
    /// As [`pair`](Options::pair); [`ErrorKind::InvalidInput`] with
    /// [`record`](Options::record), since a stream is bytes.
    pub fn duplex(&self) -> Result<(Stream, Stream)> {
        if self.record {
            return Err(Error::new("create pipe", ErrorKind::InvalidInput)
                .hint("a stream carries bytes: use two pairs for records"));
        }
        let (to_right, right) = self.pair()?;
        let (to_left, left) = self.pair()?;
        Ok((Stream::join(to_right, left), Stream::join(to_left, right)))
    }

    /// Takes the writing end of a pipe from elsewhere, a parent or a Unix socket, with these
    /// options; `Sender::from` takes one as bytes with its capacity left as it is.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where `fd` is no pipe's writing end; [`ErrorKind::InvalidInput`]
    /// for [`record`](Options::record) where its maker did not ask for records.
    pub fn adopt_sender(&self, fd: OwnedFd) -> Result<Sender> {
        sys::check_end(&fd, sys::Access::Write, self.record)?;
        let end = WriteEnd::new(above_stdio(fd)?, self.record);
        let sender = Sender::new(end, self.record, self.grows()).spinning(self.spin);
        self.apply_capacity("adopt pipe", &sender)?;
        Ok(sender)
    }

    /// Takes the reading end of a pipe from elsewhere with these options; `Receiver::from` takes
    /// one as bytes.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where `fd` is no pipe's reading end.
    pub fn adopt_receiver(&self, fd: OwnedFd) -> Result<Receiver> {
        sys::check_end(&fd, sys::Access::Read, false)?;
        Ok(Receiver::new(ReadEnd::new(above_stdio(fd)?), self.record).spinning(self.spin))
    }

    /// Makes a FIFO at `place`, a path or what [`path_of`](Options::path_of) gives, which must be
    /// new.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] where anything has this name, a link included.
    pub fn create(&self, place: impl ToPlace) -> Result<Fifo> {
        fifo::create(place.to_place(), self.checked_mode()?, self)
    }

    /// Opens the FIFO at `place`, which must exist. Opening does not wait for another process.
    ///
    /// # Errors
    /// [`ErrorKind::WrongType`] where it is anything but a FIFO (a link is not followed);
    /// [`ErrorKind::Denied`] where it belongs to another user, or where strangers may write to it
    /// and [`mode`](Options::mode) does not say so.
    pub fn open(&self, place: impl ToPlace) -> Result<Fifo> {
        fifo::open(place.to_place(), self.checked_mode()?, self)
    }

    /// Opens the FIFO at `place`, or makes it; of two racing creators one makes it.
    ///
    /// # Errors
    /// As [`open`](Options::open).
    pub fn open_or_create(&self, place: impl ToPlace) -> Result<Fifo> {
        fifo::open_or_create(&place.to_place(), self.checked_mode()?, self)
    }

    /// Removes the name of the FIFO at `place`; what else may stand there stays.
    ///
    /// # Errors
    /// As [`open`](Options::open).
    pub fn unlink(&self, place: impl ToPlace) -> Result<()> {
        self.open(place)?.unlink().map(drop)
    }

    /// The place of `name` in the user's runtime directory, or in
    /// [`directory`](Options::directory), which is made where it is missing: for FIFOs whose
    /// names are the program's own. It is looked up beneath the directory that was checked here,
    /// whatever happens to the directory's path.
    ///
    /// ```no_run
    /// let options = ipc_pipe::Options::new();
    /// let fifo = options.open_or_create(options.path_of(&"/jobs".parse()?)?)?;
    /// # Ok::<(), ipc_pipe::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] where there is no directory that is the user's alone; the message
    /// names [`directory`](Options::directory).
    pub fn path_of(&self, name: &Name) -> Result<Place> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        Ok(directory.place_of(name))
    }

    pub(crate) fn grows(&self) -> bool {
        self.capacity == Capacity::Automatic && !self.record
    }

    pub(crate) fn apply_capacity(&self, operation: &'static str, sender: &Sender) -> Result<()> {
        match self.capacity {
            Capacity::Bytes(bytes) => sender.set_capacity(operation, bytes),
            Capacity::Automatic | Capacity::Default => Ok(()),
        }
    }

    fn checked_mode(&self) -> Result<Mode> {
        self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)
    }
}
