//! One of the two processes of a pair: takes orders on its standard input, which is a seqpacket
//! socket, until that hangs up.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    thread,
};

use crate::{
    burn::Burner,
    family::{Endpoint, Maker},
    loops::{self, Ends, Rig},
    mechanisms,
    meet::Meet,
    placement,
    protocol::{self, Answer, Hello, Order, Welcome},
    scenario::{Scenario, Shape, Side},
    stage::Stage,
};

/// Runs until the orchestrator hangs up. An error is reported to the orchestrator where possible,
/// and is the process's exit otherwise.
pub fn run(orchestrator: u32) -> io::Result<()> {
    placement::die_with_parent(orchestrator)?;
    let control = io::stdin().as_fd().try_clone_to_owned()?;
    let (welcome, descriptors) = protocol::receive::<Welcome>(&control)?;
    let ready = if welcome.version == protocol::VERSION {
        Worker::new(welcome, descriptors).map_err(|error| error.to_string())
    } else {
        Err(format!(
            "this binary speaks protocol {}, the orchestrator {}",
            protocol::VERSION,
            welcome.version
        ))
    };
    let failed = ready.as_ref().err().cloned();
    protocol::send(
        &control,
        &Hello {
            version: protocol::VERSION,
            failed,
        },
        &[],
    )?;
    let Ok(mut worker) = ready else { return Ok(()) };

    loop {
        let order = match protocol::receive::<Order>(&control) {
            Ok((order, _)) => order,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        };
        let answer = worker.obey(order).unwrap_or_else(|error| Answer::Failed {
            why: error.to_string(),
        });
        protocol::send(&control, &answer, &[])?;
    }
}

struct Worker {
    side: Side,
    sender: usize,
    two_cpus: bool,
    /// Where the other side is; of the receiver of a fan-in, where each sender is.
    meets: Vec<Meet>,
    rig: Rig,
    connections: Vec<Connected>,
}

/// One maker's connection and what the loops must know of it.
struct Connected {
    shape: Shape,
    verifies: bool,
    calls: bool,
    window: Option<u32>,
    connection: Connection,
}

/// What a worker holds of one maker's connection.
enum Connection {
    /// One end; the other process has the other.
    One(Box<dyn Endpoint>),
    /// Both ends, for the single-thread form.
    Both(Box<dyn Endpoint>, Box<dyn Endpoint>),
    /// None: the other process has both.
    Elsewhere,
}

impl Worker {
    fn new(welcome: Welcome, descriptors: Vec<OwnedFd>) -> io::Result<Worker> {
        let mut descriptors = descriptors.into_iter();
        let (Some(socket), Some(stage)) = (descriptors.next(), descriptors.next()) else {
            return Err(io::Error::other("the welcome carries two descriptors"));
        };
        if let Some(cpu) = welcome.cpu {
            placement::pin(cpu)?;
        }
        let stage = Stage::open(stage, welcome.side)?;
        let meet = |socket| {
            Meet::new(socket, welcome.directory.clone(), welcome.tag).on(welcome.cpus.clone())
        };
        Ok(Worker {
            side: welcome.side,
            sender: welcome.sender,
            two_cpus: welcome.two_cpus,
            meets: std::iter::once(socket)
                .chain(descriptors)
                .map(meet)
                .collect(),
            rig: Rig::new(stage, Burner::calibrate()),
            connections: Vec::new(),
        })
    }

    fn obey(&mut self, order: Order) -> io::Result<Answer> {
        match order {
            Order::Connect {
                mechanism,
                maker,
                shape,
            } => {
                let maker = mechanisms::all()
                    .into_iter()
                    .find(|family| family.name == mechanism)
                    .and_then(|family| family.makers.into_iter().find(|m| m.name == maker))
                    .ok_or_else(|| io::Error::other(format!("no maker {mechanism}/{maker}")))?;
                let connection = match shape.scenario {
                    Scenario::SingleThread => self.connect_here(maker.connect, &shape)?,
                    Scenario::FanIn => Connection::One(self.connect_many(&maker, &shape)?),
                    _ => Connection::One((maker.connect)(self.side, &self.meets[0], &shape)?),
                };
                let verifies = maker.verifies && shape.size > 0;
                self.rig.prepare(shape.size);
                let window = (maker.window)(shape.size);
                self.connections.push(Connected {
                    shape,
                    verifies,
                    calls: maker.calls,
                    window,
                    connection,
                });
                Ok(Answer::Connected)
            }
            Order::Slice(slice) => {
                let connected = self
                    .connections
                    .get_mut(slice.end)
                    .ok_or_else(|| io::Error::other("no such connection"))?;
                let case = loops::Case {
                    shape: connected.shape,
                    verifies: connected.verifies,
                    calls: connected.calls,
                    window: connected.window.unwrap_or(u32::MAX),
                    two_cpus: self.two_cpus,
                    sender: self.sender,
                    slice,
                };
                let ends = match &mut connected.connection {
                    Connection::One(end) => Ends::One(end.as_mut()),
                    Connection::Both(client, server) => {
                        Ends::Both(client.as_mut(), server.as_mut())
                    }
                    Connection::Elsewhere => return Ok(Answer::Slice(Default::default())),
                };
                self.rig.run(self.side, ends, &case).map(Answer::Slice)
            }
        }
    }

    /// The receiver of a fan-in, or one of its senders.
    fn connect_many(&self, maker: &Maker, shape: &Shape) -> io::Result<Box<dyn Endpoint>> {
        let many = maker.fan_in.ok_or(io::ErrorKind::Unsupported)?;
        match self.side {
            Side::Server => (many.receiver)(&self.meets, shape),
            Side::Client => (many.sender)(&self.meets[0], shape),
        }
    }

    /// Both ends in the client, made by two threads, since each waits for the other.
    fn connect_here(
        &self,
        connect: fn(Side, &Meet, &Shape) -> io::Result<Box<dyn Endpoint>>,
        shape: &Shape,
    ) -> io::Result<Connection> {
        if self.side == Side::Server {
            return Ok(Connection::Elsewhere);
        }
        let (here, there) = Meet::pair(self.meets[0].directory(), self.meets[0].tag())?;
        let there_shape = *shape;
        let server = thread::spawn(move || connect(Side::Server, &there, &there_shape));
        let client = connect(Side::Client, &here, shape);
        // A failed client must not leave the other thread waiting for it.
        drop(here);
        let server = server
            .join()
            .map_err(|_| io::Error::other("the connecting thread panicked"))?;
        Ok(Connection::Both(client?, server?))
    }
}
