//! Calls over real connections, between real processes.

mod calls;
mod shop;

ipc_testkit::roles! {
    "server" => shop::serve,
}
