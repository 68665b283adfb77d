//! A stream beside arguments.

use rpc_core::{Context, Status, Streaming, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn take(&self, cx: &Context, a: u32, items: Streaming<String>) -> Result<u32, Status>;
}

fn main() {}
