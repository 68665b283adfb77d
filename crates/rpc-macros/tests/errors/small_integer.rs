//! An integer that protobuf has not.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn take(&self, cx: &Context, port: u16) -> Result<u32, Status>;
}

fn main() {}
