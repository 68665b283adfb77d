//! A region from its creation to its first use, and gone again.

use std::{io, os::fd::OwnedFd};

use rustix::fs::{FallocateFlags, MemfdFlags};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

/// How much of it the first use is.
const FIRST_BYTES: usize = 64;

/// Regions made.
pub fn family() -> Family {
    let makes = |maker| Maker {
        copies: "no payload but the first bytes",
        fits: alone,
        verifies: false,
        ..maker
    };
    let makers = vec![
        makes(Maker::raw(connect_raw)),
        makes(Maker::ours("ipc-shm", connect_ours)),
        #[cfg(feature = "peers")]
        makes(peer::maker()),
    ];
    Family {
        name: "region-make",
        about: "a region of that size made, used and dropped (raw: memfd, reserve, map, prefault)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers,
        #[cfg(feature = "peers")]
        sweep: Some(peer::sweep),
        #[cfg(not(feature = "peers"))]
        sweep: None,
    }
}

fn first(message: &[u8]) -> &[u8] {
    &message[..message.len().min(FIRST_BYTES)]
}

/// A send makes the region and uses it; a receive drops it.
struct Making<R> {
    make: Box<dyn Fn(usize) -> io::Result<R> + Send>,
    write: fn(&R, &[u8]) -> io::Result<()>,
    made: Option<R>,
}

impl<R: Send> Endpoint for Making<R> {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let region = (self.make)(message.len())?;
        (self.write)(&region, first(message))?;
        self.made = Some(region);
        Ok(())
    }

    fn recv(&mut self, _: &mut [u8]) -> io::Result<()> {
        self.made = None;
        Ok(())
    }
}

fn connect_raw(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Making {
        make: Box::new(make_raw),
        write: |(region, _), bytes| {
            region.write(0, bytes);
            Ok(())
        },
        made: None,
    }))
}

pub(super) fn make_raw(len: usize) -> io::Result<(Region, OwnedFd)> {
    let fd = rustix::fs::memfd_create("ipc-bench", MemfdFlags::CLOEXEC)?;
    // It makes the file as long as it reserves.
    rustix::fs::fallocate(&fd, FallocateFlags::empty(), 0, len as u64)?;
    Ok((Region::map(&fd, len)?, fd))
}

fn connect_ours(_: Side, _: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Making {
        make: Box::new(|len| {
            let mut options = ipc_shm::Options::new();
            Ok(options.size_bytes(len).prefault(true).anonymous()?)
        }),
        write: |region: &ipc_shm::Region, bytes| Ok(region.write_at(0, bytes)?),
        made: None,
    }))
}

#[cfg(feature = "peers")]
mod peer {
    //! The segments of `shared_memory`, named and found again by name.

    use std::io;

    use super::Making;
    use crate::{
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
        sys::Segment,
    };

    pub(super) fn maker() -> Maker {
        Maker {
            name: "shared_memory",
            ..Maker::std(connect)
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let name = name(side, meet.tag());
        Ok(Box::new(Making {
            make: Box::new(move |len| Segment::create(&name, len)),
            write: |segment, bytes| {
                segment.write(bytes);
                Ok(())
            },
            made: None,
        }))
    }

    fn name(side: Side, tag: u32) -> String {
        format!("/ipc-bench-region-make-{tag}-{side:?}")
    }

    pub(super) fn sweep(tag: u32) {
        for side in [Side::Client, Side::Server] {
            Segment::sweep(&name(side, tag));
        }
    }
}
