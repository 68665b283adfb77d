//! A oneway method with an answer.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    #[rpc(oneway)]
    async fn tell(&self, cx: &Context) -> Result<u32, Status>;
}

fn main() {}
