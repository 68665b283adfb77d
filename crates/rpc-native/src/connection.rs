//! One connection of the awaited server, from its greeting to its end.

use crate::io::{self, Io, Outlet, Side, remember, wake};
use crate::limits::Limits;
use crate::link::Link;
use crate::named::Named;
use crate::reader::read;
use crate::server_side::ServerSide;
use crate::straight::straight_from;
use bytes::Bytes;
use ipc_core::{Interest, Until};
use rpc_core::{Code, Peer, Status};
use rpc_transport::{Stopped, Wire};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// How long a client has to take what it is owed when the server ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A connection that is served.
pub(crate) struct Served {
    shared: Arc<Shared>,
}

/// What the connection's tasks and its calls share.
pub(crate) struct Shared {
    pub(crate) io: Arc<Io<State>>,
    pub(crate) served: rpc_core::Served,
    pub(crate) peer: Peer,
    pub(crate) drain: Duration,
    /// From how many bytes on a message goes straight to where it is read.
    pub(crate) straight: usize,
}

/// The same, behind its lock.
pub(crate) struct State {
    pub(crate) machine: ServerSide,
    pub(crate) named: Named,
    pub(crate) calls: Vec<Running>,
    /// Oneway calls that run, which have no number: the limit bounds them.
    pub(crate) oneways: Vec<(u64, Option<AbortHandle>)>,
    last_oneway: u64,
    pub(crate) outlet: Outlet,
    /// The reader takes in what came, and sends for all when it is through.
    pub(crate) reading: bool,
    /// The reader, while it waits for the client to take what it asked for.
    pub(crate) room: Option<Waker>,
    /// Who waits for the last call to end.
    pub(crate) idle: Option<Waker>,
}

/// A call that runs.
#[derive(Default)]
pub(crate) struct Running {
    /// Tells a call from the one that had its number before.
    pub(crate) generation: u64,
    pub(crate) task: Option<AbortHandle>,
    pub(crate) items: VecDeque<Bytes>,
    pub(crate) items_ended: Option<Result<(), Status>>,
    pub(crate) receiver: Option<Waker>,
    pub(crate) sender: Option<Waker>,
}

impl Served {
    pub(crate) fn new(
        wire: Wire,
        served: rpc_core::Served,
        limits: Limits,
    ) -> ipc_core::Result<Self> {
        let (peer, drain) = (wire.peer().clone(), limits.drain);
        let straight = straight_from(&wire, &limits);
        let state = State {
            machine: ServerSide::new(limits, Instant::now()),
            named: Named::default(),
            calls: Vec::new(),
            oneways: Vec::new(),
            last_oneway: 0,
            outlet: Outlet::default(),
            reading: false,
            room: None,
            idle: None,
        };
        let shared = Arc::new(Shared {
            io: Arc::new(Io::new(wire, state)?),
            served,
            peer,
            drain,
            straight,
        });
        Ok(Self { shared })
    }

    /// Serves until the client goes, or until what runs is finished after `stopped`.
    pub(crate) async fn run(self, mut stopped: Stopped) {
        let shared = &self.shared;
        shared.io.flush(&mut shared.io.lock(), true);
        let writing = tokio::spawn(io::write(Arc::clone(&shared.io)));
        // It is over when the client has dawdled, which may say nothing for ever.
        let mut timing = tokio::spawn(io::keep_time(Arc::clone(&shared.io)));
        let _tasks = Tasks([writing.abort_handle(), timing.abort_handle()]);
        let reading = read(Arc::clone(shared));
        tokio::pin!(reading);
        tokio::select! {
            () = &mut reading => return,
            _ = &mut timing => return,
            () = stopped.wait() => {}
        }
        {
            let mut state = shared.io.lock();
            state.machine.link.drain();
            shared.io.flush(&mut state, true);
        }
        tokio::select! {
            () = &mut reading => return,
            _ = &mut timing => return,
            () = shared.idle() => {}
            () = tokio::time::sleep(shared.drain) => {}
        }
        let end = Status::new(Code::Unavailable, "the server is ending");
        {
            let mut state = shared.io.lock();
            // What had no time to finish is told so: a call without a return did not run.
            state.machine.finish_all(&end);
            state.machine.link.end_in_order();
        }
        // Answers that wait for room in the socket are answers that a client waits for.
        let written = shared.io.wire.ready(Interest::Write, |_| {
            match shared.io.write_now(&mut shared.io.lock()) {
                true => Ok(()),
                false => Err(Until::Now.over("write")),
            }
        });
        let _ = tokio::time::timeout(LAST_WORDS, written).await;
        shared.io.lock().lost(&end);
    }
}

struct Tasks([AbortHandle; 2]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let gone = Status::new(Code::Unavailable, "the client has gone");
        self.shared.io.lock().lost(&gone);
    }
}

impl Shared {
    /// Waits while the client does not take what it has asked for.
    pub(crate) async fn room(&self) {
        poll_fn(|task| {
            let mut state = self.io.lock();
            let link = &state.machine.link;
            if !link.is_full() {
                return Poll::Ready(());
            }
            self.io.flush(&mut state, false);
            remember(&mut state.room, task);
            Poll::Pending
        })
        .await;
    }

    /// Waits until no call runs.
    async fn idle(&self) {
        poll_fn(|task| {
            let mut state = self.io.lock();
            if state.machine.under_way == 0 {
                return Poll::Ready(());
            }
            remember(&mut state.idle, task);
            Poll::Pending
        })
        .await;
    }
}

impl State {
    pub(crate) fn running(&mut self, call: u32) -> Option<&mut Running> {
        self.calls.get_mut((call as usize).checked_sub(1)?)
    }

    pub(crate) fn start(&mut self, call: u32) -> u64 {
        if self.calls.len() < call as usize {
            self.calls.resize_with(call as usize, Running::default);
        }
        let Some(running) = self.running(call) else {
            self.last_oneway += 1;
            self.oneways.push((self.last_oneway, None));
            return self.last_oneway;
        };
        let generation = running.generation + 1;
        *running = Running {
            generation,
            ..Running::default()
        };
        generation
    }
}

impl Side for State {
    fn link(&mut self) -> &mut Link {
        &mut self.machine.link
    }

    fn outlet(&mut self) -> &mut Outlet {
        &mut self.outlet
    }

    fn has_room(&mut self) {
        wake(&mut self.room);
        for running in &mut self.calls {
            wake(&mut running.sender);
        }
    }

    fn lost(&mut self, status: &Status) {
        self.machine.link.lost(status.clone());
        for (_, task) in self.oneways.drain(..) {
            task.inspect(AbortHandle::abort);
        }
        for running in &mut self.calls {
            if let Some(task) = running.task.take() {
                task.abort();
            }
            running.items_ended = Some(Err(Status::bare(Code::Cancelled)));
            wake(&mut running.receiver);
            wake(&mut running.sender);
        }
        wake(&mut self.room);
        wake(&mut self.idle);
    }
}
