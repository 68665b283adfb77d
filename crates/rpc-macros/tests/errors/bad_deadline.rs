//! A deadline without a unit.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    #[rpc(deadline = "2")]
    async fn take(&self, cx: &Context) -> Result<u32, Status>;
}

fn main() {}
