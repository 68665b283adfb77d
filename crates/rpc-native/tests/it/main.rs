//! Calls over real connections, between real processes.

mod blocking;
mod calls;
mod endings;
mod foreign;
mod hostile;
mod identities;
mod remote;
mod resets;
mod transports;
mod verified;

ipc_testkit::roles! {
    "server" => remote::serve,
    "blocking-server" => remote::serve_blocking,
    "transport-server" => transports::serve,
    "blocking-transport-server" => transports::serve_blocking,
}
