//! The tests of rpc-registry: registering, watching, and what deaths do to both.

mod deaths;
mod engines;
mod entries;
mod processes;

ipc_testkit::roles! {
    "shop" => processes::shop,
    "member" => processes::member,
}
