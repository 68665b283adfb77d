//! Calls by gRPC over real connections.

mod alpn;
mod beside;
mod calls;
mod clients;
mod compressed;
mod endings;
mod false_servers;
mod floods;
mod frames;
mod generated;
mod hostile;
mod identity;
mod interop;
mod late_head;
mod limits;
mod meaning;
mod mtls;
mod protocol;
mod protocol_cases;
mod raw;
mod remote;
mod shop;
mod spy;
mod tonic_peer;

ipc_testkit::roles! {
    "server" => remote::serve,
    "starved" => floods::serve_starved,
    "stranger" => identity::call_as_stranger,
}
