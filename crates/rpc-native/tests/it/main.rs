//! Calls over real connections, between real processes.

mod blocking;
mod calls;
mod endings;
mod false_servers;
mod foreign;
mod hostile;
mod lengths;
mod lie_cases;
mod lies;
mod limits;
mod panics;
mod raw;
mod remote;
mod verified;

ipc_testkit::roles! {
    "server" => remote::serve,
    "blocking-server" => remote::serve_blocking,
}
