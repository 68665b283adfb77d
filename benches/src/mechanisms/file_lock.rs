//! A file locked and unlocked by the same process, uncontended.

use std::{
    fs::File,
    io,
    os::fd::AsFd,
    path::{Path, PathBuf},
};

use nix::fcntl::{FcntlArg, fcntl};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Shape, Side},
};

/// File locks.
pub fn family() -> Family {
    let within = |maker| Maker {
        copies: "no payload",
        fits: alone,
        verifies: false,
        ..maker
    };
    Family {
        name: "file-lock",
        about: "a file locked and unlocked (raw: OFD, std and fd-lock: flock; ours looks whether the file still has its name)",
        role: Role::Mechanism,
        payload: false,
        takes_whole: false,
        makers: vec![
            within(Maker::raw(connect_raw)),
            within(Maker::ours("ipc-file", connect_ours)),
            within(Maker::std(connect_std)),
            #[cfg(feature = "peers")]
            within(peer::fd_lock()),
        ],
        sweep: None,
    }
}

/// A file of this maker's own in the directory of the run, which removes it.
pub(super) fn place(meet: &Meet, side: Side, what: &str) -> PathBuf {
    meet.directory()
        .join(format!("{what}-{}-{side:?}", meet.tag()))
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path)
}

fn connect_raw(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Raw(create(&place(meet, side, "lock-raw"))?)))
}

struct Raw(File);

impl Raw {
    fn set(&self, kind: i32) -> io::Result<()> {
        let request = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: 0,
            l_len: 0,
            l_pid: 0,
        };
        fcntl(self.0.as_fd(), FcntlArg::F_OFD_SETLKW(&request))?;
        Ok(())
    }
}

impl Endpoint for Raw {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.set(libc::F_WRLCK)?;
        self.set(libc::F_UNLCK)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let lock = ipc_file::open_lock(place(meet, side, "lock-ours"))?;
    Ok(Box::new(Ours(lock)))
}

struct Ours(ipc_file::Lock);

impl Endpoint for Ours {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        Ok(self.0.lock().map(drop)?)
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Std(create(&place(meet, side, "lock-std"))?)))
}

struct Std(File);

impl Endpoint for Std {
    fn send(&mut self, _: &[u8]) -> io::Result<()> {
        self.0.lock()?;
        self.0.unlock()
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! The lock of `fd-lock`, which is flock(2).

    use std::{fs::File, io};

    use super::{create, place};
    use crate::{
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
    };

    pub(super) fn fd_lock() -> Maker {
        Maker {
            name: "fd-lock",
            ..Maker::std(connect)
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let file = create(&place(meet, side, "lock-peer"))?;
        Ok(Box::new(Peer(fd_lock::RwLock::new(file))))
    }

    struct Peer(fd_lock::RwLock<File>);

    impl Endpoint for Peer {
        fn send(&mut self, _: &[u8]) -> io::Result<()> {
            self.0.write().map(drop)
        }

        fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
            Ok(())
        }
    }
}
