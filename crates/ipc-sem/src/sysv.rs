//! System V semaphore sets: several counts changed at once, and undone when a process dies.

use crate::set_name::{self, Making};
use crate::sys;
use ipc_core::{Error, ErrorKind, Mode, Name, Result, Until, four_forms};
use ipc_sys::RuntimeDirectory;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

/// Largest value of a semaphore of a set: 32,767 (`SEMVMX`).
pub const MAX_VALUE: u16 = 32_767;

/// How a set is made and found.
///
/// A set without a name is known by its id, which its maker passes on; one with a name has its id
/// in a file of the user's private runtime directory. No `ftok`: its keys collide.
#[derive(Clone, Debug, Default)]
pub struct Options {
    mode: Option<u32>,
    directory: Option<PathBuf>,
}

impl Options {
    /// Mode 0600.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its permissions.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Where the files of named sets are, instead of the user's runtime directory.
    pub fn directory(&mut self, directory: impl AsRef<Path>) -> &mut Self {
        self.directory = Some(directory.as_ref().into());
        self
    }

    /// Makes a set of as many semaphores as `values`, which only its id names. It stays until it
    /// is [removed](Set::remove).
    ///
    /// # Errors
    /// [`ErrorKind::LimitReached`] names the host's limit; [`ErrorKind::InvalidInput`] for none
    /// or for a value above [`MAX_VALUE`].
    #[doc(alias = "semget")]
    pub fn create_unnamed(&self, values: &[u16]) -> Result<Set> {
        self.make(values, || Ok(None))
    }

    /// Makes a set and writes its id to the file `name`, which must be new, or name a set that is
    /// gone. What a maker that died half-way has left is removed.
    ///
    /// # Errors
    /// As [`create_unnamed`](Options::create_unnamed); [`ErrorKind::AlreadyExists`], also while
    /// another process makes or removes it.
    pub fn create(&self, name: &Name, values: &[u16]) -> Result<Set> {
        let path = self.path_of(name)?;
        let exists = |why| {
            let error = Error::new("create set", ErrorKind::AlreadyExists);
            Err(error.on(name).hint(why))
        };
        let Some(making) = Making::begin(&path)? else {
            return exists("another process is making or removing it at this moment");
        };
        match self.open(name) {
            Ok(_) => return exists("it exists already"),
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return exists("something that names no set has this name");
            }
            // No file; or one whose set others have removed, or the host when the user left.
            Err(_) => match making.remove() {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            },
        }
        let mut key = 0;
        let set = self.make(values, || {
            key = random_key();
            making.note(key).map(|()| Some(key))
        })?;
        if let Err(error) = making.publish(&set, key) {
            let _ = set.remove();
            return Err(error);
        }
        Ok(set)
    }

    /// Opens the set whose id stands in the file `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no file, or the set was removed;
    /// [`ErrorKind::Corrupt`] where the file has no id, or the id is another set's by now.
    pub fn open(&self, name: &Name) -> Result<Set> {
        let (id, key) = set_name::read(&self.path_of(name)?)?;
        let set = Set::from_id(id)?;
        if sys::stat_set(id)?.sem_perm.__key != key {
            return Err(Error::new("open set", ErrorKind::Corrupt)
                .on(name)
                .hint("its id is another set's by now"));
        }
        Ok(set)
    }

    /// Removes the set whose id stands in the file `name`, and the file.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`]; [`ErrorKind::WouldBlock`] while another
    /// process makes or removes it.
    pub fn unlink(&self, name: &Name) -> Result<()> {
        let path = self.path_of(name)?;
        let Some(making) = Making::begin(&path)? else {
            return Err(Error::new("unlink set", ErrorKind::WouldBlock)
                .on(name)
                .hint("another process is making or removing it at this moment"));
        };
        // The set first: a file without a set is replaced, a set without a file is lost. Where it
        // is gone, or was never ours, the file is all there is.
        if let Ok(set) = self.open(name) {
            match set.remove() {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        making.remove()
    }

    fn make(&self, values: &[u16], mut key: impl FnMut() -> Result<Option<i32>>) -> Result<Set> {
        let refuse = |why| Err(Error::new("create set", ErrorKind::InvalidInput).hint(why));
        let Ok(count @ 1..) = u16::try_from(values.len()) else {
            return refuse("a set has 1 to 65535 semaphores");
        };
        if values.iter().any(|value| *value > MAX_VALUE) {
            return refuse("a semaphore stands at 32767 at most");
        }
        let mode = self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)?;
        let id = loop {
            if let Some(id) = sys::make_set(key()?, count, mode)? {
                break id;
            }
        };
        let set = Set { id, count };
        for (index, value) in (0..).zip(values) {
            if let Err(error) = sys::set_value(set.id, index, *value) {
                let _ = sys::remove_set(set.id);
                return Err(error);
            }
        }
        Ok(set)
    }

    fn path_of(&self, name: &Name) -> Result<PathBuf> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        Ok(directory.path_of(name))
    }
}

/// One part of a change: what is done to one semaphore of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    index: u16,
    change: i16,
    undo: bool,
}

impl Operation {
    /// Takes `count` from semaphore `index`, when it has as much.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for nought, or above [`MAX_VALUE`].
    pub fn take(index: u16, count: u16) -> Result<Self> {
        Ok(Self {
            index,
            change: -in_range(count)?,
            undo: true,
        })
    }

    /// Gives `count` to semaphore `index`.
    ///
    /// # Errors
    /// As [`take`](Operation::take).
    pub fn give(index: u16, count: u16) -> Result<Self> {
        Ok(Self {
            index,
            change: in_range(count)?,
            undo: true,
        })
    }

    /// Waits until semaphore `index` stands at nought.
    #[must_use]
    pub fn await_zero(index: u16) -> Self {
        Self {
            index,
            change: 0,
            undo: false,
        }
    }

    /// The change outlives the process that makes it. Without this the kernel undoes it when the
    /// process ends, by whatever death.
    #[must_use]
    pub fn lasting(mut self) -> Self {
        self.undo = false;
        self
    }
}

/// A set of semaphores.
///
/// ```
/// use ipc_sem::sysv::{Operation, Options};
/// let set = Options::new().create_unnamed(&[2, 0])?;
/// // Both or neither.
/// set.apply(&[Operation::take(0, 2)?, Operation::give(1, 1)?])?;
/// assert_eq!(set.values()?, [0, 1]);
/// assert!(set.try_apply(&[Operation::take(0, 1)?]).is_err());
/// set.remove()?;
/// # Ok::<(), ipc_sem::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set {
    id: i32,
    count: u16,
}

/// What the kernel knows of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// How many semaphores it has.
    pub count: u16,
    /// Who owns it.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Its permissions.
    pub mode: u32,
}

impl Set {
    /// The set `id`, which another process has passed on.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
    pub fn from_id(id: i32) -> Result<Self> {
        let count = sys::stat_set(id)?.sem_nsems as u16;
        Ok(Self { id, count })
    }

    four_forms! {
        /// Does all `operations` at once, as soon as all are possible.
        ///
        /// # Errors
        /// [`NotFound`](ErrorKind::NotFound) where the set is removed, also while one waits;
        /// [`TooLarge`](ErrorKind::TooLarge), [`LimitReached`](ErrorKind::LimitReached),
        /// [`InvalidInput`](ErrorKind::InvalidInput) name the limit or the operation.
        apply / try_apply / apply_timeout / apply_deadline
            = apply_until(operations: &[Operation]) -> ()
    }

    /// The value of semaphore `index`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::InvalidInput`] for an index that it does not have.
    pub fn value(&self, index: u16) -> Result<u16> {
        self.check(index)?;
        sys::value(self.id, index)
    }

    /// All values at one moment.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    pub fn values(&self) -> Result<Vec<u16>> {
        let mut values = vec![0; usize::from(self.count)];
        sys::values(self.id, &mut values)?;
        Ok(values)
    }

    /// Sets semaphore `index`; what deaths would have undone there is forgotten.
    ///
    /// # Errors
    /// As [`value`](Set::value), and [`ErrorKind::InvalidInput`] above [`MAX_VALUE`].
    pub fn set_value(&self, index: u16, value: u16) -> Result<()> {
        self.check(index)?;
        if value > MAX_VALUE {
            return Err(Error::new("set value", ErrorKind::InvalidInput)
                .hint("a semaphore stands at 32767 at most"));
        }
        sys::set_value(self.id, index, value)
    }

    /// What the kernel knows of the set.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`].
    #[doc(alias = "IPC_STAT")]
    pub fn status(&self) -> Result<Status> {
        let status = sys::stat_set(self.id)?;
        let permissions = status.sem_perm;
        Ok(Status {
            count: status.sem_nsems as u16,
            uid: permissions.uid,
            gid: permissions.gid,
            mode: u32::from(permissions.mode) & 0o777,
        })
    }

    /// Changes its permissions.
    ///
    /// # Errors
    /// [`ErrorKind::Denied`] for another user's; [`ErrorKind::InvalidInput`].
    #[doc(alias = "IPC_SET")]
    pub fn set_mode(&self, bits: u32) -> Result<()> {
        let mut status = sys::stat_set(self.id)?;
        status.sem_perm.mode = Mode::new(bits)?.bits() as _;
        sys::change_set(self.id, status)
    }

    /// Removes the set at once; those who wait at it are told `NotFound`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`].
    #[doc(alias = "IPC_RMID")]
    pub fn remove(&self) -> Result<()> {
        sys::remove_set(self.id)
    }

    /// Its id, to be passed to another process.
    #[must_use]
    pub fn id(&self) -> i32 {
        self.id
    }

    #[inline]
    fn apply_until(&self, operations: &[Operation], until: Until) -> Result<()> {
        const FEW: usize = 8;
        let mut few = [kernel_form(Operation::await_zero(0)); FEW];
        if let Some(few) = few.get_mut(..operations.len()) {
            for (form, operation) in few.iter_mut().zip(operations) {
                *form = kernel_form(*operation);
            }
            return sys::apply(self.id, few, until);
        }
        let mut many: Vec<_> = operations.iter().map(|each| kernel_form(*each)).collect();
        sys::apply(self.id, &mut many, until)
    }

    fn check(&self, index: u16) -> Result<()> {
        if index < self.count {
            return Ok(());
        }
        Err(Error::new("value", ErrorKind::InvalidInput).hint(format!(
            "the set has {} semaphores, no number {index}",
            self.count
        )))
    }
}

fn in_range(count: u16) -> Result<i16> {
    match i16::try_from(count) {
        Ok(count @ 1..) => Ok(count),
        _ => Err(Error::new("operation", ErrorKind::InvalidInput)
            .hint("an operation changes a semaphore by 1 to 32767")),
    }
}

fn kernel_form(operation: Operation) -> libc::sembuf {
    libc::sembuf {
        sem_num: operation.index,
        sem_op: operation.change,
        sem_flg: if operation.undo {
            libc::SEM_UNDO as i16
        } else {
            0
        },
    }
}

/// A key that nobody else has by chance: it stands beside the id in a set's file, and tells the
/// set from a later one of the same id.
fn random_key() -> i32 {
    // Never 0, which is the key of sets without one.
    RandomState::new().build_hasher().finish() as i32 | 1
}
