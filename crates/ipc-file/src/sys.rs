//! Every system call of the crate that is not a plain operation on a name: locks, notification,
//! timers, and what kind of file system a file is on.

use ipc_core::{Error, ErrorKind, Result};
use ipc_sys::{above_stdio, os_error, retry};
use nix::fcntl::{FcntlArg, fcntl};
use rustix::event::epoll;
use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

/// What is asked of a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// With others who share.
    Shared,
    /// Alone.
    Exclusive,
}

/// Bytes `start..start + length` of a file; a length of 0 is to the end, wherever that is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes {
    pub(crate) start: i64,
    pub(crate) length: i64,
}

/// Takes an OFD lock; false where it is held by another and is not waited for.
pub(crate) fn lock_bytes(
    fd: BorrowedFd<'_>,
    bytes: Bytes,
    hold: Hold,
    wait: bool,
) -> rustix::io::Result<bool> {
    let request = request(bytes, kind(hold));
    let outcome = retry(|| {
        let argument = match wait {
            true => FcntlArg::F_OFD_SETLKW(&request),
            false => FcntlArg::F_OFD_SETLK(&request),
        };
        fcntl(fd, argument).map_err(errno)
    });
    match outcome {
        Ok(_) => Ok(true),
        Err(Errno::AGAIN | Errno::ACCESS) if !wait => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// Gives an OFD lock back.
pub(crate) fn unlock_bytes(fd: BorrowedFd<'_>, bytes: Bytes) -> rustix::io::Result<()> {
    let request = request(bytes, libc::F_UNLCK);
    fcntl(fd, FcntlArg::F_OFD_SETLK(&request))
        .map(drop)
        .map_err(errno)
}

/// Whether another description holds any lock on these bytes. It needs no right to write.
pub(crate) fn others_lock(fd: BorrowedFd<'_>, bytes: Bytes) -> rustix::io::Result<bool> {
    let mut request = request(bytes, libc::F_WRLCK);
    fcntl(fd, FcntlArg::F_OFD_GETLK(&mut request)).map_err(errno)?;
    Ok(i32::from(request.l_type) != libc::F_UNLCK)
}

const fn kind(hold: Hold) -> libc::c_int {
    match hold {
        Hold::Shared => libc::F_RDLCK,
        Hold::Exclusive => libc::F_WRLCK,
    }
}

fn request(bytes: Bytes, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: bytes.start,
        l_len: bytes.length,
        // The kernel wants nought of a lock that belongs to a description.
        l_pid: 0,
    }
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

/// An inotify instance of our own: nobody shares its description, so it may be non-blocking.
pub(crate) fn inotify() -> Result<OwnedFd> {
    let flags = inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK;
    match inotify::init(flags) {
        Ok(fd) => above_stdio(fd),
        Err(Errno::MFILE) => Err(Error::new("watch", ErrorKind::LimitReached)
            .caused_by(Errno::MFILE.into())
            .hint(
                "this user has all the inotify instances, or this process all the descriptors, \
                 that it may have (fs.inotify.max_user_instances, RLIMIT_NOFILE)",
            )),
        Err(errno) => Err(os_error("watch", errno)),
    }
}

/// Watches what `fd` refers to, whatever its name means by now.
pub(crate) fn watch_descriptor(
    inotify_fd: BorrowedFd<'_>,
    fd: BorrowedFd<'_>,
    mask: inotify::WatchFlags,
) -> Result<i32> {
    let place = format!("/proc/self/fd/{}", fd.as_raw_fd());
    inotify::add_watch(inotify_fd, &place, mask).map_err(|errno| match errno {
        Errno::NOSPC => Error::new("watch", ErrorKind::LimitReached)
            .caused_by(errno.into())
            .hint("this user has all the watches that it may have (fs.inotify.max_user_watches)"),
        Errno::NOENT | Errno::NOTDIR => Error::new("watch", ErrorKind::Unsupported)
            .hint("watching what is open needs /proc, which is not mounted"),
        errno => os_error("watch", errno),
    })
}

/// Ends a watch; one that has ended by itself is no error.
pub(crate) fn end_watch(inotify_fd: BorrowedFd<'_>, watch: i32) {
    let _ = inotify::remove_watch(inotify_fd, watch);
}

/// One event as the kernel writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    pub(crate) watch: i32,
    pub(crate) mask: u32,
    pub(crate) cookie: u32,
    pub(crate) name: Option<OsString>,
}

/// Bytes before the name of an event.
const NOTICE_HEADER_BYTES: usize = 16;

/// Appends the events that are there to `notices`; false where there were none.
pub(crate) fn read_notices(fd: BorrowedFd<'_>, notices: &mut Vec<Notice>) -> Result<bool> {
    let mut bytes = [0; 16 * 1024];
    match retry(|| rustix::io::read(fd, &mut bytes)) {
        Ok(length) => parse_notices(&bytes[..length], notices),
        Err(Errno::AGAIN) => return Ok(false),
        Err(errno) => return Err(os_error("watch", errno)),
    }
    Ok(true)
}

/// The layout of inotify(7); what is not whole ends the list.
fn parse_notices(mut bytes: &[u8], notices: &mut Vec<Notice>) {
    while let Some((header, rest)) = bytes.split_at_checked(NOTICE_HEADER_BYTES) {
        let word = |at: usize| {
            let word = header[at..at + 4].try_into().expect("four bytes");
            u32::from_ne_bytes(word)
        };
        let Some((name, next)) = rest.split_at_checked(word(12) as usize) else {
            return;
        };
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        notices.push(Notice {
            watch: word(0) as i32,
            mask: word(4),
            cookie: word(8),
            name: (!name.is_empty()).then(|| OsStr::from_bytes(name).to_owned()),
        });
        bytes = next;
    }
}

/// A timer that shows on a descriptor of our own.
pub(crate) fn timer() -> Result<OwnedFd> {
    let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
    let fd = rustix::time::timerfd_create(TimerfdClockId::Monotonic, flags);
    above_stdio(fd.map_err(|errno| os_error("make timer", errno))?)
}

/// Lets `timer` go off after `first`, and then each `interval` where that is not nought.
pub(crate) fn set_timer(timer: BorrowedFd<'_>, first: Duration, interval: Duration) -> Result<()> {
    let spec = |duration: Duration| Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(duration.subsec_nanos()),
    };
    let value = Itimerspec {
        it_value: spec(first),
        it_interval: spec(interval),
    };
    rustix::time::timerfd_settime(timer, TimerfdTimerFlags::empty(), &value)
        .map(drop)
        .map_err(|errno| os_error("set timer", errno))
}

/// Takes back what `timer` shows; whether it had gone off.
pub(crate) fn clear_timer(timer: BorrowedFd<'_>) -> bool {
    retry(|| rustix::io::read(timer, &mut [0; 8])).is_ok()
}

/// One descriptor that shows when any of `sources` does.
pub(crate) fn any_of(sources: &[BorrowedFd<'_>]) -> Result<OwnedFd> {
    let fail = |errno| os_error("watch", errno);
    let set = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(fail)?;
    let set = above_stdio(set)?;
    for source in sources {
        let data = epoll::EventData::new_u64(0);
        epoll::add(&set, source, data, epoll::EventFlags::IN).map_err(fail)?;
    }
    Ok(set)
}

/// File systems on which this host's kernel does not learn of every change, by their magic.
const SILENT: [(i64, &str); 14] = [
    (0x6969, "NFS"),
    (0x517b, "SMB"),
    (0xff53_4d42, "CIFS"),
    (0xfe53_4d42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9p"),
    (0x00c3_6400, "Ceph"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x0bd0_0bd0, "Lustre"),
    (0x0116_1970, "GFS2"),
    (0x9fa0, "proc"),
    (0x6265_6572, "sysfs"),
];

/// The name of the file system of `fd` where changes to it are not notified.
pub(crate) fn silent_file_system(fd: impl AsFd) -> Result<Option<&'static str>> {
    let stat = rustix::fs::fstatfs(fd).map_err(|errno| os_error("watch", errno))?;
    // The magic is a word of 32 bits on some systems, of 64 on others.
    let magic = stat.f_type & 0xffff_ffff;
    let found = SILENT.iter().find(|(silent, _)| *silent == magic);
    Ok(found.map(|(_, name)| *name))
}

/// Bytes that nobody can guess, for names and identities.
pub(crate) fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    let flags = rustix::rand::GetRandomFlags::empty();
    retry(|| rustix::rand::getrandom(&mut bytes, flags))
        .map_err(|errno| os_error("make identity", errno))?;
    Ok(u64::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_parsed_whole_or_not_at_all() {
        let mut bytes = Vec::new();
        for word in [7u32, 0x100, 0, 16] {
            bytes.extend_from_slice(&word.to_ne_bytes());
        }
        bytes.extend_from_slice(b"a name\0\0\0\0\0\0\0\0\0\0");
        let mut notices = Vec::new();
        parse_notices(&bytes, &mut notices);
        assert_eq!(notices.len(), 1);
        assert_eq!(notices[0].name.as_deref(), Some(OsStr::new("a name")));
        for end in 0..bytes.len() {
            let mut none = Vec::new();
            parse_notices(&bytes[..end], &mut none);
            assert!(none.is_empty(), "cut at {end}");
        }
    }
}
