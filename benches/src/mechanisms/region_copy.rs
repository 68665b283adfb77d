//! Bytes copied into shared memory and out again by one thread: the audited routine and memcpy.

use std::{io, os::fd::AsFd};

use crate::{
    family::{Endpoint, Family, Maker, Role},
    mechanisms::permit::alone,
    meet::Meet,
    scenario::{Shape, Side},
    sys::Region,
};

/// Region copies.
pub fn family() -> Family {
    let copies = |maker| Maker {
        copies: "2 (in and out of shared memory)",
        fits: alone,
        ..maker
    };
    Family {
        name: "region-copy",
        about: "bytes copied into a region and out again by one thread (raw: memcpy)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: true,
        makers: vec![
            copies(Maker::raw(connect_raw)),
            copies(Maker::ours("ipc-shm", connect_ours)),
            #[cfg(feature = "peers")]
            copies(peer::maker()),
        ],
        #[cfg(feature = "peers")]
        sweep: Some(peer::sweep),
        #[cfg(not(feature = "peers"))]
        sweep: None,
    }
}

/// Both ends have the same region, though one thread uses them.
fn connect_raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = match side {
        Side::Server => {
            let (region, fd) = Region::create(shape.size)?;
            meet.send_descriptors(&[fd.as_fd()])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            Region::map(fd, shape.size)?
        }
    };
    Ok(Box::new(Plain(region)))
}

struct Plain(Region);

impl Endpoint for Plain {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.write(0, message);
        Ok(())
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        self.0.read(0, into);
        Ok(())
    }
}

fn connect_ours(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let region = match side {
        Side::Server => {
            let region = ipc_shm::anonymous(shape.size)?;
            meet.send_descriptors(&[region.as_fd()?])?;
            region
        }
        Side::Client => {
            let [fd] = meet.recv_descriptors()?;
            ipc_shm::Region::from_fd(fd)?
        }
    };
    Ok(Box::new(Ours(region)))
}

struct Ours(ipc_shm::Region);

impl Endpoint for Ours {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.0.write_at(0, message)?)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        Ok(self.0.read_at(0, into)?)
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! The segments of `shared_memory`, which lend a pointer: the copy is memcpy.

    use std::io;

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

    /// Each side has one of its own, since one thread is all that uses it.
    fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let segment = Segment::create(&name(side, meet.tag()), shape.size)?;
        Ok(Box::new(segment))
    }

    fn name(side: Side, tag: u32) -> String {
        format!("/ipc-bench-region-copy-{tag}-{side:?}")
    }

    pub(super) fn sweep(tag: u32) {
        for side in [Side::Client, Side::Server] {
            Segment::sweep(&name(side, tag));
        }
    }

    impl Endpoint for Segment {
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.write(message);
            Ok(())
        }

        fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
            self.read(into);
            Ok(())
        }
    }
}
