//! What the program is told on its command line.

use rpc_grpc::{Encoding, Options};
use rpc_testkit::identities::{SERVER, side};
use std::path::PathBuf;

/// How the program is called.
pub(crate) const USAGE: &str = "usage: grpc-interop certificates DIR
       grpc-interop server ours|tonic plain|tls|mtls DIR
       grpc-interop client ours|tonic plain|tls|mtls DIR PORT CASE,... ROUNDS [hidden]";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Certificates,
    Server,
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stack {
    Ours,
    Tonic,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Security {
    Plain,
    Tls,
    Mtls,
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) role: Role,
    pub(crate) stack: Stack,
    pub(crate) security: Security,
    pub(crate) certificates: PathBuf,
    pub(crate) port: u16,
    pub(crate) cases: Vec<String>,
    /// How often the cases that soak go round.
    pub(crate) rounds: u32,
    /// Whether the server does not see which messages come compressed.
    pub(crate) hidden: bool,
}

impl Arguments {
    pub(crate) fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut next = |what: &str| words.next().ok_or_else(|| format!("{what} is missing"));
        let mut read = Self {
            role: Role::Certificates,
            stack: Stack::Ours,
            security: Security::Plain,
            certificates: PathBuf::new(),
            port: 0,
            cases: Vec::new(),
            rounds: 0,
            hidden: false,
        };
        read.role = match &*next("the role")? {
            "certificates" => Role::Certificates,
            "server" => Role::Server,
            "client" => Role::Client,
            other => return Err(format!("no role {other}")),
        };
        if read.role == Role::Certificates {
            read.certificates = next("the folder")?.into();
            return Ok(read);
        }
        read.stack = match &*next("the stack")? {
            "ours" => Stack::Ours,
            "tonic" => Stack::Tonic,
            other => return Err(format!("no stack {other}")),
        };
        read.security = match &*next("the security")? {
            "plain" => Security::Plain,
            "tls" => Security::Tls,
            "mtls" => Security::Mtls,
            other => return Err(format!("no security {other}")),
        };
        read.certificates = next("the folder")?.into();
        if read.role == Role::Client {
            let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
            let port = number(next("the port")?)?;
            read.port = u16::try_from(port).map_err(|_| format!("no port {port}"))?;
            read.cases = next("the cases")?.split(',').map(str::to_owned).collect();
            read.rounds = number(next("the rounds")?)?;
            read.hidden = next("").is_ok_and(|word| word == "hidden");
        }
        Ok(read)
    }

    /// Where the server of this toolkit is, or listens.
    pub(crate) fn endpoint(&self) -> String {
        let scheme = match self.security {
            Security::Plain => "tcp",
            Security::Tls => "tls",
            Security::Mtls => "mtls",
        };
        format!("{scheme}:127.0.0.1:{}", self.port)
    }

    /// Options of a side of this toolkit.
    pub(crate) fn options(&self, encoding: Encoding) -> Options {
        let mut options = Options::new();
        options.transport(self.transport(&[])).authority(SERVER);
        options.encoding(encoding).clone()
    }

    /// How its bytes travel, where it offers these protocols.
    pub(crate) fn transport(&self, protocols: &[&[u8]]) -> rpc_transport::Options {
        let (name, trusts) = match (self.role, self.security) {
            (Role::Server, Security::Mtls) => (Some("server"), true),
            (Role::Server, _) => (Some("server"), false),
            (_, Security::Mtls) => (Some("clerk"), true),
            _ => (None, true),
        };
        let mut transport = side(&self.certificates, name, trusts);
        transport.insecure_plain_text(self.security == Security::Plain);
        transport.tls(|tls| {
            tls.protocols(protocols);
        });
        transport
    }

    /// The text of one of the certificates or keys.
    pub(crate) fn pem(&self, name: &str) -> Result<String, String> {
        let path = self.certificates.join(name);
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }
}
