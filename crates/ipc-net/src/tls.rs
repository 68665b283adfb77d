//! TLS over any byte stream: a server and a client, both of which can prove who they are.
//!
//! [`Options`] make a [`Server`] or a [`Client`]. Either puts a [`Stream`] on whatever carries
//! bytes in both directions; over TCP, [`Listener`] and [`Client::connect`] do both steps.
//! Whom the other side has proven to be is an [`Identity`].
//!
//! TLS 1.3, with rustls and its ring provider. No session is ever resumed and no data is sent
//! before the handshake is done, so nothing can be replayed and every connection is checked anew.
//!
//! ```no_run
//! use ipc_net::tls;
//! let mut options = tls::Options::new();
//! options
//!     .certificate(std::fs::read("worker.pem")?, std::fs::read("worker.key")?)
//!     .trust(std::fs::read("ca.pem")?)
//!     .admit(|peer| peer.spiffe_id() == Some("spiffe://example.org/front"));
//! let listener = options.bind("[::]:7000")?;
//! let front = listener.accept()?;
//! front.handshake()?; // in the thread that serves this client
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod failure;
mod identity;
mod listener;
mod options;
mod server;
mod session;
mod stream;
mod verify;

pub use self::{
    client::Client,
    identity::Identity,
    listener::Listener,
    options::{HANDSHAKE_TIMEOUT, Options},
    server::Server,
    stream::Stream,
};
