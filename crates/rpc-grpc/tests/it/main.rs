//! Calls by gRPC over real connections.

mod alpn;
mod beside;
mod calls;
mod clients;
mod compressed;
mod floods;
mod generated;
mod hostile;
mod interop;
mod late_head;
mod meaning;
mod raw;
mod remote;
mod shop;
mod spy;
mod tonic_peer;

ipc_testkit::roles! {
    "server" => remote::serve,
    "starved" => floods::serve_starved,
}
