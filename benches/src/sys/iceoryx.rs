//! Ends over `iceoryx2`, whose ports count their parts without atomics and so stay on a thread.

use std::{collections::VecDeque, fmt::Debug, io, path::Path};

use iceoryx2::{
    active_request::ActiveRequest,
    pending_response::PendingResponse,
    port::{
        client::Client, listener::Listener, notifier::Notifier, publisher::Publisher,
        server::Server, subscriber::Subscriber,
    },
    prelude::*,
};

type Bytes = [u8];
type Asked = PendingResponse<ipc::Service, Bytes, (), Bytes, ()>;
type Request = ActiveRequest<ipc::Service, Bytes, (), Bytes, ()>;

/// Messages that a subscriber holds, as many as the other rings have.
const BUFFER: usize = 64;
/// What the names of its files begin with, before the tag of a pair.
const PREFIX: &str = "ipc-bench-iox-";
/// Where it keeps its memory.
const MEMORY: &str = "/dev/shm";

/// What a node works with, so that nothing is met but the other side of the pair.
#[derive(Debug)]
struct Place<'a> {
    directory: &'a Path,
    tag: u32,
    /// Tells the makers of one pair from each other.
    of: String,
}

impl Place<'_> {
    fn node(&self) -> io::Result<Node<ipc::Service>> {
        set_log_level(LogLevel::Fatal);
        let directory = self.directory.join("iceoryx2");
        let path = directory.as_os_str().as_encoded_bytes();
        let mut config = Config::default();
        let path = iceoryx2::prelude::Path::new(path).map_err(failed)?;
        config.global.set_root_path(&path);
        let prefix = format!("{PREFIX}{}-", self.tag);
        config.global.prefix = FileName::new(prefix.as_bytes()).map_err(failed)?;
        let mode = SignalHandlingMode::Disabled;
        let node = NodeBuilder::new()
            .config(&config)
            .signal_handling_mode(mode);
        node.create().map_err(failed)
    }

    fn name(&self, way: usize) -> io::Result<ServiceName> {
        let name = format!("{}/{}/{way}", self.of, self.tag);
        ServiceName::new(&name).map_err(failed)
    }
}

/// Removes what the workers of a pair have left when they were killed.
pub fn sweep(tag: u32) {
    let prefix = format!("{PREFIX}{tag}-");
    let Ok(entries) = std::fs::read_dir(MEMORY) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // Mostly the other side's end has removed it.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Publish-subscribe each way, told by an event each way or polled for.
#[expect(missing_debug_implementations, reason = "the crate's ports have none")]
pub struct Published {
    tx: Publisher<ipc::Service, Bytes, ()>,
    rx: Vec<Subscriber<ipc::Service, Bytes, ()>>,
    bells: Option<(Notifier<ipc::Service>, Listener<ipc::Service>)>,
    _node: Node<ipc::Service>,
}

// SAFETY: the ports and the node share counts that are not atomic among each other, and with nobody
// else: they were made together, stay in this value, and move with it to the thread that uses it.
unsafe impl Send for Published {}

impl Published {
    /// The end that sends on way `tx` and receives on the other, by `readers.0` readers of services
    /// that are made for `readers.1`.
    pub fn connect(
        directory: &Path,
        tag: u32,
        tx: usize,
        readers: (usize, usize),
        size: usize,
        events: bool,
    ) -> io::Result<Published> {
        let (readers, most) = readers;
        let of = format!("{}-{most}", if events { "event" } else { "polled" });
        let place = Place { directory, tag, of };
        let node = place.node()?;
        let open = |way| {
            let service = node.service_builder(&place.name(way)?);
            service
                .publish_subscribe::<Bytes>()
                .enable_safe_overflow(false)
                .subscriber_max_buffer_size(BUFFER)
                .max_subscribers(most)
                .open_or_create()
                .map_err(failed)
        };
        let (to, from) = (open(tx)?, open(1 - tx)?);
        let tx_port = to
            .publisher_builder()
            .initial_max_slice_len(size.max(1))
            .backpressure_strategy(BackpressureStrategy::RetryUntilDelivered)
            .create()
            .map_err(failed)?;
        let subscribe = |_| from.subscriber_builder().buffer_size(BUFFER).create();
        let rx = (0..readers).map(subscribe).collect::<Result<_, _>>();
        let bells = match events {
            true => Some(Self::bells(&node, &place, tx)?),
            false => None,
        };
        Ok(Published {
            tx: tx_port,
            rx: rx.map_err(failed)?,
            bells,
            _node: node,
        })
    }

    fn bells(
        node: &Node<ipc::Service>,
        place: &Place<'_>,
        tx: usize,
    ) -> io::Result<(Notifier<ipc::Service>, Listener<ipc::Service>)> {
        let open = |way| {
            let service = node.service_builder(&place.name(way)?);
            service.event().open_or_create().map_err(failed)
        };
        let notifier = open(tx)?.notifier_builder().create().map_err(failed)?;
        let listener = open(1 - tx)?.listener_builder().create();
        Ok((notifier, listener.map_err(failed)?))
    }

    /// Publishes a message, and rings where events are used.
    pub fn send(&self, message: &[u8]) -> io::Result<()> {
        let sample = self.tx.loan_slice_uninit(message.len()).map_err(failed)?;
        sample.write_from_slice(message).send().map_err(failed)?;
        if let Some((notifier, _)) = &self.bells {
            notifier.notify().map_err(failed)?;
        }
        Ok(())
    }

    /// Receives the next message of reader `reader`, if it is there.
    pub fn try_recv(&self, reader: usize, into: &mut [u8]) -> io::Result<bool> {
        match self.rx[reader].receive().map_err(failed)? {
            Some(sample) => copied(&sample, into).map(|()| true),
            None => Ok(false),
        }
    }

    /// Receives the next message; waits for the event of it, or looks for it.
    pub fn recv(&self, reader: usize, into: &mut [u8]) -> io::Result<()> {
        while !self.try_recv(reader, into)? {
            match &self.bells {
                Some((_, listener)) => drop(listener.blocking_wait(|_| {}).map_err(failed)?),
                None => std::hint::spin_loop(),
            }
        }
        Ok(())
    }
}

/// One side of request-response, polled.
#[expect(missing_debug_implementations, reason = "the crate's ports have none")]
pub struct Asking {
    side: AskingSide,
    _node: Node<ipc::Service>,
}

enum AskingSide {
    Client(Client<ipc::Service, Bytes, (), Bytes, ()>, VecDeque<Asked>),
    Server(
        Server<ipc::Service, Bytes, (), Bytes, ()>,
        VecDeque<Request>,
    ),
}

// SAFETY: as for `Published`.
unsafe impl Send for Asking {}

impl Asking {
    /// The end that asks, or the one that answers.
    pub fn connect(directory: &Path, tag: u32, asks: bool, size: usize) -> io::Result<Asking> {
        let of = "asked".to_owned();
        let place = Place { directory, tag, of };
        let node = place.node()?;
        let service = node
            .service_builder(&place.name(0)?)
            .request_response::<Bytes, Bytes>()
            .open_or_create()
            .map_err(failed)?;
        let (size, none) = (size.max(1), VecDeque::new());
        let side = match asks {
            true => {
                let client = service.client_builder().initial_max_slice_len(size);
                AskingSide::Client(client.create().map_err(failed)?, none)
            }
            false => {
                let server = service.server_builder().initial_max_slice_len(size);
                AskingSide::Server(server.create().map_err(failed)?, VecDeque::new())
            }
        };
        Ok(Asking { side, _node: node })
    }

    /// Sends a request, or the response to the oldest request that was received.
    pub fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &mut self.side {
            AskingSide::Client(client, asked) => {
                let request = client.loan_slice_uninit(message.len()).map_err(failed)?;
                let request = request.write_from_slice(message);
                asked.push_back(request.send().map_err(failed)?);
            }
            AskingSide::Server(_, requests) => {
                let request = requests.pop_front().ok_or(io::ErrorKind::NotConnected)?;
                let answer = request.loan_slice_uninit(message.len()).map_err(failed)?;
                answer.write_from_slice(message).send().map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Receives a response or a request, if it is there.
    pub fn try_recv(&mut self, into: &mut [u8]) -> io::Result<bool> {
        match &mut self.side {
            AskingSide::Client(_, asked) => {
                let first = asked.front().ok_or(io::ErrorKind::NotConnected)?;
                let Some(response) = first.receive().map_err(failed)? else {
                    return Ok(false);
                };
                copied(&response, into)?;
                drop(response);
                asked.pop_front();
            }
            AskingSide::Server(server, requests) => {
                let Some(request) = server.receive().map_err(failed)? else {
                    return Ok(false);
                };
                copied(&request, into)?;
                requests.push_back(request);
            }
        }
        Ok(true)
    }
}

fn copied(from: &[u8], into: &mut [u8]) -> io::Result<()> {
    if from.len() != into.len() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    into.copy_from_slice(from);
    Ok(())
}

fn failed(error: impl Debug) -> io::Error {
    io::Error::other(format!("iceoryx2: {error:?}"))
}
