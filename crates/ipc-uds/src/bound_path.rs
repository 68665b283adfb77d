//! A path that a socket of ours is bound to: made without a race, removed by its maker alone.

use crate::address::{Address, Spot};
use crate::connect::{through, wrong_type};
use crate::options::Options;
use crate::sys;
use ipc_core::{Error, ErrorKind, Mode, Result};
use ipc_sys::{Inode, LockFile, Place, os_error, set_mode};
use rustix::fs::{FileType, Stat};
use rustix::io::Errno;
use rustix::net::SocketFlags;
use std::os::fd::OwnedFd;

/// Removes the path when it is dropped, where it still is the socket that was bound there and
/// this still is the process that bound it.
#[derive(Debug)]
pub(crate) struct BoundPath {
    place: Place,
    inode: Inode,
    owner: u32,
    /// Held until the path is gone, so that the next owner finds nothing half removed.
    _lock: Option<LockFile>,
}

impl BoundPath {
    /// Leaves the path where it is, as the descriptor is given away.
    pub(crate) fn keep(mut self) {
        self.owner = 0;
    }
}

impl Drop for BoundPath {
    fn drop(&mut self) {
        if self.owner == std::process::id() {
            let _ = self.place.unlink_same("unlink", self.inode);
        }
    }
}

/// Binds `fd` to the address of `spot`.
///
/// The kernel tells peers the very words of the call, so these are the path: a way through a
/// directory's descriptor means something in one process alone. That the socket then stands
/// beneath the directory that was checked is verified instead.
pub(crate) fn bind(fd: &OwnedFd, spot: &Spot, options: &Options) -> Result<Option<BoundPath>> {
    let mode = options.checked_mode()?;
    let address = &spot.address;
    let kernel = address
        .to_kernel()
        .map_err(|errno| os_error("bind", errno).on(address))?;
    let Some(place) = &spot.place else {
        rustix::net::bind(fd, &kernel).map_err(|errno| os_error("bind", errno).on(address))?;
        return Ok(None);
    };
    let place = place.clone().absolute();
    let lock = if options.replace_stale {
        Some(lock(&place, address)?)
    } else {
        None
    };
    // The path gets the socket's own mode, so there is no moment in which it has a wider one.
    rustix::fs::fchmod(fd, rustix::fs::Mode::from_raw_mode(mode.bits()))
        .map_err(|errno| os_error("bind", errno).on(address))?;
    loop {
        if !place.path_leads_here() {
            return Err(replaced(address));
        }
        match rustix::net::bind(fd, &kernel) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::ADDRINUSE) => make_way(&place, address, lock.is_some())?,
            Err(errno) => return Err(os_error("bind", errno).on(address)),
        }
    }
    let opened = place.open_reference("bind");
    let (reference, stat) = opened.inspect_err(|_| {
        // Who is told that it failed finds no socket that nobody listens at.
        if place.path_leads_here() {
            place.unlink_unopened(FileType::Socket);
        }
    })?;
    check_own(address, &place, &stat)?;
    let (inode, owner) = (Inode::from(&stat), std::process::id());
    let bound = BoundPath {
        place,
        inode,
        owner,
        _lock: lock,
    };
    // The umask can only have narrowed it.
    if Mode::new(stat.st_mode & 0o777)? != mode {
        set_mode("bind", &reference, mode)?;
    }
    Ok(Some(bound))
}

fn lock(place: &Place, address: &Address) -> Result<LockFile> {
    LockFile::acquire(place.beside(".lock")).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::new("bind", ErrorKind::AlreadyExists)
            .on(address)
            .hint("a live process serves this address"),
        _ => error,
    })
}

/// Something has the path: removes it where it is a dead owner's socket and we may.
fn make_way(place: &Place, address: &Address, replace: bool) -> Result<()> {
    let (reference, stat) = match place.open_reference("bind") {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        outcome => outcome?,
    };
    let found = FileType::from_raw_mode(stat.st_mode);
    if found != FileType::Socket {
        return Err(wrong_type("bind", address, found));
    }
    let exists = |why| {
        Err(Error::new("bind", ErrorKind::AlreadyExists)
            .on(address)
            .hint(why))
    };
    if !replace {
        return exists(
            "a socket has this path; Options::replace_stale takes it over where its owner is dead",
        );
    }
    if is_alive(&reference, &stat, address)? {
        return exists("a live process serves this address");
    }
    tracing::debug!(%address, "stale socket replaced");
    place.unlink_same("bind", Inode::from(&stat)).map(drop)
}

/// Whether any process has the socket at `place`, listening or not. A datagram socket asks,
/// since of a stream it learns that it is there, and the stream never notices.
fn is_alive(place: &OwnedFd, stat: &Stat, address: &Address) -> Result<bool> {
    let asker = sys::socket("bind", sys::DATAGRAM, SocketFlags::NONBLOCK);
    let asker = asker.map_err(|error| error.on(address))?;
    let kernel = through(place).map_err(|errno| os_error("bind", errno).on(address))?;
    let mut outcome = rustix::net::connect(&asker, &kernel);
    if outcome == Err(Errno::ACCESS) && stat.st_uid == rustix::process::geteuid().as_raw() {
        // Our own, left by a kill between bind and the mode: the umask took our right to ask.
        set_mode("bind", place, Mode::PRIVATE)?;
        outcome = rustix::net::connect(&asker, &kernel);
    }
    match outcome {
        Err(Errno::CONNREFUSED) => Ok(false),
        Ok(()) | Err(Errno::PROTOTYPE | Errno::PERM | Errno::AGAIN) => Ok(true),
        Err(Errno::ACCESS) => Err(Error::new("bind", ErrorKind::Denied)
            .on(address)
            .hint("it is another user's socket, whose owner cannot be asked whether it lives")),
        Err(Errno::NOENT) => Err(Error::new("bind", ErrorKind::Unsupported)
            .on(address)
            .hint("replacing a stale socket safely needs /proc, which is not mounted")),
        Err(errno) => Err(os_error("bind", errno).on(address)),
    }
}

/// In a directory where others may rename, the name may mean something else by now; and where
/// the directory itself was replaced, the path leads elsewhere than the descriptor that was
/// checked.
fn check_own(address: &Address, place: &Place, stat: &Stat) -> Result<()> {
    let is_socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
    let is_ours = is_socket && stat.st_uid == rustix::process::geteuid().as_raw();
    if is_ours && place.path_leads_here() {
        return Ok(());
    }
    Err(replaced(address))
}

#[cold]
fn replaced(address: &Address) -> Error {
    Error::new("bind", ErrorKind::Denied)
        .on(address)
        .hint("another process replaced it at once; choose a directory that is yours alone")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forked_childs_copy_leaves_the_path_alone() {
        let name = format!("ipc-uds-bound-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let fd = sys::socket("bind", sys::STREAM, SocketFlags::empty()).expect("a socket");
        let address = Address::path(&path).expect("short");
        let spot = Spot::of(&address).expect("a path");
        let bound = bind(&fd, &spot, &Options::new()).expect("bind");
        let mut bound = bound.expect("a path");
        let maker = std::mem::replace(&mut bound.owner, u32::MAX);
        let (place, inode) = (bound.place.clone(), bound.inode);
        drop(bound);
        assert!(path.exists(), "another process made it");
        drop(BoundPath {
            place,
            inode,
            owner: maker,
            _lock: None,
        });
        assert!(!path.exists(), "its maker removes it");
    }
}
