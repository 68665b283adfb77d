//! Named pipes, one each way.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FileType, Mode, OFlags, open},
    pipe::fcntl_setpipe_size,
};

use crate::{
    abilities::Abilities,
    descriptors::{ByteStream, set_polling},
    family::{Endpoint, Family, Maker, Role},
    fan_in::{FanIn, PIPE_WHOLE},
    meet::Meet,
    ours::{Ours, PipeEnd, Pipes},
    scenario::{Shape, Side},
};

/// Capacity where the host allows it, as for pipes.
const CAPACITY_BYTES: usize = 1 << 20;

/// Named pipes.
pub fn family() -> Family {
    let raw = Maker {
        fan_in: Some(FanIn {
            receiver: |meets, _| receive_raw(meets),
            sender: |meet, _| send_raw(meet),
            whole_up_to: PIPE_WHOLE,
            stamped: true,
        }),
        ..Maker::raw(connect)
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
    Family {
        name: "fifo",
        about: "named pipes, one each way",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers: vec![raw, ours],
        sweep: None,
    }
    .able(Abilities::STREAM)
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let to_server = meet.directory().join(format!("to-server-{}", meet.tag()));
    let to_client = meet.directory().join(format!("to-client-{}", meet.tag()));
    let (tx, rx) = match side {
        Side::Server => {
            make(&to_server)?;
            make(&to_client)?;
            meet.send(b"made")?;
            // Both sides open in the same order: an open waits for the opposite one (fifo(7)).
            let rx = open(&to_server, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            let tx = open(&to_client, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            std::fs::remove_file(&to_server)?;
            std::fs::remove_file(&to_client)?;
            (tx, rx)
        }
        Side::Client => {
            meet.recv()?;
            let tx = open(&to_server, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
            let rx = open(&to_client, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            (tx, rx)
        }
    };
    grow(&tx);
    set_polling(&tx, shape.scenario.polls())?;
    set_polling(&rx, shape.scenario.polls())?;
    Ok(Box::new(ByteStream::of_pipes(tx, rx)))
}

fn connect_ours(side: Side, meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    Ok(Box::new(Ours::new(ends(side, meet)?)))
}

/// Both ends of our crate.
pub(super) fn ends(side: Side, meet: &Meet) -> io::Result<Pipes> {
    let to_server = meet
        .directory()
        .join(format!("ours-to-server-{}", meet.tag()));
    let to_client = meet
        .directory()
        .join(format!("ours-to-client-{}", meet.tag()));
    let pipes = match side {
        Side::Server => {
            let (inbound, outbound) = (ipc_pipe::create(to_server)?, ipc_pipe::create(to_client)?);
            let rx = inbound.receiver()?;
            meet.send(b"made")?;
            let tx = outbound.sender()?;
            inbound.unlink()?;
            outbound.unlink()?;
            Pipes { tx, rx }
        }
        Side::Client => {
            meet.recv()?;
            let (outbound, inbound) = (ipc_pipe::open(to_server)?, ipc_pipe::open(to_client)?);
            let rx = inbound.receiver()?;
            Pipes {
                tx: outbound.sender()?,
                rx,
            }
        }
    };
    Ok(pipes)
}

/// One FIFO: the receiver makes it, every sender opens it, then its name goes.
fn receive_raw(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let path = many_path("raw", &meets[0]);
    make(&path)?;
    meets.iter().try_for_each(|meet| meet.send(b"made"))?;
    let rx = open(&path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    meets.iter().try_for_each(|meet| meet.recv().map(drop))?;
    std::fs::remove_file(&path)?;
    grow(&rx);
    let nothing_to_write = rx.try_clone()?;
    Ok(Box::new(ByteStream::of_pipes(nothing_to_write, rx)))
}

fn send_raw(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    meet.recv()?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let tx = open(many_path("raw", meet), flags, Mode::empty())?;
    meet.send(b"open")?;
    let nothing_to_read = tx.try_clone()?;
    Ok(Box::new(ByteStream::of_pipes(tx, nothing_to_read)))
}

fn receive_ours(meets: &[Meet]) -> io::Result<Box<dyn Endpoint>> {
    let fifo = ipc_pipe::create(many_path("ours", &meets[0]))?;
    let rx = fifo.receiver()?;
    meets.iter().try_for_each(|meet| meet.send(b"made"))?;
    meets.iter().try_for_each(|meet| meet.recv().map(drop))?;
    fifo.unlink()?;
    Ok(Box::new(PipeEnd::Receiver(rx)))
}

fn send_ours(meet: &Meet) -> io::Result<Box<dyn Endpoint>> {
    meet.recv()?;
    let tx = ipc_pipe::open(many_path("ours", meet))?.sender()?;
    meet.send(b"open")?;
    Ok(Box::new(PipeEnd::Sender(tx)))
}

fn many_path(maker: &str, meet: &Meet) -> PathBuf {
    meet.directory().join(format!("many-{maker}-{}", meet.tag()))
}

fn make(path: &Path) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        FileType::Fifo,
        mode,
        0,
    )?)
}

fn grow(tx: &OwnedFd) {
    // Refused above fs.pipe-max-size without privilege: the default is then what there is.
    let _ = fcntl_setpipe_size(tx, CAPACITY_BYTES);
}
