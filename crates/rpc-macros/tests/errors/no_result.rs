//! Methods that answer no result.

use rpc_core::{Context, service};

#[service(name = "x.v1.Bad")]
trait Bad {
    async fn take(&self, cx: &Context) -> u32;
    async fn tell(&self, cx: &Context);
}

fn main() {}
