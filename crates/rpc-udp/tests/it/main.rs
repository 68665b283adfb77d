//! Calls over datagrams, between real processes, through a network that does its worst.

mod between;
mod calls;
mod chaos;
mod deaths;
mod exactly_once;
mod examples;
mod here;
mod ledger;
mod lies;
mod limits;
mod raw;
mod remote;
mod replays;
mod served;

ipc_testkit::roles! {
    "server" => remote::serve,
}
