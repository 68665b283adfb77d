//! POSIX message queues, one each way.

use std::{
    fs, io,
    os::fd::{AsFd, OwnedFd},
};

use crate::{
    abilities::Abilities,
    descriptors::whole,
    family::{Endpoint, Family, Maker, Role},
    fan_in::FanIn,
    limits::setting,
    meet::Meet,
    ours::tried,
    scenario::{Shape, Side},
    sys,
};

/// Depth of a queue, where fs.mqueue.msg_max allows it.
const MESSAGES: usize = 10;

/// POSIX message queues.
pub fn family() -> Family {
    let limited = |maker| Maker {
        probe,
        fits,
        ..maker
    };
    #[cfg_attr(not(feature = "peers"), expect(unused_mut))]
    let mut makers = vec![
        limited(Maker {
            fan_in: Some(FanIn {
                receiver,
                sender,
                whole_up_to: usize::MAX,
                stamped: true,
            }),
            ..Maker::raw(connect)
        }),
        limited(Maker::ours("ipc-mq", blocking)),
    ];
    #[cfg(feature = "peers")]
    makers.push(peer::maker());
    Family {
        name: "posix-mq",
        about: "POSIX message queues, one each way",
        role: Role::Mechanism,
        payload: true,
        takes_whole: false,
        makers,
        sweep: None,
    }
    .able(Abilities::MESSAGES)
}

pub(super) fn probe() -> Result<(), String> {
    if fs::metadata("/proc/sys/fs/mqueue").is_err() {
        return Err("this kernel has no POSIX queues (no fs.mqueue)".to_owned());
    }
    let name = format!("/ipc-bench-probe-{}", std::process::id());
    sys::mq_create(&name, 1, 8, false)
        .map(drop)
        .map_err(|error| format!("mq_open: {error} (see fs.mqueue.queues_max, RLIMIT_MSGQUEUE)"))
}

pub(super) fn fits(shape: &Shape) -> Result<(), String> {
    let limit = setting("/proc/sys/fs/mqueue/msgsize_max").unwrap_or(8192);
    if shape.size > limit {
        return Err(format!("fs.mqueue.msgsize_max is {limit}"));
    }
    Ok(())
}

fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = exchange(side, meet, shape)?;
    Ok(Box::new(Queues { tx, rx }))
}

/// Two queues, made by the server; gives each side what it sends to and receives from.
fn exchange(side: Side, meet: &Meet, shape: &Shape) -> io::Result<(OwnedFd, OwnedFd)> {
    match side {
        Side::Server => {
            let to_server = create("to-server", meet, shape)?;
            let to_client = create("to-client", meet, shape)?;
            meet.send_descriptors(&[to_server.as_fd(), to_client.as_fd()])?;
            Ok((to_client, to_server))
        }
        Side::Client => {
            let [tx, rx] = meet.recv_descriptors()?;
            Ok((tx, rx))
        }
    }
}

pub(super) fn blocking(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let (tx, rx) = queues(side, meet, shape)?;
    Ok(Box::new(Ours { tx, rx }))
}

/// Both queues of our crate, the own one to send first.
pub(super) fn queues(
    side: Side,
    meet: &Meet,
    shape: &Shape,
) -> io::Result<(ipc_mq::Queue, ipc_mq::Queue)> {
    Ok(match side {
        Side::Server => {
            let most = setting("/proc/sys/fs/mqueue/msg_max").unwrap_or(MESSAGES);
            let mut options = ipc_mq::Options::new();
            options
                .max_messages(MESSAGES.min(most))
                .message_size_bytes(shape.size.max(1));
            let (to_server, to_client) = (options.create_unnamed()?, options.create_unnamed()?);
            meet.send_descriptors(&[to_server.as_fd(), to_client.as_fd()])?;
            (to_client, to_server)
        }
        Side::Client => {
            let [tx, rx] = meet.recv_descriptors()?;
            let adopt = ipc_mq::Queue::from_descriptor;
            (adopt(tx)?, adopt(rx)?)
        }
    })
}

/// Queues of our crate, whose shortest buffer is a byte.
struct Ours {
    tx: ipc_mq::Queue,
    rx: ipc_mq::Queue,
}

impl Endpoint for Ours {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        Ok(self.tx.send(message, 0)?)
    }

    #[inline]
    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        whole(self.rx.recv(into)?, into.len())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        Ok(tried(self.tx.try_send(message, 0))?.is_some())
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match tried(self.rx.try_recv(into))? {
            Some(got) => whole(got, into.len()).map(|()| true),
            None => Ok(false),
        }
    }
}

/// One queue for all senders; both fields of an end name it, of which each end uses one.
fn receiver(meets: &[Meet], shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let rx = create("to-server", &meets[0], shape)?;
    let tx = rx.try_clone()?;
    for meet in meets {
        meet.send_descriptors(&[rx.as_fd()])?;
    }
    Ok(Box::new(Queues { tx, rx }))
}

fn sender(meet: &Meet, _: &Shape) -> io::Result<Box<dyn Endpoint>> {
    let [tx] = meet.recv_descriptors()?;
    let rx = tx.try_clone()?;
    Ok(Box::new(Queues { tx, rx }))
}

/// The name is gone when this returns: a killed worker leaves nothing.
fn create(direction: &str, meet: &Meet, shape: &Shape) -> io::Result<OwnedFd> {
    let name = format!("/ipc-bench-{direction}-{}", meet.tag());
    let most = setting("/proc/sys/fs/mqueue/msg_max").unwrap_or(MESSAGES);
    sys::mq_create(
        &name,
        MESSAGES.min(most),
        shape.size.max(1),
        shape.scenario.polls(),
    )
}

struct Queues {
    tx: OwnedFd,
    rx: OwnedFd,
}

impl Endpoint for Queues {
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        sys::mq_send(&self.tx, message).map(drop)
    }

    fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
        let got = sys::mq_receive(&self.rx, into)?;
        whole(got.unwrap_or(0), into.len())
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<bool> {
        sys::mq_send(&self.tx, message)
    }

    fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match sys::mq_receive(&self.rx, into)? {
            Some(got) => whole(got, into.len()).map(|()| true),
            None => Ok(false),
        }
    }
}

#[cfg(feature = "peers")]
mod peer {
    //! `posixmq`, on which our crate stands.

    use std::io;

    use posixmq::PosixMq;

    use super::exchange;
    use crate::{
        descriptors::whole,
        family::{Endpoint, Maker, no_polling},
        meet::Meet,
        scenario::{Shape, Side},
        sys,
    };

    pub(super) fn maker() -> Maker {
        Maker {
            name: "posixmq",
            probe: super::probe,
            fits: |shape| super::fits(shape).and_then(|()| no_polling(shape)),
            ..Maker::std(connect)
        }
    }

    fn connect(side: Side, meet: &Meet, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let (tx, rx) = exchange(side, meet, shape)?;
        let (tx, rx) = (sys::posixmq(tx), sys::posixmq(rx));
        Ok(Box::new(Theirs { tx, rx }))
    }

    struct Theirs {
        tx: PosixMq,
        rx: PosixMq,
    }

    impl Endpoint for Theirs {
        #[inline]
        fn send(&mut self, message: &[u8]) -> io::Result<()> {
            self.tx.send(0, message)
        }

        #[inline]
        fn recv(&mut self, into: &mut [u8]) -> io::Result<()> {
            let (_, got) = self.rx.recv(into)?;
            whole(got, into.len())
        }
    }
}
