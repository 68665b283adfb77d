//! Several transports by one name: whichever leads to the server of this host.

use crate::{Endpoint, Listener, Options, Wire};
use ipc_core::{Error, ErrorKind, Name, Result, Until};
use ipc_sys::RuntimeDirectory;
use std::time::Instant;

impl Options {
    /// The ways to the server of this name over which bytes go, the fastest first.
    pub(crate) fn ways(&self, name: &Name, tcp: Option<&str>) -> Result<Vec<Endpoint>> {
        let directory = match &self.directory {
            Some(directory) => RuntimeDirectory::open_at(directory)?,
            None => RuntimeDirectory::open()?,
        };
        let path = |ending: &str| {
            let name = Name::new(&format!("{name}.{ending}"))?;
            Ok::<_, Error>(directory.path_of(&name))
        };
        let mut ways = vec![Endpoint::Shm(path("shm")?), Endpoint::Unix(path("sock")?)];
        ways.extend(tcp.map(|address| Endpoint::Tcp(address.to_owned())));
        Ok(ways)
    }

    /// Listens at all of them.
    pub(crate) fn bind_ways(&self, name: &Name, tcp: Option<&str>) -> Result<Listener> {
        let ways = self.ways(name, tcp)?;
        let listeners = ways.iter().map(|way| self.bind(way));
        let endpoint = Endpoint::Local {
            name: name.clone(),
            tcp: tcp.map(str::to_owned),
        };
        Listener::several(endpoint, listeners.collect::<Result<_>>()?)
    }

    /// Takes the first that leads to a server.
    pub(crate) fn connect_ways(
        &self,
        name: &Name,
        tcp: Option<&str>,
        until: Until,
    ) -> Result<Wire> {
        let mut failures = Failures::of(name);
        for way in self.ways(name, tcp)? {
            match self.connect(&way, until) {
                Ok(wire) => return Ok(took(wire, &way)),
                Err(error) => failures.add(&way, error)?,
            }
        }
        Err(failures.into_error())
    }

    /// The same without blocking the runtime.
    pub(crate) async fn connect_ways_async(
        &self,
        name: &Name,
        tcp: Option<&str>,
        deadline: Instant,
    ) -> Result<Wire> {
        let mut failures = Failures::of(name);
        for way in self.ways(name, tcp)? {
            // One of the ways is none of these, so it ends.
            match Box::pin(self.connect_async(&way, deadline)).await {
                Ok(wire) => return Ok(took(wire, &way)),
                Err(error) => failures.add(&way, error)?,
            }
        }
        Err(failures.into_error())
    }
}

fn took(wire: Wire, way: &Endpoint) -> Wire {
    tracing::debug!(%way, "connected");
    wire
}

/// What each way has said.
struct Failures {
    name: String,
    all: Vec<String>,
    last: ErrorKind,
}

impl Failures {
    fn of(name: &Name) -> Self {
        Self {
            name: format!("local:{name}"),
            all: Vec::new(),
            last: ErrorKind::NotFound,
        }
    }

    /// Goes on to the next way, unless somebody is there who refuses us.
    fn add(&mut self, way: &Endpoint, error: Error) -> Result<()> {
        if error.kind() == ErrorKind::Denied {
            return Err(error);
        }
        self.last = error.kind();
        self.all.push(format!("{way}: {error}"));
        Ok(())
    }

    fn into_error(self) -> Error {
        Error::new("connect", self.last)
            .on(self.name)
            .hint(format!("no way leads there: {}", self.all.join(", ")))
    }
}
