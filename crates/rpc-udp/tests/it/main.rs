//! Calls over datagrams, between real processes, through a network that does its worst.

mod calls;
mod chaos;
mod exactly_once;
mod ledger;
mod remote;

ipc_testkit::roles! {
    "server" => remote::serve,
}
