//! Calls over real connections, between real processes.

mod authority;
mod balance;
mod blocking;
mod calls;
mod chain;
mod contract_rules;
mod crossing;
mod endings;
mod examples;
mod false_servers;
mod floods;
mod foreign;
mod hostile;
mod in_place;
mod late;
mod lengths;
mod lie_cases;
mod lies;
mod limits;
mod local;
mod network_devices;
mod network_faults;
mod panics;
mod raw;
mod reads;
mod remote;
mod reserving;
mod restarts;
mod shared_memory;
mod straight;
mod talkers;
mod transports;
mod verified;

use rpc_testkit::identities;

#[global_allocator]
static ALLOCATOR: ipc_testkit::CountingAllocator = ipc_testkit::CountingAllocator;

ipc_testkit::roles! {
    "server" => remote::serve,
    "blocking-server" => remote::serve_blocking,
    "chain-middle" => chain::middle,
    "chain-last" => chain::last,
    "guarded-server" => floods::serve,
    "guarded-blocking-server" => floods::serve_blocking,
    "flood" => floods::flood,
    "local-server" => local::serve,
    "shm-client" => shared_memory::client,
    "shm-stranger" => shared_memory::stranger,
    "transport-server" => transports::serve,
    "blocking-transport-server" => transports::serve_blocking,
}
