//! Anonymous pipes, one each way.

use std::{
    io::{self, PipeReader, PipeWriter},
    os::fd::{AsFd, OwnedFd},
};

use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};

use crate::{
    abilities::Abilities,
    descriptors::{ByteStream, StdStream, set_polling},
    family::{Endpoint, Family, Maker, Role},
    fan_in::{FanIn, PIPE_WHOLE},
    meet::Meet,
    ours::{Ours, PipeEnd, Pipes},
    scenario::{Scenario, Shape, Side},
};

/// Capacity of the raw row where the host allows it: that of the automatic one of our crate.
const CAPACITY_BYTES: usize = 1 << 20;

/// Anonymous pipes.
pub fn family() -> Family {
    let raw = Maker {
        references: &["default"],
        fan_in: Some(FanIn {
            receiver: |meets, _| receive_raw(meets),
            sender: |meet, _| send_raw(meet),
            whole_up_to: PIPE_WHOLE,
            stamped: true,
        }),
        ..Maker::raw(connect_raw)
    };
    let default = Maker {
        name: "default",
        references: &[],
        fits: only_one_way,
        ..Maker::raw(connect_default)
    };
    let ours = Maker {
        fan_in: Some(FanIn {
            receiver: |meets, _| receive_ours(meets),
            sender: |meet, _| send_ours(meet),
            whole_up_to: PIPE_WHOLE,
            stamped: true,
        }),
        ..Maker::ours("ipc-pipe", connect_ours)
    };
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        raw,
        default,
        ours,
        Maker::std(connect_std),
    ];
    #[cfg(feature = "peers")]
    makers.push(peer::maker());
    Family {
        name: "pipe",
        about: "anonymous pipes, one each way (raw: 1 MiB capacity; default: the kernel's)",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::STREAM)
}

/// Each side makes the pipe that it sends into, as a parent and its child do.
pub(super) fn connect_ours(_: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, theirs) = ipc_pipe::pair()?;
    meet.send_descriptors(&[theirs.as_fd()])?;
    let [rx] = meet.recv_descriptors()?;
    let rx = ipc_pipe::Options::new().adopt_receiver(rx)?;
    Ok(Box::new(Ours::new(Pipes { tx, rx })))
}

fn only_one_way(shape: &Shape) -> Result<(), String> {
    if shape.scenario == Scenario::OneWay {
        return Ok(());
    }
    Err("capacity matters for streams only: see `raw`".to_owned())
}

fn connect_raw(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    connect(side, meet, shape, |pipe| {
        // Refused above fs.pipe-max-size without privilege: the default is then what there is.
        let _ = fcntl_setpipe_size(pipe, CAPACITY_BYTES);
    })
}

pub(super) fn connect_default(
    side: Side,
    meet: &Meet,
    shape: &Shape,
) -> io::Result<Box<dyn Endpoint>> {
    connect(side, meet, shape, |_| {})
}

fn connect(
    side: Side,
    meet: &Meet,
    shape: &Shape,
    prepare: impl Fn(&OwnedFd),
) -> io::Result<Box<dyn Endpoint>> {
    let (rx, tx) = exchange(side, meet, || {
        let (rx, tx) = pipe_with(PipeFlags::CLOEXEC)?;
        prepare(&tx);
        Ok((rx, tx))
    })?;
    set_polling(&rx, shape.scenario.polls())?;
    set_polling(&tx, shape.scenario.polls())?;
    Ok(Box::new(ByteStream::of_pipes(tx, rx)))
}

/// One pipe: the receiver makes it, and every sender has its writing end.
fn receive_raw(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let (rx, tx) = pipe_with(PipeFlags::CLOEXEC)?;
    // Refused above fs.pipe-max-size without privilege: the default is then what there is.
    let _ = fcntl_setpipe_size(&tx, CAPACITY_BYTES);
    for meet in meets {
        meet.send_descriptors(&[tx.as_fd()])?;
    }
    Ok(Box::new(ByteStream::of_pipes(tx, rx)))
}

fn send_raw(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    let [tx] = meet.recv_descriptors()?;
    let nothing_to_read = tx.try_clone()?;
    Ok(Box::new(ByteStream::of_pipes(tx, nothing_to_read)))
}

fn receive_ours(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = ipc_pipe::pair()?;
    for meet in meets {
        meet.send_descriptors(&[tx.as_fd()])?;
    }
    Ok(Box::new(PipeEnd::Receiver(rx)))
}

fn send_ours(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    let [tx] = meet.recv_descriptors()?;
    let tx = ipc_pipe::Options::new().adopt_sender(tx)?;
    Ok(Box::new(PipeEnd::Sender(tx)))
}

fn connect_std(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (rx, tx) = exchange(side, meet, || {
        let (rx, tx) = io::pipe()?;
        Ok((OwnedFd::from(rx), OwnedFd::from(tx)))
    })?;
    Ok(Box::new(StdStream::new(
        PipeWriter::from(tx),
        PipeReader::from(rx),
    )))
}

/// Two pipes, made by the server; gives each side what it reads from and writes to.
fn exchange(
    side: Side,
    meet: &Meet,
    make: impl Fn() -> io::Result<(OwnedFd, OwnedFd)>,
) -> io::Result<(OwnedFd, OwnedFd)> {
    match side {
        Side::Server => {
            let (to_server_rx, to_server_tx) = make()?;
            let (to_client_rx, to_client_tx) = make()?;
            meet.send_descriptors(&[to_client_rx.as_fd(), to_server_tx.as_fd()])?;
            Ok((to_server_rx, to_client_tx))
        }
        Side::Client => {
            let [rx, tx] = meet.recv_descriptors()?;
            Ok((rx, tx))
        }
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! The pipes of `interprocess`.

    use std::{io, os::fd::OwnedFd};

    use interprocess::unnamed_pipe::{self, Recver, Sender};

    use super::exchange;
    use crate::{
        descriptors::StdStream,
        family::{Endpoint, Maker},
        meet::Meet,
        scenario::{Shape, Side},
    };

    pub(super) fn maker() -> Maker {
        Maker {
            name: "interprocess",
            ..Maker::std(connect)
        }
    }

    fn connect(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let (rx, tx) = exchange(side, meet, || {
            let (tx, rx) = unnamed_pipe::pipe()?;
            Ok((OwnedFd::from(rx), OwnedFd::from(tx)))
        })?;
        Ok(Box::new(StdStream::new(Sender::from(tx), Recver::from(rx))))
    }
}
