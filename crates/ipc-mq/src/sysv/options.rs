//! How a System V queue is made and found.

use super::queue::{Queue, no_longer};
use crate::limits::{is_privileged, setting};
use crate::sys;
use ipc_core::{Error, ErrorKind, Mode, Name, Result};
use ipc_sys::{Key, KeyFile, RuntimeDirectory, crash_point, os_error};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

const ROOT: u32 = 0;

/// How a queue is made and found.
///
/// A name leads to the queue through a file of the user's private runtime directory, which holds
/// a random key. No `ftok`: its keys collide.
///
/// ```
/// use ipc_mq::sysv::{Options, Select};
/// let queue = Options::new().create_unnamed()?;
/// queue.send(b"to the second worker", 2)?;
/// let mut message = [0; 64];
/// let received = queue.recv(&mut message, Select::Exact(2))?;
/// assert_eq!((received.length, received.kind), (20, 2));
/// queue.remove()?;
/// # Ok::<(), ipc_mq::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    mode: Option<u32>,
    capacity_bytes: Option<usize>,
    directory: Option<PathBuf>,
    foreign_owner: bool,
}

impl Options {
    /// Mode 0600, and as many bytes as the host gives a new queue (kernel.msgmnb).
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its permissions.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// How many bytes of messages a new queue holds.
    #[doc(alias = "msg_qbytes")]
    pub fn capacity_bytes(&mut self, bytes: usize) -> &mut Self {
        self.capacity_bytes = Some(bytes);
        self
    }

    /// Where the files of named queues are, instead of the user's runtime directory.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().into());
        self
    }

    /// Accepts a queue of another user, or one that strangers may write to.
    pub fn foreign_owner(&mut self, accept: bool) -> &mut Self {
        self.foreign_owner = accept;
        self
    }

    /// Makes a queue that only its id names. It stays until it is [removed](Queue::remove).
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] names the host's limit, its value, and how to raise it.
    #[doc(alias = "IPC_PRIVATE")]
    pub fn create_unnamed(&self) -> Result<Queue> {
        self.check()?;
        let id = sys::make(None, self.own_mode()?).map_err(not_made)?;
        self.complete(id)
    }

    /// Makes the queue `name`, which must be new. It stays until it is unlinked. What a maker that
    /// was killed has left half-made is removed.
    ///
    /// # Errors
    /// As [`create_unnamed`](Options::create_unnamed); [`ErrorKind::AlreadyExists`];
    /// [`ErrorKind::Corrupt`] where the file of that name holds no key.
    #[doc(alias = "msgget")]
    pub fn create(&self, name: &str) -> Result<Queue> {
        self.check()?;
        let name = Name::new(name)?;
        let mut file = KeyFile::lock(&self.path_of(&name)?)?;
        crash_point!("sysv.locked");
        match file.key() {
            Some(key) if key.is_ready && sys::find(key.number).is_ok() => {
                return Err(Error::new("create", ErrorKind::AlreadyExists).on(name));
            }
            Some(key) if !key.is_ready => remove_ours(key)?,
            _ => {}
        }
        let id = loop {
            let key = file.begin()?;
            crash_point!("sysv.begun");
            match sys::make(Some(key), self.own_mode()?) {
                Ok(id) => break id,
                // Another's, by chance.
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(not_made(errno).on(name)),
            }
        };
        crash_point!("sysv.made");
        let queue = self.complete(id)?;
        match file.finish() {
            Ok(()) => Ok(queue),
            Err(error) => {
                let _ = sys::remove(id);
                Err(error)
            }
        }
    }

    /// Opens the queue `name`, which must exist.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is none, or it was removed; [`ErrorKind::Denied`] where
    /// it is another user's, or strangers may write to it; [`ErrorKind::Corrupt`] where the file
    /// of that name holds no key.
    pub fn open(&self, name: &str) -> Result<Queue> {
        let name = Name::new(name)?;
        let missing = || Error::new("open", ErrorKind::NotFound).on(&name);
        let key = KeyFile::read(&self.path_of(&name)?)?;
        let key = key.filter(|key| key.is_ready).ok_or_else(missing)?;
        let id = sys::find(key.number).map_err(|errno| match errno {
            Errno::NOENT => missing().hint("the queue of this name was removed"),
            errno => os_error("open", errno).on(&name),
        })?;
        let queue = Queue::from_id(id)?;
        let status = queue.status()?;
        let refuse = |why: String| Err(Error::new("open", ErrorKind::Denied).on(&name).hint(why));
        let ours = [ROOT, rustix::process::geteuid().as_raw()].contains(&status.uid);
        if !ours && !self.foreign_owner {
            return refuse(format!(
                "it belongs to user {}; Options::foreign_owner accepts it where that is meant",
                status.uid
            ));
        }
        if self.own_mode()?.lets_strangers_write(status.mode) && !self.foreign_owner {
            return refuse(format!(
                "strangers may write to it (mode {:#o}); Options::mode or foreign_owner accepts \
                 that where it is meant",
                status.mode
            ));
        }
        Ok(queue)
    }

    /// Opens the queue `name`, or makes it.
    ///
    /// # Errors
    /// As [`create`](Options::create) and [`open`](Options::open).
    pub fn open_or_create(&self, name: &str) -> Result<Queue> {
        loop {
            match self.open(name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
            match self.create(name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                outcome => return outcome,
            }
        }
    }

    /// Removes the queue `name`, whole or half-made, and its file; those who wait at it are told.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
    pub fn unlink(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        let file = KeyFile::lock_existing(&self.path_of(&name)?)?;
        if let Some(key) = file.key() {
            remove_ours(key)?;
        }
        crash_point!("sysv.removed");
        file.remove()
    }

    /// Refuses what this host's limits forbid, by their names.
    fn check(&self) -> Result<()> {
        let Some(asked) = self.capacity_bytes else {
            return Ok(());
        };
        check_capacity("create", asked)
    }

    fn own_mode(&self) -> Result<Mode> {
        self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)
    }

    /// Sets what msgget(2) does not; a queue that cannot be completed is removed.
    fn complete(&self, id: i32) -> Result<Queue> {
        let complete = || {
            let queue = Queue::from_id(id)?;
            if let Some(bytes) = self.capacity_bytes {
                queue.set_capacity_bytes(bytes)?;
            }
            Ok(queue)
        };
        let outcome = complete();
        if outcome.is_err() {
            let _ = sys::remove(id);
        }
        outcome
    }

    fn path_of(&self, name: &Name) -> Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        // Beside semaphores and segments of the same name.
        Ok(directory.path().join(format!("{name}.mq")))
    }
}

/// Refuses a capacity that the host does not allow, by the limit's name.
pub(super) fn check_capacity(operation: &'static str, asked: usize) -> Result<()> {
    if asked == 0 {
        return Err(
            Error::new(operation, ErrorKind::InvalidInput).hint("a queue holds at least one byte")
        );
    }
    match setting("kernel/msgmnb") {
        Some(limit) if asked > limit && !is_privileged() => Err(Error::new(
            operation,
            ErrorKind::LimitReached,
        )
        .hint(format!(
            "capacity_bytes {asked} is above this host's limit {limit} (kernel.msgmnb); raise it \
             as root with `sysctl kernel.msgmnb={asked}`"
        ))),
        _ => Ok(()),
    }
}

/// Removes the queue under `key`, if there is one and it is ours.
fn remove_ours(key: Key) -> Result<()> {
    let id = match sys::find(key.number) {
        Ok(id) => id,
        Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ACCESS) => return Ok(()),
        Err(errno) => return Err(os_error("unlink", errno)),
    };
    match sys::stat(id) {
        Ok(status) if status.msg_perm.uid == rustix::process::geteuid().as_raw() => {
            match sys::remove(id) {
                Ok(()) | Err(Errno::IDRM | Errno::INVAL) => Ok(()),
                Err(errno) => Err(no_longer("unlink", errno)),
            }
        }
        // Another's by now: the file was all that was left.
        Ok(_) | Err(Errno::IDRM | Errno::INVAL | Errno::ACCESS) => Ok(()),
        Err(errno) => Err(os_error("unlink", errno)),
    }
}

fn not_made(errno: Errno) -> Error {
    match errno {
        Errno::NOSPC => {
            let limit = setting("kernel/msgmni");
            let limit = limit.map_or_else(|| "unknown".to_owned(), |limit| limit.to_string());
            Error::new("create", ErrorKind::LimitReached)
                .caused_by(errno.into())
                .hint(format!(
                    "the host has all the queues that it may have, {limit} (kernel.msgmni); \
                     remove some (`ipcs -q`, `ipcrm`), or raise it as root with sysctl"
                ))
        }
        errno => os_error("create", errno),
    }
}
