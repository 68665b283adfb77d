//! Finding who serves an address, and connecting to it, without ever following a link.

use crate::address::{Address, Spot};
use crate::options::Options;
use crate::peer::Peer;
use crate::policy::Policy;
use crate::sys;
use ipc_core::{Error, ErrorKind, Result, Until};
use ipc_sys::{in_words, magic_path, os_error};
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{SocketAddrUnix, SocketFlags, SocketType};
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// The kernel's clock holds no more: a longer wait is made in steps.
const STEP: Duration = Duration::from_secs(24 * 3600);

/// An address that was looked up: whoever replaces the path from now on changes nothing.
pub(crate) struct Target {
    pub(crate) kernel: SocketAddrUnix,
    address: Address,
    _place: Option<OwnedFd>,
}

impl Target {
    pub(crate) fn find(operation: &'static str, spot: &Spot) -> Result<Self> {
        let address = spot.address;
        let name_it = |errno| os_error(operation, errno).on(address);
        let Some(place) = &spot.place else {
            if address.is_unnamed() {
                return Err(Error::new(operation, ErrorKind::InvalidInput)
                    .hint("nobody can be found without a name"));
            }
            let kernel = address.to_kernel().map_err(name_it)?;
            return Ok(Self {
                kernel,
                address,
                _place: None,
            });
        };
        let (reference, stat) = place.open_reference(operation)?;
        let found = FileType::from_raw_mode(stat.st_mode);
        if found != FileType::Socket {
            return Err(wrong_type(operation, &address, found));
        }
        let kernel = through(&reference).map_err(name_it)?;
        Ok(Self {
            kernel,
            address,
            _place: Some(reference),
        })
    }

    /// Why the kernel did not come through to it.
    pub(crate) fn failure(&self, operation: &'static str, errno: Errno) -> Error {
        let error = os_error(operation, errno).on(self.address);
        match errno {
            Errno::CONNREFUSED if self._place.is_some() => error.hint(
                "nobody listens there; a killed server leaves its path, and takes it up again \
                 with Options::replace_stale",
            ),
            Errno::CONNREFUSED => error.hint("nobody listens there"),
            Errno::PROTOTYPE => error.hint("a socket of another kind listens there"),
            Errno::ACCESS | Errno::PERM => {
                error.hint("its mode or its owner lets nobody of this user in")
            }
            Errno::NOENT if self._place.is_some() => Error::new(operation, ErrorKind::Unsupported)
                .on(self.address)
                .hint("finding a socket without following links needs /proc, which is not mounted"),
            _ => error,
        }
    }
}

/// The address of the socket at `place`, whatever its name may mean by now.
pub(crate) fn through(place: &OwnedFd) -> rustix::io::Result<SocketAddrUnix> {
    SocketAddrUnix::new(magic_path(place))
}

#[cold]
pub(crate) fn wrong_type(operation: &'static str, address: &Address, found: FileType) -> Error {
    let what = in_words(found);
    Error::new(operation, ErrorKind::WrongType)
        .on(address)
        .hint(format!(
            "it is {what}, not a socket; a link is never followed"
        ))
}

/// Two ticks of the slowest clock that a kernel is built with: it may be so late.
const TICKS: Duration = Duration::from_millis(20);
/// Between two tries.
const PAUSE: Duration = Duration::from_micros(500);
/// Nought would be no time-out.
const LEAST: Duration = Duration::from_micros(1);

/// A socket that is connected to who listens there, and may be.
pub(crate) fn connect(
    kind: SocketType,
    spot: &Spot,
    options: &Options,
    until: Until,
) -> Result<OwnedFd> {
    let target = Target::find("connect", spot)?;
    let nonblocking = match until {
        Until::Now => SocketFlags::NONBLOCK,
        Until::Forever | Until::At(_) => SocketFlags::empty(),
    };
    let fd = sys::socket("connect", kind, nonblocking);
    let address = &spot.address;
    let fd = fd.map_err(|error| error.on(address))?;
    options.prepare("connect", &fd)?;
    wait_for_place(&fd, &target, until)?;
    // The description is new and ours, and blocks from here on.
    let reset = match until {
        Until::Now => rustix::fs::fcntl_setfl(&fd, OFlags::empty()),
        Until::At(_) => set_socket_timeout(&fd, Timeout::Send, None)
            .and_then(|()| rustix::fs::fcntl_setfl(&fd, OFlags::empty())),
        Until::Forever => Ok(()),
    };
    reset.map_err(|errno| os_error("connect", errno))?;
    check_server(&fd, &spot.address, options)?;
    Ok(fd)
}

/// Connects, waiting while the listener's backlog is full: the kernel waits, and a time-out of
/// this socket, which nobody else has yet, tells it how long. Since it counts that in ticks, the
/// last of them are tried through.
fn wait_for_place(fd: &OwnedFd, target: &Target, until: Until) -> Result<()> {
    let mut in_tail = false;
    loop {
        if let Until::At(_) = until {
            // At least once it is tried, however late it is.
            let left = until.remaining().unwrap_or(STEP).min(STEP);
            let waits = match left.checked_sub(TICKS) {
                Some(rest) if !rest.is_zero() => {
                    set_socket_timeout(fd, Timeout::Send, Some(rest.max(LEAST)))
                }
                _ => rustix::fs::fcntl_setfl(fd, OFlags::NONBLOCK),
            };
            waits.map_err(|errno| os_error("connect", errno))?;
            in_tail = left <= TICKS;
        }
        let late = || until.is_over();
        match rustix::net::connect(fd, &target.kernel) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR | Errno::AGAIN) if late() => return Err(until.over("connect")),
            Err(Errno::AGAIN) if in_tail => {
                let left = until.remaining().unwrap_or(PAUSE);
                std::thread::sleep(left.min(PAUSE));
            }
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(errno) => return Err(target.failure("connect", errno)),
        }
    }
}

/// A path's permissions say who can serve it; of an abstract name only the server's ids do.
fn check_server(fd: &OwnedFd, address: &Address, options: &Options) -> Result<()> {
    let same_user = Policy::same_user();
    let policy = match &options.policy {
        Some(policy) => policy,
        None if address.has_no_permissions() => &same_user,
        None => return Ok(()),
    };
    if policy.lets_anyone_in() {
        return Ok(());
    }
    let peer = Peer::of_connection(fd.as_fd())?;
    if policy.admits(&peer) {
        return Ok(());
    }
    Err(Error::new("connect", ErrorKind::Denied)
        .on(address)
        .hint(format!(
            "the server runs as user {}, which the policy does not let in (Options::policy)",
            peer.credentials().uid
        )))
}
