//! How a POSIX queue is made and opened.

use crate::limits;
use crate::queue::Queue;
use crate::sys::{self, Access, Engine, Make};
use ipc_core::{Error, ErrorKind, Mode, Name, Result, Spin};
use ipc_sys::{above_stdio, crash_point, os_error};
use rustix::fs::Stat;
use rustix::io::Errno;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::os::fd::OwnedFd;

const ROOT: u32 = 0;

/// How a queue is made and opened.
///
/// Names are those of [`ipc_core::Name`]: 1 to 100 of `A–Z a–z 0–9 . _ -`, one leading slash
/// stripped.
///
/// ```
/// let name = format!("/doc.options.{}", std::process::id());
/// let jobs = ipc_mq::Options::new().max_messages(8).message_size_bytes(64).create(&name)?;
/// jobs.send(b"resize 7", 3)?;
/// assert_eq!(ipc_mq::open(&name)?.recv_with_priority(&mut [0; 64])?, (8, 3));
/// ipc_mq::unlink(&name)?;
/// # Ok::<(), ipc_mq::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Options {
    max_messages: Option<usize>,
    message_size_bytes: Option<usize>,
    mode: Option<u32>,
    access: Access,
    foreign_owner: bool,
    spin: Option<Spin>,
}

impl Options {
    /// As many messages, of as many bytes, as the host's defaults say (fs.mqueue.msg_default, 10;
    /// fs.mqueue.msgsize_default, 8,192), mode 0600, to send and to receive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many messages the queue holds. An existing queue with another number is refused.
    #[doc(alias = "mq_maxmsg")]
    pub fn max_messages(&mut self, count: usize) -> &mut Self {
        self.max_messages = Some(count);
        self
    }

    /// How long a message may be, and how long the buffer of a receiver must be at least. An
    /// existing queue with another length is refused.
    #[doc(alias = "mq_msgsize")]
    pub fn message_size_bytes(&mut self, bytes: usize) -> &mut Self {
        self.message_size_bytes = Some(bytes);
        self
    }

    /// Its permissions, whatever the umask.
    pub fn mode(&mut self, bits: u32) -> &mut Self {
        self.mode = Some(bits);
        self
    }

    /// Opens to receive alone; to send is [`Denied`](ErrorKind::Denied).
    pub fn receive_only(&mut self) -> &mut Self {
        self.access = Access::Receive;
        self
    }

    /// Opens to send alone; to receive is [`Denied`](ErrorKind::Denied).
    pub fn send_only(&mut self) -> &mut Self {
        self.access = Access::Send;
        self
    }

    /// Accepts a queue of another user, or one that strangers may write to.
    pub fn foreign_owner(&mut self, accept: bool) -> &mut Self {
        self.foreign_owner = accept;
        self
    }

    /// Whether a send or a receive that would wait tries again for a while before it sleeps: a
    /// peer that is awake on another processor answers sooner than a sleep and its wake take.
    /// [`Spin::Never`] by default.
    pub fn spin(&mut self, spin: Spin) -> &mut Self {
        self.spin = Some(spin).filter(|spin| *spin != Spin::Never);
        self
    }

    /// Makes the queue `name`, which must be new. It stays until it is unlinked.
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`]; [`ErrorKind::LimitReached`] names the sysctl or the rlimit,
    /// its value, and how to raise it; [`ErrorKind::InvalidInput`] for a name or a size that no
    /// queue has; [`ErrorKind::Unsupported`] by a kernel without queues.
    #[doc(alias = "mq_open")]
    pub fn create(&self, name: &str) -> Result<Queue> {
        self.make(&Name::new(name)?)
    }

    /// Opens the queue `name`, which must exist.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`] where it is another user's, or strangers may
    /// write to it; [`ErrorKind::WrongType`] where it holds another number of messages, or of
    /// another length, than these options say.
    pub fn open(&self, name: &str) -> Result<Queue> {
        self.find(&Name::new(name)?)
    }

    /// Opens the queue `name`, or makes it.
    ///
    /// # Errors
    /// As [`create`](Options::create) and [`open`](Options::open).
    pub fn open_or_create(&self, name: &str) -> Result<Queue> {
        let name = Name::new(name)?;
        loop {
            match self.find(&name) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
            match self.make(&name) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                outcome => return outcome,
            }
        }
    }

    /// Makes a queue without a name, to be handed on by descriptor; it goes with its last
    /// descriptor.
    ///
    /// # Errors
    /// As [`create`](Options::create), but for the name.
    pub fn create_unnamed(&self) -> Result<Queue> {
        // The kernel makes no queue without a name, so it has one for the moment between two
        // calls: the same for each maker of a user, so that one killed in between leaves a name
        // that the next removes. Who made the queue has it open, whoever removes the name.
        let user = rustix::process::geteuid().as_raw();
        let mut name = Name::new(&format!("ipc-unnamed.{user}"))?;
        loop {
            match self.make(&name) {
                Ok(queue) => {
                    crash_point!("unnamed.made");
                    return remove_name(&name).map(|_| queue);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !remove_name(&name)? {
                        // Another user's: there are other names.
                        let random = RandomState::new().build_hasher().finish();
                        name = Name::new(&format!("ipc-unnamed.{user}.{random:x}"))?;
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Removes the name; those who have the queue open keep it.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`]; [`ErrorKind::Denied`] for another user's.
    #[doc(alias = "mq_unlink")]
    pub fn unlink(&self, name: &str) -> Result<()> {
        let name = Name::new(name)?;
        sys::unlink(&name).map_err(|errno| os_error("unlink", errno).on(&name))
    }

    fn make(&self, name: &Name) -> Result<Queue> {
        let mode = self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)?;
        let make = Make {
            mode,
            max_messages: (self.max_messages).unwrap_or_else(limits::default_messages),
            message_size_bytes: (self.message_size_bytes)
                .unwrap_or_else(limits::default_message_size),
        };
        limits::check(name, &make)?;
        let made = Engine::open(name, self.access, Some(make))
            .map_err(|errno| limits::explain(name, &make, errno))?;
        crash_point!("create.made");
        let finished = above_stdio(made).and_then(|fd| {
            // The umask can only have narrowed the mode.
            rustix::fs::fchmod(&fd, rustix::fs::Mode::from_raw_mode(mode.bits()))
                .map_err(|errno| os_error("create", errno).on(name))?;
            crash_point!("create.finished");
            Queue::new(fd).map(|queue| queue.spinning(self.spin))
        });
        if finished.is_err() {
            // Nobody is to find what could not be finished.
            let _ = sys::unlink(name);
        }
        finished
    }

    fn find(&self, name: &Name) -> Result<Queue> {
        let fail = |errno| match errno {
            Errno::NOSYS => limits::unsupported(),
            errno => os_error("open", errno).on(name),
        };
        let fd = above_stdio(Engine::open(name, self.access, None).map_err(fail)?)?;
        let stat = rustix::fs::fstat(&fd).map_err(fail)?;
        self.check_owner(name, &stat)?;
        let queue = self.check_attributes(name, fd)?;
        // Unlinked since it was opened: what is there now, if anything, is another queue.
        if stat.st_nlink == 0 {
            return Err(Error::new("open", ErrorKind::NotFound).on(name));
        }
        Ok(queue)
    }

    fn check_owner(&self, name: &Name, stat: &Stat) -> Result<()> {
        let refuse = |why: String| Err(Error::new("open", ErrorKind::Denied).on(name).hint(why));
        let mode = self.mode.map_or(Ok(Mode::PRIVATE), Mode::new)?;
        let ours = [ROOT, rustix::process::geteuid().as_raw()].contains(&stat.st_uid);
        if !ours && !self.foreign_owner {
            return refuse(format!(
                "it belongs to user {}; Options::foreign_owner accepts it where that is meant",
                stat.st_uid
            ));
        }
        if mode.lets_strangers_write(stat.st_mode) && !self.foreign_owner {
            return refuse(format!(
                "strangers may write to it (mode {:#o}); Options::mode or foreign_owner accepts \
                 that where it is meant",
                stat.st_mode & 0o777
            ));
        }
        Ok(())
    }

    fn check_attributes(&self, name: &Name, fd: OwnedFd) -> Result<Queue> {
        let queue = Queue::new(fd)?.spinning(self.spin);
        let there = (queue.max_messages(), queue.message_size_bytes());
        let asked = (
            self.max_messages.unwrap_or(there.0),
            self.message_size_bytes.unwrap_or(there.1),
        );
        if there != asked {
            return Err(Error::new("open", ErrorKind::WrongType)
                .on(name)
                .hint(format!(
                    "the queue holds {} messages of {} bytes, not {} of {}; unlink it to make it \
                     anew, or open it without saying them",
                    there.0, there.1, asked.0, asked.1
                )));
        }
        Ok(queue)
    }
}

/// Removes a name of ours, or finds it gone; false where it is another user's.
fn remove_name(name: &Name) -> Result<bool> {
    match sys::unlink(name) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(errno) => Err(os_error("create", errno).on(name)),
    }
}
