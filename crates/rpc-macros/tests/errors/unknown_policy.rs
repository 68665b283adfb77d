//! A policy that is misspelt.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    #[rpc(deadlne = "2s")]
    async fn take(&self, cx: &Context) -> Result<u32, Status>;
}

fn main() {}
