//! POSIX semaphores, named and in a region: fast, everywhere, and without memory of their holders.
//!
//! A token of a holder that dies is lost: the kernel does not know who took it. Where that
//! matters take [`Semaphore`](crate::Semaphore).

use crate::header::{self, HEADER_BYTES, Identity};
use crate::sys::{ALIGN_BYTES, PosixSemaphore, Words, init_semaphore, unlink_semaphore};
use ipc_core::{Error, ErrorKind, Mode, Name, Result, Until, four_forms};
use ipc_shm::Region;
use ipc_sys::{open_place, os_error, set_mode};
use rustix::io::Errno;
use std::ffi::CString;
use std::path::{Path, PathBuf};

const KIND: u32 = 8;

/// Largest count: 2,147,483,647 (`SEM_VALUE_MAX`).
pub const MAX_COUNT: u32 = i32::MAX as u32;

/// How a named semaphore is made and opened.
#[derive(Clone, Debug, Default)]
pub struct Options {
    mode: Option<u32>,
    foreign_owner: bool,
}

impl Options {
    /// Mode 0600, the own user's only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its permissions, whatever the umask.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Accepts one of another user, or one that strangers may write to.
    pub fn foreign_owner(&mut self, accept: bool) -> &mut Self {
        self.foreign_owner = accept;
        self
    }

    /// Makes the semaphore `name` with `count` tokens; the name must be new.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`ErrorKind::InvalidInput`] above [`MAX_COUNT`].
    #[doc(alias = "sem_open")]
    pub fn create(&self, name: &Name, count: u32) -> Result<Semaphore> {
        if count > MAX_COUNT {
            return Err(Error::new("create", ErrorKind::InvalidInput)
                .hint(format!("{count} tokens are above {MAX_COUNT}")));
        }
        let mode = self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)?;
        let made = PosixSemaphore::create(&c_name(name), mode, count)
            .map_err(|errno| fail("create", name, errno))?;
        // The umask can only have narrowed the mode.
        let (place, _) = open_place("create", &path_of(name))?;
        set_mode("create", &place, mode)?;
        Ok(Semaphore(made))
    }

    /// Opens the semaphore `name`, which must exist.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`] where it is another user's, or strangers
    /// may write to it; [`ErrorKind::WrongType`] where it is a link.
    pub fn open(&self, name: &Name) -> Result<Semaphore> {
        self.check(name)?;
        let opened = PosixSemaphore::open(&c_name(name));
        opened
            .map(Semaphore)
            .map_err(|errno| fail("open", name, errno))
    }

    /// Opens the semaphore `name`, or makes it with `count` tokens.
    ///
    /// # Errors
    /// As [`create`](Options::create) and [`open`](Options::open).
    pub fn open_or_create(&self, name: &Name, count: u32) -> Result<Semaphore> {
        loop {
            match self.open(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
            match self.create(name, count) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                outcome => return outcome,
            }
        }
    }

    fn check(&self, name: &Name) -> Result<()> {
        let (_, stat) = open_place("open", &path_of(name))?;
        let refuse = |kind, why: &'static str| Err(Error::new("open", kind).on(name).hint(why));
        let kind = rustix::fs::FileType::from_raw_mode(stat.st_mode);
        if kind != rustix::fs::FileType::RegularFile {
            return refuse(ErrorKind::WrongType, "what stands there is no semaphore");
        }
        let mode = self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)?;
        let ours = [0, rustix::process::geteuid().as_raw()].contains(&stat.st_uid);
        if !self.foreign_owner && (!ours || mode.lets_strangers_write(stat.st_mode)) {
            return refuse(
                ErrorKind::Denied,
                "it is another user's, or strangers may write to it; Options::foreign_owner \
                 accepts it where that is meant",
            );
        }
        Ok(())
    }
}

/// Makes the semaphore `name` with `count` tokens, with the default options.
///
/// # Errors
/// As [`Options::create`].
pub fn create(name: &Name, count: u32) -> Result<Semaphore> {
    Options::new().create(name, count)
}

/// Opens the semaphore `name`, with the default options.
///
/// # Errors
/// As [`Options::open`].
pub fn open(name: &Name) -> Result<Semaphore> {
    Options::new().open(name)
}

/// Opens the semaphore `name`, or makes it with `count` tokens, with the default options.
///
/// # Errors
/// As [`Options::open_or_create`].
pub fn open_or_create(name: &Name, count: u32) -> Result<Semaphore> {
    Options::new().open_or_create(name, count)
}

/// Removes the name; those who have it open keep it.
///
/// # Errors
/// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
#[doc(alias = "sem_unlink")]
pub fn unlink(name: &Name) -> Result<()> {
    unlink_semaphore(&c_name(name)).map_err(|errno| fail("unlink", name, errno))
}

/// A count that anybody may raise and lower: no token has a holder.
///
/// ```
/// let name = format!("doc.{}", std::process::id()).parse()?;
/// let slots = ipc_sem::posix::create(&name, 1)?;
/// slots.acquire()?;
/// assert!(slots.try_acquire().is_err());
/// slots.release()?;
/// ipc_sem::posix::unlink(&name)?;
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Debug)]
#[doc(alias = "sem_t")]
pub struct Semaphore(PosixSemaphore);

impl Semaphore {
    /// How many bytes of a region an unnamed one takes.
    pub const SIZE_BYTES: usize = HEADER_BYTES + ALIGN_BYTES;

    /// Makes an unnamed one with `count` tokens at `offset` of `region`. All who can write to
    /// the region are trusted.
    ///
    /// # Errors
    /// As [`Options::create_mutex_trusted`](crate::Options::create_mutex_trusted).
    #[doc(alias = "sem_init")]
    pub fn create_trusted(region: &Region, offset: usize, count: u32) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::create(&words, Self::identity(offset)?, 0, || {
            init_semaphore(&words, HEADER_BYTES, count)
        })?;
        Ok(Self(PosixSemaphore::in_region(words, HEADER_BYTES)))
    }

    /// Opens the unnamed one at `offset` of `region`.
    ///
    /// # Errors
    /// As [`Mutex::open_trusted`](crate::Mutex::open_trusted).
    pub fn open_trusted(region: &Region, offset: usize) -> Result<Self> {
        let words = Words::new(region, offset, Self::SIZE_BYTES)?;
        header::open(&words, Self::identity(offset)?)?;
        Ok(Self(PosixSemaphore::in_region(words, HEADER_BYTES)))
    }

    four_forms! {
        /// Takes a token. Where its taker dies it is gone.
        acquire / try_acquire / acquire_timeout / acquire_deadline = acquire_until() -> ()
    }

    /// Gives a token, whoever took it.
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] at [`MAX_COUNT`].
    #[inline]
    #[doc(alias = "sem_post")]
    pub fn release(&self) -> Result<()> {
        self.0.give()
    }

    /// How many tokens there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.count()
    }

    #[inline]
    fn acquire_until(&self, until: Until) -> Result<()> {
        self.0.take(until)
    }

    fn identity(offset: usize) -> Result<Identity> {
        Identity::of::<()>(KIND, Self::SIZE_BYTES, offset)
    }
}

/// Where the C library keeps it.
fn path_of(name: &Name) -> PathBuf {
    Path::new("/dev/shm").join(format!("sem.{name}"))
}

fn c_name(name: &Name) -> CString {
    CString::new(format!("/{name}")).expect("a Name has no NUL")
}

fn fail(operation: &'static str, name: &Name, errno: Errno) -> Error {
    os_error(operation, errno).on(name)
}
