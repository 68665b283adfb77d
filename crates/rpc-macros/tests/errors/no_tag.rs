//! A described field without a prost attribute.

use rpc_core::Describe;

#[derive(Describe)]
struct Bare {
    name: String,
}

fn main() {}
