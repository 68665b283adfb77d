//! An argument by reference.

use rpc_core::{Context, Status, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn take(&self, cx: &Context, name: &str) -> Result<u32, Status>;
}

fn main() {}
