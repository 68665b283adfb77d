//! A method without a context.

use rpc_core::{Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn take(&self, port: u32) -> Result<u32, Status>;
}

fn main() {}
